"""Templates and senders over HTTP."""

from __future__ import annotations

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gupshup import templates
from gupshup.models import Sender, Template
from gupshup.serializers import SenderSerializer, SyncedSerializer, SyncSerializer, TemplateSerializer
from whatsapp_campaigns.api.errors import Conflict, Missing
from whatsapp_campaigns.api.filtering import IdFilter, OneOf, Search
from whatsapp_campaigns.api.views import Api, Listing, Reading, Rows


class TemplateFilters(django_filters.FilterSet):
    search = Search(field_name="name", lookup_expr="icontains")
    name = Search(field_name="name")
    language = Search(field_name="language")
    status = OneOf(choices=Template.Status.choices)
    sender_id = IdFilter(field_name="sender_id")

    class Meta:
        model = Template
        fields: tuple[str, ...] = ()


class TemplateRows(Rows):
    subject = "gupshup.template"
    queryset = Template.objects.none()
    serializer_class = TemplateSerializer
    filterset_class = TemplateFilters

    def get_queryset(self) -> QuerySet[Template]:
        return Template.objects.order_by("name", "language", "id")


class Templates(TemplateRows, Listing):
    """Our copy of Gupshup's templates."""


class OneTemplate(TemplateRows, Reading):
    """One template, in one language."""


class SyncTemplates(Api):
    """Gupshup's list, read anew."""

    subject = "gupshup.template"

    @extend_schema(operation_id="sync_templates", request=SyncSerializer, responses=SyncedSerializer)
    def post(self, request: Request) -> Response:
        given = SyncSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        senders = Sender.objects.all()
        if (sender_id := given.validated_data.get("sender_id")) is not None:
            senders = senders.filter(pk=sender_id)
        if not senders:
            raise Missing("sender_id", _("There is no such sender."))
        try:
            return Response({"read_count": sum(templates.sync(sender) for sender in senders)})
        except templates.SyncFailedError as error:
            text = _("Gupshup did not give its list of templates. Try again later, or run check_gupshup.")
            raise Conflict(text, "provider_trouble", provider_code=error.response.error_code or "") from error


class SenderRows(Rows):
    subject = "gupshup.sender"
    serializer_class = SenderSerializer
    queryset = Sender.objects.order_by("id")
    filter_backends = ()


class Senders(SenderRows, Listing):
    """The numbers that messages come from, their pace and whether they may send. Super-admins only."""


class OneSender(SenderRows, Reading):
    """One sender."""

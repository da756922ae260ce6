"""Campaigns over HTTP, as the old front end calls them: list, create and launch, one, its figures, retry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from campaigns import composing, deciding, launching, reports
from campaigns.api_bodies import NewCampaignSerializer
from campaigns.filters import CampaignFilters
from campaigns.models import Campaign
from campaigns.reports import Figures
from campaigns.serializers import CampaignSerializer, LaunchedSerializer, RetriedSerializer, StatsSerializer
from campaigns.status import CampaignStatus
from contacts.models import Category
from gupshup.models import Sender, Template
from gupshup.senders import default_sender
from whatsapp_campaigns.api.errors import Conflict, Missing, Unprocessable
from whatsapp_campaigns.api.idempotency import idempotent
from whatsapp_campaigns.api.views import Api, Listing, Reading, Rows

LAUNCHES = {"POST": "launch"}  # the scope that a program's key needs
PREPARING = 2.0  # seconds that a launching request spends on writing messages


class CampaignRows(Rows):
    """The campaigns that the caller may see, with the figures of those on the page in one snapshot."""

    subject = "campaigns.campaign"
    queryset = Campaign.objects.none()
    serializer_class = CampaignSerializer
    filterset_class = CampaignFilters
    figures: dict[int, Figures]

    def get_queryset(self) -> QuerySet[Campaign]:
        mine = Campaign.objects.of(self.user)
        return mine.select_related("template").prefetch_related("categories").order_by("-id")

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "figures": getattr(self, "figures", {})}


class Campaigns(CampaignRows, Listing):
    """Campaigns, newest first, at most 50 a page."""

    scopes = LAUNCHES

    def paginate_queryset(self, queryset: Any) -> list[Any] | None:
        page = super().paginate_queryset(queryset)
        self.figures = reports.figures_of([campaign.pk for campaign in page or ()])
        return page

    @extend_schema(operation_id="create_and_launch", request=NewCampaignSerializer, responses={202: LaunchedSerializer})
    @idempotent
    def post(self, request: Request) -> Response:
        """Create a campaign and launch it at once.

        Without `template_name`, `message_1` must be the text of exactly one approved template. A template's variables
        are filled by `params`; without them they are read from `message_1` when it is the template's text filled in.
        """
        given = NewCampaignSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        fields = given.validated_data
        categories = own_categories(self.user, fields["category_ids"])
        template = _template(fields)
        params = fields.get("params")
        if params is None:
            params = composing.read_params(template, fields.get("message_1", ""))
        content = {
            "name": fields["name"],
            "sender": template.sender,
            "template": template,
            "params": params,
            "header_media": fields.get("header_media", ""),
            "message_2": fields.get("message_2", ""),
        }
        try:
            campaign = composing.create_and_launch(self.user, content, categories)
        except launching.LaunchRefused as refusal:
            raise refused(refusal) from refusal
        return under_way(self, campaign.pk)


class OneCampaign(CampaignRows, Reading):
    """One campaign."""

    def delete(self, request: Request, pk: int) -> Response:
        """Delete a draft. What was launched is kept, with its history."""
        if not composing.delete_draft(self.get_object()):
            raise Conflict(gettext_lazy("Only a draft can be deleted. Cancel the campaign instead."), "not_a_draft")
        return Response(status=status.HTTP_204_NO_CONTENT)


class Stats(CampaignRows):
    """The old counters of a campaign."""

    @extend_schema(operation_id="campaign_stats", responses=StatsSerializer)
    def get(self, request: Request, pk: int) -> Response:
        campaign = self.get_object()
        return Response({"campaign_id": campaign.pk, **reports.figures(campaign.pk).old})


class Retry(CampaignRows):
    """Failed messages once more."""

    scopes = LAUNCHES

    @extend_schema(operation_id="retry", request=None, responses=RetriedSerializer)
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Send the failed Messages 1 again, but not to people who want nothing more."""
        campaign = self.get_object()
        if campaign.status == CampaignStatus.CANCELLED:
            raise Conflict(gettext_lazy("A cancelled campaign sends nothing more."), "campaign_cancelled")
        done = deciding.resend_failed(campaign, self.user, "retry by the API")
        text = ngettext("%(n)d message will be sent again.", "%(n)d messages will be sent again.", done) % {"n": done}
        text = f"{text} {deciding.held_note(campaign)}".rstrip()
        return Response({"campaign_id": campaign.pk, "retried_count": done, "message": text})


# -- what other routes need too


def own_categories(user: User, ids: Sequence[int]) -> list[Category]:
    """Raises Missing for categories that do not exist or are not the user's."""
    found = list(Category.objects.of(user).filter(pk__in=set(ids)))
    if missing := set(ids) - {category.pk for category in found}:
        shown = ", ".join(map(str, sorted(missing)[:10]))
        raise Missing("category_ids", _("No such category: %(ids)s.") % {"ids": shown})
    return found


def own_campaign(view: Api, pk: int) -> Campaign:
    return get_object_or_404(Campaign.objects.of(view.user).select_related("template", "sender"), pk=pk)


def sender() -> Sender:
    """Raises Unprocessable while none is set up."""
    try:
        return default_sender()
    except Sender.DoesNotExist:
        raise Unprocessable(
            gettext_lazy("No sender is set up yet. Ask a super-admin to add one."), "no_sender"
        ) from None


def under_way(view: Api, pk: int) -> Response:
    """202 with the campaign. Its messages are written by now unless there are very many; the workers write the rest."""
    launching.prepare(pk, seconds=PREPARING)
    shown = LaunchedSerializer(own_campaign(view, pk), context={"figures": {}}).data
    return Response(shown, status=status.HTTP_202_ACCEPTED)


def refused(refusal: launching.LaunchRefused) -> Unprocessable:
    problems = [{"code": problem.code, "text": problem.text} for problem in refusal.problems]
    return Unprocessable(str(refusal), "launch_refused", problems=problems)


def _template(fields: dict[str, Any]) -> Template:
    try:
        return composing.choose_template(
            sender(), fields.get("template_name", ""), fields.get("language", ""), fields.get("message_1", "")
        )
    except composing.UnclearTemplate as unclear:
        candidates = [
            {
                "template_name": one.name,
                "language": one.language,
                "message_1": one.body,
                "params_count": one.params_count,
            }
            for one in unclear.candidates
        ]
        raise Unprocessable(str(unclear), unclear.code, candidates=candidates) from unclear

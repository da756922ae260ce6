"""Outgoing webhooks over HTTP. Super-admins only, and programs that act for one."""

from __future__ import annotations

import django_filters
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from hooks import outbox
from hooks.models import Delivery, Endpoint, Kind
from hooks.serializers import (
    DeliverySerializer,
    EndpointSerializer,
    NothingSerializer,
    OneDeliverySerializer,
    SecretSerializer,
)
from whatsapp_campaigns.api.filtering import IdFilter, OneOf
from whatsapp_campaigns.api.idempotency import idempotent
from whatsapp_campaigns.api.views import Api, Change, Collection, Listing, Reading, Rows

# Where answers of customers go is as weighty as what is sent to them.
CHANGES = {"POST": "launch", "PUT": "launch", "PATCH": "launch", "DELETE": "launch"}


class Endpoints(Collection):
    """The programs that are told what happens. Making one answers its secret, this once."""

    subject = "hooks.endpoint"
    scopes = CHANGES
    queryset = Endpoint.objects.order_by("id")
    serializer_class = EndpointSerializer
    filter_backends = ()

    @extend_schema(request=EndpointSerializer, responses={201: SecretSerializer})
    @idempotent
    def post(self, request: Request) -> Response:
        given = EndpointSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        endpoint = Endpoint(**given.validated_data, created_by=self.user)
        endpoint.issue()
        endpoint.save()
        response = Response(SecretSerializer(endpoint).data, status=status.HTTP_201_CREATED)
        response.kept = {**response.data, "secret": ""}  # type: ignore[attr-defined]
        return response


class OneEndpoint(Change):
    """One endpoint. `active: true` starts one anew that was switched off."""

    subject = "hooks.endpoint"
    scopes = CHANGES
    queryset = Endpoint.objects.all()
    serializer_class = EndpointSerializer


class RotateSecret(Api):
    """A new secret for an endpoint."""

    subject = "hooks.endpoint"
    verb = "change"
    scopes = CHANGES

    @extend_schema(operation_id="rotate_webhook_secret", request=NothingSerializer, responses=SecretSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """For 24 hours both secrets sign, so that the receiver can change over without a gap."""
        NothingSerializer(data=request.data).is_valid(raise_exception=True)
        endpoint = _endpoint(pk)
        endpoint.rotate()
        return Response(SecretSerializer(endpoint).data)


class Trial(Api):
    """A trial event."""

    subject = "hooks.endpoint"
    verb = "change"
    scopes = CHANGES

    @extend_schema(operation_id="try_webhook", request=NothingSerializer, responses={202: OneDeliverySerializer})
    def post(self, request: Request, pk: int) -> Response:
        """It is delivered within seconds; look at the delivery to see what was answered."""
        NothingSerializer(data=request.data).is_valid(raise_exception=True)
        delivery = outbox.trial(_endpoint(pk))
        return Response(OneDeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)


class DeliveryFilters(django_filters.FilterSet):
    endpoint_id = IdFilter(field_name="endpoint_id")
    kind = OneOf(choices=Kind.choices)
    state = OneOf(choices=Delivery.State.choices)

    class Meta:
        model = Delivery
        fields: tuple[str, ...] = ()


class DeliveryRows(Rows):
    subject = "hooks.delivery"
    queryset = Delivery.objects.none()
    filterset_class = DeliveryFilters
    serializer_class: type[serializers.BaseSerializer] = DeliverySerializer

    def get_queryset(self) -> QuerySet[Delivery]:
        return Delivery.objects.order_by("-id")


class Deliveries(DeliveryRows, Listing):
    """What was told, or is to be, newest first."""


class OneDelivery(DeliveryRows, Reading):
    """One delivery, with its body and the log of its tries."""

    serializer_class = OneDeliverySerializer


class Redeliver(Api):
    """A delivery once more."""

    subject = "hooks.delivery"
    verb = "change"
    scopes = CHANGES

    @extend_schema(operation_id="redeliver_webhook", request=NothingSerializer, responses={202: OneDeliverySerializer})
    def post(self, request: Request, pk: int) -> Response:
        """With the same id and the same body: a receiver that has it already knows it again."""
        NothingSerializer(data=request.data).is_valid(raise_exception=True)
        if not Delivery.objects.filter(pk=pk).again():
            raise Http404
        return Response(OneDeliverySerializer(Delivery.objects.get(pk=pk)).data, status=status.HTTP_202_ACCEPTED)


def _endpoint(pk: int) -> Endpoint:
    found = Endpoint.objects.filter(pk=pk).first()
    if found is None:
        raise Http404
    return found

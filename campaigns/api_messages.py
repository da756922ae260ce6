"""Messages and answers over HTTP: lists, counts, and what only a person can decide."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy, ngettext
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import counting, deciding, reconciling
from campaigns.api_bodies import WhySerializer
from campaigns.filters import InteractionFilters, MessageFilters
from campaigns.models import Attempt, Campaign, Interaction, Message
from campaigns.serializers import (
    AttemptSerializer,
    DecidedSerializer,
    InteractionSerializer,
    MessageSerializer,
    MessageStatsSerializer,
)
from campaigns.status import CampaignStatus, Status
from campaigns.views import LAUNCHES, own_campaign
from whatsapp_campaigns.api.errors import Conflict
from whatsapp_campaigns.api.idempotency import idempotent
from whatsapp_campaigns.api.paging import CountedPages
from whatsapp_campaigns.api.views import Api, Listing, Reading, Rows


class MessageRows(Rows):
    """The messages of the campaigns that the caller may see."""

    subject = "campaigns.message"
    queryset = Message.objects.none()
    serializer_class = MessageSerializer
    filterset_class = MessageFilters

    def get_queryset(self) -> QuerySet[Message]:
        found = Message.objects.select_related("campaign").order_by("-id")
        if self.user.is_super_admin:
            return found
        return found.filter(campaign_id__in=Campaign.objects.of(self.user).order_by().values("pk"))


class Messages(MessageRows, Listing):
    """Messages, newest first."""

    pagination_class = CountedPages

    def count(self) -> int | None:
        """How many the filters leave, from the kept figures when they can say; None when rows must be counted."""
        asked = MessageFilters(self.request.query_params, queryset=Message.objects.none())
        return counting.of_filters(self.user, asked.form.cleaned_data) if asked.is_valid() else None


class OneMessage(MessageRows, Reading):
    """One message."""


class MessageAttempts(Listing):
    """The calls to the provider that were made for a message, oldest first."""

    subject = "campaigns.attempt"
    serializer_class = AttemptSerializer
    queryset = Attempt.objects.none()
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Attempt]:
        own = Campaign.objects.of(self.user).order_by().values("pk")
        message = get_object_or_404(Message, pk=self.kwargs["pk"], campaign_id__in=own)
        return message.attempts.order_by("id")


class MessageStats(Api):
    """Messages by the old words."""

    subject = "campaigns.message"

    @extend_schema(operation_id="message_stats", parameters=[], responses=MessageStatsSerializer)
    def get(self, request: Request) -> Response:
        return Response(counting.old_words(self.user))


class Uncertain(Listing):
    """Messages of which nobody can know whether they were sent. They were not sent twice."""

    subject = "campaigns.message"
    serializer_class = MessageSerializer
    queryset = Message.objects.none()
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Message]:
        return _uncertain(own_campaign(self, self.kwargs["pk"])).select_related("campaign").order_by("id")


class Decision(Api):
    """A person's word about uncertain messages: audited."""

    subject = "campaigns.message"
    verb = "change"
    scopes = LAUNCHES

    def decide(self, request: Request, pk: int, verb: deciding.Verb) -> tuple[Campaign, int]:
        campaign = own_campaign(self, pk)
        given = WhySerializer(data=request.data)
        given.is_valid(raise_exception=True)
        chosen = _uncertain(campaign)
        if not given.validated_data.get("all"):
            chosen = chosen.filter(pk__in=given.validated_data["message_ids"])
        return campaign, deciding.decide(verb, chosen, self.user, given.validated_data["why"])


class ResendUncertain(Decision):
    """Uncertain messages once more."""

    @extend_schema(operation_id="resend_uncertain", request=WhySerializer, responses=DecidedSerializer)
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Send them again. Some of these people may then have the message twice: that is what is decided here."""
        if own_campaign(self, pk).status == CampaignStatus.CANCELLED:
            raise Conflict(gettext_lazy("A cancelled campaign sends nothing more."), "campaign_cancelled")
        campaign, done = self.decide(request, pk, reconciling.resend)
        text = ngettext("%(n)d message will be sent again.", "%(n)d messages will be sent again.", done)
        return _decided(campaign, done, text)


class GiveUpUncertain(Decision):
    """Uncertain messages left as they are."""

    @extend_schema(operation_id="give_up_uncertain", request=WhySerializer, responses=DecidedSerializer)
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Count them as failed; a report that comes late still tells what became of them."""
        campaign, done = self.decide(request, pk, reconciling.give_up)
        return _decided(campaign, done, ngettext("%(n)d message was given up.", "%(n)d messages were given up.", done))


def _uncertain(campaign: Campaign) -> QuerySet[Message]:
    return Message.objects.filter(campaign=campaign, status=Status.UNCERTAIN)


def _decided(campaign: Campaign, done: int, text: str) -> Response:
    body: dict[str, Any] = {"campaign_id": campaign.pk, "decided_count": done, "message": text % {"n": done}}
    return Response(body)


class InteractionRows(Rows):
    """Answers to the campaigns that the caller may see; a super-admin sees those that answer none too."""

    subject = "campaigns.interaction"
    queryset = Interaction.objects.none()
    serializer_class = InteractionSerializer
    filterset_class = InteractionFilters

    def get_queryset(self) -> QuerySet[Interaction]:
        found = Interaction.objects.order_by("-id")
        if self.user.is_super_admin:
            return found
        return found.filter(campaign_id__in=Campaign.objects.of(self.user).order_by().values("pk"))


class Interactions(InteractionRows, Listing):
    """What people answered, newest first."""


class OneInteraction(InteractionRows, Reading):
    """One answer."""

"""Campaigns, messages and answers, as the API speaks of them: the old system's fields, and ours beside them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns import oldwords, reports
from campaigns.models import Attempt, Campaign, Event, Interaction, Message
from campaigns.status import CampaignStatus, Kind, Status
from contacts.serializers import BriefCategorySerializer
from whatsapp_campaigns.api.fields import Strict, StrictModel, Whole

COUNTERS = ("total_recipients", "sent_count", "delivered_count", "read_count", "failed_count")

OldCampaignWord = serializers.ChoiceField(choices=oldwords.OLD_CAMPAIGN_CHOICES)
OldMessageWord = serializers.ChoiceField(choices=oldwords.OLD_MESSAGE_CHOICES)
StateWord = serializers.ChoiceField(choices=oldwords.MESSAGE_STATE_CHOICES)


class CampaignSerializer(StrictModel):
    """A campaign in the old system's words, with `state` in ours. The figures come from the context."""

    status = serializers.SerializerMethodField()
    state = serializers.ChoiceField(source="status", choices=CampaignStatus.choices)
    categories = BriefCategorySerializer(many=True)
    total_recipients = serializers.SerializerMethodField()
    sent_count = serializers.SerializerMethodField()
    delivered_count = serializers.SerializerMethodField()
    read_count = serializers.SerializerMethodField()
    failed_count = serializers.SerializerMethodField()
    success_rate = serializers.SerializerMethodField()
    message_1 = serializers.SerializerMethodField()
    template_name = serializers.SerializerMethodField()

    class Meta:
        model = Campaign
        fields: tuple[str, ...] = (
            "id",
            "name",
            "message_1",
            "message_2",
            "template_name",
            "status",
            "state",
            *COUNTERS,
            "created_by",
            "created_at",
            "updated_at",
            "scheduled_at",
            "completed_at",
            "success_rate",
            "categories",
        )
        read_only_fields: tuple[str, ...] = fields

    def _old(self, campaign: Campaign) -> dict[str, Any]:
        found = self.context["figures"].get(campaign.pk)
        return (found or reports.figures(campaign.pk)).old

    @extend_schema_field(OldCampaignWord)
    def get_status(self, campaign: Campaign) -> str:
        return oldwords.campaign_word(campaign.status)

    def get_total_recipients(self, campaign: Campaign) -> int:
        return int(self._old(campaign)["total_recipients"])

    def get_sent_count(self, campaign: Campaign) -> int:
        return int(self._old(campaign)["sent_count"])

    def get_delivered_count(self, campaign: Campaign) -> int:
        return int(self._old(campaign)["delivered_count"])

    def get_read_count(self, campaign: Campaign) -> int:
        return int(self._old(campaign)["read_count"])

    def get_failed_count(self, campaign: Campaign) -> int:
        return int(self._old(campaign)["failed_count"])

    def get_success_rate(self, campaign: Campaign) -> float:
        return float(self._old(campaign)["success_rate"])

    def get_message_1(self, campaign: Campaign) -> str:
        """The template's text: as launched, or as it is now for a draft."""
        return campaign.message_1 or (campaign.template.body if campaign.template else "")

    def get_template_name(self, campaign: Campaign) -> str:
        return campaign.template_name or (campaign.template.name if campaign.template else "")


class LaunchedSerializer(CampaignSerializer):
    """A campaign under way: its fields, the launch's id, and the campaign once more for clients that look there."""

    task_id = serializers.UUIDField(source="launch_id")

    class Meta(CampaignSerializer.Meta):
        fields = (*CampaignSerializer.Meta.fields, "task_id")
        read_only_fields = fields

    def to_representation(self, instance: Campaign) -> dict[str, Any]:
        shown = super().to_representation(instance)
        return {**shown, "campaign": {name: value for name, value in shown.items() if name != "task_id"}}


class StatsSerializer(Strict):
    """The old, exclusive counters: each Message 1 counts in exactly one of the five.

    success_rate = (delivered_count + read_count) / total_recipients * 100, and 0.0 without recipients.
    """

    campaign_id = Whole()
    total_recipients = Whole()
    sent_count = Whole()
    delivered_count = Whole()
    read_count = Whole()
    failed_count = Whole()
    pending_count = Whole()
    success_rate = serializers.FloatField()


class RetriedSerializer(Strict):
    campaign_id = Whole()
    retried_count = Whole()
    message = serializers.CharField()


class DecidedSerializer(Strict):
    campaign_id = Whole()
    decided_count = Whole()
    message = serializers.CharField()


class MessageSerializer(StrictModel):
    """A message in the old system's words, with `state` in ours."""

    campaign_id = Whole()
    contact_id = Whole(allow_null=True)
    message_type = serializers.ChoiceField(choices=Kind.choices)
    content = serializers.CharField(source="text")
    status = serializers.SerializerMethodField()
    state = serializers.SerializerMethodField()

    class Meta:
        model = Message
        fields = (
            "id",
            "campaign_id",
            "contact_id",
            "message_type",
            "content",
            "status",
            "state",
            "whatsapp_message_id",
            "error_message",
            "retry_count",
            "sent_at",
            "delivered_at",
            "read_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    @extend_schema_field(OldMessageWord)
    def get_status(self, message: Message) -> str:
        return oldwords.message_word(message.status)

    @extend_schema_field(StateWord)
    def get_state(self, message: Message) -> str:
        return Status(message.status).word


class AttemptSerializer(StrictModel):
    class Meta:
        model = Attempt
        fields = (
            "id",
            "state",
            "started_at",
            "finished_at",
            "http_status",
            "error_code",
            "error_message",
            "provider_id",
            "late_news",
        )
        read_only_fields = fields


class MessageCountsSerializer(Strict):
    total = Whole()
    pending_count = Whole()
    sent_count = Whole()
    delivered_count = Whole()
    read_count = Whole()
    failed_count = Whole()
    success_rate = serializers.FloatField()


class MessageStatsSerializer(MessageCountsSerializer):
    """Messages by the old words, each in exactly one; both messages together, and each alone."""

    message_1 = MessageCountsSerializer()
    message_2 = MessageCountsSerializer()


class InteractionSerializer(StrictModel):
    campaign_id = Whole(allow_null=True)
    contact_id = Whole(allow_null=True)
    message_id = Whole(allow_null=True)

    class Meta:
        model = Interaction
        fields = (
            "id",
            "campaign_id",
            "contact_id",
            "message_id",
            "interaction_type",
            "content",
            "media_url",
            "late",
            "triggered",
            "received_at",
        )
        read_only_fields = fields


class EventSerializer(StrictModel):
    class Meta:
        model = Event
        fields = ("id", "verb", "actor", "message", "details", "at")
        read_only_fields = fields


class ReachSerializer(Strict):
    """`total` = `planned` + the sum of `skipped`."""

    total = Whole()
    planned = Whole()
    skipped = serializers.DictField(child=Whole(), help_text="people by reason")


class ProblemSerializer(Strict):
    code = serializers.CharField()
    text = serializers.CharField()


class ProblemsSerializer(Strict):
    problems = ProblemSerializer(many=True)


class RateSerializer(Strict):
    part = Whole()
    whole = Whole()
    percent = serializers.FloatField(allow_null=True)


class FiguresSerializer(Strict):
    """`audience` = the sum of `skipped` + `planned`; `planned` = the sum of the other states of `message_1`."""

    campaign_id = Whole()
    state = serializers.ChoiceField(choices=CampaignStatus.choices)
    audience = Whole()
    planned = Whole()
    message_1 = serializers.DictField(child=Whole(), help_text="messages by state")
    message_2 = serializers.DictField(child=Whole(), help_text="messages by state")
    skipped = serializers.DictField(child=Whole(), help_text="by reason")
    failed = serializers.DictField(child=Whole(), help_text="by error code, else reason")
    cancelled = serializers.DictField(child=Whole(), help_text="by reason")
    replied = Whole()
    opted_out = Whole()
    rates = serializers.DictField(child=RateSerializer())

"""Campaigns, messages and answers, as the API speaks of them: the old system's fields, and ours beside them."""

from __future__ import annotations

import re
import zoneinfo
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns import oldwords, reports
from campaigns.audience import PLAIN_FIELDS
from campaigns.models import Attempt, Campaign, Event, Interaction, Message
from campaigns.status import CampaignStatus, Kind, Status
from contacts.serializers import BriefCategorySerializer
from whatsapp_campaigns.api.errors import Unfit
from whatsapp_campaigns.api.fields import ANYTHING, Flag, Moment, Strict, StrictModel, Text, Whole, id_field, id_list

MAX_PARAMS = 100
WEB_ADDRESS = r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?\Z"
MAX_TEXT = 4096
LONGEST_DELAY = 23 * 60  # minutes: Message 2 must leave inside the customer service window
COUNTERS = ("total_recipients", "sent_count", "delivered_count", "read_count", "failed_count")

OldCampaignWord = serializers.ChoiceField(choices=oldwords.OLD_CAMPAIGN_CHOICES)
OldMessageWord = serializers.ChoiceField(choices=oldwords.OLD_MESSAGE_CHOICES)
StateWord = serializers.ChoiceField(choices=oldwords.MESSAGE_STATE_CHOICES)


# -- what comes in


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "minLength": 1, "maxLength": 1024, "pattern": ANYTHING},
            {
                "type": "object",
                "properties": {
                    "field": {
                        "type": "string",
                        "pattern": r"^(first_name|last_name|number|attributes\.[^\x00]{1,100})?$",
                        "description": "first_name, last_name, number, attributes.<name>, or empty for a fixed text",
                    },
                    "text": {
                        "type": "string",
                        "maxLength": 1024,
                        "pattern": ANYTHING,
                        "description": "fixed, or for an empty field",
                    },
                },
                "additionalProperties": False,
            },
        ]
    }
)
class ParamField(serializers.Field):
    """One variable: a text that is the same for all, or `{"field": "first_name", "text": "stand-in"}`."""

    default_error_messages = {
        "shape": _("Give a text, or an object with field and text."),
        "field": _("Choose first_name, last_name, number or attributes.<name>."),
        "long": _("At most 1,024 characters."),
    }

    def to_internal_value(self, data: Any) -> dict[str, str]:
        given = {"text": data} if isinstance(data, str) and data else data
        if not isinstance(given, dict) or not given.keys() <= {"field", "text"}:
            self.fail("shape")
        field, text = given.get("field", ""), given.get("text", "")
        if not isinstance(field, str) or not isinstance(text, str):
            self.fail("shape")
        if field and field not in PLAIN_FIELDS and not re.fullmatch(r"attributes\..{1,100}", field, re.DOTALL):
            self.fail("field")
        if len(text) > 1024:
            self.fail("long")
        return {"field": field, "text": " ".join(text.split())}

    def to_representation(self, value: dict[str, str]) -> dict[str, str]:
        return value


class HoursSerializer(Strict):
    """When messages may leave: days 0 (Monday) to 6, between two times of the campaign's time zone."""

    days = serializers.ListField(child=Whole(min_value=0, max_value=6), max_length=7, required=False)
    holidays = serializers.RegexField(r"^[A-Z]{2}\Z", required=False, help_text="not on this country's: FR")

    def get_fields(self) -> dict[str, serializers.Field]:
        clock = r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z"
        times = {name: serializers.RegexField(clock, required=False) for name in ("from", "to")}
        return {**super().get_fields(), **times}


class NewCampaignSerializer(Strict):
    """What the old system took, and `language`, `params`, `header_media`, which templates may need."""

    name = Text(max_length=160)
    message_1 = Text(max_length=MAX_TEXT, required=False, allow_blank=True, allow_null=True)
    message_2 = Text(max_length=MAX_TEXT, required=False, allow_blank=True, allow_null=True)
    template_name = Text(max_length=512, required=False, allow_blank=True, allow_null=True)
    category_ids = id_list()
    language = Text(max_length=20, required=False, allow_blank=True, allow_null=True, help_text="fr")
    params = serializers.ListField(child=ParamField(), max_length=MAX_PARAMS, required=False)
    header_media = serializers.RegexField(WEB_ADDRESS, max_length=1000, required=False, allow_blank=True)

    one_of = ("message_1", "template_name")


class ContentSerializer(StrictModel):
    """What a campaign says and to whom. Writable while it is a draft."""

    name = Text(max_length=160)
    template_id = id_field(required=False, allow_null=True)
    params = serializers.ListField(child=ParamField(), max_length=MAX_PARAMS, required=False)
    header_media = serializers.RegexField(WEB_ADDRESS, max_length=1000, required=False, allow_blank=True)
    message_2 = Text(max_length=MAX_TEXT, required=False, allow_blank=True)
    trigger = serializers.ChoiceField(choices=Campaign.Trigger.choices, required=False)
    trigger_words = Text(max_length=MAX_TEXT, required=False, allow_blank=True, help_text="one a line")
    message_2_delay = Whole(min_value=0, max_value=LONGEST_DELAY, required=False, help_text="minutes")
    category_ids = id_list(required=False, write_only=True, min_length=0)
    hours = HoursSerializer(required=False)
    time_zone = Text(max_length=40, required=False)
    categories = BriefCategorySerializer(many=True, read_only=True)
    state = serializers.ChoiceField(source="status", choices=CampaignStatus.choices, read_only=True)

    class Meta:
        model = Campaign
        fields = (
            "id",
            "name",
            "state",
            "version",
            "pause_reason",
            "pause_detail",
            "template_id",
            "template_name",
            "message_1",
            "params",
            "header_media",
            "message_2",
            "trigger",
            "trigger_words",
            "message_2_delay",
            "hours",
            "time_zone",
            "scheduled_at",
            "category_ids",
            "categories",
        )
        read_only_fields = (
            "id",
            "version",
            "pause_reason",
            "pause_detail",
            "template_name",
            "message_1",
            "scheduled_at",
        )

    def validate_time_zone(self, value: str) -> str:
        if value not in zoneinfo.available_timezones():
            raise Unfit("time_zone", _("Give a name such as Europe/Paris."))
        return value


class LaunchSerializer(Strict):
    version = Whole(required=False, help_text="what you saw: a campaign that was changed since is not launched")


class ScheduleSerializer(Strict):
    scheduled_at = Moment()


class WhySerializer(Strict):
    """`message_ids`, or `all: true`."""

    message_ids = id_list(required=False, max_length=10_000)
    all = Flag(required=False)
    why = Text(max_length=300, help_text="kept in the journal")
    one_of = ("message_ids", "all")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("all") and attrs.get("message_ids"):
            raise Unfit("message_ids", _("Give message_ids, or all = true, but not both."))
        return attrs


# -- what goes out


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

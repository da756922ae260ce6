"""What the API takes about campaigns: bodies to create, write, launch, schedule and decide."""

from __future__ import annotations

import re
import zoneinfo
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns.audience import PLAIN_FIELDS
from campaigns.models import Campaign
from campaigns.status import CampaignStatus
from contacts.serializers import BriefCategorySerializer
from whatsapp_campaigns.api.errors import Unfit
from whatsapp_campaigns.api.fields import ANYTHING, Flag, Moment, Strict, StrictModel, Text, Whole, id_field, id_list

MAX_PARAMS = 100
WEB_ADDRESS = r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?\Z"
MAX_TEXT = 4096
LONGEST_DELAY = 23 * 60  # minutes: Message 2 must leave inside the customer service window


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

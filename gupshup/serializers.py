"""Templates and senders, as the API speaks of them. No secret is among the fields."""

from __future__ import annotations

from gupshup.models import Sender, Template
from whatsapp_campaigns.api.fields import Flag, Strict, StrictModel, Whole, id_field


class TemplateSerializer(StrictModel):
    sender_id = Whole()
    sendable = Flag()

    class Meta:
        model = Template
        fields = (
            "id",
            "sender_id",
            "name",
            "language",
            "category",
            "status",
            "sendable",
            "reason",
            "quality",
            "body",
            "header_type",
            "header_text",
            "footer",
            "buttons",
            "params_count",
            "sample",
            "media_url",
            "synced_at",
        )
        read_only_fields = fields


class SenderSerializer(StrictModel):
    class Meta:
        model = Sender
        fields = (
            "id",
            "name",
            "app_name",
            "phone_number",
            "rate_limit",
            "rate_window",
            "ceiling",
            "person_cap",
            "person_cap_days",
            "breaker",
            "breaker_code",
            "breaker_text",
            "breaker_since",
            "breaker_until",
            "templates_synced_at",
            "created_at",
        )
        read_only_fields = fields


class SyncSerializer(Strict):
    sender_id = id_field(required=False, help_text="all senders when left out")


class SyncedSerializer(Strict):
    read_count = Whole(help_text="templates that Gupshup lists")

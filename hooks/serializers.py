"""Outgoing webhooks, as the API speaks of them. A secret is in the answer that makes it, and nowhere else."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from hooks import reaching
from hooks.models import CHOSEN, Delivery, Endpoint, Try
from hooks.words import refusal
from whatsapp_campaigns.api.errors import Unfit
from whatsapp_campaigns.api.fields import Strict, StrictModel, Text, Whole

STATE_CHOICES = [(word, word) for word in ("active", "failing", "off", "disabled")]


class EndpointSerializer(StrictModel):
    url = Text(max_length=1000)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=CHOSEN), min_length=1, max_length=len(CHOSEN), help_text="what is told"
    )
    state = serializers.ChoiceField(choices=STATE_CHOICES, read_only=True)
    disabled_reason = serializers.ChoiceField(choices=[("", ""), *Endpoint.Disabled.choices], read_only=True)

    class Meta:
        model = Endpoint
        fields: tuple[str, ...] = (
            "id",
            "name",
            "url",
            "events",
            "active",
            "state",
            "failing_since",
            "last_success_at",
            "disabled_at",
            "disabled_reason",
            "disabled_detail",
            "old_secret_until",
            "created_by",
            "created_at",
            "updated_at",
        )
        read_only_fields = (
            "id",
            "failing_since",
            "last_success_at",
            "disabled_at",
            "disabled_reason",
            "disabled_detail",
            "old_secret_until",
            "created_by",
            "created_at",
            "updated_at",
        )

    def validate_url(self, value: str) -> str:
        try:
            reaching.check(value)
        except reaching.Refused as refused:
            raise Unfit("url", refusal(refused), code="bad_address") from refused
        return value

    def validate_events(self, value: list[str]) -> list[str]:
        return sorted(set(value))

    def update(self, instance: Endpoint, validated_data: dict[str, Any]) -> Endpoint:
        if validated_data.get("active") and not instance.active:
            instance.switch_on()
        updated: Endpoint = super().update(instance, validated_data)
        return updated


class SecretSerializer(EndpointSerializer):
    """An endpoint with its new secret: the only answer that has it."""

    secret = serializers.CharField(read_only=True, help_text="`whsec_…`; keep it, it is not shown again")

    class Meta(EndpointSerializer.Meta):
        fields = (*EndpointSerializer.Meta.fields, "secret")


class TrySerializer(StrictModel):
    class Meta:
        model = Try
        fields = ("at", "status", "error", "milliseconds", "answer")
        read_only_fields = fields


class DeliverySerializer(StrictModel):
    endpoint_id = Whole()

    class Meta:
        model = Delivery
        fields: tuple[str, ...] = (
            "id",
            "endpoint_id",
            "event_id",
            "kind",
            "state",
            "tries",
            "next_try_at",
            "last_status",
            "last_error",
            "created_at",
            "delivered_at",
        )
        read_only_fields = fields


class OneDeliverySerializer(DeliverySerializer):
    """A delivery with the body as it is sent, and the log of its tries."""

    log = TrySerializer(many=True)

    class Meta(DeliverySerializer.Meta):
        fields = (*DeliverySerializer.Meta.fields, "body", "log")
        read_only_fields = fields


class NothingSerializer(Strict):
    """An empty body."""

"""Serializers that take exactly what they declare: no unknown keys, no text for numbers, times in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.fields import empty

from whatsapp_campaigns.api.errors import Unfit

MAX_ID = 2**63 - 1
MAX_IDS = 100_000  # in one list
ANYTHING = "^[^\\x00]*$"  # what a text may be, for the OpenAPI document


class Text(serializers.CharField):
    """A JSON string; DRF's own would take numbers too. Where null is allowed it means the empty text."""

    def run_validation(self, data: Any = empty) -> Any:
        value = super().run_validation(data)
        return "" if value is None else value

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """A JSON number without a fraction, within 64 bits."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_value", MAX_ID)
        kwargs.setdefault("min_value", -MAX_ID)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int | float) or data != data // 1:
            self.fail("invalid")
        return super().to_internal_value(data if isinstance(data, int) else int(data))


class Flag(serializers.BooleanField):
    """true or false; DRF's own would take "yes" and 1 too."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Moment(serializers.DateTimeField):
    """ISO 8601, written in UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str):
            self.fail("invalid", format="ISO 8601")
        return super().to_internal_value(value)

    def enforce_timezone(self, value: datetime) -> datetime:
        """In UTC. Raises Unfit for a moment of the year 1 or 9999 that is none in UTC."""
        try:
            return super().enforce_timezone(value)
        except serializers.ValidationError as error:
            raise Unfit(self.field_name or "", *error.detail) from error


def id_field(**kwargs: Any) -> Whole:
    return Whole(min_value=1, **kwargs)


def id_list(**kwargs: Any) -> serializers.ListField:
    """At least one id; a repeated one counts once for the caller."""
    kwargs.setdefault("max_length", MAX_IDS)
    kwargs.setdefault("min_length", 1)
    return serializers.ListField(child=id_field(), **kwargs)


class Strict(serializers.Serializer):
    """Refuses keys that it does not declare. Those that it declares read-only are left aside."""

    one_of: tuple[str, ...] = ()  # of these, at least one must be given and not empty

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = {str(key): [_("Unknown field.")] for key in data if key not in self.fields}
            if unknown:
                raise serializers.ValidationError(unknown)
            if self.one_of and not self.partial and not any(data.get(name) for name in self.one_of):
                wanted = _("Give this, or %(others)s.") % {"others": ", ".join(self.one_of[1:])}
                raise serializers.ValidationError({self.one_of[0]: [wanted]})
        return super().to_internal_value(data)


class StrictModel(Strict, serializers.ModelSerializer):
    """A model's declared fields, as strict as `Strict`."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: Text,
        models.TextField: Text,
        models.BooleanField: Flag,
        models.DateTimeField: Moment,
        models.IntegerField: Whole,
        models.SmallIntegerField: Whole,
        models.BigIntegerField: Whole,
        models.PositiveIntegerField: Whole,
        models.PositiveSmallIntegerField: Whole,
    }

"""Query parameters that are checked before they reach a query."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import django_filters
from django import forms
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field

from whatsapp_campaigns.api.fields import ANYTHING, MAX_ID

MAX_SEARCH = 200


class IdField(forms.IntegerField):
    """Plain digits; Django's own would take "1.0" and the digits of every script."""

    def to_python(self, value: Any) -> int | None:
        if value not in self.empty_values and not re.fullmatch("[1-9][0-9]{0,18}", str(value)):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class IdFilter(django_filters.Filter):
    """A whole number, 1 to 2**63 - 1."""

    field_class = IdField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=1, max_value=MAX_ID, **kwargs)


# An empty value asks for all: old forms send their empty fields too.
NOTHING = {"type": "string", "maxLength": 0}
extend_schema_field({"anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_ID}, NOTHING]})(IdFilter)


class OneOf(django_filters.ChoiceFilter):
    """One of these words, or nothing."""

    def __init__(self, *, choices: Iterable[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(choices=[("", ""), *choices], empty_label=None, **kwargs)


class Search(django_filters.CharFilter):
    """Words of a person; never a pattern."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, max_length=MAX_SEARCH, **kwargs)


extend_schema_field({"type": "string", "maxLength": MAX_SEARCH, "pattern": ANYTHING})(Search)


class MomentField(forms.Field):
    """ISO 8601 with an offset (without one: UTC), as a moment that PostgreSQL can hold."""

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            found = datetime.fromisoformat(str(value).strip().replace(" ", "+"))  # "+" is a space in an address
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError):
            raise forms.ValidationError(_("Give a moment such as 2026-03-01T09:00:00Z.")) from None


class MomentFilter(django_filters.Filter):
    field_class = MomentField


extend_schema_field({"anyOf": [{"type": "string", "format": "date-time"}, NOTHING]})(MomentFilter)


class FlagField(forms.Field):
    """true or false, and nothing else."""

    def to_python(self, value: Any) -> bool | None:
        if value in self.empty_values:
            return None
        if value not in ("true", "false"):
            raise forms.ValidationError(_("Say true or false."))
        return bool(value == "true")


class FlagFilter(django_filters.Filter):
    field_class = FlagField


extend_schema_field({"anyOf": [{"type": "boolean"}, NOTHING]})(FlagFilter)


class Sorting(django_filters.OrderingFilter):
    """`?ordering=name` or `?ordering=-name`; equals come in the order of their ids, so that pages do not overlap."""

    def __init__(self, *names: str) -> None:
        super().__init__(fields=[(name, name) for name in names])

    def filter(self, qs: Any, value: Any) -> Any:
        ordered = [self.get_ordering_value(param) for param in value or () if param]
        return qs.order_by(*ordered, "-id") if ordered else qs

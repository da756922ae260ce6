"""Query parameters that are checked before they reach a query."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.utils.translation import gettext_lazy as _

from whatsapp_campaigns.api.fields import MAX_ID

MAX_SEARCH = 200


class IdFilter(django_filters.Filter):
    """A whole number, 1 to 2**63 - 1."""

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=1, max_value=MAX_ID, **kwargs)


class Search(django_filters.CharFilter):
    """Words of a person; never a pattern."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, max_length=MAX_SEARCH, **kwargs)


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


class Sorting(django_filters.OrderingFilter):
    """`?ordering=name` or `?ordering=-name`; equals come in the order of their ids, so that pages do not overlap."""

    def __init__(self, *names: str) -> None:
        super().__init__(fields=[(name, name) for name in names])

    def filter(self, qs: Any, value: Any) -> Any:
        if not value:
            return qs
        ordered = [self.get_ordering_value(param) for param in value]
        return qs.order_by(*ordered, "-id")

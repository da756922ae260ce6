"""Lists come in pages of at most 50."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

PAGE = 50


class Pages(PageNumberPagination):
    """`?page=2&page_size=20`; answers `count`, `next`, `previous`, `results`. A larger page_size means 50."""

    page_size = PAGE
    max_page_size = PAGE
    page_size_query_param = "page_size"

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        described = super().get_schema_operation_parameters(view)
        for parameter in described:
            parameter["schema"] |= {"minimum": 1, "maximum": 10**18 - 1}
        return described

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        """Raises ValidationError for numbers that are none, and NotFound past the last page."""
        for name in (self.page_query_param, self.page_size_query_param):
            given = request.query_params.get(name)
            if given is not None and not (given.isascii() and given.isdigit() and 0 < len(given) < 19 and int(given)):
                raise ValidationError({name: [_("Give a whole number, 1 or more.")]})
        return super().paginate_queryset(queryset, request, view)


class _Known(Paginator):
    """Takes a number that somebody else has counted."""

    known: int | None = None

    @cached_property
    def count(self) -> int:
        return super().count if self.known is None else self.known


class CountedPages(Pages):
    """As `Pages`, for tables too large to count: `view.count()` answers the number, or None to count after all."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        self.django_paginator_class = type("Paginator", (_Known,), {"known": view.count()})
        return super().paginate_queryset(queryset, request, view)

"""Lists over millions of rows: counting stops at a bound, so that a page costs the same on any day."""

from __future__ import annotations

from typing import Any, cast

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.views import ChangeList

COUNTED = 10_000  # rows; beyond, "more than" is said and a filter helps better than page 101


class BoundedPaginator(Paginator):
    """Counts to `COUNTED` at most; later rows are reached by filters and search."""

    template_name = "campaigns/pagination.html"

    @cached_property
    def found(self) -> int:
        rows = cast(QuerySet, self.object_list)
        return rows.order_by()[: COUNTED + 1].count()

    @property
    def more(self) -> bool:
        return self.found > COUNTED

    @cached_property
    def count(self) -> int:
        return min(self.found, COUNTED)


class QuietChangeList(ChangeList):
    """Does not count the whole table beside the filtered rows."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count: Any = self.result_count

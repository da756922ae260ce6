"""What the admin's lists over millions of rows share: counting that stops at a bound, and rows that nobody edits."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.admin.views.main import ChangeList as DjangoChangeList
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

COUNTED = 10_000  # rows; beyond, "more than" is said and a filter helps better than page 201


class BoundedPaginator(Paginator):
    """Counts to `COUNTED` at most, so that a page costs the same on any day; later rows are reached by filters."""

    template_name = "campaigns/pagination.html"

    @cached_property
    def found(self) -> int:
        return cast(QuerySet, self.object_list).order_by()[: COUNTED + 1].count()

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


class ReadOnlyAdmin(ModelAdmin):
    """Rows that only the system writes."""

    list_per_page = 50
    list_filter_submit = True
    show_full_result_count = False
    paginator = BoundedPaginator
    actions: Any = None
    sortable_by: Any = ()  # the newest first, by id: other orders would read the whole table

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DjangoChangeList]:
        return QuietChangeList

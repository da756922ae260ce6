"""The inbox: what the provider posted, byte for byte, what we understood of it, and reading it again."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import DropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from gupshup.api.events import parse
from gupshup.models import Callback
from whatsapp_campaigns.lists import ReadOnlyAdmin

STATE_COLOURS = {
    Callback.State.NEW: "info",
    Callback.State.DONE: "success",
    Callback.State.WAITING: "warning",
    Callback.State.FOREIGN: "default",
    Callback.State.FAILED: "danger",
    Callback.State.UNKNOWN: "warning",
}


class StateFilter(DropdownFilter):
    title = gettext_lazy("state")
    parameter_name = "state__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Callback.State.choices)

    def queryset(self, request: HttpRequest, callbacks: QuerySet[Callback]) -> QuerySet[Callback]:
        found: QuerySet[Callback] = (
            callbacks.in_state(self.value()) if self.value() in Callback.State.values else callbacks  # type: ignore[attr-defined]
        )
        return found


@admin.register(Callback)
class CallbackAdmin(ReadOnlyAdmin):
    list_display = ("number", "received_at", "condition", "beginning", "copies", "tries", "error_line")
    list_display_links = ("number",)
    list_filter = (StateFilter, ("sender", RelatedDropdownFilter))
    list_select_related = ("sender", "arrival")
    search_fields = ("id",)
    search_help_text = gettext_lazy("Number of the callback")
    ordering = ("-id",)
    actions = ("read_again",)

    class Media:
        css = {"all": ("campaigns/campaigns.css",)}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Callback], search_term: str
    ) -> tuple[QuerySet[Callback], bool]:
        term = search_term.strip().lstrip("#")
        if not term:
            return queryset, False
        return queryset.filter(pk=int(term)) if term.isdecimal() and len(term) < 19 else queryset.none(), False

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("gupshup.change_callback")

    @action(description=gettext_lazy("Read again"), permissions=("replay",))
    def read_again(self, request: HttpRequest, callbacks: QuerySet[Callback]) -> None:
        self._replay(request, Callback.objects.filter(pk__in=list(callbacks.values_list("pk", flat=True))))

    def _replay(self, request: HttpRequest, callbacks: QuerySet[Callback]) -> None:
        done = callbacks.replay()  # type: ignore[attr-defined]
        told = ngettext("%(n)d callback will be read again.", "%(n)d callbacks will be read again.", done)
        messages.success(request, told % {"n": done})

    def get_urls(self) -> list[URLPattern]:
        replay = path("<int:pk>/replay", self.admin_site.admin_view(self.replay), name="gupshup_callback_replay")
        return [replay, *super().get_urls()]

    def replay(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.method != "POST" or not self.has_replay_permission(request):
            raise PermissionDenied
        self._replay(request, Callback.objects.filter(pk=pk))
        return HttpResponseRedirect(reverse("admin:gupshup_callback_change", args=(pk,)))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One callback: the body as text, and the events that it means to us."""
        found = self.get_queryset(request).select_related("sender")
        callback = found.filter(pk=object_id).first() if object_id.isdecimal() else None
        if callback is None or not self.has_view_permission(request, callback):
            raise Http404
        raw = bytes(callback.raw or b"")
        context = {
            **self.admin_site.each_context(request),
            "title": str(callback),
            "opts": self.opts,
            "original": callback,
            "callback": callback,
            "media": self.media,
            "colour": STATE_COLOURS[callback.condition],
            "body": readable(raw),
            "size": len(raw),
            "events": [(type(event).__name__, fields_of(event)) for event in parse(raw, callback.content_type)],
            "may_replay": self.has_replay_permission(request),
            "show_back_button": True,
        }
        return TemplateResponse(request, "admin/gupshup/callback/page.html", context)

    @display(description=gettext_lazy("number"), ordering="id")
    def number(self, callback: Callback) -> str:
        return f"#{callback.pk}"

    @display(description=gettext_lazy("state"), ordering="state", label=STATE_COLOURS)
    def condition(self, callback: Callback) -> tuple[str, str]:
        state = callback.condition
        return state.value, str(state.label)

    @display(description=gettext_lazy("body"))
    def beginning(self, callback: Callback) -> str:
        text = bytes(callback.raw or b"")[:300].decode("utf-8", "replace")
        return f"{text[:110]}…" if len(text) > 110 else text

    @display(description=gettext_lazy("error"))
    def error_line(self, callback: Callback) -> str:
        return callback.error.splitlines()[0][:120] if callback.error else ""


def readable(raw: bytes) -> str:
    """JSON set out in lines; anything else as text, what is no text as replacement characters."""
    text = raw.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


UNTOLD = ("raw", "source")
NOTHING: tuple[Any, ...] = (None, "", (), [], {}, False)


def fields_of(event: object) -> list[tuple[str, str]]:
    """What an event says, without its empty fields and the bytes themselves."""
    names = (name for name in getattr(event, "__dataclass_fields__", {}) if name not in UNTOLD)
    said = ((name, getattr(event, name)) for name in names)
    return [(name, str(value)[:500]) for name, value in said if value not in NOTHING]

"""Templates as Gupshup has them: their state, how they look, reading them again, and writing a new one."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import AllValuesCheckboxFilter, ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from gupshup import authoring, preview, templates
from gupshup.models import Sender, Template
from gupshup.words import why
from whatsapp_campaigns.lists import ReadOnlyAdmin

STATUS_COLOURS = {
    Template.Status.APPROVED: "success",
    Template.Status.PENDING: "info",
    Template.Status.IN_APPEAL: "info",
    Template.Status.REJECTED: "danger",
    Template.Status.FAILED: "danger",
    Template.Status.PAUSED: "warning",
    Template.Status.DISABLED: "danger",
    Template.Status.DELETED: "default",
    Template.Status.UNKNOWN: "default",
}
QUALITIES = {
    "GREEN": ("success", gettext_lazy("high")),
    "HIGH": ("success", gettext_lazy("high")),
    "YELLOW": ("warning", gettext_lazy("medium")),
    "MEDIUM": ("warning", gettext_lazy("medium")),
    "RED": ("danger", gettext_lazy("low")),
    "LOW": ("danger", gettext_lazy("low")),
}
QUALITY_COLOURS = {colour: colour for colour, _label in QUALITIES.values()}


@admin.register(Template)
class TemplateAdmin(ReadOnlyAdmin):
    list_display = ("name", "language", "kind", "condition", "grade", "params_count", "read_at")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("category", ChoicesDropdownFilter),
        ("language", AllValuesCheckboxFilter),
        ("sender", RelatedDropdownFilter),
    )
    search_fields = ("name", "body")
    ordering = ("name", "language")
    sortable_by = ("name", "language", "kind", "condition", "grade", "read_at")
    list_before_template = "gupshup/template/sync.html"

    class Media:
        css = {"all": ("gupshup/bubble.css", "campaigns/campaigns.css")}
        js = ("campaigns/campaigns.js",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("gupshup.add_template")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        context = {"senders": Sender.objects.all(), "may_sync": self.has_add_permission(request)}
        return super().changelist_view(request, {**(extra_context or {}), **context})

    @display(
        description=gettext_lazy("category"), ordering="category", label={"MARKETING": "info", "UTILITY": "primary"}
    )
    def kind(self, template: Template) -> tuple[str, str]:
        return template.category, template.get_category_display()

    @display(description=gettext_lazy("status"), ordering="status", label=STATUS_COLOURS)
    def condition(self, template: Template) -> tuple[str, str]:
        return template.status, template.get_status_display()

    @display(description=gettext_lazy("quality"), ordering="quality", label=QUALITY_COLOURS)
    def grade(self, template: Template) -> tuple[str, Any] | None:
        return QUALITIES.get(template.quality)

    @display(description=gettext_lazy("Read from Gupshup"), ordering="synced_at")
    def read_at(self, template: Template) -> str:
        return date_format(timezone.localtime(template.synced_at), "SHORT_DATETIME_FORMAT")

    # -- pages of its own

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        sync = path("sync", view(self.sync), name="gupshup_template_sync")
        seen = path("preview", view(partial(authoring.part, self)), name="gupshup_template_preview")
        return [sync, seen, *super().get_urls()]

    def sync(self, request: HttpRequest) -> HttpResponse:
        """Read Gupshup's list anew, for each sender."""
        if request.method != "POST" or not self.has_add_permission(request):
            raise PermissionDenied
        for sender in Sender.objects.all():
            try:
                count = templates.sync(sender)
            except templates.SyncFailedError as failure:
                told = _("%(sender)s: the templates could not be read. %(why)s")
                messages.error(request, told % {"sender": sender, "why": why(failure.response)})
            else:
                told = ngettext("%(sender)s: %(n)d template read.", "%(sender)s: %(n)d templates read.", count)
                messages.success(request, told % {"sender": sender, "n": count})
        return HttpResponseRedirect(reverse("admin:gupshup_template_changelist"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        found: QuerySet[Template] = self.get_queryset(request).select_related("sender")
        template = found.filter(pk=object_id).first() if object_id.isdecimal() else None
        if template is None or not self.has_view_permission(request, template):
            raise Http404
        quality = QUALITIES.get(template.quality)
        context = {
            **self._frame(request, str(template)),
            "original": template,
            "template_": template,
            "bubble": preview.of_template(template, media=template.media_url),
            "sample": preview.of_text(template.sample) if template.sample else None,
            "colour": STATUS_COLOURS[Template.Status(template.status)],
            "next_category": dict(Template.Category.choices).get(template.category_next, template.category_next),
            "quality": quality[1] if quality else "",
            "quality_colour": quality[0] if quality else "",
        }
        return TemplateResponse(request, "admin/gupshup/template/page.html", context)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return authoring.page(self, request)

    def _frame(self, request: HttpRequest, title: str) -> dict[str, Any]:
        frame = {"title": title, "opts": self.opts, "media": self.media, "show_back_button": True}
        return {**self.admin_site.each_context(request), **frame}

"""The list of campaigns, and the draft. Once launched, a campaign has its own page (`campaigns.admin.running`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from campaigns.admin import deciding, drafting, exports, frame, home, preflight, report, running, words
from campaigns.admin.frame import actor
from campaigns.forms import CampaignForm
from campaigns.models import Campaign, Event
from campaigns.reports import figures_of
from campaigns.status import CampaignStatus
from whatsapp_campaigns.lists import QuietChangeList

Page = Callable[[ModelAdmin, HttpRequest, Campaign], HttpResponse]


class CampaignList(QuietChangeList):
    """Each campaign of the page with its figures, all from one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        figures = figures_of(campaign.pk for campaign in self.result_list)
        for campaign in self.result_list:
            campaign.figures = figures[campaign.pk]


class CreatedByFilter(RelatedDropdownFilter):
    """Who made it: only a super-admin sees others' campaigns."""

    def __init__(self, field: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.shown = actor(request).is_super_admin
        super().__init__(field, request, *args, **kwargs)

    def has_output(self) -> bool:
        return self.shown and super().has_output()


@admin.register(Campaign)
class CampaignAdmin(ModelAdmin):
    list_display = ("title", "state", "sending", "sent", "delivered", "read", "answered", "created_by", "when")
    list_display_links = ("title",)
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("template", RelatedDropdownFilter),
        ("created_by", CreatedByFilter),
    )
    list_filter_submit = True
    list_select_related = ("template", "created_by")
    list_per_page = 25
    search_fields = ("name", "template_name", "template__name")
    search_help_text = gettext_lazy("Name of the campaign or of its template")
    show_full_result_count = False
    ordering = ("-id",)
    form = CampaignForm
    warn_unsaved_form = True
    actions = None

    class Media:
        css = {"all": ("gupshup/bubble.css", "campaigns/campaigns.css")}
        js = ("campaigns/campaigns.js",)

    # -- who sees what

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        return super().get_queryset(request).of(actor(request))

    def has_change_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        """What was approved by a launch stays as it is."""
        return super().has_change_permission(request, obj) and (obj is None or obj.status == CampaignStatus.DRAFT)

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        """A draft may go; a campaign that was launched is history."""
        return obj is not None and obj.status == CampaignStatus.DRAFT and super().has_delete_permission(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """A draft takes its own lines of the journal with it; nobody needs a right to those."""
        to_delete, counts, _perms_needed, protected = super().get_deleted_objects(objs, request)
        return to_delete, counts, set(), protected

    # -- the list

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[CampaignList]:
        return CampaignList

    @display(description=gettext_lazy("campaign"), ordering="name", header=True)
    def title(self, campaign: Campaign) -> tuple[str, str]:
        return campaign.name, str(campaign.template or "")

    @display(description=gettext_lazy("status"), ordering="status", label=words.STATUS_COLOURS)
    def state(self, campaign: Campaign) -> tuple[str, str]:
        return campaign.status, campaign.get_status_display()

    @display(description=gettext_lazy("progress"))
    def sending(self, campaign: Campaign) -> str | SafeString:
        first = campaign.figures.first  # type: ignore[attr-defined]
        if not first.planned:
            return "–"
        percent = int(report.progress(first))
        return format_html(
            '<span class="wc-mini" role="img" aria-label="{0} %"><span style="width:{0}%"></span></span>'
            '<span class="wc-nowrap">{0} % · {1}</span>',
            percent,
            words.number(first.planned),
        )

    @display(description=gettext_lazy("Accepted"))
    def sent(self, campaign: Campaign) -> str:
        return words.number(campaign.figures.first.accepted)  # type: ignore[attr-defined]

    @display(description=gettext_lazy("Delivered"))
    def delivered(self, campaign: Campaign) -> str:
        return words.number(campaign.figures.first.reached)  # type: ignore[attr-defined]

    @display(description=gettext_lazy("Read"))
    def read(self, campaign: Campaign) -> str:
        rates = campaign.figures.rates  # type: ignore[attr-defined]
        return words.number(rates["read"].part)

    @display(description=gettext_lazy("Answered"))
    def answered(self, campaign: Campaign) -> str:
        return words.number(campaign.figures.first.replied)  # type: ignore[attr-defined]

    @display(description=gettext_lazy("date"), ordering="created_at")
    def when(self, campaign: Campaign) -> str:
        at = campaign.launched_at or campaign.scheduled_at or campaign.created_at
        return date_format(drafting.local(at), "SHORT_DATETIME_FORMAT")

    # -- the draft

    def get_fieldsets(self, request: HttpRequest, obj: Campaign | None = None) -> Any:
        return ((None, {"fields": CampaignForm.Meta.fields}),)

    def get_form(self, request: HttpRequest, obj: Campaign | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"user": actor(request)})

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Campaign | None:
        """While a draft is being saved, a launch waits for the save, and the other way round."""
        if request.method == "POST" and connection.in_atomic_block and str(object_id).isdecimal():
            Campaign.objects.select_for_update().filter(pk=object_id).first()
        return super().get_object(request, object_id, from_field)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A draft is edited; everything else is looked at."""
        campaign = self.get_object(request, object_id)
        if campaign is not None and campaign.status != CampaignStatus.DRAFT:
            return (
                self._locked(request, campaign) if request.method == "POST" else running.page(self, request, campaign)
            )
        try:
            return super().change_view(request, object_id, form_url, extra_context)
        except PermissionDenied:
            if campaign is None or campaign.row.filter(status=CampaignStatus.DRAFT).exists():
                raise
            return self._locked(request, campaign)  # launched while this request was on its way

    def _locked(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        messages.warning(request, _("This campaign was launched meanwhile: your changes were not saved."))
        return HttpResponseRedirect(frame.address(campaign))

    def save_model(self, request: HttpRequest, obj: Campaign, form: Any, change: bool) -> None:
        """A new version, so that a launch by somebody who saw the old one is refused."""
        obj.version += 1
        obj.pause_reason = obj.pause_detail = ""
        if not change:
            obj.created_by = actor(request)
        super().save_model(request, obj, form, change)
        Event.record("edit" if change else "create", actor=actor(request), campaign=obj)

    def response_add(self, request: HttpRequest, obj: Campaign, post_url_continue: str | None = None) -> HttpResponse:
        return self._after_save(request, obj) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Campaign) -> HttpResponse:
        return self._after_save(request, obj) or super().response_change(request, obj)

    def _after_save(self, request: HttpRequest, obj: Campaign) -> HttpResponse | None:
        if "_check" not in request.POST:
            return None
        return HttpResponseRedirect(reverse("admin:campaigns_campaign_check", args=(obj.pk,)))

    # -- pages of its own

    def get_urls(self) -> list[URLPattern]:
        pages: dict[str, Page] = {
            "check": preflight.page,
            "live": running.live,
            "pause": running.pause,
            "resume": running.resume,
            "cancel": running.cancel,
            "draft": running.back_to_draft,
            "copy": drafting.copy,
            "uncertain": deciding.uncertain,
            "retry": deciding.retry,
            "report.csv": exports.report_csv,
            "messages.csv": exports.messages_csv,
        }
        own = [
            path(f"<int:pk>/{name}", self._page(view), name=f"campaigns_campaign_{name.removesuffix('.csv')}")
            for name, view in pages.items()
        ]
        parts = [
            path(f"sketch/{name}", self.admin_site.admin_view(self._sketch(view)), name=f"campaigns_campaign_{name}")
            for name, view in drafting.PARTS.items()
        ]
        parts += [
            path("home", self.admin_site.admin_view(home.part), name="campaigns_campaign_home"),
            path("home/checks", self.admin_site.admin_view(home.checks), name="campaigns_campaign_checks"),
        ]
        return [*parts, *own, *super().get_urls()]

    def _page(self, view: Page) -> Callable[..., HttpResponse]:
        """A page about one campaign that this person may see, else 404."""

        def wrapped(request: HttpRequest, pk: int) -> HttpResponse:
            if not super(CampaignAdmin, self).has_change_permission(request):
                raise PermissionDenied
            found = self.get_queryset(request).select_related("sender", "template", "created_by", "launched_by")
            campaign = found.filter(pk=pk).first()
            if campaign is None:
                raise Http404
            return view(self, request, campaign)

        return self.admin_site.admin_view(update_wrapper(wrapped, view))

    def _sketch(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        """A part of the draft's page, made from the form as it stands, which is not saved."""

        def wrapped(request: HttpRequest) -> HttpResponse:
            if request.method != "POST" or not self.has_add_permission(request):
                raise PermissionDenied
            form = self.get_form(request)(request.POST)
            return view(request, form)

        return update_wrapper(wrapped, view)

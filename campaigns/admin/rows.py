"""Messages, answers and the journal: what the system wrote, to read and to search, never to change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from campaigns.admin import searching, timeline, words
from campaigns.admin.frame import actor
from campaigns.models import Attempt, Campaign, Event, Interaction, Message
from campaigns.status import CampaignStatus, Status
from gupshup import preview
from whatsapp_campaigns.lists import ReadOnlyAdmin


class RowsAdmin(ReadOnlyAdmin):
    class Media:
        css = {"all": ("gupshup/bubble.css", "campaigns/campaigns.css")}


def seen_campaigns(request: HttpRequest) -> QuerySet[Campaign]:
    return Campaign.objects.of(actor(request)).order_by()


class CampaignFilter(AutocompleteSelectFilter):
    """Chosen by typing its name; only campaigns that the person may see are offered."""


class CauseFilter(admin.SimpleListFilter):
    """As the figures have it: the error code, and without one the reason. Comes by link from a campaign's page."""

    title = gettext_lazy("cause")
    parameter_name = "cause"
    template = "campaigns/filter_cause.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return []

    def has_output(self) -> bool:
        return self.value() is not None

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        code = self.value() or ""
        yield {"cause": words.cause(code), "query_string": changelist.get_query_string(remove=[self.parameter_name])}

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        code = self.value()
        if code is None:
            return queryset
        return queryset.filter(error_code=code) | queryset.filter(error_code="", reason=code)


@admin.register(Message)
class MessageAdmin(RowsAdmin):
    list_display = ("person", "campaign_link", "message_type", "state", "why", "updated_at")
    list_display_links = ("person",)
    list_filter = (
        ("campaign", CampaignFilter),
        ("message_type", ChoicesDropdownFilter),
        ("status", ChoicesDropdownFilter),
        CauseFilter,
    )
    list_select_related = ("contact", "campaign")
    search_fields = ("id",)
    search_help_text = gettext_lazy("Phone number in any spelling, the provider's id, or #number of the message")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        found = super().get_queryset(request)
        return found if actor(request).is_super_admin else found.filter(campaign__in=seen_campaigns(request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Message], search_term: str
    ) -> tuple[QuerySet[Message], bool]:
        term = search_term.strip()
        return (queryset.filter(pk__in=searching.message_ids(term)) if term else queryset), False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup == "campaign__id__exact" or super().lookup_allowed(lookup, value, request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One message: what the person read, and everything that happened to it in order."""
        seen = self.get_queryset(request).select_related("campaign__template", "contact", "sender")
        message = seen.filter(pk=object_id).first() if object_id.isdecimal() else None
        if message is None or not self.has_view_permission(request, message):
            raise Http404
        context = {
            **self.admin_site.each_context(request),
            "title": str(message),
            "opts": self.opts,
            "original": message,
            "message_": message,
            "media": self.media,
            "colour": words.MESSAGE_COLOURS[Status(message.status)],
            "cause": words.cause(message.error_code or message.reason)
            if message.error_code or message.reason
            else None,
            "bubble": bubble(message),
            "news": timeline.of_message(message),
            "may_decide": may_decide(message),
            "show_back_button": True,
        }
        return TemplateResponse(request, "admin/campaigns/message/page.html", context)

    @display(description=gettext_lazy("person"), header=True)
    def person(self, message: Message) -> tuple[str, str]:
        contact = message.contact
        name = f"{contact.first_name} {contact.last_name}".strip() if contact else ""
        number = f"+{message.destination}" if message.destination.isdecimal() else message.destination
        return (name, number) if name else (number, "")

    @display(description=gettext_lazy("campaign"))
    def campaign_link(self, message: Message) -> SafeString:
        address = reverse("admin:campaigns_campaign_change", args=(message.campaign_id,))
        return format_html('<a class="wc-link" href="{}">{}</a>', address, message.campaign.name)

    @display(description=gettext_lazy("status"), ordering="status", label=words.MESSAGE_COLOURS)
    def state(self, message: Message) -> tuple[int, str]:
        return message.status, message.get_status_display()

    @display(description=gettext_lazy("cause"))
    def why(self, message: Message) -> str:
        code = message.error_code or message.reason
        return words.cause(code).what if code else ""


def bubble(message: Message) -> preview.Bubble | None:
    """The message as the person read it: Message 1 with the template's frame, as long as it is the one approved."""
    template = message.campaign.template
    if message.content:
        return preview.of_text(message.content)
    if template is not None and template.body == message.campaign.message_1:
        return preview.of_template(template, message.params, message.campaign.header_media)
    return preview.of_text(message.text) if message.campaign.message_1 else None


def may_decide(message: Message) -> bool:
    """Only for uncertain messages does a person decide one by one."""
    return message.status == Status.UNCERTAIN and message.campaign.status != CampaignStatus.CANCELLED


@admin.register(Attempt)
class AttemptAdmin(RowsAdmin):
    """The journal of calls: each was written before its first byte."""

    list_display = ("started_at", "of_message", "destination", "condition", "http_status", "error_line", "provider_id")
    list_display_links = ("started_at",)
    list_filter = (("state", ChoicesDropdownFilter),)
    list_select_related = ("message", "message__campaign")
    search_fields = ("id",)
    search_help_text = gettext_lazy("Phone number in any spelling, or the provider's id")
    ordering = ("-id",)
    fields = (
        "of_message", "destination", "state", "started_at", "wire_at", "deadline", "finished_at", "released_at",
        "http_status", "error_code", "error_message", "provider_id", "known_as", "late_news",
    )  # fmt: skip
    readonly_fields = ("of_message", "known_as")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attempt]:
        found = super().get_queryset(request)
        return found if actor(request).is_super_admin else found.filter(message__campaign__in=seen_campaigns(request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Attempt], search_term: str
    ) -> tuple[QuerySet[Attempt], bool]:
        term = search_term.strip()
        return (queryset.filter(pk__in=searching.attempt_ids(term)) if term else queryset), False

    @display(description=gettext_lazy("message"))
    def of_message(self, attempt: Attempt) -> SafeString:
        address = reverse("admin:campaigns_message_change", args=(attempt.message_id,))
        return format_html('<a class="wc-link" href="{}">#{}</a>', address, str(attempt.message_id))

    @display(description=gettext_lazy("WhatsApp-side id"))
    def known_as(self, attempt: Attempt) -> str:
        return str(getattr(attempt, "known_as", "") or "")

    @display(description=gettext_lazy("state"), label=words.ATTEMPT_COLOURS)
    def condition(self, attempt: Attempt) -> tuple[str, str]:
        return attempt.state, attempt.get_state_display()

    @display(description=gettext_lazy("error"))
    def error_line(self, attempt: Attempt) -> str:
        return words.cause(attempt.error_code).what if attempt.error_code else ""


@admin.register(Interaction)
class InteractionAdmin(RowsAdmin):
    list_display = ("person", "said", "interaction_type", "campaign", "consequence", "received_at")
    list_display_links = ("person",)
    list_filter = (
        ("campaign", CampaignFilter),
        ("interaction_type", ChoicesDropdownFilter),
        "triggered",
        "late",
        ("received_at", RangeDateTimeFilter),
    )
    list_select_related = ("contact", "campaign")
    search_fields = ("id",)
    search_help_text = gettext_lazy("Phone number in any spelling")
    ordering = ("-id",)
    fields = (
        "contact", "campaign", "message", "interaction_type", "content", "media_url", "received_at", "triggered",
        "late", "inbound_id", "quoted_id", "callback",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Interaction]:
        found = super().get_queryset(request)
        return found if actor(request).is_super_admin else found.filter(campaign__in=seen_campaigns(request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Interaction], search_term: str
    ) -> tuple[QuerySet[Interaction], bool]:
        term = search_term.strip()
        return (queryset.filter(contact__in=list(searching.people(term)[:20])) if term else queryset), False

    @display(description=gettext_lazy("person"))
    def person(self, interaction: Interaction) -> str:
        return str(interaction.contact or "–")

    @display(description=gettext_lazy("content"))
    def said(self, interaction: Interaction) -> str:
        text = interaction.content.strip()
        return (text if len(text) <= 90 else f"{text[:89]}…") or interaction.get_interaction_type_display()

    @display(description=gettext_lazy("then"), label={"second": "success", "late": "warning"})
    def consequence(self, interaction: Interaction) -> tuple[str, Any] | None:
        if interaction.triggered:
            return "second", gettext_lazy("Message 2")
        return ("late", gettext_lazy("after the window")) if interaction.late else None


@admin.register(Event)
class EventAdmin(RowsAdmin):
    list_display = ("at", "who", "deed", "campaign", "message", "why")
    list_display_links = ("at",)
    fields = ("at", "who", "deed", "campaign", "message", "sender", "details")
    readonly_fields = ("who", "deed")
    list_filter = (("campaign", CampaignFilter), "verb", ("at", RangeDateTimeFilter))
    list_select_related = ("actor", "campaign", "message", "sender")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        found = super().get_queryset(request)
        return found if actor(request).is_super_admin else found.filter(campaign__in=seen_campaigns(request))

    @display(description=gettext_lazy("who"))
    def who(self, event: Event) -> str:
        return event.actor.get_full_name() if event.actor else "–"

    @display(description=gettext_lazy("what"))
    def deed(self, event: Event) -> str:
        return words.deed(event)

    @display(description=gettext_lazy("details"))
    def why(self, event: Event) -> str:
        return timeline.details(event)

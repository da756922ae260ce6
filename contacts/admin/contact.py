"""Contacts: the list, one person's page, consent and categories by the handful."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display

from contacts import exporting, phones, sharing
from contacts.admin.common import Media, chips, download, user_of
from contacts.forms import ChooseCategoryForm, ContactForm, ReasonForm
from contacts.models import Category, Contact, ContactQuerySet

SOURCE = "admin"  # of a consent event that a person here entered
MOST_SHOWN_EVENTS = 50
STATE_COLOURS = {"reachable": "success", "opted_out": "danger", "invalid": "warning", "no_number": "warning"}


class CategoryFilter(DropdownFilter):
    title = _("category")
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in Category.objects.of(user_of(request)).values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if not value:
            return queryset
        if not value.isdecimal():
            raise IncorrectLookupParameters
        own = Category.objects.of(user_of(request)).filter(pk=value)
        return queryset.filter(pk__in=Contact.categories.through.objects.filter(category__in=own).values("contact_id"))


class StateFilter(DropdownFilter):
    title = _("state")
    parameter_name = "state"
    _CONDITIONS = {
        "reachable": Q(number__isnull=False, opted_out_at__isnull=True, invalid_at__isnull=True),
        "opted_out": Q(opted_out_at__isnull=False),
        "invalid": Q(invalid_at__isnull=False),
        "no_number": Q(number__isnull=True),
        "answered": Q(last_inbound_at__isnull=False),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("reachable", _("Can be written to")),
            ("opted_out", _("Opted out")),
            ("invalid", _("Not on WhatsApp")),
            ("no_number", _("Without a number")),
            ("answered", _("Has written to us")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(self._CONDITIONS.get(self.value() or "", Q()))


class CountryFilter(DropdownFilter):
    title = _("country calling code")
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        codes = model_admin.get_queryset(request).order_by("country_code").values_list("country_code", flat=True)
        return [(code[1:], code) for code in codes.distinct() if code]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(country_code=f"+{self.value()}") if self.value() else queryset


@admin.register(Contact)
class ContactAdmin(ModelAdmin):
    list_display = ("person", "category_chips", "state", "last_inbound_at", "created_at")
    list_display_links = ("person",)
    list_filter = (CategoryFilter, StateFilter, CountryFilter)
    list_filter_submit = True
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("number", "first_name", "last_name")
    search_help_text = _("A name, or a number in any spelling")
    ordering = ("-id",)
    form = ContactForm
    autocomplete_fields = ("categories",)
    fieldsets = (
        (None, {"fields": (("number", "region"), ("first_name", "last_name"), "categories")}),
        (_("Further columns"), {"fields": ("attributes",)}),
    )
    actions = ("put_in_category", "take_out_of_category", "opt_out", "opt_in", "export")
    actions_detail = ("stop_messages", "allow_messages")
    change_form_outer_before_template = "contacts/contact/state.html"
    change_form_outer_after_template = "contacts/contact/history.html"
    warn_unsaved_form = True
    Media = Media

    def get_queryset(self, request: HttpRequest) -> ContactQuerySet:
        own = Category.objects.of(user_of(request)).order_by("name")
        return Contact.objects.of(user_of(request)).prefetch_related(Prefetch("categories", own, to_attr="listed"))

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return queryset.found_by(search_term), False

    # -- display

    @display(description=_("contact"), header=True, ordering="last_name")
    def person(self, contact: Contact) -> list[str]:
        name = f"{contact.first_name} {contact.last_name}".strip()
        address = phones.readable(contact.number) if contact.number else gettext("number hidden by WhatsApp")
        return [name or address, address if name else ""]

    @display(description=_("categories"))
    def category_chips(self, contact: Contact) -> SafeString | str:
        return chips(contact.listed) if contact.listed else "–"  # type: ignore[attr-defined]

    @display(description=_("state"), label=STATE_COLOURS)
    def state(self, contact: Contact) -> tuple[str, Any]:
        if contact.opted_out_at:
            return "opted_out", _("Opted out")
        if contact.invalid_at:
            return "invalid", _("Not on WhatsApp")
        if not contact.number:
            return "no_number", _("Without a number")
        return "reachable", _("Can be written to")

    # -- one contact

    def get_form(self, request: HttpRequest, obj: Contact | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.user = user_of(request)
        return form

    def save_model(self, request: HttpRequest, obj: Contact, form: Any, change: bool) -> None:
        if not change:
            self._create(request, obj)
            return
        obj.country_code = phones.country_code(obj.number or "")
        if "number" in form.changed_data:  # what WhatsApp said was about the old number
            obj.whatsapp_number, obj.invalid_at, obj.invalid_code = "", None, ""
        super().save_model(request, obj, form, change)

    def _create(self, request: HttpRequest, obj: Contact) -> None:
        """A number that somebody else has already is shared: both see it, nothing of theirs is replaced."""
        attributes = obj.attributes
        contact, created = sharing.give(user_of(request), obj.number or "", obj.first_name, obj.last_name)
        Contact.objects.filter(pk=contact.pk).update(attributes=attributes | contact.attributes)
        obj.pk = contact.pk
        obj.refresh_from_db()
        if not created:
            messages.info(request, gettext("This contact was known already: you see it now too."))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        extra = dict(extra_context or {})
        contact = self.get_object(request, object_id) if object_id else None
        if contact is not None:
            state, label = self.state(contact)
            extra |= {
                "state_label": label,
                "state_colour": STATE_COLOURS[state],
                "consents": contact.consents.select_related("actor")[:MOST_SHOWN_EVENTS],
                "conversation": _conversation(contact),
                "readable": phones.readable(contact.number or ""),
            }
        return super().changeform_view(request, object_id, form_url, extra)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[UnfoldAction]:
        contact = self.get_object(request, object_id)
        unwanted = "allow_messages" if contact and contact.opted_out_at is None else "stop_messages"
        return [one for one in super().get_actions_detail(request, object_id) if not one.action_name.endswith(unwanted)]

    @action(description=_("Opt out…"), url_path="opt-out", icon="block", permissions=("change",))
    def stop_messages(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._change_consent(request, object_id, opting_out=True)

    @action(description=_("Undo the opt-out…"), url_path="opt-in", icon="undo", permissions=("change",))
    def allow_messages(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._change_consent(request, object_id, opting_out=False)

    def _change_consent(self, request: HttpRequest, object_id: str, opting_out: bool) -> HttpResponse:
        contact = self.get_object(request, object_id)
        if contact is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        chosen = Contact.objects.filter(pk=contact.pk)
        answer = (self._opt_out if opting_out else self._opt_in)(request, chosen)
        return answer or HttpResponseRedirect(reverse("admin:contacts_contact_change", args=(contact.pk,)))

    # -- many contacts

    @action(description=_("Add to a category…"), permissions=("change",))
    def put_in_category(self, request: HttpRequest, queryset: ContactQuerySet) -> HttpResponse | None:
        return self._with_category(request, queryset, gettext("Add to a category"), self._join)

    @action(description=_("Remove from a category…"), permissions=("change",))
    def take_out_of_category(self, request: HttpRequest, queryset: ContactQuerySet) -> HttpResponse | None:
        return self._with_category(request, queryset, gettext("Remove from a category"), self._leave)

    @action(description=_("Opt out…"), permissions=("change",))
    def opt_out(self, request: HttpRequest, queryset: ContactQuerySet) -> HttpResponse | None:
        return self._opt_out(request, queryset)

    @action(description=_("Undo the opt-out…"), permissions=("change",))
    def opt_in(self, request: HttpRequest, queryset: ContactQuerySet) -> HttpResponse | None:
        return self._opt_in(request, queryset)

    @action(description=_("Download as CSV"), permissions=("view",))
    def export(self, request: HttpRequest, queryset: ContactQuerySet) -> HttpResponse:
        chosen = Contact.objects.filter(pk__in=queryset.order_by().values("pk"))
        own = Category.objects.of(user_of(request))
        return download(exporting.contacts(chosen, own), gettext("contacts"))  # type: ignore[return-value]

    def _with_category(
        self, request: HttpRequest, queryset: ContactQuerySet, title: str, do: Callable[..., str]
    ) -> HttpResponse | None:
        form = ChooseCategoryForm(user_of(request), self._answer(request))
        if not form.is_valid():
            return self._ask(request, queryset, form, title)
        category = form.cleaned_data["category"]
        said = do(category, queryset.order_by())
        self.log_change(request, category, said)
        self.message_user(request, said, messages.SUCCESS)
        return None

    @staticmethod
    def _join(category: Category, queryset: ContactQuerySet) -> str:
        n = queryset.join(category)
        text = ngettext("%(n)d contact added to “%(name)s”.", "%(n)d contacts added to “%(name)s”.", n)
        return text % {"n": n, "name": category.name}

    @staticmethod
    def _leave(category: Category, queryset: ContactQuerySet) -> str:
        n = queryset.leave(category)
        text = ngettext("%(n)d contact removed from “%(name)s”.", "%(n)d contacts removed from “%(name)s”.", n)
        return text % {"n": n, "name": category.name}

    def _opt_out(self, request: HttpRequest, queryset: ContactQuerySet) -> HttpResponse | None:
        notes = [
            gettext("They receive no marketing message any more, from any campaign; messages that wait are cancelled."),
            gettext("The reason, your name and the date are kept as proof."),
        ]
        do = partial(self._record, queryset, "opt_out")
        return self._with_reason(request, queryset, gettext("Opt out"), notes, do)

    def _opt_in(self, request: HttpRequest, queryset: ContactQuerySet) -> HttpResponse | None:
        notes = [
            gettext("Only undo an opt-out when the person asked for messages again: you must be able to prove it."),
            gettext("The reason, your name and the date are kept as proof."),
        ]
        do = partial(self._record, queryset, "opt_in")
        return self._with_reason(request, queryset, gettext("Undo the opt-out"), notes, do)

    def _with_reason(
        self, request: HttpRequest, queryset: ContactQuerySet, title: str, notes: list[str], do: Callable[..., str]
    ) -> HttpResponse | None:
        form = ReasonForm(self._answer(request))
        if not form.is_valid():
            return self._ask(request, queryset, form, title, notes)
        self.message_user(request, do(user_of(request), form.cleaned_data["evidence"]), messages.SUCCESS)
        return None

    @staticmethod
    def _record(queryset: ContactQuerySet, verb: str, actor: Any, evidence: str) -> str:
        chosen = Contact.objects.filter(pk__in=queryset.order_by().values("pk"))
        n = getattr(chosen, verb)(SOURCE, evidence, actor)
        if verb == "opt_out":
            return ngettext("%(n)d contact opted out.", "%(n)d contacts opted out.", n) % {"n": n}
        return ngettext("%(n)d opt-out undone.", "%(n)d opt-outs undone.", n) % {"n": n}

    @staticmethod
    def _answer(request: HttpRequest) -> Any:
        return request.POST if request.method == "POST" and "confirmed" in request.POST else None

    def _ask(
        self,
        request: HttpRequest,
        queryset: ContactQuerySet,
        form: forms.Form,
        title: str,
        notes: list[str] | None = None,
    ) -> HttpResponse:
        """The page between choosing an action and doing it."""
        count = queryset.count()
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "form": form,
            "notes": notes or [],
            "count": count,
            "some": list(queryset[:5]),
            "more": max(0, count - 5),
            "media": self.media,
            "action": request.POST.get("action", ""),
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
        }
        return TemplateResponse(request, "admin/contacts/contact/ask.html", context)

    # -- deleting

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[list[str], dict[Any, int], set[str], list]:
        """The page says in words what goes and what stays (templates)."""
        return [str(one) for one in objs[:100]], {self.opts.verbose_name_plural: len(objs)}, set(), []

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except sharing.StillNeeded as needed:
            messages.error(request, str(needed))
            return HttpResponseRedirect(reverse("admin:contacts_contact_change", args=(object_id,)))

    def delete_model(self, request: HttpRequest, obj: Contact) -> None:
        sharing.withdraw(user_of(request), obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        kept: dict[str, int] = {}
        for contact in queryset.iterator(chunk_size=1_000):
            try:
                sharing.withdraw(user_of(request), contact)
            except sharing.StillNeeded as needed:
                kept[str(needed)] = kept.get(str(needed), 0) + 1
        for why, n in kept.items():
            text = ngettext("%(n)d contact was kept: %(why)s", "%(n)d contacts were kept: %(why)s", n)
            messages.warning(request, text % {"n": n, "why": why})


def _conversation(contact: Contact) -> list[tuple[str, str, str]]:
    """(name, icon, address) of the lists in which a contact's messages stand, as far as this product shows them."""
    found = []
    for name, icon, page in (
        (gettext("Messages sent"), "chat", "admin:campaigns_message_changelist"),
        (gettext("Answers received"), "forum", "admin:campaigns_interaction_changelist"),
    ):
        try:
            found.append((name, icon, f"{reverse(page)}?q={(contact.number or '').removeprefix('+')}"))
        except NoReverseMatch:
            continue
    return found if contact.number else []

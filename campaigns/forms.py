"""The draft of a campaign as a marketer fills it in: the template decides the sender, each variable has its source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms
from django.db.models import Count, Q, QuerySet
from django.forms.utils import flatatt
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from holidays import list_supported_countries
from unfold.widgets import (
    CHECKBOX_CLASSES,
    INPUT_CLASSES,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from campaigns import sql, texts
from campaigns.models import Campaign
from contacts import countries
from contacts.models import Category
from gupshup.api import templates
from gupshup.models import Sender, Template
from gupshup.senders import default_sender

if TYPE_CHECKING:
    from accounts.models import User

LONGEST_DELAY = 23 * 60  # minutes: Message 2 must leave inside the customer service window
MEDIA = ("IMAGE", "VIDEO", "DOCUMENT")
FIELDS: tuple[tuple[str, Any], ...] = (
    ("first_name", gettext_lazy("First name")),
    ("last_name", gettext_lazy("Last name")),
    ("number", gettext_lazy("Phone number")),
)
CLOCK = {"type": "time", "class": " ".join(INPUT_CLASSES)}
SAMPLED = 1_000  # contacts in which attribute names are looked for

# The newest and the oldest contacts: reading 300 000 rows for a list of names would take a second.
_ATTRIBUTES = """
    SELECT DISTINCT jsonb_object_keys(attributes) FROM (
        (SELECT attributes FROM contacts_contact WHERE jsonb_typeof(attributes) = 'object' ORDER BY id DESC LIMIT %(n)s)
        UNION ALL
        (SELECT attributes FROM contacts_contact WHERE jsonb_typeof(attributes) = 'object' ORDER BY id LIMIT %(n)s)
    ) AS looked_at ORDER BY 1 LIMIT 200"""


def attribute_names() -> list[str]:
    """The columns beyond name and number that contacts were imported with."""
    return [name for (name,) in sql.rows(_ATTRIBUTES, {"n": SAMPLED})]


def sources(attributes: Sequence[str], *used: str) -> list[tuple[str, Any]]:
    """What a variable can be filled from; what is used stays, even if no contact has it now."""
    names = list(attributes)
    names += [name for one in used if (name := one.removeprefix("attributes.")) != one and name not in names]
    return [*FIELDS, *((f"attributes.{name}", name) for name in names), ("", _("A fixed text"))]


@dataclass(frozen=True)
class Variable:
    """One row of the form: the n-th variable, where it stands in the text, and how it is filled."""

    position: int
    name: str
    around: SafeString
    field: str
    text: str
    choices: Sequence[tuple[str, Any]] = ()

    @property
    def fixed(self) -> bool:
        return not self.field

    @property
    def label(self) -> str:
        """As it stands in the template's text."""
        return f"{{{{{self.name}}}}}"

    @property
    def source(self) -> str:
        return str(dict(FIELDS).get(self.field, self.field.removeprefix("attributes.")))


def variables(
    template: Template | None, params: list[dict[str, str]], choices: Sequence[tuple[str, Any]] = ()
) -> list[Variable]:
    """A row for each variable that the template is due."""
    if template is None:
        return []
    places = [(template.header_text, name) for name in templates.placeholders(template.header_text)]
    places += [(template.body, name) for name in templates.placeholders(template.body)]
    rows = []
    for n in range(template.params_count):
        spec = params[n] if n < len(params) else {"field": "first_name" if n == 0 else "", "text": ""}
        text, name = places[n] if n < len(places) else ("", str(n + 1))
        rows.append(Variable(n, name, _around(text, name), spec.get("field", ""), spec.get("text", ""), choices))
    return rows


def _around(body: str, name: str) -> SafeString:
    """The words on both sides of a placeholder, so that one knows which it is."""
    flat = " ".join(body.split())
    for mark in (f"{{{{{name}}}}}", f"{{{{ {name} }}}}"):
        before, found, after = flat.partition(mark)
        if found:
            left = before[-28:] if len(before) <= 28 else "…" + before[-27:]
            right = after[:20] if len(after) <= 20 else after[:19] + "…"
            return format_html("{}<mark>{}</mark>{}", left, mark, right)
    return format_html("{}", _("In a button"))


class LongSelect(forms.Select):
    """Hundreds of options, written at once: a template for each takes a second."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        chosen = set(self.format_value(value))
        options = format_html_join(
            "",
            '<option value="{}"{}>{}</option>',
            ((key, mark_safe(" selected") if str(key) in chosen else "", label) for key, label in self.choices),
        )
        return format_html(
            "<select{}>{}</select>", flatatt(self.build_attrs(self.attrs, {**(attrs or {}), "name": name})), options
        )


class VariablesField(forms.Field):
    """Reads `params-<n>-field` and `params-<n>-text` into the campaign's list. The page writes these rows itself."""

    class Widget(forms.Widget):
        def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[dict[str, str]]:
            found: list[dict[str, str]] = []
            while f"{name}-{len(found)}-field" in data and len(found) < 100:
                n = len(found)
                found.append(
                    {
                        "field": str(data[f"{name}-{n}-field"])[:200],
                        "text": str(data.get(f"{name}-{n}-text", ""))[:1024],
                    }
                )
            return found

        def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
            return False

    widget = Widget

    def clean(self, value: list[dict[str, str]]) -> list[dict[str, str]]:
        known = {name for name, _label in FIELDS} | {""}
        for spec in value:
            if spec["field"] not in known and not spec["field"].startswith("attributes."):
                raise forms.ValidationError(_("Choose what fills each variable."))
        return [{"field": spec["field"], "text": " ".join(spec["text"].split())} for spec in value]


class TemplateField(forms.ModelChoiceField):
    """Approved templates, and the one that is chosen already; under their sender's name when there are several."""

    def label_from_instance(self, template: Template) -> str:
        label = f"{template.name} · {template.language} · {template.get_category_display()}"
        return label if template.sendable else f"{label} · {template.get_status_display()}"

    def offer(self, chosen: int | None) -> None:
        wanted = Q(status=Template.Status.APPROVED) | Q(pk=chosen or 0)
        found = Template.objects.filter(wanted).select_related("sender").order_by("sender_id", "name", "language")
        by_sender: dict[str, list[tuple[int, str]]] = {}
        for template in found:
            by_sender.setdefault(str(template.sender), []).append((template.pk, self.label_from_instance(template)))
        groups: list[Any] = list(by_sender.items()) if len(by_sender) > 1 else list(*by_sender.values())
        self.choices = [("", _("Choose a template")), *groups]


class CategoriesField(forms.ModelMultipleChoiceField):
    """Categories with how many contacts each has."""

    def label_from_instance(self, category: Any) -> SafeString:
        size = ngettext("%(n)s contact", "%(n)s contacts", category.size) % {
            "n": number_format(category.size, force_grouping=True)
        }
        return format_html(
            '<span class="wc-swatch" style="background:{}"></span>{} <span class="wc-faint">{}</span>',
            category.color,
            category.name,
            size,
        )


def categories_of(user: User) -> QuerySet:
    """The categories that this user may write to, with their sizes."""
    return Category.objects.of(user).annotate(size=Count("contacts")).order_by("name", "id")


def country_choices() -> list[tuple[str, str]]:
    """The countries whose public holidays are known, in the reader's language."""
    language = get_language() or "fr"
    known = sorted(list_supported_countries(), key=lambda code: countries.name(code, language))
    return (
        [("", _("No country"))]
        + [(code, countries.name(code, language)) for code in known if code in countries.FAVOURITES]
        + [(code, countries.name(code, language)) for code in known if code not in countries.FAVOURITES]
    )


def zone_choices() -> list[tuple[str, str]]:
    return [(name, name.replace("_", " ")) for name in sorted(available_timezones()) if "/" in name]


class HoursForm(forms.Form):
    """When messages may leave, as a part of the campaign's form."""

    limited = forms.BooleanField(
        label=gettext_lazy("Send only at certain hours"), required=False, widget=UnfoldBooleanWidget
    )
    hours_days = forms.MultipleChoiceField(
        label=gettext_lazy("Days"),
        required=False,
        choices=list(WEEKDAYS.items()),
        widget=forms.CheckboxSelectMultiple(attrs={"class": " ".join(CHECKBOX_CLASSES)}),
    )
    hours_from = forms.TimeField(
        label=gettext_lazy("From"), required=False, widget=forms.TimeInput(attrs=CLOCK, format="%H:%M")
    )
    hours_to = forms.TimeField(
        label=gettext_lazy("To"), required=False, widget=forms.TimeInput(attrs=CLOCK, format="%H:%M")
    )
    hours_holidays = forms.ChoiceField(
        label=gettext_lazy("Not on the public holidays of"),
        required=False,
        choices=country_choices,
        widget=LongSelect(attrs={"class": "wc-input"}),
    )
    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        required=False,
        choices=zone_choices,
        widget=LongSelect(attrs={"class": "wc-input"}),
    )

    @staticmethod
    def initial_of(campaign: Campaign) -> dict[str, Any]:
        hours = campaign.hours or {}
        return {
            "limited": bool(hours),
            "hours_days": [str(day) for day in hours.get("days", range(5))],
            "hours_from": hours.get("from", "09:00"),
            "hours_to": hours.get("to", "19:00"),
            "hours_holidays": hours.get("holidays", ""),
            "time_zone": campaign.time_zone if campaign.pk else timezone.get_default_timezone_name(),
        }

    def clean_hours(self, data: dict[str, Any]) -> dict[str, Any]:
        """The campaign's `hours`; empty for any time."""
        if not data.get("limited"):
            return {}
        if not data.get("hours_days"):
            self.add_error("hours_days", _("Choose at least one day."))
        start, end = data.get("hours_from"), data.get("hours_to")
        if start is not None and start == end:
            self.add_error("hours_to", _("This must not be the same as the beginning."))
        clocks = {name: at.strftime("%H:%M") for name, at in (("from", start), ("to", end)) if at is not None}
        holidays = {"holidays": data["hours_holidays"]} if data.get("hours_holidays") else {}
        return {"days": sorted(int(day) for day in data.get("hours_days", ())), **clocks, **holidays}


class CampaignForm(HoursForm, forms.ModelForm):
    template = TemplateField(
        Template.objects.exclude(status=Template.Status.DELETED),
        label=gettext_lazy("Template"),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    params = VariablesField(required=False)
    categories = CategoriesField(
        Category.objects.none(),
        label=gettext_lazy("Categories"),
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": " ".join(CHECKBOX_CLASSES)}),
    )
    header_media = forms.URLField(
        label=gettext_lazy("Address of the picture, video or document"),
        required=False,
        assume_scheme="https",
        max_length=1000,
        widget=forms.URLInput(attrs={"class": " ".join(INPUT_CLASSES), "placeholder": "https://"}),
        help_text=gettext_lazy("A public web address. WhatsApp fetches it for each message."),
    )
    message_2_delay = forms.IntegerField(
        label=gettext_lazy("Wait before sending it (minutes)"),
        required=False,
        min_value=0,
        max_value=LONGEST_DELAY,
        widget=forms.NumberInput(attrs={"class": " ".join(INPUT_CLASSES), "inputmode": "numeric"}),
        help_text=gettext_lazy("0: at once."),
    )
    scheduled_at = forms.DateTimeField(
        label=gettext_lazy("Start"),
        required=False,
        input_formats=("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"),
        widget=forms.DateTimeInput(
            attrs={"type": "datetime-local", "class": " ".join(INPUT_CLASSES)}, format="%Y-%m-%dT%H:%M"
        ),
    )

    class Meta:
        model = Campaign
        fields = (
            "name",
            "template",
            "params",
            "header_media",
            "categories",
            "message_2",
            "trigger",
            "trigger_words",
            "message_2_delay",
            "scheduled_at",
            "time_zone",
        )
        labels = {
            "name": gettext_lazy("Name of the campaign"),
            "message_2": gettext_lazy("Text of Message 2"),
            "trigger": gettext_lazy("Send it after"),
        }
        help_texts = {"name": gettext_lazy("Only you and your colleagues see it."), "message_2": ""}
        widgets = {
            "name": UnfoldAdminTextInputWidget,
            "message_2": UnfoldAdminTextareaWidget(attrs={"rows": 5, "maxlength": 4096}),
            "trigger": UnfoldAdminSelectWidget,
            "trigger_words": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        }

    user: User  # set by the admin, for each request

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {**self.initial_of(self.instance), **self.initial}
        categories, template = self.fields["categories"], self.fields["template"]
        assert isinstance(categories, CategoriesField)
        assert isinstance(template, TemplateField)
        categories.queryset = categories_of(self.user)
        template.offer(self.instance.template_id)
        self.fields["time_zone"].required = False
        zone = timezone.get_current_timezone_name()
        self.fields["scheduled_at"].help_text = _("Empty: when you press Launch. Time zone: %(zone)s.") % {"zone": zone}

    def clean_message_2_delay(self) -> int:
        return self.cleaned_data.get("message_2_delay") or 0

    def clean_scheduled_at(self) -> Any:
        at = self.cleaned_data.get("scheduled_at")
        if at is not None and at <= timezone.now():
            raise forms.ValidationError(_("This moment is past. Choose a later one, or leave it empty."))
        return at

    def clean_time_zone(self) -> str:
        return self.cleaned_data.get("time_zone") or self.instance.time_zone

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        template: Template | None = data.get("template")
        data["params"] = data.get("params", [])[: template.params_count if template else 0]
        if template is None or template.header_type not in MEDIA:
            data["header_media"] = ""
        if data.get("trigger") != Campaign.Trigger.ANY and not data.get("trigger_words", "").strip():
            self.add_error("trigger_words", _("Write at least one button or word, or choose any answer."))
        self.instance.hours = self.clean_hours(data)
        self._choose_sender(template)
        return data

    def _choose_sender(self, template: Template | None) -> None:
        """A template belongs to one sender, so choosing it chooses the sender."""
        try:
            self.instance.sender = template.sender if template else self._sender()
        except Sender.DoesNotExist:
            raise forms.ValidationError(_("No sender is set up yet. Ask a super-admin to add one.")) from None

    def _sender(self) -> Sender:
        return self.instance.sender if self.instance.sender_id else default_sender()

    # -- what the page shows

    @property
    def chosen_template(self) -> Template | None:
        """The template that stands in the form now, saved or not."""
        pk = self["template"].value()
        return Template.objects.filter(pk=pk).first() if str(pk or "").isdecimal() else None

    @property
    def variables(self) -> list[Variable]:
        params = self["params"].value() or []
        used = (str(spec.get("field", "")) for spec in params)
        return variables(self.chosen_template, params, sources(self.known_attributes, *used))

    @property
    def quick_replies(self) -> list[str]:
        """The buttons of the template that answer."""
        template = self.chosen_template
        buttons = template.buttons if template is not None else []
        return [str(one["text"]) for one in buttons if one.get("kind") == "QUICK_REPLY" and one.get("text")]

    @property
    def needs_media(self) -> bool:
        template = self.chosen_template
        return template is not None and template.header_type in MEDIA

    @cached_property
    def known_attributes(self) -> list[str]:
        return attribute_names()

    @property
    def attribute_names(self) -> list[str]:
        """Those that can be written as a variable in Message 2."""
        return [name for name in self.known_attributes if texts.VARIABLE.fullmatch(f"{{{{{name}}}}}")]

"""The draft of a campaign as a marketer fills it in: the template decides the sender, each variable has its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms
from django.db.models import Count, QuerySet
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.functional import cached_property
from django.utils.translation import get_language, gettext_lazy
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

from campaigns import texts
from campaigns.formfields import (
    CategoriesField,
    HttpsURLField,
    LongSelect,
    TemplateField,
    Variable,
    VariablesField,
    attribute_names,
    sources,
    variables,
)
from campaigns.models import Campaign
from contacts import countries
from contacts.models import Category
from gupshup.models import Sender, Template
from gupshup.senders import default_sender

if TYPE_CHECKING:
    from accounts.models import User

LONGEST_DELAY = 23 * 60  # minutes: Message 2 must leave inside the customer service window
MEDIA = ("IMAGE", "VIDEO", "DOCUMENT")
CLOCK = {"type": "time", "class": " ".join(INPUT_CLASSES)}


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
    header_media = HttpsURLField(
        label=gettext_lazy("Address of the picture, video or document"),
        required=False,
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
        field_classes = {"header_media": HttpsURLField}
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
        if template is not None and template.obstacle:
            self.add_error("template", template.obstacle)
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

"""A sender's settings, with keys that can be written and never read back; a template to be submitted for approval."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
)

from gupshup.api import drafts, templates
from gupshup.models import Sender, Template
from gupshup.words import in_language

TIERS = (
    ("", gettext_lazy("no limit")),
    ("250", "250"),
    ("1000", "1 000"),
    ("2000", "2 000"),
    ("10000", "10 000"),
    ("100000", "100 000"),
)
# What the `.env` file decides at each start, for the sender that it names.
OF_ENVIRONMENT = ("app_name", "app_id", "phone_number", "api_url", "customer_id", "api_key")


class SenderForm(forms.ModelForm):
    api_key = forms.CharField(
        label=gettext_lazy("API key"),
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"class": " ".join(INPUT_CLASSES), "autocomplete": "off"}),
    )
    phone_number = forms.CharField(
        label=gettext_lazy("Phone number"),
        max_length=40,  # as people write it; kept as digits
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("With the country code."),
    )
    api_url = forms.URLField(
        label=gettext_lazy("API address"),
        assume_scheme="https",
        widget=UnfoldAdminURLInputWidget,
    )
    ceiling = forms.TypedChoiceField(
        label=gettext_lazy("New recipients in 24 h"),
        required=False,
        coerce=int,
        empty_value=None,
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("WhatsApp's tier of this number. News from Meta about it is taken over by itself."),
    )

    class Meta:
        model = Sender
        fields = (
            "name",
            "app_name",
            "app_id",
            "phone_number",
            "api_url",
            "customer_id",
            "api_key",
            "rate_limit",
            "rate_window",
            "ceiling",
            "person_cap",
            "person_cap_days",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["api_key"] = ""
        key = self.instance.api_key
        if "api_key" in self.fields:
            self.fields["api_key"].required = not key
            if key:
                told = _("A key ending in …%(end)s is kept. Leave this empty to keep it.")
                self.fields["api_key"].help_text = told % {"end": key[-4:]}
        if "ceiling" in self.fields:
            own = self.instance.ceiling
            extra = () if own is None or str(own) in dict(TIERS) else ((str(own), str(own)),)
            self.fields["ceiling"].choices = [*TIERS, *extra]  # type: ignore[attr-defined]

    def clean_api_key(self) -> str:
        return self.cleaned_data.get("api_key") or self.instance.api_key

    def clean_phone_number(self) -> str:
        digits = re.sub(r"\D", "", self.cleaned_data["phone_number"])
        if not 8 <= len(digits) <= 15:
            raise forms.ValidationError(_("8 to 15 digits with the country code, for example 33612345678."))
        return digits

    def clean_rate_window(self) -> float:
        window = self.cleaned_data["rate_window"]
        if window <= 0:
            raise forms.ValidationError(_("More than 0 seconds."))
        return window


LANGUAGES = (
    ("fr", gettext_lazy("French")),
    ("en", gettext_lazy("English")),
    ("en_US", gettext_lazy("English (US)")),
    ("en_GB", gettext_lazy("English (UK)")),
    ("ar", gettext_lazy("Arabic")),
    ("de", gettext_lazy("German")),
    ("es", gettext_lazy("Spanish")),
    ("it", gettext_lazy("Italian")),
    ("nl", gettext_lazy("Dutch")),
    ("pt_BR", gettext_lazy("Portuguese (Brazil)")),
    ("pt_PT", gettext_lazy("Portuguese (Portugal)")),
)
KINDS = (
    ("", gettext_lazy("No button")),
    ("QUICK_REPLY", gettext_lazy("Quick reply")),
    ("URL", gettext_lazy("Web address")),
    ("PHONE_NUMBER", gettext_lazy("Phone call")),
)
BUTTON_ROWS = 3
PLACES = {"header": "header_text", "media": "sample_file"}  # fields of the form by what a problem is about


class DraftForm(forms.Form):
    """A new template. `draft` is what would be submitted; its known faults are errors of the form."""

    sender = forms.ModelChoiceField(
        Sender.objects.exclude(app_id=""),
        label=gettext_lazy("Sender"),
        empty_label=None,
        widget=UnfoldAdminSelectWidget,
    )
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=drafts.NAME_LENGTH,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Small letters, digits and _ only: promo_autumn"),
    )
    language = forms.ChoiceField(label=gettext_lazy("Language"), choices=LANGUAGES, widget=UnfoldAdminSelectWidget)
    category = forms.ChoiceField(
        label=gettext_lazy("Category"),
        choices=(("MARKETING", gettext_lazy("marketing")), ("UTILITY", gettext_lazy("utility"))),
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("Offers and news are marketing; what follows an order or an appointment is utility."),
    )
    header_text = forms.CharField(
        label=gettext_lazy("Title"),
        required=False,
        max_length=drafts.HEADER,
        widget=UnfoldAdminTextInputWidget,
    )
    body = forms.CharField(
        label=gettext_lazy("Text"),
        max_length=templates.BODY,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 7}),
        help_text=gettext_lazy("Variables are written {{1}}, {{2}}… *bold*, _italic_, ~struck~."),
    )
    samples = forms.CharField(
        label=gettext_lazy("Examples for the variables"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=gettext_lazy("One a line, in order. Meta reads them to judge the template."),
    )
    footer = forms.CharField(
        label=gettext_lazy("Footer"),
        required=False,
        max_length=drafts.FOOTER,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("A good place to say how to opt out."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for n in range(BUTTON_ROWS):
            self.fields[f"kind_{n}"] = forms.ChoiceField(
                label=_("Button %(n)d") % {"n": n + 1}, required=False, choices=KINDS, widget=UnfoldAdminSelectWidget
            )
            self.fields[f"label_{n}"] = forms.CharField(
                label=_("Its text"), required=False, max_length=drafts.BUTTON, widget=UnfoldAdminTextInputWidget
            )
            self.fields[f"target_{n}"] = forms.CharField(
                label=_("Address or number"), required=False, max_length=2000, widget=UnfoldAdminTextInputWidget
            )

    @property
    def button_rows(self) -> list[tuple[forms.BoundField, ...]]:
        return [(self[f"kind_{n}"], self[f"label_{n}"], self[f"target_{n}"]) for n in range(BUTTON_ROWS)]

    def clean_header_text(self) -> str:
        text: str = self.cleaned_data["header_text"]
        if templates.placeholders(text):
            raise forms.ValidationError(_("No variable in the title."))
        return text

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            self._check(data)
        return data

    def _check(self, data: dict[str, Any]) -> None:
        """What Meta is known to refuse, before anything is submitted."""
        taken = Template.objects.filter(sender=data["sender"], name=data["name"], language=data["language"])
        if taken.exclude(status=Template.Status.DELETED).exists():
            self.add_error("name", _("A template with this name exists already in this language."))
            return
        rows = [n for n in range(BUTTON_ROWS) if data.get(f"kind_{n}")]
        for problem in self.draft(data).check():
            where = problem.where
            field = f"label_{rows[where]}" if isinstance(where, int) else PLACES.get(where, where)
            self.add_error(field if field in self.fields else None, in_language(problem.words))

    def draft(self, data: dict[str, Any]) -> drafts.TemplateDraft:
        return drafts.TemplateDraft(
            name=data["name"],
            language=data["language"],
            category=data["category"],
            body=data["body"].replace("\r\n", "\n"),
            samples=tuple(line.strip() for line in data["samples"].splitlines() if line.strip()),
            header_type="TEXT" if data["header_text"] else "",
            header_text=data["header_text"],
            footer=data["footer"],
            buttons=tuple(self._buttons(data)),
        )

    def _buttons(self, data: dict[str, Any]) -> list[drafts.ButtonDraft]:
        found = []
        for n in range(BUTTON_ROWS):
            kind, target = data.get(f"kind_{n}"), data.get(f"target_{n}", "")
            if kind:
                url, phone = (target if kind == "URL" else ""), (target if kind == "PHONE_NUMBER" else "")
                found.append(drafts.ButtonDraft(kind, data.get(f"label_{n}", ""), url=url, phone=phone))
        return found

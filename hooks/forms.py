"""The admin's form of an outgoing webhook."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from hooks import reaching
from hooks.models import CHOSEN, Endpoint
from hooks.words import refusal


class EndpointForm(forms.ModelForm):
    events = forms.MultipleChoiceField(
        label=_("Events"), choices=CHOSEN, widget=UnfoldAdminCheckboxSelectMultipleWidget, help_text=_("What is told.")
    )

    class Meta:
        model = Endpoint
        fields = ("name", "url", "events", "active")

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"]).strip()
        try:
            reaching.check(url)
        except reaching.Refused as refused:
            raise forms.ValidationError(refusal(refused)) from refused
        return url

    def save(self, commit: bool = True) -> Any:
        if "active" in self.changed_data and self.instance.active and self.instance.pk:
            self.instance.switch_on()
        return super().save(commit)

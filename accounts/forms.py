"""The admin's forms about users: the login by e-mail, a new user, a change."""

from __future__ import annotations

from math import ceil
from typing import Any

from django import forms
from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.forms import AuthenticationForm, UserCreationForm

from accounts import guarding
from accounts.models import User

WRONG_LOGIN = _("This e-mail address and this password do not match. Mind capital letters in the password.")


class LoginForm(AuthenticationForm):
    """The same sentence for a wrong address, a wrong password and a deactivated user."""

    error_messages = {"invalid_login": WRONG_LOGIN, "inactive": WRONG_LOGIN}

    def __init__(self, request: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        username = self.fields["username"]
        username.label = _("E-mail")
        username.widget.input_type = "email"
        username.widget.attrs.update({"autocomplete": "username", "spellcheck": "false"})

    def clean_username(self) -> str:
        return self.cleaned_data["username"].strip().lower()

    def clean(self) -> dict[str, Any]:
        """Axes counts the failures of one name from one address; here the name and the address alone are held back."""
        name = self.cleaned_data.get("username")
        if name and self.request is not None and (seconds := guarding.wait(self.request, name, pair=False)):
            told = ngettext(
                "Too many logins. Wait %(n)d second.", "Too many logins. Wait %(n)d seconds.", ceil(seconds)
            )
            raise forms.ValidationError(told % {"n": ceil(seconds)}, code="too_many_logins")
        return super().clean()


class NewUserForm(UserCreationForm):
    usable_password = None  # everybody logs in with a password

    class Meta:
        model = User
        fields = ("email", "first_name", "last_name", "role")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].required = self.fields["password2"].required = True


class EditUserForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ("email", "first_name", "last_name", "role", "is_active")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        changed = User(role=cleaned.get("role", ""), is_active=bool(cleaned.get("is_active")))
        if not changed.rules:
            with transaction.atomic():
                User.objects.may_leave([self.instance.pk])
        return cleaned

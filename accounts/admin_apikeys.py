"""API keys for programs: made by a super-admin, shown once, revoked for good."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from accounts.programs import ApiKey, ApiKeyQuerySet

COLOURS = {"valid": "success", "expired": "warning", "revoked": "danger"}


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    list_display = ("name", "begins_with", "user", "scope", "state", "last_used_at", "created_at")
    list_filter = ("scope",)
    search_fields = ("name", "start", "user__email")
    list_select_related = ("user",)
    fields = ("name", "user", "scope", "expires_at")
    readonly_fields = ("begins_with", "created_at", "last_used_at", "revoked_at")
    actions = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return (*self.fields, *self.readonly_fields) if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        """A key keeps what it was made for: a program that needs more gets another key."""
        return (*self.readonly_fields, "user", "scope") if obj else self.readonly_fields

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        secret = obj.issue()
        super().save_model(request, obj, form, change)
        text = _("Copy the key now, it is not shown again: {}")
        messages.success(request, format_html(text, format_html("<code>{}</code>", secret)))

    @display(description=gettext_lazy("begins with"))
    def begins_with(self, key: ApiKey) -> str:
        return f"{key.start}…"

    @display(description=gettext_lazy("state"), label=COLOURS)
    def state(self, key: ApiKey) -> tuple[str, str]:
        if key.revoked_at:
            return "revoked", _("revoked")
        return ("expired", _("expired")) if key.expired else ("valid", _("valid"))

    @action(description=gettext_lazy("Revoke for good"), permissions=("change",))
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        assert isinstance(keys, ApiKeyQuerySet)
        done = keys.revoke()
        told = ngettext("%(n)d key was revoked.", "%(n)d keys were revoked.", done)
        self.message_user(request, told % {"n": done})

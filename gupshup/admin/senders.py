"""Senders, for super-admins: credentials that are never shown again, pace, breaker, and the webhook's address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display

from gupshup import breaker
from gupshup.forms import OF_ENVIRONMENT, SenderForm
from gupshup.models import Sender
from gupshup.senders import retire_old_secret, rotate_secret
from gupshup.words import explain

BREAKER_COLOURS = {
    Sender.Breaker.CLOSED: "success",
    Sender.Breaker.OPEN: "danger",
    Sender.Breaker.PROBE: "warning",
}


@admin.register(Sender)
class SenderAdmin(ModelAdmin):
    list_display = ("name", "phone_number", "app_name", "pace", "tier", "state", "templates_synced_at")
    list_filter = ("breaker",)
    search_fields = ("name", "app_name", "phone_number")
    actions = None
    form = SenderForm
    fieldsets = (
        (None, {"fields": ("name",)}),
        (
            gettext_lazy("Gupshup app"),
            {"fields": (("app_name", "app_id"), ("phone_number", "customer_id"), "api_url", "api_key")},
        ),
        (gettext_lazy("Pace"), {"fields": (("rate_limit", "rate_window"), "ceiling")}),
        (gettext_lazy("Protection of contacts"), {"fields": (("person_cap", "person_cap_days"),)}),
    )
    change_form_outer_before_template = "gupshup/sender/panel.html"

    class Media:
        css = {"all": ("campaigns/campaigns.css",)}
        js = ("campaigns/campaigns.js",)

    @display(description=gettext_lazy("pace"))
    def pace(self, sender: Sender) -> str:
        window = number_format(sender.rate_window, 0 if sender.rate_window.is_integer() else 1)
        told = _("%(n)s in %(s)s s") % {"n": sender.rate_limit, "s": window}
        return told if sender.pace_factor == 1 else f"{told} ÷ {number_format(sender.pace_factor, 1)}"

    @display(description=gettext_lazy("new recipients in 24 h"))
    def tier(self, sender: Sender) -> str:
        return _("no limit") if sender.ceiling is None else number_format(sender.ceiling, force_grouping=True)

    @display(description=gettext_lazy("state"), ordering="breaker", label=BREAKER_COLOURS)
    def state(self, sender: Sender) -> tuple[str, str]:
        return sender.breaker, sender.get_breaker_display()

    def get_readonly_fields(self, request: HttpRequest, obj: Sender | None = None) -> tuple[str, ...]:
        """The `.env` file wins at each start: what it decides is not edited here."""
        return tuple(name for name in OF_ENVIRONMENT if name != "api_key") if obj and obj.from_environment else ()

    def get_fieldsets(self, request: HttpRequest, obj: Sender | None = None) -> Any:
        if obj is None or not obj.from_environment:
            return self.fieldsets
        of_app = tuple(name for name in OF_ENVIRONMENT if name != "api_key")
        told = _("These come from the .env file, which wins at each start. Change them there.")
        return (
            self.fieldsets[0],
            (gettext_lazy("Gupshup app"), {"fields": of_app, "description": told}),
            *self.fieldsets[2:],
        )

    def has_delete_permission(self, request: HttpRequest, obj: Sender | None = None) -> bool:
        """One that has campaigns, or that the `.env` file names, stays."""
        unused = obj is not None and not obj.from_environment and not obj.campaigns.exists()
        return unused and super().has_delete_permission(request, obj)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        sender = Sender.objects.filter(pk=object_id).first() if object_id and object_id.isdecimal() else None
        context = panel(request, sender) if sender else {}
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **context})

    # -- what a super-admin does beside the form

    def get_urls(self) -> list[URLPattern]:
        deeds: dict[str, Callable[[Sender], str]] = {"allow": allow, "rotate": rotate, "retire": retire}
        own = [
            path(f"<int:pk>/{name}", self.admin_site.admin_view(self._doing(deed)), name=f"gupshup_sender_{name}")
            for name, deed in deeds.items()
        ]
        return [*own, *super().get_urls()]

    def _doing(self, deed: Callable[[Sender], str]) -> Callable[..., HttpResponse]:
        """Do it on POST, tell it, and keep it in the sender's history."""

        def view(request: HttpRequest, pk: int) -> HttpResponse:
            sender = get_object_or_404(Sender, pk=pk)
            if request.method != "POST" or not self.has_change_permission(request, sender):
                return HttpResponseNotAllowed(("POST",))
            told = deed(sender)
            self.log_change(request, sender, told)
            messages.success(request, told)
            return HttpResponseRedirect(reverse("admin:gupshup_sender_change", args=(pk,)))

        return view


def panel(request: HttpRequest, sender: Sender) -> dict[str, Any]:
    stopped = sender.breaker != Sender.Breaker.CLOSED
    return {
        "stopped": explain(sender.breaker_code) if stopped else "",
        "webhook": webhook_address(request, sender.webhook_secret),
        "secret_of_environment": sender.from_environment and bool(settings.GUPSHUP_WEBHOOK_SECRET),
    }


def webhook_address(request: HttpRequest, secret: str) -> str:
    """The address to enter at Gupshup."""
    where = reverse("webhook", args=(secret,))
    return f"{settings.PUBLIC_URL}{where}" if settings.PUBLIC_URL else request.build_absolute_uri(where)


def allow(sender: Sender) -> str:
    if breaker.close(sender.pk):
        return _("This sender may send again, at full pace.")
    return _("This sender was not stopped.")


def rotate(sender: Sender) -> str:
    rotate_secret(sender)
    return _("The webhook has a new address. Enter it at Gupshup; the old one works until you end it.")


def retire(sender: Sender) -> str:
    retire_old_secret(sender)
    return _("Only the new webhook address works now.")

"""Outgoing webhooks, for super-admins: who is told what, the secret (once), a trial, and the log of deliveries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from hooks import delivering, outbox
from hooks.forms import EndpointForm
from hooks.models import Delivery, Endpoint, Kind, Try
from whatsapp_campaigns.lists import ReadOnlyAdmin

STATE_COLOURS = {"active": "success", "failing": "warning", "disabled": "danger", "off": "default"}
DELIVERY_COLOURS = {
    Delivery.State.WAITING: "info",
    Delivery.State.DELIVERED: "success",
    Delivery.State.GIVEN_UP: "danger",
}
SHOWN = 10  # deliveries on the endpoint's page


@admin.register(Endpoint)
class EndpointAdmin(ModelAdmin):
    list_display = ("name", "url", "told", "condition", "last_success_at")
    search_fields = ("name", "url")
    form = EndpointForm
    actions = None
    change_form_outer_before_template = "hooks/endpoint/panel.html"

    class Media:
        css = {"all": ("campaigns/campaigns.css",)}
        js = ("campaigns/campaigns.js",)

    @display(description=gettext_lazy("events"))
    def told(self, endpoint: Endpoint) -> str:
        return ", ".join(str(Kind(event).label) for event in endpoint.events if event in Kind.values)

    @display(description=gettext_lazy("state"), label=STATE_COLOURS)
    def condition(self, endpoint: Endpoint) -> tuple[str, str]:
        words = {
            "active": _("active"),
            "failing": _("failing"),
            "off": _("off"),
            "disabled": _("switched off by itself"),
        }
        return endpoint.state, words[endpoint.state]

    def save_model(self, request: HttpRequest, obj: Endpoint, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        obj.created_by = request.user  # type: ignore[assignment]
        secret = obj.issue()
        super().save_model(request, obj, form, change)
        _show_once(request, secret)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        latest: Any = ()
        if object_id and object_id.isdecimal():
            latest = Delivery.objects.filter(endpoint_id=int(object_id)).order_by("-id")[:SHOWN]
        context = {**(extra_context or {}), "latest": latest}
        return super().changeform_view(request, object_id, form_url, context)

    # -- what is done beside the form

    def get_urls(self) -> list[URLPattern]:
        deeds: dict[str, Callable[[HttpRequest, Endpoint], str]] = {"trial": try_it, "rotate": rotate, "retire": retire}
        own = [
            path(f"<int:pk>/{name}", self.admin_site.admin_view(self._doing(deed)), name=f"hooks_endpoint_{name}")
            for name, deed in deeds.items()
        ]
        return [*own, *super().get_urls()]

    def _doing(self, deed: Callable[[HttpRequest, Endpoint], str]) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            endpoint = get_object_or_404(Endpoint, pk=pk)
            if request.method != "POST" or not self.has_change_permission(request, endpoint):
                return HttpResponseNotAllowed(("POST",))
            self.log_change(request, endpoint, deed(request, endpoint))
            return HttpResponseRedirect(reverse("admin:hooks_endpoint_change", args=(pk,)))

        return view


def _show_once(request: HttpRequest, secret: str) -> None:
    text = _("Copy the secret now, it is not shown again: {}")
    messages.success(request, format_html(text, format_html("<code>{}</code>", secret)))


def try_it(request: HttpRequest, endpoint: Endpoint) -> str:
    """Send a trial event and tell what was answered."""
    answer = delivering.make_now(outbox.trial(endpoint))
    if answer is None:
        messages.info(request, _("The trial is on its way. Look at the deliveries below."))
    elif answer.ok:
        told = _("The trial was received: HTTP %(status)d in %(n)d ms.")
        messages.success(request, told % {"status": answer.status, "n": answer.milliseconds})
    else:
        said = answer.error or f"HTTP {answer.status}"
        messages.error(request, _("The trial was not received: %(said)s") % {"said": said})
    return _("A trial was sent")


def rotate(request: HttpRequest, endpoint: Endpoint) -> str:
    _show_once(request, endpoint.rotate())
    messages.info(request, _("The old secret signs beside the new one for 24 hours."))
    return _("A new secret was made")


def retire(request: HttpRequest, endpoint: Endpoint) -> str:
    endpoint.old_secret, endpoint.old_secret_until = "", None
    endpoint.save(update_fields=["old_secret", "old_secret_until", "updated_at"])
    told = _("The old secret has ended.")
    messages.success(request, told)
    return told


class TryInline(TabularInline):
    model = Try
    fields = readonly_fields = ("at", "status", "error", "milliseconds", "answer")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ("number", "created_at", "endpoint", "kind", "condition", "tries", "last_status", "last_error")
    list_display_links = ("number",)
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("endpoint", RelatedDropdownFilter),
    )
    list_select_related = ("endpoint",)
    ordering = ("-id",)
    fields = ("endpoint", "kind", "event_id", "state", "tries", "next_try_at", "delivered_at", "body")
    readonly_fields = fields
    inlines = (TryInline,)
    actions = ("deliver_again",)

    @display(description=gettext_lazy("number"), ordering="id")
    def number(self, delivery: Delivery) -> str:
        return f"#{delivery.pk}"

    @display(description=gettext_lazy("state"), ordering="state", label=DELIVERY_COLOURS)
    def condition(self, delivery: Delivery) -> tuple[str, str]:
        return delivery.state, delivery.get_state_display()

    def has_again_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("hooks.change_delivery")

    @action(description=gettext_lazy("Deliver again"), permissions=("again",))
    def deliver_again(self, request: HttpRequest, deliveries: QuerySet[Delivery]) -> None:
        done = Delivery.objects.filter(pk__in=list(deliveries.values_list("pk", flat=True))).again()
        told = ngettext("%(n)d delivery will be made again.", "%(n)d deliveries will be made again.", done)
        messages.success(request, told % {"n": done})

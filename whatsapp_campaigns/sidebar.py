"""What stands in the admin's sidebar and on its home page. Permissions are asked on each request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Page:
    """A list of the admin: its model as "app.model", its name in the marketers' words, an icon of Material Symbols."""

    model: str
    title: str | Promise
    icon: str


# What is not here is reached through a link on another page, or not at all.
SECTIONS: tuple[tuple[str | Promise, tuple[Page, ...]], ...] = (
    (
        _("Audience"),
        (
            Page("contacts.contact", _("Contacts"), "contacts"),
            Page("contacts.category", _("Categories"), "label"),
            Page("contacts.import", _("Imports"), "upload_file"),
        ),
    ),
    (
        _("Campaigns"),
        (
            Page("campaigns.campaign", _("Campaigns"), "campaign"),
            Page("campaigns.message", _("Messages"), "chat"),
            Page("campaigns.interaction", _("Interactions"), "forum"),
        ),
    ),
    (
        "WhatsApp",
        (
            Page("gupshup.template", _("Templates"), "article"),
            Page("gupshup.callback", _("Callbacks"), "move_to_inbox"),
            Page("gupshup.sender", _("Senders"), "phone_iphone"),
        ),
    ),
    (
        _("Administration"),
        (
            Page("accounts.user", _("Users"), "group"),
            Page("accounts.apikey", _("API keys"), "key"),
            Page("hooks.endpoint", _("Outgoing webhooks"), "webhook"),
            Page("axes.accessattempt", _("Failed logins"), "lock"),
            Page("django_celery_beat.periodictask", _("Periodic tasks"), "schedule"),
        ),
    ),
)


def _model_admin(page: Page) -> admin.ModelAdmin[Any] | None:
    """None while nobody has registered the model: the page then stays out of the sidebar."""
    app_label, name = page.model.split(".")
    model: type[Model] = apps.get_model(app_label, name)
    return admin.site.get_model_admin(model) if admin.site.is_registered(model) else None


def _item(page: Page, request: HttpRequest) -> dict[str, Any] | None:
    """None for what this person may not see."""
    model_admin = _model_admin(page)
    if model_admin is None or not model_admin.has_view_or_change_permission(request):
        return None
    view = "admin:{}_{}_{{}}".format(*page.model.split("."))
    may_add = model_admin.has_add_permission(request)
    return {
        "title": page.title,
        "icon": page.icon,
        "link": reverse(view.format("changelist")),
        "add_link": reverse(view.format("add")) if may_add else "",
    }


def sections(request: HttpRequest) -> list[dict[str, Any]]:
    """The pages that this person may see, under their headings; a heading with none is left out."""
    found = ((title, [_item(page, request) for page in pages]) for title, pages in SECTIONS)
    return [
        {"title": title, "items": items, "separator": False}
        for title, maybe in found
        if (items := [item for item in maybe if item])
    ]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """What stands in the sidebar."""
    home = {"title": _("Home"), "icon": "home", "link": reverse("admin:index")}
    return [{"items": [home]}, *sections(request)]


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the home page shows besides the theme's own context."""
    return {**context, "sections": sections(request)}

"""The admin's look: names, sidebar. Labels are translated lazily; links are resolved on each request."""

from __future__ import annotations

from typing import Any

from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def _item(title: Any, icon: str, view: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(view)}


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "WhatsApp Campaigns",
    "SITE_HEADER": "WhatsApp Campaigns",
    "SITE_SYMBOL": "campaign",
    "SHOW_LANGUAGES": True,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {
        "show_search": False,
        "navigation": [
            {"items": [_item(_("Home"), "home", "admin:index")]},
        ],
    },
}

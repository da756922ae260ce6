"""The admin's look: name, colours, and where the sidebar comes from. Settings read it, so it imports no app."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static


def _static(path: str) -> Callable[[HttpRequest], str]:
    return lambda request: static(path)


# A green whose step 600 carries white text at 5.5:1 (WCAG AA asks 4.5:1).
_GREEN = {
    "50": "oklch(97.9% .021 166.113)",
    "100": "oklch(95% .052 163.051)",
    "200": "oklch(90.5% .093 164.15)",
    "300": "oklch(84.5% .143 164.978)",
    "400": "oklch(76.5% .177 163.223)",
    "500": "oklch(69.6% .17 162.48)",
    "600": "oklch(50.8% .118 165.612)",
    "700": "oklch(46% .105 166)",
    "800": "oklch(41% .09 167.5)",
    "900": "oklch(35% .072 169)",
    "950": "oklch(26.2% .051 172.552)",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "WhatsApp Campaigns",
    "SITE_HEADER": "WhatsApp Campaigns",
    "SITE_URL": "",
    "SITE_ICON": _static("whatsapp_campaigns/icon.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": _static("whatsapp_campaigns/icon.svg")},
        {"rel": "icon", "sizes": "32x32", "href": _static("whatsapp_campaigns/favicon.ico")},
    ],
    "COLORS": {"primary": _GREEN},
    "SHOW_LANGUAGES": True,
    "LANGUAGES": {"navigation": [{"code": "fr", "name_local": "Français"}, {"code": "en", "name_local": "English"}]},
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "DASHBOARD_CALLBACK": "whatsapp_campaigns.sidebar.dashboard",
    "LOGIN": {"form": "accounts.forms.LoginForm"},
    "SIDEBAR": {
        "show_search": False,
        "navigation": "whatsapp_campaigns.sidebar.navigation",
    },
}

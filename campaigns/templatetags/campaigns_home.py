"""The home page's upper part, for `templates/admin/index.html`."""

from __future__ import annotations

from typing import Any

from django import template

register = template.Library()


@register.inclusion_tag("campaigns/home/page.html", takes_context=True)
def campaigns_home(context: dict[str, Any]) -> dict[str, Any]:
    from campaigns.admin import home  # the engine loads tag libraries before the admin is there

    return home.everything(context["request"])

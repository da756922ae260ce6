"""The networks that outgoing webhooks may reach beside the public internet must be networks."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register

from hooks.reaching import allowed_networks


@register()
def networks_are_networks(**_: Any) -> list[CheckMessage]:
    try:
        allowed_networks()
    except ValueError as error:
        hint = "Give networks such as 10.0.0.0/8,192.168.1.0/24, or leave HOOKS_ALLOWED_NETWORKS empty."
        return [Error(f"HOOKS_ALLOWED_NETWORKS: {error}", hint=hint, id="hooks.E001")]
    return []

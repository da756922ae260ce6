"""What the provider tells about templates and the account, onto our rows."""

from __future__ import annotations

from gupshup.api.events import AccountNews, TemplateNews


def follow(sender_id: int, event: TemplateNews | AccountNews) -> None:
    """Apply one piece of news about a template or the account."""

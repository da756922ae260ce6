"""What the provider tells about templates and about the account, onto our rows."""

from __future__ import annotations

from gupshup import breaker, templates
from gupshup.api.events import AccountNews, TemplateNews
from gupshup.models import Sender


def follow(sender_id: int, event: TemplateNews | AccountNews) -> None:
    """Apply one piece of news."""
    if isinstance(event, TemplateNews):
        templates.follow(sender_id, event)
    else:
        _follow_account(sender_id, event)


def _follow_account(sender_id: int, event: AccountNews) -> None:
    """The tier is the ceiling of new recipients; a ban or a restriction stops the sender, a reinstatement frees it."""
    if event.unlimited or event.limit is not None:
        Sender.objects.filter(pk=sender_id).update(ceiling=None if event.unlimited else event.limit)
    if event.stops_sending:
        breaker.open_(sender_id, "account_stopped", event.status or event.what)
    elif event.resumes_sending and Sender.objects.filter(pk=sender_id, breaker_code="account_stopped").exists():
        breaker.close(sender_id)

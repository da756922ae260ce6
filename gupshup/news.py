"""What the provider tells about templates and about the account, onto our rows."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from gupshup import breaker, templates
from gupshup.api.events import AccountNews, TemplateNews
from gupshup.models import Sender

OLD = timedelta(days=1)  # what is older was told again: it says nothing of today


def follow(sender_id: int, event: TemplateNews | AccountNews) -> None:
    """Apply one piece of news, in the caller's transaction."""
    if isinstance(event, TemplateNews):
        templates.follow(sender_id, event)
    elif event.at is None or event.at > timezone.now() - OLD:
        _follow_account(sender_id, event)


def _follow_account(sender_id: int, event: AccountNews) -> None:
    """The tier is the ceiling of new recipients; a ban or a restriction stops the sender, a reinstatement frees it."""
    if event.unlimited or event.limit is not None:
        Sender.objects.filter(pk=sender_id).update(ceiling=None if event.unlimited else event.limit)
    if event.stops_sending:
        words = filter(None, (event.status or event.what, event.reason, *(one.kind for one in event.restrictions)))
        breaker.open_(sender_id, "account_stopped", ", ".join(words))
    elif event.resumes_sending and Sender.objects.filter(pk=sender_id, breaker_code="account_stopped").exists():
        breaker.close(sender_id)

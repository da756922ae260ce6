"""The breaker of a sender: closed, or open with the reason. It stands in the row that grants the slots."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from gupshup.models import Sender


def open_(sender_id: int, code: str, text: str = "", retry: timedelta | None = None) -> bool:
    """Stop a sender; answers whether this call did it. `retry`: when one message may try again, else a person decides."""
    now = timezone.now()
    return (
        Sender.objects.filter(pk=sender_id)
        .exclude(breaker=Sender.Breaker.OPEN)
        .update(
            breaker=Sender.Breaker.OPEN,
            breaker_code=code[:64],
            breaker_text=text[:300],
            breaker_since=now,
            breaker_until=None if retry is None else now + retry,
        )
        > 0
    )


def close(sender_id: int) -> bool:
    """Allow sending again; answers whether it was stopped."""
    return (
        Sender.objects.filter(pk=sender_id)
        .exclude(breaker=Sender.Breaker.CLOSED)
        .update(
            breaker=Sender.Breaker.CLOSED, breaker_code="", breaker_text="", breaker_since=None, breaker_until=None
        )
        > 0
    )

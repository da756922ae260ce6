"""The breaker of a sender: closed, open with the reason, or probing with one message. It stands in the row that grants
the slots, so that opening it stops all workers at once.
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F, Q
from django.utils import timezone

from gupshup.models import Sender

FIRST_WAIT = timedelta(seconds=60)  # doubled at each failure of a probe
LONGEST_WAIT = timedelta(minutes=30)
WALLET_WAIT = timedelta(minutes=10)
RATE_WAIT = timedelta(minutes=15)
MOST_SLOWED = 8.0

# What time may cure, and how long to wait before one message tries. Everything else waits for a person.
CURABLE = {"1003": WALLET_WAIT, "4001": RATE_WAIT, "too_many_requests": RATE_WAIT, "trouble": FIRST_WAIT}


def open_(sender_id: int, code: str, text: str = "") -> bool:
    """Stop a sender; answers whether this call did it."""
    now = timezone.now()
    wait = CURABLE.get(code)
    return (
        Sender.objects.filter(pk=sender_id)
        .exclude(breaker=Sender.Breaker.OPEN)
        .update(
            breaker=Sender.Breaker.OPEN,
            breaker_code=code[:64],
            breaker_text=text[:300],
            breaker_since=now,
            breaker_until=None if wait is None else now + wait,
        )
        > 0
    )


def close(sender_id: int) -> bool:
    """A person allows sending again, at full pace; answers whether it was stopped."""
    return (
        Sender.objects.filter(pk=sender_id)
        .exclude(breaker=Sender.Breaker.CLOSED, pace_factor=1.0)
        .update(**_CLOSED, pace_factor=1.0)
        > 0
    )


_CLOSED = {
    "breaker": Sender.Breaker.CLOSED,
    "breaker_code": "",
    "breaker_text": "",
    "breaker_since": None,
    "breaker_until": None,
    "breaker_count": 0,
}


def probe_due() -> int:
    """Let one message try where the waiting time is over; answers how many senders."""
    return Sender.objects.filter(breaker=Sender.Breaker.OPEN, breaker_until__lte=timezone.now()).update(
        breaker=Sender.Breaker.PROBE, breaker_until=None
    )


def probe_worked(sender_id: int) -> bool:
    """The probe was answered: sending goes on."""
    return Sender.objects.filter(pk=sender_id, breaker=Sender.Breaker.PROBE).update(**_CLOSED) > 0


def probe_failed(sender_id: int) -> bool:
    """The probe met the same trouble: wait twice as long as before."""
    for sender in Sender.objects.filter(pk=sender_id, breaker=Sender.Breaker.PROBE):
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(sender.breaker_count + 1, 10))
        return (
            Sender.objects.filter(pk=sender_id, breaker=Sender.Breaker.PROBE).update(
                breaker=Sender.Breaker.OPEN,
                breaker_until=timezone.now() + wait,
                breaker_count=F("breaker_count") + 1,
            )
            > 0
        )
    return False


def slow(sender_id: int) -> None:
    """Half the pace, until a person allows the full one again."""
    Sender.objects.filter(Q(pk=sender_id), pace_factor__lt=MOST_SLOWED).update(pace_factor=F("pace_factor") * 2)

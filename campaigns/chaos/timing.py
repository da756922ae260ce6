"""Minutes become fractions of a second: the product's waits, shortened in the processes of a chaos run only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

LEASE = 0.6  # seconds that a claim holds
DEADLINE = 1.6  # seconds after which an attempt without an answer is reaped
HTTP_DEADLINE = 0.8  # seconds for a whole call
PERSON_GAP = 0.5  # seconds between two messages to one person
DAY = timedelta(hours=25)  # what is shifted when a day passes: longer than an open outcome holds a destination


def environment() -> dict[str, str]:
    """Settings that the product reads from its environment."""
    return {
        "SENDING_LEASE_SECONDS": str(LEASE),
        "SENDING_DEADLINE_SECONDS": str(DEADLINE),
        "SENDING_THREADS": "8",
        "DATABASE_POOL_SIZE": "20",
        "CELERY_BROKER_URL": "memory://",
        "LOG_LEVEL": "WARNING",
        "HTTPS": "0",
    }


def shorten_pool() -> None:
    """The pool of connections asks again soon after an outage. For the whole command, before the first connection."""
    from django.conf import settings
    from psycopg_pool.base import AttemptWithBackoff

    settings.DATABASES["default"]["OPTIONS"]["pool"]["timeout"] = 2
    AttemptWithBackoff.INITIAL_DELAY = 0.05


def shorten() -> None:
    """Shorten what is a constant in the code. For a forked process only: nothing puts it back."""
    from campaigns import ingest, limits, outbox, outcomes, pacing
    from campaigns.management.commands import dispatch
    from gupshup import breaker, services

    dispatch.SWEEP, dispatch.PULSE = 0.5, 0.08
    outbox.SAME_PERSON_GAP = timedelta(seconds=PERSON_GAP)
    outbox.OPEN_OUTCOME_WAIT = timedelta(seconds=0.25)
    limits.HOLD = timedelta(seconds=0.3)
    outcomes.delay = _delay
    first = timedelta(seconds=0.15)
    ingest.PATIENCE = (first, 2 * first, 4 * first, 8 * first)
    breaker.FIRST_WAIT, breaker.LONGEST_WAIT = timedelta(seconds=0.3), timedelta(seconds=1)
    breaker.CURABLE = dict.fromkeys(breaker.CURABLE, timedelta(seconds=0.4))
    pacing.push_back = _pushing_back(pacing.push_back)
    services._make = _in_time(services._make)


def _delay(refusals: int) -> timedelta:
    return timedelta(seconds=0.2 * 2 ** (refusals - 1))


def _pushing_back(push_back: Any) -> Any:
    def shortly(sender_id: int, seconds: float | None) -> None:
        push_back(sender_id, 0.3)

    return shortly


def _in_time(make: Any) -> Any:
    def made(sender: Any) -> Any:
        service = make(sender)
        service.connect_timeout, service.deadline = HTTP_DEADLINE, HTTP_DEADLINE
        return service

    return made

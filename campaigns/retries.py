"""When to try again. Pure."""

from __future__ import annotations

from datetime import timedelta

MAX_RETRIES = 3  # after the first try; requirement 6.4
SAME_PERSON_GAP = timedelta(seconds=6)  # gupshup-api 11.1: about one message in 6 s to one user, else 131056
OPEN_OUTCOME_WAIT = timedelta(minutes=1)  # another message to this person has no known outcome yet


def delay(refusals: int) -> timedelta:
    """How long to wait after the `refusals`-th refusal (from 1): 60, 120, 240 s. Raises ValueError below 1."""
    if refusals < 1:
        raise ValueError("refusals are counted from 1")
    return timedelta(seconds=60 * 2 ** (refusals - 1))


def may_retry(refusals: int) -> bool:
    """Whether a message that was refused `refusals` times may be tried once more."""
    return refusals <= MAX_RETRIES

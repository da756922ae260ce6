"""Gates that let through so many in so long, exactly, over all processes: one statement in the database each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from accounts.programs import Gate

_ENTER = """
    INSERT INTO accounts_gate AS g (key, tat) VALUES (%(key)s, clock_timestamp() + %(every)s * interval '1 s')
    ON CONFLICT (key) DO UPDATE SET tat = GREATEST(g.tat, clock_timestamp()) + %(every)s * interval '1 s'
     WHERE g.tat <= clock_timestamp() + %(ahead)s * interval '1 s'
    RETURNING 1"""
_WAIT = """
    SELECT extract(epoch FROM tat - clock_timestamp())::float - %(ahead)s FROM accounts_gate WHERE key = %(key)s"""
_TIDY = """
    DELETE FROM accounts_gate WHERE key IN (
        SELECT key FROM accounts_gate WHERE tat < clock_timestamp() - interval '1 day' ORDER BY tat LIMIT 10
           FOR UPDATE SKIP LOCKED)"""


@dataclass(frozen=True)
class Limit:
    """`burst` at once, then one `every` so many seconds."""

    name: str
    burst: int
    every: float


def enter(limit: Limit, *who: str) -> float:
    """Take a pass; answers 0, or the seconds until one is free when there is none."""
    ahead = limit.every * (limit.burst - 1)
    values: dict[str, bytes | float] = {"key": _key(limit, *who), "every": limit.every, "ahead": ahead}
    with connection.cursor() as cursor:
        cursor.execute(_TIDY)
        cursor.execute(_ENTER, values)
        if cursor.fetchone():
            return 0
        cursor.execute(_WAIT, values)
        found = cursor.fetchone()
        return max(0.001, found[0]) if found else 0.001


def forgive(limit: Limit, *who: str) -> None:
    """Start counting anew."""
    Gate.objects.filter(key=_key(limit, *who)).delete()


def remember(what: str, seconds: float, *who: str) -> None:
    """Note this for so long."""
    tat = timezone.now() + timedelta(seconds=seconds)
    Gate.objects.update_or_create(key=_key(Limit(what, 1, 0), *who), defaults={"tat": tat})


def remembers(what: str, *who: str) -> bool:
    return Gate.objects.filter(key=_key(Limit(what, 1, 0), *who), tat__gt=timezone.now()).exists()


def _key(limit: Limit, *who: str) -> bytes:
    return hashlib.sha256("\0".join((limit.name, *who)).encode("utf-8", "replace")).digest()

"""Deliveries are kept for a while: bodies hold personal data. What still waits for an endpoint that works stays."""

from __future__ import annotations

from time import monotonic

from django.conf import settings
from django.db import connection

STEP = 2_000

_FIND = """
    SELECT d.id FROM hooks_delivery d JOIN hooks_endpoint e ON e.id = d.endpoint_id
     WHERE d.created_at < clock_timestamp() - make_interval(days => %(days)s)
       AND NOT (d.state = 'waiting' AND e.active)
     ORDER BY d.id LIMIT %(step)s FOR UPDATE OF d SKIP LOCKED"""


def prune(seconds: float = 20) -> int:
    """Drop what is older than RETENTION_HOOK_DAYS (0: nothing); answers how many deliveries."""
    until, done = monotonic() + seconds, 0
    while settings.RETENTION_HOOK_DAYS and monotonic() < until:
        count = _step()
        done += count
        if count < STEP:
            break
    return done


def _step() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH old AS ({_FIND}), log AS (DELETE FROM hooks_try WHERE delivery_id IN (SELECT id FROM old))
                DELETE FROM hooks_delivery WHERE id IN (SELECT id FROM old)""",
            {"days": settings.RETENTION_HOOK_DAYS, "step": STEP},
        )
        return int(cursor.rowcount)

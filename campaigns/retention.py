"""What is kept for how long: bodies of callbacks and texts go after their time, in small steps; figures stay.

A callback that was set aside, or waits, is never dropped: somebody must look at it first.
"""

from __future__ import annotations

from time import monotonic

from django.conf import settings

from campaigns import sql

STEP = 5_000

_CALLBACKS = """
    DELETE FROM gupshup_callback WHERE id IN (
        SELECT id FROM gupshup_callback
         WHERE received_at < clock_timestamp() - make_interval(days => %(days)s) AND state IN ('done', 'foreign')
           AND NOT EXISTS (SELECT FROM gupshup_arrival a WHERE a.callback_id = gupshup_callback.id)
         ORDER BY id LIMIT %(step)s FOR UPDATE SKIP LOCKED)"""
_MESSAGES = """
    UPDATE campaigns_message SET content = '', params = '[]' WHERE id IN (
        SELECT id FROM campaigns_message
         WHERE created_at < clock_timestamp() - make_interval(days => %(days)s) AND next_attempt_at IS NULL
           AND (content <> '' OR params <> '[]')
         ORDER BY id LIMIT %(step)s FOR UPDATE SKIP LOCKED)"""
_INTERACTIONS = """
    UPDATE campaigns_interaction SET content = '', media_url = '' WHERE id IN (
        SELECT id FROM campaigns_interaction
         WHERE received_at < clock_timestamp() - make_interval(days => %(days)s) AND (content <> '' OR media_url <> '')
         ORDER BY id LIMIT %(step)s FOR UPDATE SKIP LOCKED)"""


def prune(seconds: float = 60) -> int:
    """Drop what is past its time, for at most about `seconds`; answers how many rows."""
    until, done = monotonic() + seconds, 0
    for statement, days in (
        (_CALLBACKS, settings.RETENTION_CALLBACK_DAYS),
        (_MESSAGES, settings.RETENTION_TEXT_DAYS),
        (_INTERACTIONS, settings.RETENTION_TEXT_DAYS),
    ):
        while days and monotonic() < until:
            count = sql.run(statement, {"days": days, "step": STEP})
            done += count
            if count < STEP:
                break
    return done

"""Is work being done? Quick questions for `/readyz`: the age of what waits matters, not that a process lives."""

from __future__ import annotations

from campaigns import arming as arms
from campaigns import sql

INBOX_SECONDS = 60  # a callback is read within a second or two
STALL_SECONDS = 120  # a sender with due messages takes a slot at least every few seconds
OVERDUE_SECONDS = 120


def inbox() -> str:
    """Empty, or how long the oldest unread callback has waited."""
    found = sql.row(
        """SELECT EXTRACT(EPOCH FROM clock_timestamp() - LEAST(
                      (SELECT received_at FROM gupshup_callback c JOIN gupshup_arrival a ON a.callback_id = c.id
                        ORDER BY a.callback_id LIMIT 1),
                      (SELECT min(due_at) FROM gupshup_callback
                        WHERE due_at IS NOT NULL AND due_at < clock_timestamp())))::int""",
        {},
    )
    age = found[0] if found else None
    return f"oldest unread callback waits {age} s" if age is not None and age > INBOX_SECONDS else ""


def arming() -> str:
    """Empty, or why nothing may leave: the database was restored or copied."""
    found = arms.trouble()
    return f"disarmed ({', '.join(found)}): nothing is sent; run manage.py arm" if found else ""


def sending() -> str:
    """Empty, or how many senders have due messages and nobody who sends them, although they might."""
    found = sql.row(
        """SELECT count(*) FROM gupshup_sender s
            WHERE s.breaker = 'closed' AND s.ceiling IS NULL
              AND s.tat < clock_timestamp() - make_interval(secs => %(stall)s)
              AND EXISTS (SELECT 1 FROM campaigns_campaign c JOIN campaigns_message m ON m.campaign_id = c.id
                           WHERE c.sender_id = s.id AND c.status = 'running' AND c.hours = '{}'
                             AND m.message_type = 'message_1'
                             AND m.next_attempt_at < clock_timestamp() - make_interval(secs => %(stall)s))""",
        {"stall": STALL_SECONDS},
    )
    if not (found and found[0]) or arms.trouble():
        return ""
    return f"{found[0]} senders have due messages and no worker"


def calls() -> str:
    """Empty, or how many calls have no end although their deadline is past: no sweep runs."""
    found = sql.row(
        """SELECT count(*) FROM campaigns_attempt
            WHERE state = 'intent' AND deadline < clock_timestamp() - make_interval(secs => %(overdue)s)""",
        {"overdue": OVERDUE_SECONDS},
    )
    return f"{found[0]} calls without an end: no sweep runs" if found and found[0] else ""

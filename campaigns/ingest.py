"""The inbox onto the rows: batches under SKIP LOCKED, each applied and marked in one transaction, so that each callback
counts exactly once. One that fails alone is set aside with its error and holds up nobody.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic, time
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone
from psycopg.errors import DeadlockDetected

from campaigns import advancing, announcing, announcing, optouts, replies, sql, statuses
from contacts.models import Contact
from gupshup import news
from gupshup.api.events import AccountNews, Consent, Event, Inbound, Mismatch, StatusReport, TemplateNews, parse
from gupshup.api.layouts import quick
from gupshup.api.layouts.quick import Told
from gupshup.models import Callback

log = logging.getLogger("campaigns.ingest")

BATCH = 1000
TRIES = 3
# How long a report about a message that we do not know is kept warm (its pair of ids may still pass), and an answer
# that may be to a call without outcome.
PATIENCE = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))


class Due(NamedTuple):
    """An inbox row to be read."""

    pk: int
    sender_id: int
    raw: bytes | memoryview | None
    content_type: str
    received_at: datetime
    tries: int

    @property
    def body(self) -> bytes:
        return bytes(self.raw or b"")

    @property
    def callback(self) -> Callback:
        """The row as those who apply single events know it."""
        return Callback(
            pk=self.pk,
            sender_id=self.sender_id,
            raw=self.raw,
            content_type=self.content_type,
            received_at=self.received_at,
            tries=self.tries,
        )


Read = list[tuple[Due, list[Event | Told]]]

_DUE = """
    SELECT id, sender_id, raw, content_type, received_at, tries FROM gupshup_callback
     WHERE due_at <= clock_timestamp() ORDER BY due_at, id LIMIT %(batch)s FOR UPDATE SKIP LOCKED"""


def run(seconds: float = 20) -> int:
    """Apply what is due, at most for `seconds`; answers how many callbacks."""
    until, done = monotonic() + seconds, 0
    while monotonic() < until:
        count = _batch_or_again()
        done += count
        if count < BATCH:
            break
    return done


def _batch_or_again() -> int:
    """Two batches may have waited for each other in a circle, and one of them was undone: it is read anew."""
    for _ in range(TRIES):
        try:
            return _batch()
        except OperationalError as error:
            if not isinstance(error.__cause__, DeadlockDetected):
                raise
            log.info("a batch is read again: %s", type(error.__cause__).__name__)
    return _batch()


def _batch() -> int:
    with transaction.atomic(durable=True):
        sql.run(advancing.PLAN, {})
        callbacks = [Due._make(row) for row in sql.rows(_DUE, {"batch": BATCH})]
        if not callbacks:
            return 0
        now = time()
        read: Read = [(callback, _events(callback, now)) for callback in callbacks]
        if all(isinstance(event, Told | StatusReport) for _, events in read for event in events):
            # Nobody waits for the disk: were this commit lost in a crash, its callbacks would be unread again.
            sql.run("SET LOCAL synchronous_commit = off", {})
        try:
            with transaction.atomic():
                unknown = _apply(read)
            failed: dict[int, str] = {}
        except (OperationalError, InterfaceError):
            raise  # the database's trouble is nobody's fault here: the batch stays due
        except Exception:
            log.exception("a batch failed; reading it one by one")
            unknown, failed = _one_by_one(read)
        announcing.answered(due.pk for due, events in read if any(isinstance(event, Inbound) for event in events))
        announcing.answered(due.pk for due, events in read if any(isinstance(event, Inbound) for event in events))
        _mark(callbacks, unknown, failed)
    return len(callbacks)


def _events(due: Due, now: float) -> list[Event | Told]:
    """What the body tells: the usual report by the short way, everything else by the long one."""
    body = due.body
    told = quick.read(body, now)
    return [told] if told is not None else [*parse(body, due.content_type)]


def _apply(read: Read) -> set[int]:
    """Apply every event; answers the ids of callbacks that speak of messages unknown to us, or not settled yet."""
    reports: dict[int, list[tuple[int, statuses.Heard]]] = defaultdict(list)
    others: list[tuple[Due, Event]] = []
    for callback, events in read:
        for event in events:
            if isinstance(event, Told | StatusReport):
                reports[callback.sender_id].append((callback.pk, statuses.Heard(event, callback.received_at)))
            else:
                others.append((callback, event))
    unknown: set[int] = set()
    for sender_id, group in sorted(reports.items()):
        missing = {id(heard) for heard in statuses.apply(sender_id, [heard for _, heard in group])}
        unknown |= {pk for pk, heard in group if id(heard) in missing}
    return unknown | {callback.pk for callback, event in others if not _apply_one(callback, event)}


def _apply_one(due: Due, event: Event) -> bool:
    """False when it must be read again later."""
    callback = due.callback
    match event:
        case Inbound():
            return replies.handle(callback, event, may_wait=callback.tries < len(PATIENCE))
        case Consent():
            optouts.follow_event(callback, event)
        case Mismatch(phone=str(phone), wa_id=str(wa_id)):
            Contact.objects.filter(number=f"+{phone}").update(whatsapp_number=wa_id)
        case TemplateNews() | AccountNews():
            news.follow(callback.sender_id, event)
    return True


def _one_by_one(read: Read) -> tuple[set[int], dict[int, str]]:
    """Each event in a savepoint of its own: a culprit is set aside, its neighbours in the same body count."""
    unknown: set[int] = set()
    failed: dict[int, str] = {}
    for callback, events in read:
        for event in events:
            try:
                with transaction.atomic():
                    unknown |= _apply([(callback, [event])])
            except (OperationalError, InterfaceError):
                raise
            except Exception as error:
                log.exception("callback %s set aside", callback.pk)
                failed[callback.pk] = f"{type(error).__name__}: {error}".replace("\0", "")[:1000]
    return unknown, failed


def _mark(callbacks: Sequence[Due], unknown: set[int], failed: dict[int, str]) -> None:
    others = [callback for callback in callbacks if callback.pk in unknown or callback.pk in failed]
    done = [callback.pk for callback in callbacks if callback.pk not in unknown and callback.pk not in failed]
    if done:
        sql.run(
            """UPDATE gupshup_callback
                  SET state = 'done', due_at = NULL, error = '', tries = tries + 1, handled_at = clock_timestamp()
                WHERE id = ANY(%(ids)s::bigint[])""",
            {"ids": sql.array(done)},
        )
    if others:
        _mark_others(others, failed)


def _mark_others(callbacks: Sequence[Due], failed: dict[int, str]) -> None:
    """Set aside what failed; what speaks of unknown messages waits for them, for a while."""
    now = timezone.now()
    states: list[str] = []
    dues: list[datetime | None] = []
    for callback in callbacks:
        waits = callback.pk not in failed and callback.tries < len(PATIENCE)
        state = Callback.State.FAILED if callback.pk in failed else Callback.State.FOREIGN
        states.append(str(Callback.State.WAITING if waits else state))
        dues.append(now + PATIENCE[callback.tries] if waits else None)
    sql.run(
        """UPDATE gupshup_callback c
              SET state = t.state, due_at = t.due_at, error = t.error, tries = c.tries + 1, handled_at = %(now)s
             FROM unnest(%(ids)s::bigint[], %(states)s::text[], %(dues)s::timestamptz[], %(errors)s::text[])
                  AS t (id, state, due_at, error)
            WHERE c.id = t.id""",
        {
            "now": now,
            "ids": [callback.pk for callback in callbacks],
            "states": states,
            "dues": dues,
            "errors": [failed.get(callback.pk, "") for callback in callbacks],
        },
    )

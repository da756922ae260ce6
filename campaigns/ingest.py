"""The inbox onto the rows: batches under SKIP LOCKED, each applied and marked in one transaction, so that each callback
counts exactly once. One that fails alone is set aside with its error and holds up nobody.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic, time
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone
from psycopg.errors import DeadlockDetected

from campaigns import advancing, announcing, optouts, replies, sql, statuses
from campaigns.advancing import Heard
from contacts.models import Contact
from gupshup import news
from gupshup.api.events import (
    AccountNews,
    Consent,
    Event,
    Inbound,
    Mismatch,
    StatusReport,
    TemplateNews,
    Unrecognised,
    parse,
)
from gupshup.api.layouts import quick
from gupshup.api.layouts.quick import Told
from gupshup.models import Callback

log = logging.getLogger("campaigns.ingest")

BATCH = 1000
BYTES = 2 * 1024 * 1024
SMALL = 4096
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
    received: float  # Unix time
    tries: int
    is_new: bool  # nobody has read it before
    size: int | None  # bytes of the body

    @property
    def callback(self) -> Callback:
        """The row as those who apply single events know it."""
        return Callback(
            pk=self.pk,
            sender_id=self.sender_id,
            raw=self.raw,
            content_type=self.content_type,
            received_at=datetime.fromtimestamp(self.received, UTC),
            tries=self.tries,
        )


Read = list[tuple[Due, list[Event | Told]]]

# Small bodies come with their rows, larger ones after them and only as many as fit into BYTES: a thousand of the
# largest would be gigabytes.
_COLUMNS = """c.id, c.sender_id, CASE WHEN octet_length(c.raw) <= %(small)s THEN c.raw END, c.content_type,
           extract(epoch FROM c.received_at)::float8, c.tries"""
_NEW = f"""
    SELECT {_COLUMNS}, true, octet_length(c.raw) FROM gupshup_arrival a JOIN gupshup_callback c ON c.id = a.callback_id
     WHERE a.callback_id > %(after)s ORDER BY a.callback_id LIMIT %(batch)s FOR UPDATE OF a SKIP LOCKED"""
_AGAIN = f"""
    SELECT {_COLUMNS}, false, octet_length(c.raw) FROM gupshup_callback c
     WHERE c.due_at <= clock_timestamp() ORDER BY c.due_at, c.id LIMIT %(batch)s FOR UPDATE SKIP LOCKED"""


_STILL_NEW = "SELECT 1 FROM gupshup_arrival WHERE callback_id = %(id)s FOR UPDATE SKIP LOCKED"
_STILL_DUE = "SELECT 1 FROM gupshup_callback WHERE id = %(id)s AND due_at <= clock_timestamp() FOR UPDATE SKIP LOCKED"


_places = threading.Semaphore(2)  # readers in one process: a flood of callbacks must leave threads to those who send
_again = threading.Event()


def nudged() -> None:
    """Read the inbox, unless enough threads of this process do: then one of them looks once more."""
    _again.set()
    while _again.is_set() and _places.acquire(blocking=False):
        try:
            _again.clear()
            run()
        finally:
            _places.release()


def run(seconds: float = 20) -> int:
    """Apply what is due, at most for `seconds`; answers how many callbacks."""
    until, done = monotonic() + seconds, 0
    after = 0  # an old snapshot keeps the entries of what was read: look at each of them once, not in each batch
    while monotonic() < until:
        batch = _batch_or_again(after)
        done += batch.done
        if not batch.was_full and not after:
            break
        after = batch.last
    return done


class Batch(NamedTuple):
    """How many were read; the last new one, if more may follow it; whether it ended because it was full."""

    done: int = 0
    last: int = 0
    was_full: bool = False


def _batch_or_again(after: int) -> Batch:
    """Two batches may have waited for each other in a circle, and one of them was undone: it is read anew."""
    for _ in range(TRIES):
        try:
            return _batch(after)
        except OperationalError as error:
            if not isinstance(error.__cause__, DeadlockDetected):
                raise
            log.info("a batch is read again: %s", type(error.__cause__).__name__)
    return _batch(after)


def _batch(after: int) -> Batch:
    """Read and mark one batch of new callbacks beyond `after`, and, if there is room, of those to be read again."""
    with transaction.atomic(durable=True):
        sql.run(advancing.PLAN, {})
        callbacks = _claimed(_NEW, BATCH, after)
        last = callbacks[-1].pk if _is_full(callbacks) else 0
        if not last:
            callbacks += _claimed(_AGAIN, BATCH - len(callbacks))
        if not callbacks:
            return Batch()
        now = time()
        read: Read = [(callback, _events(callback, now)) for callback in callbacks]
        reports = [one for one in read if _tells_only_reports(one[1])]
        if reports:
            # Nobody waits for the disk: were this commit lost in a crash, its callbacks would be unread again.
            sql.run("SET LOCAL synchronous_commit = off", {})
            _apply_and_mark(reports)
    # An answer takes rows in its own order: with those of a thousand reports in hand, two batches would wait for each
    # other in a circle, again and again. So each is applied alone.
    for due, events in read:
        if not _tells_only_reports(events):
            _alone(due, events)
    return Batch(len(callbacks), last, _is_full(callbacks))


def _tells_only_reports(events: Sequence[Event | Told]) -> bool:
    return all(isinstance(event, Told | StatusReport) for event in events)


def _alone(due: Due, events: list[Event | Told]) -> None:
    """Apply and mark one callback, unless somebody else is at it or was."""
    for last in (False, False, True):
        try:
            with transaction.atomic(durable=True):
                if sql.rows(_STILL_NEW if due.is_new else _STILL_DUE, {"id": due.pk}):
                    _apply_and_mark([(due, events)])
            return
        except OperationalError as error:
            if last or not isinstance(error.__cause__, DeadlockDetected):
                raise
            log.info("callback %s is read again: %s", due.pk, type(error.__cause__).__name__)


def _apply_and_mark(read: Read) -> None:
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
    _mark(read, unknown, failed)


def _claimed(statement: str, most: int, after: int = 0) -> list[Due]:
    """The next callbacks with their bodies; who no longer fits is left for the next batch."""
    callbacks: list[Due] = []
    size = 0
    for row in sql.rows(statement, {"batch": most, "small": SMALL, "after": after}):
        due = Due._make(row)
        if due.size is not None and due.size > SMALL:
            if size >= BYTES:
                break
            body = sql.row("SELECT raw FROM gupshup_callback WHERE id = %(id)s", {"id": due.pk})
            due = due._replace(raw=body[0] if body else None)
        size += due.size or 0
        callbacks.append(due)
    return callbacks


def _is_full(callbacks: Sequence[Due]) -> bool:
    """Whether the batch ended because it was full: there may be more."""
    return len(callbacks) == BATCH or sum(due.size or 0 for due in callbacks) >= BYTES


def _events(due: Due, now: float) -> list[Event | Told]:
    """What the body tells: the usual report by the short way, everything else by the long one."""
    body = bytes(due.raw or b"")
    told = quick.read(body, now)
    return [told] if told is not None else [*parse(body, due.content_type)]


def _apply(read: Read) -> set[int]:
    """Apply every event; answers the ids of callbacks that speak of messages unknown to us, or not settled yet."""
    reports: dict[int, list[tuple[int, Heard]]] = defaultdict(list)
    others: list[tuple[Due, Event]] = []
    for callback, events in read:
        for event in events:
            if isinstance(event, Told | StatusReport):
                reports[callback.sender_id].append((callback.pk, Heard(event, callback.received)))
            else:
                others.append((callback, event))
    unknown: set[int] = set()
    for sender_id, group in sorted(reports.items()):
        if missing := {id(heard) for heard in statuses.apply(sender_id, [heard for _, heard in group])}:
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


def _mark(read: Read, unknown: set[int], failed: dict[int, str]) -> None:
    """What was read is read. Only what is not simply applied has anything written into its own row."""
    new = [due.pk for due, _ in read if due.is_new]
    if new:
        sql.run("DELETE FROM gupshup_arrival WHERE callback_id = ANY(%(ids)s::bigint[])", {"ids": sql.array(new)})
    odd = failed | {due.pk: reason for due, events in read if (reason := _strange(events))}
    marks = [
        _mark_of(due, due.pk in unknown, due.pk in failed, odd.get(due.pk, ""))
        for due, _ in read
        if not due.is_new or due.pk in unknown or due.pk in odd
    ]
    if marks:
        _write_marks(marks)


def _strange(events: Sequence[Event | Told]) -> str:
    """Why nothing of this body is understood; empty when something is."""
    reasons = [event.reason for event in events if isinstance(event, Unrecognised)]
    return reasons[0] if len(reasons) == len(events) else ""


Mark = tuple[int, str, datetime | None, str]  # id, state, when to read it again, why


def _mark_of(due: Due, is_unknown: bool, has_failed: bool, why: str) -> Mark:
    """Set aside what failed; what speaks of unknown messages waits for them, for a while."""
    if has_failed:
        return due.pk, Callback.State.FAILED, None, why
    if is_unknown and due.tries < len(PATIENCE):
        return due.pk, Callback.State.WAITING, timezone.now() + PATIENCE[due.tries], ""
    state = Callback.State.FOREIGN if is_unknown else Callback.State.UNKNOWN if why else Callback.State.DONE
    return due.pk, state, None, why


def _write_marks(marks: Sequence[Mark]) -> None:
    ids, states, dues, whys = zip(*marks, strict=True)
    sql.run(
        """UPDATE gupshup_callback c
              SET state = t.state, due_at = t.due_at, error = t.error, tries = c.tries + 1,
                  handled_at = clock_timestamp()
             FROM unnest(%(ids)s::bigint[], %(states)s::text[], %(dues)s::timestamptz[], %(errors)s::text[])
                  AS t (id, state, due_at, error)
            WHERE c.id = t.id""",
        {"ids": list(ids), "states": list(map(str, states)), "dues": list(dues), "errors": list(whys)},
    )

"""Claim, begin, mark, call, record: how a message leaves, at most once.

    claim    a batch of due messages gets a lease; reversible, a crash costs nothing
    begin    one commit: lease, campaign and opt-out checked again; message `sending`, attempt `intent`
    mark     one commit just before the first byte: a compare-and-set on the attempt. Who finds it gone sends nothing
    call     outside any transaction, in a thread of the pool, at its slot
    record   set-wise, each statement naming the state it leaves (`campaigns.outcomes`)

`drain` serves the Celery tasks and `manage.py dispatch` alike; any number may run at once.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock
from time import monotonic, sleep
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection, transaction

from campaigns import launching, outcomes, pacing, sql
from campaigns.models import Campaign
from campaigns.retries import OPEN_OUTCOME_WAIT, SAME_PERSON_GAP
from campaigns.status import CampaignStatus, Kind
from gupshup.api.client import GupshupService
from gupshup.api.responses import GupshupResponse, Outcome, failure
from gupshup.models import Sender
from gupshup.services import service_for

log = logging.getLogger("campaigns.sending")

CLAIM = 200  # messages a claim takes at most
CLAIM_SECONDS = 4.0  # and no more than can leave in this time: Message 2 goes first at each claim
RECORD = 200  # answers recorded in one transaction at most
RECORD_WAIT = 0.1  # seconds an answer waits for company while more are on their way


@dataclass(frozen=True)
class Claimed:
    """A message under our lease, with what the call needs."""

    id: int
    campaign_id: int
    kind: str
    destination: str
    params: list[str]
    content: str


@dataclass(frozen=True)
class Begun:
    """A message whose attempt stands; only after `mark` may a byte leave."""

    message: Claimed
    attempt_id: int
    opens: float
    closes: float


@dataclass(frozen=True)
class TemplateUse:
    """What a campaign's Message 1 needs beside the person's variables."""

    template_id: str
    header: dict[str, Any] | None


def claim(sender_id: int, lease: uuid.UUID, wanted: int, after: dict[int, tuple[Any, int]]) -> list[Claimed]:
    """Lease up to `wanted` due messages: Message 2 first, then the running campaigns in turn.

    `after` keeps, for each campaign, the last key claimed: starting there passes by the dead head of the queue.
    """
    found = _claim_second(sender_id, lease, wanted)
    campaigns = list(
        Campaign.objects.filter(sender_id=sender_id, status=CampaignStatus.RUNNING).values_list("id", flat=True)
    )
    campaigns.sort(key=lambda pk: (after.get(pk, (None, 0))[1] > 0, pk))
    for n, campaign_id in enumerate(campaigns):
        share = -(-(wanted - len(found)) // (len(campaigns) - n))
        if share > 0:
            found += _claim_first(campaign_id, lease, share, after)
    return found


_CLAIM = """
    UPDATE campaigns_message m
       SET lease = %(lease)s, lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
     WHERE m.id IN (
        SELECT q.id FROM campaigns_message q {join}
         WHERE {where} AND q.next_attempt_at <= clock_timestamp()
           AND (q.lease_until IS NULL OR q.lease_until < clock_timestamp())
         ORDER BY q.next_attempt_at, q.id LIMIT %(wanted)s FOR UPDATE OF q SKIP LOCKED)
    RETURNING m.next_attempt_at, m.id, m.campaign_id, m.message_type, m.destination, m.params::text, m.content"""
_CLAIM_SECOND = _CLAIM.format(
    join="JOIN campaigns_campaign c ON c.id = q.campaign_id AND c.status IN ('running', 'finished')",
    where="""q.sender_id = %(owner)s AND q.message_type = 'message_2' AND q.next_attempt_at IS NOT NULL
             AND q.expires_at > clock_timestamp()""",
)
_CLAIM_FIRST = _CLAIM.format(
    join="",
    where="""q.campaign_id = %(owner)s AND q.message_type = 'message_1' AND q.next_attempt_at IS NOT NULL
             AND (q.next_attempt_at, q.id) > (%(after)s::timestamptz, %(after_id)s)""",
)


def _claim_second(sender_id: int, lease: uuid.UUID, wanted: int) -> list[Claimed]:
    return [claimed for _, claimed in _claim(_CLAIM_SECOND, owner=sender_id, lease=lease, wanted=wanted)]


def _claim_first(campaign_id: int, lease: uuid.UUID, wanted: int, after: dict[int, tuple[Any, int]]) -> list[Claimed]:
    last, last_id = after.get(campaign_id, ("-infinity", 0))
    found = _claim(_CLAIM_FIRST, owner=campaign_id, lease=lease, wanted=wanted, after=last, after_id=last_id)
    if found:
        after[campaign_id] = (found[-1][0], found[-1][1].id)
    else:
        after.pop(campaign_id, None)
    return [claimed for _, claimed in found]


def _claim(statement: str, **values: Any) -> list[tuple[Any, Claimed]]:
    values["seconds"] = settings.SENDING_LEASE_SECONDS
    found = sorted(sql.rows(statement, values), key=lambda row: (row[0], row[1]))
    return [(row[0], Claimed(row[1], row[2], row[3], row[4], _params(row[5]), row[6])) for row in found]


def _params(text: str) -> list[str]:
    return [str(value) for value in json.loads(text)]


def begin(sender_id: int, lease: uuid.UUID, messages: Sequence[Claimed]) -> list[Begun] | None:
    """Take the messages for sending, each with a slot, in one durable commit. What may not leave now is left out, and
    its row says why. None when a rival took the slots: then nothing happened.

    A failed or unanswered commit raises: then nothing may be sent, and the reaper puts right what was written.
    """
    by_id = {message.id: message for message in messages}
    with transaction.atomic(durable=True):
        sql.commit_durably()
        sound = sql.rows(_SOUND, {"ids": list(by_id), "lease": lease, "gap": SAME_PERSON_GAP, "sender": sender_id})
        attempts = sql.rows(
            _INTEND,
            {
                "ids": [pk for pk, opted_out, recent in sound if not opted_out and not recent],
                "destinations": [
                    by_id[pk].destination for pk, opted_out, recent in sound if not opted_out and not recent
                ],
                "sender": sender_id,
                "seconds": settings.SENDING_DEADLINE_SECONDS,
            },
        )
        sql.run(_SENDING, {"ids": [message_id for message_id, _ in attempts]})
        _put_back(sound, {message_id for message_id, _ in attempts})
        slots = pacing.take(sender_id, len(attempts)) if attempts else pacing.Slots(0)
        if slots.count < len(attempts):
            transaction.set_rollback(True)
            return None
    return [
        Begun(by_id[message_id], attempt_id, slots.opens(i), slots.closes(i))
        for i, (message_id, attempt_id) in enumerate(sorted(attempts))
    ]


_SOUND = """
    SELECT m.id, k.opted_out_at IS NOT NULL,
           EXISTS (SELECT 1 FROM campaigns_attempt a
                    WHERE a.destination = m.destination AND a.sender_id = %(sender)s
                      AND a.started_at > clock_timestamp() - %(gap)s AND a.state NOT IN ('not_sent', 'rejected'))
      FROM campaigns_message m
      JOIN campaigns_campaign c ON c.id = m.campaign_id
      LEFT JOIN contacts_contact k ON k.id = m.contact_id
     WHERE m.id = ANY(%(ids)s) AND m.lease = %(lease)s AND m.lease_until > clock_timestamp() AND m.status = 0
       AND (c.status = 'running' OR (c.status = 'finished' AND m.message_type = 'message_2'))
       AND (m.expires_at IS NULL OR m.expires_at > clock_timestamp())
     ORDER BY m.id FOR UPDATE OF m"""

# No target named: either of the two unique indexes that carry the promise may refuse the row.
_INTEND = """
    INSERT INTO campaigns_attempt (message_id, sender_id, destination, state, token, started_at, deadline)
    SELECT t.id, %(sender)s, t.destination, 'intent', gen_random_uuid(), clock_timestamp(),
           clock_timestamp() + make_interval(secs => %(seconds)s)
      FROM unnest(%(ids)s::bigint[], %(destinations)s::text[]) AS t (id, destination)
    ON CONFLICT DO NOTHING
    RETURNING message_id, id"""

_SENDING = """
    UPDATE campaigns_message
       SET status = 10, next_attempt_at = NULL, lease = NULL, lease_until = NULL, updated_at = clock_timestamp()
     WHERE id = ANY(%(ids)s)"""

_POSTPONE = """
    UPDATE campaigns_message
       SET next_attempt_at = clock_timestamp() + %(wait)s, lease = NULL, lease_until = NULL
     WHERE id = ANY(%(ids)s) AND status = 0"""


def _put_back(sound: Sequence[tuple[Any, ...]], begun: set[int]) -> None:
    """What may not leave now: opted out ends, a person just written to waits, an open outcome waits longer."""
    gone = [pk for pk, opted_out, _ in sound if opted_out]
    soon = [pk for pk, opted_out, recent in sound if recent and not opted_out]
    later = [pk for pk, opted_out, recent in sound if not recent and not opted_out and pk not in begun]
    if gone:
        outcomes.cancel_opted_out(gone)
    for ids, wait in ((soon, SAME_PERSON_GAP), (later, OPEN_OUTCOME_WAIT)):
        if ids:
            sql.run(_POSTPONE, {"ids": ids, "wait": wait})


def mark(begun: Sequence[Begun]) -> list[Begun]:
    """The last fence: of these attempts, those that are still ours. Committed before a first byte leaves."""
    with transaction.atomic(durable=True):
        sql.commit_durably()
        ours = sql.rows(
            """UPDATE campaigns_attempt SET wire_at = clock_timestamp()
                WHERE id = ANY(%(ids)s) AND state = 'intent' AND wire_at IS NULL RETURNING id""",
            {"ids": [item.attempt_id for item in begun]},
        )
    kept = {pk for (pk,) in ours}
    return [item for item in begun if item.attempt_id in kept]


def call(service: GupshupService, use: TemplateUse | None, item: Begun) -> GupshupResponse:
    """Wait for the slot, then one call. A slot that was missed is given up before the first byte."""
    sleep(max(0.0, item.opens - monotonic()))

    def in_time() -> bool:
        return monotonic() <= item.closes

    message = item.message
    if message.kind == Kind.MESSAGE_2:
        return service.send_text_message(message.destination, message.content, before_first_byte=in_time)
    assert use is not None
    return service.send_template(
        message.destination, use.template_id, message.params, header=use.header, before_first_byte=in_time
    )


@dataclass
class Drain:
    """One worker's loop over one sender: this thread does all the database work, the pool only calls."""

    sender: Sender
    threads: int
    lease: uuid.UUID = field(default_factory=uuid.uuid4)
    after: dict[int, tuple[Any, int]] = field(default_factory=dict)
    claimed: list[Claimed] = field(default_factory=list)
    answers: SimpleQueue[outcomes.Answer] = field(default_factory=SimpleQueue)
    unrecorded: list[outcomes.Answer] = field(default_factory=list)
    in_flight: int = 0
    sent: int = 0

    def __post_init__(self) -> None:
        self.service = service_for(self.sender)
        self.uses: dict[int, TemplateUse] = {}

    def run(self, seconds: float) -> int:
        """Send what is due until nothing is, or `seconds` have gone; answers how many calls were made."""
        until = monotonic() + seconds
        with ThreadPoolExecutor(self.threads, thread_name_prefix="send") as pool:
            try:
                while monotonic() < until and self._step(pool, until):
                    pass
            finally:
                self._finish()
        return self.sent

    def _step(self, pool: ThreadPoolExecutor, until: float) -> bool:
        """One turn of the loop; answers whether another is worth it."""
        try:
            self._record()
            if not self.claimed:
                self.claimed = claim(self.sender.pk, self.lease, self._wanted(), self.after)
            if not self.claimed:
                if not self.in_flight:
                    return False
                self._listen(RECORD_WAIT)
                return True
            room = self.threads - self.in_flight
            wait = self._send(pool, room) if room > 0 else RECORD_WAIT
            if wait > 0:
                self._listen(min(wait, max(0.0, until - monotonic())))
        except DatabaseError:
            log.warning("database trouble while sending; trying again", exc_info=True)
            self._after_trouble()
        return True

    def _wanted(self) -> int:
        self.sender.refresh_from_db()
        step = pacing.interval(self.sender.rate_limit, self.sender.rate_window, self.sender.pace_factor)
        return max(1, min(CLAIM, int(CLAIM_SECONDS / step)))

    def _send(self, pool: ThreadPoolExecutor, room: int) -> float:
        """Begin and hand over what has a slot now; answers how long to wait for the next."""
        slots, wait = pacing.due(self.sender.pk)
        if not slots:
            return wait
        size = min(slots, room)
        begun = begin(self.sender.pk, self.lease, self.claimed[:size])
        if begun is None:
            return pacing.HORIZON
        self.claimed = self.claimed[size:]
        for item in mark(begun) if begun else ():
            use = self._use(item.message.campaign_id) if item.message.kind == Kind.MESSAGE_1 else None
            self.in_flight += 1
            self.sent += 1
            pool.submit(self._call, use, item)
        return 0.0

    def _call(self, use: TemplateUse | None, item: Begun) -> None:
        try:
            response = call(self.service, use, item)
        except Exception as error:  # the call's outcome is not known: say so, whatever broke
            log.exception("a call broke; its message is uncertain")
            response = failure(Outcome.UNCERTAIN, "exception", type(error).__name__)
        self.answers.put(outcomes.Answer(item.message.id, item.attempt_id, item.message.campaign_id, response))

    def _use(self, campaign_id: int) -> TemplateUse:
        if campaign_id not in self.uses:
            campaign = Campaign.objects.select_related("template").get(pk=campaign_id)
            assert campaign.template is not None
            self.uses[campaign_id] = TemplateUse(campaign.template.provider_id, header_of(campaign))
        return self.uses[campaign_id]

    def _listen(self, seconds: float) -> None:
        """Wait for one answer, at most `seconds`."""
        try:
            self._arrived(self.answers.get(timeout=max(0.001, seconds)))
        except Empty:
            return

    def _arrived(self, answer: outcomes.Answer) -> None:
        self.in_flight -= 1
        self.unrecorded.append(answer)

    def _record(self) -> None:
        """Write down the answers that are here, unless few are and more are coming."""
        while True:
            try:
                self._arrived(self.answers.get_nowait())
            except Empty:
                break
        while self.unrecorded:
            batch = self.unrecorded[:RECORD]
            outcomes.record(self.sender.pk, batch)
            del self.unrecorded[: len(batch)]

    def _after_trouble(self) -> None:
        """The batch in hand may or may not be ours any more: forget it, its lease runs out."""
        self.claimed = []
        connection.close()
        self._listen(0.5)

    def _finish(self) -> None:
        """Give the unused leases back; wait for the calls under way and write down their answers."""
        limit = monotonic() + settings.SENDING_DEADLINE_SECONDS
        while (self.in_flight or self.unrecorded) and monotonic() < limit:
            try:
                if self.in_flight:
                    self._listen(RECORD_WAIT)
                self._record()
            except DatabaseError:
                log.warning("database trouble while recording; trying again", exc_info=True)
                self._after_trouble()
        try:
            sql.run(
                """UPDATE campaigns_message SET lease = NULL, lease_until = NULL
                    WHERE id = ANY(%(ids)s) AND lease = %(lease)s AND status = 0""",
                {"ids": [message.id for message in self.claimed], "lease": self.lease},
            )
            launching.finish_done(self.sender.pk)
        except DatabaseError:
            log.warning("leases not given back; they run out", exc_info=True)


def header_of(campaign: Campaign) -> dict[str, Any] | None:
    """The `message` field of a template with a media header (gupshup-api 2); None without one."""
    kind = campaign.template.header_type.lower() if campaign.template else ""
    if kind not in ("image", "video", "document") or not campaign.header_media:
        return None
    media = {"link": campaign.header_media}
    if kind == "document":
        media["filename"] = campaign.header_media.rsplit("/", 1)[-1] or "document.pdf"
    return {"type": kind, kind: media}


_draining: set[int] = set()
_draining_lock = Lock()


def drain(sender: Sender, seconds: float = 50, threads: int | None = None) -> int:
    """Send what is due for a sender; answers how many calls were made. A second drain in one process does nothing."""
    with _draining_lock:
        if sender.pk in _draining:
            return 0
        _draining.add(sender.pk)
    try:
        return Drain(sender, threads or settings.SENDING_THREADS).run(seconds)
    finally:
        with _draining_lock:
            _draining.discard(sender.pk)


def due_senders() -> list[Sender]:
    """The senders with something that may leave now."""
    ids = sql.rows(
        """
        SELECT s.id FROM gupshup_sender s
         WHERE s.breaker <> 'open' AND (
            EXISTS (SELECT 1 FROM campaigns_message m JOIN campaigns_campaign c ON c.id = m.campaign_id
                     WHERE m.sender_id = s.id AND m.message_type = 'message_2' AND m.next_attempt_at <= clock_timestamp()
                       AND c.status IN ('running', 'finished'))
            OR EXISTS (SELECT 1 FROM campaigns_campaign c
                        WHERE c.sender_id = s.id AND c.status = 'running'
                          AND EXISTS (SELECT 1 FROM campaigns_message m
                                       WHERE m.campaign_id = c.id AND m.message_type = 'message_1'
                                         AND m.next_attempt_at <= clock_timestamp())))""",
        {},
    )
    return list(Sender.objects.filter(id__in=[pk for (pk,) in ids]))

"""How messages leave: the loop over one sender's outbox, and the calls.

One thread does all the database work (`campaigns.outbox`: claim, begin, mark; `campaigns.outcomes`: record), the pool's
threads only call, outside any transaction, each at its slot. `drain` serves the Celery tasks and `manage.py dispatch`
alike; any number may run at once.
"""

from __future__ import annotations

import logging
import uuid
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock
from time import monotonic, sleep
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from campaigns import arming, launching, outbox, outcomes, pacing, sql
from campaigns.models import Campaign
from campaigns.status import Kind
from gupshup import breaker
from gupshup.api.client import GupshupService
from gupshup.api.responses import GupshupResponse, Outcome, failure
from gupshup.models import Sender
from gupshup.services import service_for

log = logging.getLogger("campaigns.sending")

CLAIM = 200  # messages a claim takes at most
CLAIM_SECONDS = 4.0  # and no more than can leave in this time: Message 2 goes first at each claim
RECORD = 200  # answers recorded in one transaction at most
RECORD_SOON = 32  # this many do not wait,
RECORD_WAIT = 0.05  # fewer wait so many seconds for company while more are on their way
LONG_WAIT = 0.02  # seconds without a slot in which the next claim is made
# Calls on their way to their first byte. A slot lasts 40 ms at the fastest: where too many threads want the processor
# at once, the last ones miss theirs, and a slot that is missed is given up. So: half as many after a miss.
CROWD = 16
CROWD_LEAST = 2
CROWD_MOST = 32  # where commits are slow, batches must be larger: as many as can be called meanwhile,
CALL = 0.001  # at about so many seconds of processor each
CROWD_WAIT = 0.002  # seconds
MOST_SLOWED = 3
AT_ONCE = 0.5  # seconds


@dataclass(frozen=True)
class TemplateUse:
    """What a campaign's Message 1 needs beside the person's variables."""

    template_id: str
    header: dict[str, Any] | None


def call(service: GupshupService, use: TemplateUse | None, item: outbox.Begun) -> GupshupResponse:
    """Wait for the slot, then one call. A slot that was missed is given up before the first byte."""
    sleep(max(0.0, item.opens - monotonic()))

    def in_time() -> bool:
        item.at_wire.set()
        return monotonic() <= item.closes

    message = item.message
    if message.kind == Kind.MESSAGE_2:
        return service.send_text_message(message.destination, message.content, before_first_byte=in_time)
    assert use is not None
    return service.send_template(
        message.destination, use.template_id, message.params, header=use.header, before_first_byte=in_time
    )


@dataclass
class Health:
    """How the last calls went: trouble that is nobody's fault stops the sender before it costs more people."""

    last: deque[bool] = field(default_factory=lambda: deque(maxlen=20))  # True: trouble
    slowed: int = 0  # times in a row that we were asked to slow down
    slowed_at: float = -AT_ONCE

    def note(self, response: GupshupResponse) -> str:
        """Take one answer into account; answers why the sender must stop, or an empty text."""
        if response.outcome is Outcome.SLOW_DOWN:
            return self._slowed(response.error_code or "too_many_requests")
        if response.error_code in outcomes.FREE or response.outcome is Outcome.HALT:
            return ""
        if response.outcome is not Outcome.NOT_SENT:
            self.slowed = 0
        self.last.append(response.outcome in (Outcome.UNCERTAIN, Outcome.NOT_SENT))
        five = list(self.last)[-5:]
        if (len(five) == 5 and all(five)) or (len(self.last) == 20 and sum(self.last) > 6):
            self.last.clear()
            return "trouble"
        return ""

    def _slowed(self, code: str) -> str:
        """Each time the pace waits as it was asked to (`pacing.push_back`). When three waits in a row did not help, the
        pace is wrong. Calls that were on their way together are one time.
        """
        if monotonic() - self.slowed_at >= AT_ONCE:
            self.slowed += 1
            self.slowed_at = monotonic()
        return code if self.slowed >= MOST_SLOWED or code == "4001" else ""


@dataclass
class Lead:
    """How long beginning and marking a batch takes: longer than nearly all lately did, in seconds.

    Mean and deviation as TCP estimates its round trips: a slot that opens before its batch stands would be missed.
    """

    mean: float = 0.03
    deviation: float = 0.0

    def note(self, seconds: float) -> None:
        self.deviation += (abs(seconds - self.mean) - self.deviation) / 4
        self.mean += (seconds - self.mean) / 8

    @property
    def seconds(self) -> float:
        return self.mean + 2 * self.deviation


@dataclass
class Drain:
    """One worker's loop over one sender: this thread does all the database work, the pool only calls."""

    sender: Sender
    threads: int
    lease: uuid.UUID = field(default_factory=uuid.uuid4)
    after: dict[int, tuple[Any, int]] = field(default_factory=dict)
    claimed: list[outbox.Claimed] = field(default_factory=list)
    more: bool = True  # the last claim got all it wanted
    answers: SimpleQueue[outcomes.Answer] = field(default_factory=SimpleQueue)
    unrecorded: list[outcomes.Answer] = field(default_factory=list)
    waiting_since: float = 0.0  # the first of those that are not recorded
    in_flight: int = 0
    on_the_way: list[outbox.Begun] = field(default_factory=list)  # handed over, before their first byte
    crowd: float = CROWD
    lead: Lead = field(default_factory=Lead)
    sent: int = 0
    health: Health = field(default_factory=Health)
    guard: arming.Guard = field(default_factory=arming.Guard)

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
                self._claim()
            if not self.claimed:
                if not self.in_flight:
                    return False
                self._listen(RECORD_WAIT)
                return True
            wait = self._send(pool)
            if wait > LONG_WAIT and self.more and len(self.claimed) < CLAIM // 4:
                self._claim()  # and not when the last is gone: slots would pass meanwhile
            elif wait > 0:
                self._listen(min(wait, max(0.0, until - monotonic())))
        except DatabaseError:
            log.warning("database trouble while sending; trying again", exc_info=True)
            self._after_trouble()
        return True

    def _claim(self) -> None:
        if not self.guard.lets_pass():
            return
        self.sender.refresh_from_db()
        step = pacing.interval(self.sender.rate_limit, self.sender.rate_window, self.sender.pace_factor)
        wanted = max(1, min(CLAIM, int(CLAIM_SECONDS / step)))
        found = outbox.claim(self.sender.pk, self.lease, wanted, self.after)
        self.claimed += found
        self.more = len(found) == wanted

    def _send(self, pool: ThreadPoolExecutor) -> float:
        """Begin and hand over what has a slot and a thread now; answers how long to wait for the next."""
        self.on_the_way = [item for item in self.on_the_way if not item.at_wire.is_set()]
        crowd = sum(item.opens <= monotonic() for item in self.on_the_way)
        room = min(self.threads - self.in_flight, int(self.crowd) - crowd)
        if room <= 0:
            return CROWD_WAIT if self.in_flight < self.threads else RECORD_WAIT
        lead = self.lead.seconds
        ahead = min(pacing.FARTHEST, max(pacing.HORIZON, 2 * lead))
        started = monotonic()
        slots, wait = pacing.due(self.sender.pk, ahead)
        if not slots:
            return wait
        size = min(slots, room)
        # Looked up before the mark: whatever breaks after it leaves an uncertain message.
        firsts = {one.campaign_id for one in self.claimed[:size] if one.kind == Kind.MESSAGE_1}
        uses = {campaign_id: self._use(campaign_id) for campaign_id in firsts}
        begun = outbox.begin(self.sender.pk, self.lease, self.claimed[:size], ahead, min(ahead, lead))
        if begun is None:
            return pacing.HORIZON
        self.claimed = self.claimed[size:]
        ready = outbox.mark(begun) if begun else []
        self.lead.note(monotonic() - started)
        for item in ready:
            self.in_flight += 1
            self.sent += 1
            self.on_the_way.append(item)
            pool.submit(self._call, uses.get(item.message.campaign_id), item)
        return 0.0

    def _call(self, use: TemplateUse | None, item: outbox.Begun) -> None:
        try:
            response = call(self.service, use, item)
        except Exception as error:  # the call's outcome is not known: say so, whatever broke
            log.exception("a call broke; its message is uncertain")
            response = failure(Outcome.UNCERTAIN, "exception", type(error).__name__)
        item.at_wire.set()
        self.answers.put(outcomes.Answer(item.message.id, item.attempt_id, item.message.campaign_id, response))

    def _use(self, campaign_id: int) -> TemplateUse:
        if campaign_id not in self.uses:
            campaign = Campaign.objects.select_related("template").get(pk=campaign_id)
            assert campaign.template is not None
            self.uses[campaign_id] = TemplateUse(campaign.template.provider_id, header_of(campaign))
        return self.uses[campaign_id]

    def _listen(self, seconds: float) -> None:
        """Wait for one answer, at most `seconds`, and no longer than those that wait to be recorded may."""
        seconds = min(seconds, RECORD_WAIT) if self.unrecorded else seconds
        try:
            self._arrived(self.answers.get(timeout=max(0.001, seconds)))
        except Empty:
            return

    def _arrived(self, answer: outcomes.Answer) -> None:
        self.in_flight -= 1
        if not self.unrecorded:
            self.waiting_since = monotonic()
        if answer.response.outcome is not Outcome.ACCEPTED:
            self.waiting_since = 0.0  # it may stop the sender, or bring a message back: no waiting
        self.unrecorded.append(answer)
        missed = answer.response.error_code in outcomes.FREE
        most = min(CROWD_MOST, max(CROWD, self.lead.seconds / CALL))
        self.crowd = max(CROWD_LEAST, self.crowd / 2) if missed else min(most, self.crowd + 0.1)
        if why := self.health.note(answer.response):
            if why != "trouble":
                breaker.slow(self.sender.pk)
            breaker.open_(self.sender.pk, why, answer.response.error_message or "")

    def _record(self) -> None:
        """Write down the answers that are here, unless few are, all is well, and more are coming."""
        while True:
            try:
                self._arrived(self.answers.get_nowait())
            except Empty:
                break
        waited, patience = monotonic() - self.waiting_since, max(RECORD_WAIT, 2 * self.lead.seconds)
        if self.in_flight and len(self.unrecorded) < RECORD_SOON and waited < patience:
            return
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


_draining: dict[int, bool] = {}  # senders of this process; True: nudged again since their drain began to look
_draining_lock = Lock()


def drain(sender: Sender, seconds: float = 50, threads: int | None = None) -> int:
    """Send what is due for a sender; answers how many calls were made.

    A second drain in one process only makes the first look once more before it ends.
    """
    until, sent = monotonic() + seconds, 0
    with _draining_lock:
        if sender.pk in _draining:
            _draining[sender.pk] = True
            return 0
        _draining[sender.pk] = False
    try:
        while True:
            sent += Drain(sender, threads or settings.SENDING_THREADS).run(until - monotonic())
            with _draining_lock:
                if not _draining[sender.pk] or monotonic() >= until:
                    return sent
                _draining[sender.pk] = False
    finally:
        with _draining_lock:
            _draining.pop(sender.pk, None)

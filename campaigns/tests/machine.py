"""Any order of steps, by people, workers, the provider and time: the engine's own functions on real PostgreSQL.

The provider is a list: what it accepted, with the truth about it. Workers hold what they hold in memory; a lost worker
is one that is forgotten. Time passes by moving every time in the rows back.
"""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

from django.db import connection
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from campaigns import invariants, launching, outbox, outcomes, pacing, reconciling, replies, reports
from campaigns.models import Attempt, Campaign, Interaction, Message
from campaigns.status import NEWS, CampaignStatus, Status
from campaigns.tests.provider import read_inbox, report, says
from contacts.models import Category, Contact
from gupshup import breaker
from gupshup.api.responses import GupshupResponse, Outcome
from gupshup.models import Callback, Sender, Template

PEOPLE = 5
LISTS = (range(4), range(1, 5))  # who is in which campaign: three are in both
REFUSED = ("refused", "superseded")  # attempts that no longer speak for their message
TABLES = (
    "campaigns_interaction", "campaigns_event", "campaigns_attempt", "campaigns_message", "campaigns_tally",
    "campaigns_tallydelta", "campaigns_newrecipients", "campaigns_heldback", "campaigns_campaign_categories",
    "campaigns_campaign", "gupshup_callback", "gupshup_template", "gupshup_sender", "contacts_consentevent",
    "contacts_contact_categories", "contacts_contact", "contacts_category",
)  # fmt: skip
TIMES = {
    "campaigns_message": ("next_attempt_at", "lease_until", "expires_at", "accepted_at", "created_at"),
    "campaigns_attempt": ("started_at", "wire_at", "deadline", "released_at"),
    "campaigns_newrecipients": ("minute",),
    "campaigns_heldback": ("until",),
    "gupshup_sender": ("tat", "breaker_until"),
    "gupshup_callback": ("due_at", "received_at"),
}


@dataclass
class Taken:
    """One message that the provider accepted; `told`: the reports that we acknowledged."""

    attempt_id: int
    message_id: int
    key: tuple[int, str, str]
    provider_id: str
    moment: float  # on the machine's clock
    told: list[str] = field(default_factory=list)


@dataclass
class Worker:
    """What one worker has in memory."""

    lease: uuid.UUID = field(default_factory=uuid.uuid4)
    claimed: list[outbox.Claimed] = field(default_factory=list)
    begun: list[outbox.Begun] = field(default_factory=list)
    marked: list[outbox.Begun] = field(default_factory=list)
    answers: list[outcomes.Answer] = field(default_factory=list)


def answer(outcome: Outcome, provider_id: str | None = None, code: str | None = None) -> GupshupResponse:
    halts = "sender" if outcome is Outcome.HALT else None
    return GupshupResponse(
        outcome is Outcome.ACCEPTED, provider_id, code, "invented", outcome=outcome, http_status=200, halts=halts
    )


# (what the provider did: accepted it or not, what came back)
CALLS = {
    "accepted": (True, Outcome.ACCEPTED, None),
    "lost answer": (True, Outcome.UNCERTAIN, "timeout"),
    "lost request": (False, Outcome.UNCERTAIN, "timeout"),
    "no connection": (False, Outcome.NOT_SENT, "connection_refused"),
    "missed its slot": (False, Outcome.NOT_SENT, "fenced"),
    "too fast": (False, Outcome.SLOW_DOWN, "too_many_requests"),
    "refused": (False, Outcome.REJECTED, "131049"),
    "wrong key": (False, Outcome.HALT, "authentication_failed"),
}
LIKELY = ("accepted", "accepted", "accepted", "lost answer", *CALLS)
REPORTS = (
    ("enqueued", None),
    ("sent", None),
    ("delivered", None),
    ("read", None),
    ("failed", 131026),
    ("failed", 131000),
)

workers = st.integers(0, 1)
campaigns = st.integers(0, 1)
people = st.integers(0, PEOPLE - 1)


class Engine(RuleBasedStateMachine):
    """The rules are the steps; the invariants hold after each."""

    def __init__(self) -> None:
        super().__init__()
        self.workers = [Worker(), Worker()]
        self.taken: list[Taken] = []
        self.launched: set[int] = set()
        self.opted_out: set[str] = set()
        self.skipped = 0.0
        self.numbers = count(1)

    # -- the beginning
    @initialize(ceiling=st.sampled_from((None, None, 3)))
    def stage(self, ceiling: int | None) -> None:
        with connection.cursor() as cursor:
            cursor.execute("; ".join(f"DELETE FROM {table}" for table in TABLES))
        self.sender = Sender.objects.create(
            name="S", app_name="DemoApp", phone_number="33700000001", api_key="k", rate_limit=60_000, ceiling=ceiling
        )
        found = Contact.objects.bulk_create(
            Contact(number=f"+3363900000{n}", first_name=f"N{n}") for n in range(PEOPLE)
        )
        self.numbers_of = [contact.number[1:] for contact in found]
        self.campaigns = [self._draft(n, [found[i] for i in members]) for n, members in enumerate(LISTS)]

    def _draft(self, n: int, members: list[Contact]) -> Campaign:
        template = Template.objects.create(
            sender=self.sender, provider_id=f"t-{n}", name=f"t{n}", language="fr", status="APPROVED", body="Bonjour"
        )
        category = Category.objects.create(name=f"L{n}")
        category.contacts.add(*members)
        campaign = Campaign.objects.create(
            name=f"C{n}", sender=self.sender, template=template, message_2=f"Merci de {n}"
        )
        campaign.categories.add(category)
        return campaign

    def campaign(self, n: int) -> Campaign:
        return Campaign.objects.get(pk=self.campaigns[n].pk)

    # -- people
    @rule(n=campaigns)
    def launch_twice(self, n: int) -> None:
        drafted = self.campaign(n).status == CampaignStatus.DRAFT
        assert [launching.launch(self.campaign(n)) for _ in range(2)] == [drafted, False]
        if drafted:
            assert launching.prepare(self.campaigns[n].pk)
            self.launched.add(n)

    @rule(n=campaigns)
    def pause(self, n: int) -> None:
        self.campaign(n).pause()

    @rule(n=campaigns)
    def resume(self, n: int) -> None:
        self.campaign(n).resume()

    @rule(n=campaigns, sure=st.integers(0, 3))
    def cancel(self, n: int, sure: int) -> None:
        if sure == 0 and self.campaign(n).cancel():
            launching.cancel_waiting(self.campaigns[n].pk)

    @rule(who=people)
    def opt_out(self, who: int) -> None:
        Contact.objects.filter(number=f"+{self.numbers_of[who]}").opt_out("test")
        self.opted_out.add(self.numbers_of[who])

    @rule(who=people)
    def edit(self, who: int) -> None:
        Contact.objects.filter(number=f"+{self.numbers_of[who]}").update(first_name="Renamed")

    @rule(resend=st.booleans())
    def decide(self, resend: bool) -> None:
        """A person looks at what is uncertain or failed."""
        wanted = [Status.UNCERTAIN, Status.FAILED] if resend else [Status.UNCERTAIN]
        ids = list(Message.objects.filter(status__in=wanted).values_list("id", flat=True)[:1])
        (reconciling.resend if resend else reconciling.give_up)(ids, None, "test")

    @rule(allow=st.booleans())
    def turn_the_breaker(self, allow: bool) -> None:
        breaker.close(self.sender.pk) if allow else breaker.open_(self.sender.pk, "trouble")

    # -- workers
    @rule(w=workers, wanted=st.integers(1, 5))
    def claim(self, w: int, wanted: int) -> None:
        worker = self.workers[w]
        worker.claimed += outbox.claim(self.sender.pk, worker.lease, wanted, {})

    @rule(w=workers)
    def begin(self, w: int) -> None:
        worker = self.workers[w]
        open_ = {c.pk for c in Campaign.objects.all() if c.status in (CampaignStatus.RUNNING, CampaignStatus.FINISHED)}
        slots, _ = pacing.due(self.sender.pk)
        now, worker.claimed = worker.claimed[:slots], worker.claimed[slots:]
        begun = outbox.begin(self.sender.pk, worker.lease, now) if now else []
        for item in begun or ():
            assert item.message.destination not in self.opted_out
            assert item.message.campaign_id in open_
        worker.begun += begun or []

    @rule(w=workers)
    def mark(self, w: int) -> None:
        worker = self.workers[w]
        worker.marked += outbox.mark(worker.begun) if worker.begun else []
        worker.begun = []

    @precondition(lambda self: any(worker.marked for worker in self.workers))
    @rule(how=st.sampled_from(LIKELY))
    def call(self, how: str) -> None:
        worker = next(worker for worker in self.workers if worker.marked)
        item = worker.marked.pop(0)
        accepted, outcome, code = CALLS[how]
        provider_id = self._accept(item) if accepted else None
        told = provider_id if outcome is Outcome.ACCEPTED else None
        worker.answers.append(
            outcomes.Answer(item.message.id, item.attempt_id, item.message.campaign_id, answer(outcome, told, code))
        )

    def _accept(self, item: outbox.Begun) -> str:
        """The heart: nobody gets a message that he may have had."""
        key = (item.message.campaign_id, item.message.kind, item.message.destination)
        states = dict(Attempt.objects.values_list("id", "state"))
        before = [one for one in self.taken if one.key == key and states[one.attempt_id] not in REFUSED]
        assert not before, f"{key} would be sent twice"
        provider_id = f"gs-{next(self.numbers)}"
        moment = time.time() + self.skipped
        self.taken.append(Taken(item.attempt_id, item.message.id, key, provider_id, moment))
        return provider_id

    @rule(w=workers, twice=st.booleans())
    def record(self, w: int, twice: bool) -> None:
        worker = self.workers[w]
        for _ in range(1 + twice):
            if worker.answers:
                outcomes.record(self.sender.pk, worker.answers)
        worker.answers = []

    @rule(w=workers, how=st.sampled_from(LIKELY))
    def work(self, w: int, how: str) -> None:
        """The usual way in one step, so that runs get far."""
        self.claim(w, 5)
        self.begin(w)
        self.mark(w)
        while any(worker.marked for worker in self.workers):
            self.call(how)
        self.record(w, False)

    @rule(w=workers)
    def lose(self, w: int) -> None:
        """Killed: what it held in memory is gone."""
        self.workers[w] = Worker()

    # -- the provider and its people
    @precondition(lambda self: self.taken)
    @rule(data=st.data(), said=st.sampled_from(REPORTS), again=st.booleans(), known=st.booleans())
    def hear(self, data: st.DataObject, said: tuple[str, int | None], again: bool, known: bool) -> None:
        one = data.draw(st.sampled_from(self.taken))
        word, code = said
        for _ in range(1 + again):
            report(
                self.sender, word, gs_id=one.provider_id, other=f"wa-{one.provider_id}", destination=one.key[2],
                code=code, at=one.moment - self.skipped,
            )  # fmt: skip
        one.told.append("refused" if code == 131000 else word)
        if known:
            read_inbox()

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), quotes=st.booleans(), text=st.sampled_from(("Oui", "Oui", "STOP")))
    def reply(self, data: st.DataObject, quotes: bool, text: str) -> None:
        one = data.draw(st.sampled_from(self.taken))
        says(self.sender, one.key[2], text, quotes=one.provider_id if quotes else None)
        read_inbox()
        if text == "STOP":
            self.opted_out.add(one.key[2])

    # -- time and what it brings
    @rule(seconds=st.sampled_from((7, 61, 61, 700, 90_000)))
    def time_passes(self, seconds: int) -> None:
        self.skipped += seconds
        with connection.cursor() as cursor:
            for table, columns in TIMES.items():
                moved = ", ".join(f"{column} = {column} - %(by)s" for column in columns)
                cursor.execute(f"UPDATE {table} SET {moved}", {"by": timedelta(seconds=seconds)})

    @rule()
    def sweep(self) -> None:
        """What `sweeping.sweep` does, less what other apps have to do."""
        reconciling.reap()
        reconciling.release()
        replies.expire()
        launching.cancel_leftovers()
        read_inbox()
        reports.fold()
        launching.finish_done()
        breaker.probe_due()

    # -- what always holds
    @invariant()
    def the_named_invariants_hold(self) -> None:
        offences = {name: n for name, n in invariants.check().items() if n and name != "no_overdue_intent"}
        assert not offences, offences

    @invariant()
    def everybody_is_a_row(self) -> None:
        rows: dict[int, list[str]] = defaultdict(list)
        for campaign_id, destination in Message.objects.filter(message_type="message_1").values_list(
            "campaign_id", "destination"
        ):
            rows[campaign_id].append(destination)
        for n in self.launched:
            assert sorted(rows[self.campaigns[n].pk]) == [self.numbers_of[i] for i in LISTS[n]]

    # -- the end
    def teardown(self) -> None:
        if self.launched:
            self._come_to_rest()
            self._judge()

    def _come_to_rest(self) -> None:
        """Nothing goes wrong any more: all people and workers do their part, and days go by."""
        for worker in self.workers:
            while worker.marked:
                self.call("accepted")
        for w in (0, 1):
            self.record(w, False)
            self.lose(w)
        Sender.objects.update(ceiling=None)
        for _ in range(12):
            for campaign in Campaign.objects.filter(status=CampaignStatus.PAUSED):
                campaign.resume()
            breaker.close(self.sender.pk)
            self.time_passes(301)
            self.sweep()
            self.work(0, "accepted")
            if not Message.objects.filter(status__in=(Status.PENDING, Status.SENDING)).exists():
                break
            self.time_passes(90_000)
        self.sweep()
        Callback.objects.update(due_at=None)

    def _judge(self) -> None:
        left = Message.objects.filter(status__in=(Status.PENDING, Status.SENDING))
        assert not left.exists(), f"never sent: {list(left.values('id', 'campaign__status', 'status', 'retry_count'))}"
        attempts = Attempt.objects.in_bulk()
        messages = Message.objects.in_bulk()
        replied = set(Interaction.objects.values_list("message_id", flat=True))
        for one in self.taken:
            attempt, message = attempts[one.attempt_id], messages[one.message_id]
            assert attempt.state not in ("not_sent", "rejected", "intent"), "the provider took it, and we deny it"
            if attempt.state == "accepted" and "refused" not in one.told and message.pk not in replied:
                best = max((NEWS[word] for word in one.told), default=Status.SUBMITTED)
                assert message.status == best, (message.status, one.told)
            if attempt.state == "uncertain":
                assert not one.told, "told, and still uncertain"
        taken = {one.attempt_id for one in self.taken}
        denied = [pk for pk, attempt in attempts.items() if attempt.state == "accepted" and pk not in taken]
        assert not denied, "accepted by us, and the provider knows nothing of it"

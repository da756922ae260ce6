"""The inbox onto the rows: set-wise, each once, whatever the order, and no two workers in each other's way."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from threading import Event, Semaphore

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.urls import reverse
from django.utils import timezone
from psycopg.errors import DeadlockDetected

from campaigns import diagnosing, ingest, invariants, reports
from campaigns.models import Interaction, Message, WhatsAppId
from campaigns.status import Status
from campaigns.tests.provider import accepted, now_ms, post, read_inbox, report, says
from contacts.models import ConsentEvent, Contact
from gupshup.api.happenings import Ping
from gupshup.models import Callback

pytestmark = pytest.mark.django_db

WORDS = ("sent", "delivered", "read")


def rows():
    """Everything that callbacks can change, without when it was written."""
    messages = [
        {name: value for name, value in row.items() if name not in ("id", "updated_at", "accepted_at", "opted_out_at")}
        for row in Message.objects.order_by("destination", "message_type").values()
    ]
    return (
        messages,
        sorted(Interaction.objects.values_list("inbound_id", "message__destination", "late")),
        sorted(Contact.objects.exclude(opted_out_at=None).values_list("number", flat=True)),
    )


def a_day(sender, messages, chance):
    """A day's callbacks about these messages: reports of all kinds, answers, wishes to be left in peace."""
    for message in messages:
        for word in chance.choices((*WORDS, "enqueued", "failed"), k=chance.randint(1, 5)):
            code = 131026 if word == "failed" else None
            report(sender, word, gs_id=f"gs-{message.pk}-0123456", other=f"wa-{message.pk}-987654", code=code)
        report(sender, "read", gs_id=None, other=f"foreign-{message.pk}", destination="33600000000")
        if chance.random() < 0.4:
            says(sender, message.destination, "Oui", wamid=f"wamid.{message.pk}.1")
        if chance.random() < 0.2:
            says(sender, message.destination, "STOP", wamid=f"wamid.{message.pk}.2", at_ms=now_ms() + 1)


def test_a_days_callbacks_twice_and_shuffled_change_not_one_figure(sender, launched):
    """Validates: 5.6 (P7). All at once, then twice more in other orders, in pieces of other sizes."""
    campaign = launched(people=40)
    messages = list(Message.objects.order_by("id"))
    for message in messages:
        accepted(message, f"gs-{message.pk}-0123456")
    a_day(sender, messages, random.Random(11))
    read_inbox()
    before, figures = rows(), reports.figures(campaign.pk).as_json()
    assert all(figures[what] for what in ("replied", "opted_out", "failed"))
    for seed in (1, 2):
        ids = list(Callback.objects.values_list("id", flat=True))
        random.Random(seed).shuffle(ids)
        while ids:
            piece, ids = ids[:17], ids[17:]
            Callback.objects.filter(id__in=piece).replay()
            for place, pk in enumerate(piece):  # in this order
                Callback.objects.filter(pk=pk).update(due_at=timezone.now() - timedelta(seconds=100 - place))
            read_inbox()
        assert reports.figures(campaign.pk).as_json() == figures
        assert rows() == before
    assert not any(invariants.check().values())


@pytest.mark.django_db(transaction=True)
def test_workers_side_by_side_apply_each_callback_once(sender, launched):
    """Validates: 5.6 (P7)"""
    campaign = launched(people=60)
    chance = random.Random(3)
    expected = {}
    for message in Message.objects.order_by("id"):
        accepted(message, f"gs-{message.pk}-0123456")
        words = chance.choices(WORDS, k=3)
        expected[message.pk] = max(Status[word.upper()] for word in words)
        for word in words:
            report(sender, word, gs_id=f"gs-{message.pk}-0123456", other=f"wa-{message.pk}-987654")

    def work(_):
        try:
            return ingest.run()
        finally:
            connection.close()

    ingest_batch, ingest.BATCH = ingest.BATCH, 7
    try:
        with ThreadPoolExecutor(5) as pool:
            done = sum(pool.map(work, range(5)))
        done += ingest.run()
    finally:
        ingest.BATCH = ingest_batch
    assert done == 180
    assert dict(Message.objects.values_list("id", "status")) == expected
    assert WhatsAppId.objects.count() == 60
    assert sum(reports.figures(campaign.pk).first.by_status.values()) == 60
    assert not any(invariants.check().values())


def test_the_first_whatsapp_id_of_a_call_stays(sender, launched):
    launched(people=1)
    attempt = accepted(Message.objects.get(), "gs-1-0123456")
    for other in ("wa-first-0123", "wa-second-0123"):
        report(sender, "delivered", gs_id="gs-1-0123456", other=other)
        read_inbox()
    assert WhatsAppId.objects.get().attempt == attempt
    assert str(WhatsAppId.objects.get()) == "wa-first-0123"


@pytest.mark.parametrize("word", ["delivered", "failed"])
def test_of_two_calls_with_one_id_the_one_to_the_destination_is_meant(sender, launched, word):
    launched(people=2)
    first, second = Message.objects.order_by("id")
    accepted(first, "gs-twice-01234")
    accepted(second, "gs-twice-01234")
    code = 131026 if word == "failed" else None
    report(sender, word, gs_id="gs-twice-01234", other="wa-1-0123456", destination=first.destination, code=code)
    read_inbox()
    states = list(Message.objects.order_by("id").values_list("status", flat=True))
    assert states == [Status.DELIVERED if code is None else Status.FAILED, Status.SUBMITTED]


def test_a_batch_that_lost_against_a_rival_is_read_again(sender, launched, monkeypatch):
    launched(people=1)
    message = Message.objects.get()
    accepted(message, "gs-1-0123456")
    report(sender, "read", gs_id="gs-1-0123456", other="wa-1-0123456")
    lost = []
    apply = ingest._apply

    def lose_once(read):
        if not lost:
            lost.append(True)
            raise OperationalError("deadlock detected") from DeadlockDetected()
        return apply(read)

    monkeypatch.setattr(ingest, "_apply", lose_once)
    assert ingest.run() == 1
    message.refresh_from_db()
    assert (message.status, lost) == (Status.READ, [True])


def test_the_databases_trouble_leaves_the_batch_due(sender, launched, monkeypatch):
    launched(people=1)
    report(sender, "read", gs_id="gs-1-0123456", other="wa-1-0123456")

    def broken(read):
        raise OperationalError("the connection is gone")

    monkeypatch.setattr(ingest, "_apply", broken)
    with pytest.raises(OperationalError):
        ingest.run()
    assert Callback.objects.get().condition == Callback.State.NEW


def test_proof_of_an_opt_out_is_kept_once(sender, launched):
    launched(people=1)
    message = Message.objects.get()
    accepted(message, "gs-1-0123456")
    says(sender, message.destination, "STOP")
    read_inbox()
    Callback.objects.replay()
    read_inbox()
    assert ConsentEvent.objects.count() == 1


STRANGE = b'{"app":"DemoApp","type":"party-event","payload":{"cake":1}}'


def test_what_nobody_understands_is_kept_apart_told_and_read_again_after_an_upgrade(sender, monkeypatch):
    post(sender, STRANGE)
    post(sender, b"\xff\xfe no text at all")
    post(sender, {"app": "DemoApp", "type": "user-event", "payload": {"type": "sandbox-start"}})
    read_inbox()
    found = Callback.objects.in_state(Callback.State.UNKNOWN)
    assert found.count() == 2
    assert "party-event" in found.earliest("id").error
    assert Callback.objects.in_state(Callback.State.DONE).count() == 1
    told = [finding.code for finding in diagnosing._inbox(sender)]
    assert told == ["callbacks_unknown"]
    monkeypatch.setattr(ingest, "parse", lambda body, content_type: [Ping()])  # the next version understands them
    call_command("replay_callbacks", "--state", "unknown", stdout=StringIO())
    read_inbox()
    assert Callback.objects.in_state(Callback.State.DONE).count() == 3
    assert list(diagnosing._inbox(sender)) == []


def test_the_list_of_callbacks_can_be_narrowed_to_those_not_understood(admin_client, sender):
    post(sender, STRANGE)
    where = reverse("admin:gupshup_callback_changelist")
    assert "party-event" in admin_client.get(where, {"state__exact": "new"}).content.decode()
    assert "party-event" not in admin_client.get(where, {"state__exact": "unknown"}).content.decode()
    read_inbox()
    assert "party-event" in admin_client.get(where, {"state__exact": "unknown"}).content.decode()
    assert "party-event" not in admin_client.get(where, {"state__exact": "new"}).content.decode()


@pytest.mark.parametrize("again", [False, True])
def test_a_batch_holds_no_more_bytes_than_it_may_and_nothing_is_left(sender, monkeypatch, again):
    monkeypatch.setattr(ingest, "BYTES", 1_000)
    monkeypatch.setattr(ingest, "SMALL", 100)
    monkeypatch.setattr(ingest, "BATCH", 4)
    for n in range(20):
        post(sender, b"%02d" % n * (600 if n % 3 == 0 else 10))
    if again:
        read_inbox()
        Callback.objects.replay()
    sizes = []
    mark = ingest._mark
    monkeypatch.setattr(ingest, "_mark", lambda read, *rest: (sizes.append(len(read)), mark(read, *rest)))
    assert ingest.run() == 20
    assert not Callback.objects.unread().exists()
    assert max(sizes) <= 4
    assert len(sizes) > 5  # some were full of bytes before they were full of callbacks


def test_a_flood_of_nudges_leaves_threads_to_others_and_none_is_lost(monkeypatch):
    """Validates: 4.6. With all threads of a worker reading, nobody would send."""
    inside, most, runs = Semaphore(0), [], []
    go = Event()

    def slow() -> int:
        runs.append(1)
        most.append(2 - ingest._places._value)
        inside.release()
        go.wait(20)
        return 0

    monkeypatch.setattr(ingest, "run", slow)
    with ThreadPoolExecutor(8) as pool:
        first = [pool.submit(ingest.nudged) for _ in range(2)]
        for _ in first:
            assert inside.acquire(timeout=20)
        others = [pool.submit(ingest.nudged) for _ in range(6)]
        for one in others:
            one.result(20)  # at once: the two who read look again
        assert len(runs) == 2
        go.set()
        for one in first:
            one.result(20)
    assert len(runs) >= 3
    assert max(most) == 2

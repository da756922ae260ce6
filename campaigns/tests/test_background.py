"""Work in the background: without a broker, through Celery, and with no state of Celery in the send path."""

from __future__ import annotations

import re
import threading
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings
from django.db import OperationalError, connection

from campaigns import doorbell, invariants, launching, reports, sending, tasks
from campaigns.management.commands import dispatch
from campaigns.models import Message
from campaigns.status import CampaignStatus, Kind, Status
from conftest import ROOT, wait_for
from gupshup.models import Sender

FORBIDDEN = re.compile(r"countdown=|\beta=|rate_limit=['\"]|\.retry\(|acks_late\s*=\s*True")


def test_the_send_path_keeps_no_state_in_celery():
    """A lost or doubled task must do no harm: see docs/architecture.md."""
    sources = [
        path
        for app in ("campaigns", "gupshup")
        for path in (ROOT / app).rglob("*.py")
        if "tests" not in path.parts and "bench" not in path.parts and "simulator" not in path.parts
    ]
    assert len(sources) > 50
    offences = [f"{path}: {match[0]}" for path in sources if (match := FORBIDDEN.search(Path(path).read_text()))]
    assert offences == []


def test_celery_carries_no_results_and_acknowledges_early():
    assert settings.CELERY_TASK_IGNORE_RESULT
    assert not settings.CELERY_TASK_ACKS_LATE
    assert settings.CELERY_WORKER_POOL == "threads"
    assert settings.CELERY_BEAT_SCHEDULER == "django_celery_beat.schedulers:DatabaseScheduler"


@pytest.mark.django_db(transaction=True)
def test_a_campaign_ends_without_a_broker(gupshup, live_server, make_campaign, sender):
    """Validates: 6.1"""
    webhook = f"{live_server.url}/api/webhooks/gupshup/{sender.webhook_secret}"
    gupshup("--webhook", webhook, "--speed", "200", "--behaviour", "all-reply")
    campaign = make_campaign(people=10)
    launching.launch(campaign)
    stop = threading.Event()
    worker = threading.Thread(target=dispatch.run, args=(stop, 60))
    worker.start()

    def answered():
        figures = reports.figures(campaign.pk)
        return figures.second.accepted == figures.first.replied > 0 and figures.first.open == 0

    try:
        wait_for(answered, 50)
    finally:
        stop.set()
        worker.join(60)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.FINISHED


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("task", ["campaign", "single", "retry", "sender"])
def test_each_task_is_a_nudge_that_may_come_twice_or_for_nothing(gupshup, launched, sender, task):
    """Validates: 6.1"""
    simulator = gupshup()
    campaign = launched(people=3)
    message = Message.objects.filter(message_type=Kind.MESSAGE_1).first()
    nudge, pk = {
        "campaign": (tasks.send_campaign_messages_task, campaign.pk),
        "single": (tasks.send_single_message_task, message.pk),
        "retry": (tasks.retry_failed_message_task, message.pk),
        "sender": (tasks.drain_sender_task, sender.pk),
    }[task]
    nudge(pk)
    nudge(pk)
    nudge(987654321)
    assert simulator.get("/ledger/summary")["accepted"] == 3
    assert set(Message.objects.values_list("status", flat=True)) == {Status.SUBMITTED}


@pytest.mark.django_db
def test_a_preparation_task_writes_the_rows(make_campaign):
    campaign = make_campaign(people=2)
    launching.launch(campaign)
    tasks.prepare_campaign_task.run(987654321)
    launching.prepare(campaign.pk)
    assert Message.objects.count() == 2


def test_a_nudge_never_waits_for_the_broker_and_equal_ones_are_one():
    class Task:
        name = "slow"
        calls: list[tuple[int, ...]] = []

        def delay(self, *args: int) -> None:
            self.calls.append(args)
            raise OSError("no broker")

    task = Task()
    for _ in range(100):
        doorbell.ring(task, 1)
    wait_for(lambda: task.calls)
    assert len(task.calls) < 50


@pytest.mark.django_db(transaction=True)
def test_dispatch_goes_on_when_the_database_drops_every_connection(gupshup, launched, sender, settings, caplog):
    """Validates: 6.1 (C18)"""
    settings.SENDING_DEADLINE_SECONDS, settings.SENDING_LEASE_SECONDS = 3, 2
    simulator, campaign = gupshup(), launched(people=60)
    Sender.objects.update(rate_limit=20, rate_window=1)
    stop = threading.Event()
    worker = threading.Thread(target=dispatch.run, args=(stop, 100))
    worker.start()
    try:
        for least in (5, 20, 35):
            wait_for(partial(_at_least, least), 40)
            assert _drop_the_others() >= 1
        wait_for(lambda: not Message.objects.filter(status__in=(Status.PENDING, Status.SENDING)).exists(), 90)
    finally:
        stop.set()
        worker.join(60)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.FINISHED
    assert simulator.get("/ledger/summary")["max_per_destination_and_content"] == 1
    assert not any(invariants.check().values())


def _at_least(least: int) -> bool:
    return Message.objects.filter(status__gte=Status.UNCERTAIN).count() >= least


def _drop_the_others() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""
        )
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_a_drain_that_breaks_is_logged_and_begun_again(gupshup, launched, sender, monkeypatch, caplog):
    gupshup()
    launched(people=2)
    drain, failures = sending.drain, iter([OperationalError("the server is gone"), ValueError("whatever")])

    def fragile(*args, **kwargs):
        for failure in failures:
            raise failure
        return drain(*args, **kwargs)

    monkeypatch.setattr(sending, "drain", fragile)
    stop = threading.Event()
    worker = threading.Thread(target=dispatch.run, args=(stop, 60))
    worker.start()
    try:
        wait_for(lambda: set(Message.objects.values_list("status", flat=True)) == {Status.SUBMITTED}, 50)
    finally:
        stop.set()
        worker.join(60)
    told = [record.getMessage() for record in caplog.records if record.name == "campaigns.dispatch"]
    assert told == [f"sending for {sender} failed; again in 0.5 s", f"sending for {sender} failed; again in 1.0 s"]

"""Real restores and copies in the middle of a campaign: nothing leaves until an operator has said so, nobody gets two.

Dumps need pg_dump of the server's version; where there is none, `test_arming` shows the same on a rewritten row.
"""

from __future__ import annotations

from threading import Event, Thread

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from campaigns import arming, auditing, holding, invariants, launching, sending, sql
from campaigns.management.commands import dispatch
from campaigns.models import Attempt, Campaign, Message
from campaigns.status import CampaignStatus, Status
from campaigns.tests import restoring
from campaigns.tests.provider import read_inbox, report
from conftest import wait_for
from gupshup.models import Callback, Sender

pytestmark = pytest.mark.django_db(transaction=True)
FUTURE = "2126-01-01T00:00Z"


@pytest.fixture
def half_sent(gupshup, launched, sender):
    """A campaign of 12 of which 5 have left: simulator, campaign."""
    simulator, campaign = gupshup(), launched(people=12)
    late = list(Message.objects.order_by("id").values_list("id", flat=True))[5:]
    Message.objects.filter(id__in=late).update(next_attempt_at=FUTURE)
    assert sending.drain(sender, seconds=20) == 5
    Message.objects.filter(id__in=late).update(next_attempt_at=timezone.now())
    return simulator, campaign


@pytest.fixture
def tools():
    return restoring.programs() or pytest.skip("no pg_dump of this server's version")


@pytest.fixture
def backup(tools, half_sent, tmp_path):
    file = tmp_path / "campaigns.dump"
    restoring.run(tools / "pg_dump", "-Fc", "-f", str(file), connection.settings_dict["NAME"])
    return file


def calls(simulator):
    return simulator.get("/ledger/summary")["accepted"]


def nothing_leaves(simulator, sender):
    before = calls(simulator)
    assert sending.drain(sender, seconds=5) == 0
    assert calls(simulator) == before
    assert Message.objects.filter(status=Status.PENDING, lease=None).count() == 7


def test_a_dump_restored_elsewhere_sends_nobody_twice(backup, tools, half_sent, sender):
    """Validates: 6.2"""
    simulator, campaign = half_sent
    assert sending.drain(sender, seconds=20) == 7  # after the backup
    with restoring.another() as name:
        restoring.run(tools / "pg_restore", "--no-owner", "-d", name, str(backup))
        with restoring.living_in(name):
            assert arming.trouble() == ["database", "home", "rows"]
            nothing_leaves(simulator, sender)
            lost = [one for one in simulator.get("/ledger")["accepted"] if not known(one["message_id"])]
            assert len(lost) == 7
            tell(sender, "enqueued", lost[:2])  # they come before anybody has held anything
            assert Callback.objects.filter(state=Callback.State.WAITING).count() == 2
            assert holding.hold() == 7
            assert sending.drain(sender, seconds=5) == 0
            assert Message.objects.filter(status=Status.UNCERTAIN).count() == 5
            tell(sender, "enqueued", lost[2:])
            assert set(Message.objects.values_list("status", flat=True)) == {Status.SUBMITTED}
            assert not any(invariants.check().values())
            assert [str(one) for one in auditing.audit(campaign, simulator.url) if not one.holds] == []
            tell(sender, "delivered", lost)
            assert Message.objects.filter(status=Status.DELIVERED).count() == 7
    assert simulator.get("/ledger/summary")["max_per_destination_and_content"] == 1


def known(message_id):
    return Attempt.objects.filter(provider_id=message_id).exists()


def tell(sender, word, accepted):
    for one in accepted:
        report(sender, word, gs_id=one["message_id"], other="wa-" + one["message_id"],
               destination=one["destination"])  # fmt: skip
    read_inbox()


def test_a_copy_of_the_database_sends_nothing_until_it_is_armed(half_sent, sender):
    simulator, campaign = half_sent
    with restoring.another(connection.settings_dict["NAME"]) as name, restoring.living_in(name):
        assert arming.trouble() == ["database"]
        nothing_leaves(simulator, sender)
        call_command("arm", "--nothing-was-sent-since")
        assert sending.drain(sender, seconds=20) == 7
        assert Campaign.objects.get(pk=campaign.pk).status == CampaignStatus.FINISHED
        assert [str(one) for one in auditing.audit(campaign, simulator.url) if not one.holds] == []
    assert calls(simulator) == 12


@pytest.mark.parametrize(
    ("how", "signs"),
    [
        (("--clean", "--if-exists"), ["home", "rows"]),
        (("--data-only", "--disable-triggers"), ["rows"]),
    ],
)
def test_a_dump_restored_in_its_place_is_noticed(tools, half_sent, sender, tmp_path, how, signs):
    simulator, _ = half_sent
    if "--disable-triggers" in how and not restoring.is_superuser():
        pytest.skip("data alone is restored by a superuser")
    file = str(tmp_path / "place.dump")
    with restoring.another(connection.settings_dict["NAME"]) as name:
        with restoring.living_in(name):
            assert holding.arm()
        restoring.run(tools / "pg_dump", "-Fc", "-f", file, name)
        with restoring.living_in(name):
            assert arming.armed()
            if "--data-only" in how:
                empty_all()
        restoring.run(tools / "pg_restore", "--no-owner", *how, "-d", name, file)
        with restoring.living_in(name):
            assert arming.trouble() == signs
            nothing_leaves(simulator, sender)
            assert holding.hold() == 7
            assert arming.armed()


def empty_all():
    names = sql.rows("SELECT format('%%I', relname) FROM pg_stat_user_tables WHERE schemaname = 'public'", {})
    sql.run(f"TRUNCATE {', '.join(name for (name,) in names)}", {})


def test_dispatch_reads_and_prepares_but_sends_nothing_in_a_copy(half_sent, sender, make_campaign):
    simulator, _ = half_sent
    with restoring.another(connection.settings_dict["NAME"]) as name, restoring.living_in(name):
        drafted = make_campaign(people=2)
        assert launching.launch(drafted)
        report(sender, "delivered", gs_id=Attempt.objects.first().provider_id, other="wa-1",
               destination=Attempt.objects.first().destination)  # fmt: skip
        stop = Event()
        worker = Thread(target=dispatch.run, args=(stop,))
        worker.start()
        try:
            wait_for(lambda: Campaign.objects.get(pk=drafted.pk).status == CampaignStatus.RUNNING)
            wait_for(lambda: Message.objects.filter(status=Status.DELIVERED).exists())
        finally:
            stop.set()
            worker.join(20)
        assert Sender.objects.get(pk=sender.pk).breaker == "closed"
        assert calls(simulator) == 5
        assert Attempt.objects.count() == 5

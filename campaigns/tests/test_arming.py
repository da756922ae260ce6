"""Whether this database may send: the decision, the row, the command, what people see."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from campaigns import arming, auditing, holding, invariants, reconciling, reports, sending, sql, watching
from campaigns.arming import Memory, Place
from campaigns.models import Attempt, Campaign, Event, Message
from campaigns.status import CampaignStatus, Kind, Status
from campaigns.tests import restoring

HERE = Place(cluster=7_000, timeline=1, database=16_384, home=17_001)
MEMORY = Memory(HERE)
SINCE = datetime(2026, 11, 23, tzinfo=UTC)
SIGNS = ("cluster", "timeline", "database", "home")


@pytest.mark.parametrize(
    ("memories", "told"),
    [
        ([MEMORY], []),
        ([], ["memory"]),
        ([Memory(replace(HERE, cluster=7_001))], ["cluster"]),
        ([Memory(replace(HERE, timeline=2))], ["timeline"]),
        ([Memory(replace(HERE, database=9))], ["database"]),
        ([Memory(replace(HERE, home=9))], ["home"]),
        ([Memory(replace(HERE, cluster=None))], ["cluster"]),  # refused then, told now: another server's ways
        ([Memory(HERE, written_here=False)], ["rows"]),
        ([MEMORY, MEMORY], ["rows"]),
        ([MEMORY, Memory(replace(HERE, home=9), written_here=False)], ["home", "rows"]),
        ([Memory(HERE, written_here=False, holding_since=SINCE)], ["hold"]),
        ([Memory(replace(HERE, database=9), written_here=False, holding_since=SINCE)], ["database", "hold"]),
    ],
)
def test_what_speaks_against_sending(memories, told):
    assert arming.differences(memories, HERE) == told


places = st.builds(Place, *[st.one_of(st.none(), st.integers(1, 3))] * 4)


@given(places, places, st.booleans(), st.booleans())
def test_only_the_very_place_that_was_armed_may_send(then, now, written_here, held):
    """Validates: 6.2"""
    told = arming.differences([Memory(then, written_here, SINCE if held else None)], now)
    assert (told == []) == (then == now and written_here and not held)
    assert {sign for sign in SIGNS if getattr(then, sign) != getattr(now, sign)} == set(told) & set(SIGNS)
    assert set(told) <= set(arming.SIGNS)


@pytest.mark.django_db
def test_a_database_that_was_just_made_is_armed(client):
    assert arming.trouble() == []
    assert arming.armed()
    assert watching.arming() == ""
    assert client.get("/readyz").json()["checks"]["arming"] == "ok"


@pytest.mark.django_db
def test_what_a_role_may_not_ask_is_an_empty_sign_and_no_error():
    if not restoring.is_superuser():
        pytest.skip("only a superuser can refuse a function of the server's to the others")
    for function in ("pg_control_system()", "pg_current_wal_lsn()"):
        sql.run(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC", {})
    sql.run("SET LOCAL ROLE pg_read_all_data", {})
    assert arming.trouble() == ["cluster", "timeline"]  # they were told when it was armed
    found = sql.row("SELECT cluster, timeline, database, home FROM campaigns_place()", {})
    assert found[:2] == (None, None)
    assert all(found[2:])


# -- as if it had been restored: the row is another's


def move(**columns):
    """Rewrite the memory, as if the armed database had been somewhere else."""
    changes = ", ".join(f"{name} = {value}" for name, value in columns.items())
    sql.run(f"UPDATE campaigns_arming SET {changes}, born = pg_current_xact_id()::xid", {})


@pytest.fixture
def elsewhere(transactional_db):
    move(cluster="cluster + 1")
    yield
    sql.run("DELETE FROM campaigns_arming", {})
    holding.arm()
    assert arming.armed()


def told(*arguments):
    out = StringIO()
    call_command("arm", *arguments, "--lang", "en", stdout=out)
    return out.getvalue()


def test_nothing_is_claimed_while_disarmed_and_the_log_says_it_once(elsewhere, launched, sender, caplog):
    launched(people=2)
    assert sending.drain(sender, seconds=5) == sending.drain(sender, seconds=5) == 0
    assert not Attempt.objects.exists()
    assert set(Message.objects.values_list("status", "lease")) == {(Status.PENDING, None)}
    assert [record.message for record in caplog.records if record.name == "campaigns.arming"] == [
        "disarmed (cluster): nothing is sent until manage.py arm is run"
    ]


def test_a_drain_asks_again_on_a_new_connection(elsewhere, sender):
    move(cluster="cluster - 1")
    guard = arming.Guard()
    assert guard.lets_pass()
    move(cluster="cluster + 1")
    assert guard.lets_pass()  # asked a moment ago, on this connection
    connection.close()
    assert not guard.lets_pass()


def test_a_drain_that_goes_on_asks_again_now_and_then(elsewhere):
    move(cluster="cluster - 1")
    guard = arming.Guard()
    assert guard.lets_pass()
    move(cluster="cluster + 1")
    guard.at -= arming.AGAIN
    assert not guard.lets_pass()


def test_everybody_sees_it(elsewhere, launched, client, user):
    launched(people=1)
    Message.objects.update(next_attempt_at="2020-01-01T00:00Z")
    assert watching.sending() == ""  # no worker is missing
    assert "manage.py arm" in client.get("/readyz").json()["checks"]["arming"]
    client.force_login(user)
    for language, sentence in (("fr", "Rien n’est envoyé"), ("en", "Nothing is sent")):
        page = client.get(reverse("admin:index"), headers={"Accept-Language": language}).content.decode()
        assert sentence in page
        assert "manage.py arm" in page


def test_the_command_alone_only_shows(elsewhere, launched, capsys):
    campaign = launched(people=3)
    with pytest.raises(SystemExit) as left:
        told()
    assert left.value.code == 1
    assert arming.trouble() == ["cluster"]
    assert not Event.objects.filter(verb="arm").exists()
    assert [one.first for one in holding.waiting() if one.campaign == campaign] == [3]


def test_a_planned_move_just_arms(elsewhere, launched, user):
    launched(people=2)
    assert "Armed" in told("--nothing-was-sent-since", "--by", user.email, "--why", "moved house")
    assert arming.armed()
    assert set(Message.objects.values_list("status", flat=True)) == {Status.PENDING}
    event = Event.objects.get(verb="arm")
    assert (event.actor, event.details) == (user, {"signs": ["cluster"], "why": "moved house"})
    assert "Nothing was changed" in told("--nothing-was-sent-since")
    assert "Nothing was changed" in told("--hold")
    assert Event.objects.filter(verb="arm").count() == 1


def test_a_hold_makes_all_that_waits_uncertain_and_keeps_every_promise(elsewhere, launched, make_campaign, sender):
    running, paused, other = launched(people=4), launched(people=2), launched(people=1)
    paused.pause()
    cancelled = launched(people=1)
    cancelled.cancel()
    scheduled = make_campaign(people=2, status=CampaignStatus.SCHEDULED, scheduled_at="2020-01-01T00:00Z")
    same = Message.objects.get(campaign=other)
    Message.objects.filter(pk=same.pk).update(destination=running.messages.first().destination)
    begun(running)
    draft = make_campaign(people=1)
    assert "Messages made uncertain: 9" in told("--hold")
    assert arming.armed()
    assert set(Message.objects.exclude(campaign=cancelled).values_list("status", flat=True)) == {Status.UNCERTAIN}
    calls = Attempt.objects.exclude(state="uncertain", error_code="restored")
    assert not calls.exists()
    assert not Attempt.objects.filter(wire_at=None).exists()
    assert not any(invariants.check().values())
    for campaign in (running, paused, other, scheduled):
        assert all(one.holds for one in auditing.audit(campaign))
    assert Event.objects.filter(verb="hold").count() == 4
    assert Campaign.objects.get(pk=draft.pk).status == CampaignStatus.DRAFT
    assert sending.drain(sender, seconds=5) == 0


def begun(campaign):
    """A call that stood before its wire mark when the backup was made."""
    first = campaign.messages.order_by("id").last()
    Message.objects.filter(pk=first.pk).update(status=Status.SENDING, next_attempt_at=None)
    Attempt.objects.create(
        message=first, sender_id=first.sender_id, destination=first.destination, deadline="2026-11-23T00:00Z"
    )


def test_a_message_2_that_waits_is_held_too(elsewhere, launched):
    campaign = launched(people=1)
    first = campaign.messages.get()
    Message.objects.create(
        campaign=campaign, sender_id=first.sender_id, contact=first.contact, destination=first.destination,
        message_type=Kind.MESSAGE_2, content="Merci", next_attempt_at="2026-11-23T00:00Z",
    )  # fmt: skip
    assert holding.hold() == 2
    assert reports.figures(campaign.pk).second.by_status[Status.UNCERTAIN] == 1


def test_a_hold_that_was_interrupted_stays_disarmed_and_goes_on(elsewhere, launched, monkeypatch):
    launched(people=5)
    monkeypatch.setattr(holding, "STEP", 2)

    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        holding.hold(tell=stop)
    assert Message.objects.filter(status=Status.UNCERTAIN).count() == 2
    assert arming.trouble() == ["cluster", "hold"]
    assert holding.hold() == 3
    assert arming.armed()
    assert Event.objects.get(verb="hold").details == {"messages": 5}


def test_two_holds_at_once_share_the_rows(elsewhere, launched, monkeypatch):
    launched(people=60)
    monkeypatch.setattr(holding, "STEP", 5)

    def work(_):
        try:
            return holding.hold()
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(work, range(3))) == 60
    assert Attempt.objects.count() == 60
    assert Event.objects.filter(verb="arm").count() == 1
    assert not any(invariants.check().values())


def test_an_operator_may_hold_what_the_program_does_not_notice(transactional_db, launched):
    launched(people=2)
    assert "Nothing was changed" in told("--hold")
    assert "uncertain: 2" in told("--hold", "--although-armed")
    assert arming.armed()


def test_people_who_were_held_count_for_the_ceiling_when_they_are_written_to(elsewhere, launched, gupshup, sender):
    gupshup()
    launched(people=3)
    holding.hold()
    type(sender).objects.update(tat="2020-01-01T00:00Z", ceiling=1)
    Attempt.objects.update(started_at=timezone.now() - timedelta(minutes=1))
    assert reconciling.resend(list(Message.objects.values_list("id", flat=True)), None, "compared") == 3
    assert sending.drain(sender, seconds=5) == 1


def test_a_person_resends_what_was_held(elsewhere, launched, gupshup, sender):
    simulator = gupshup()
    launched(people=1)
    holding.hold()
    assert reconciling.resend(list(Message.objects.values_list("id", flat=True)), None, "compared") == 1
    type(sender).objects.update(tat="2020-01-01T00:00Z")  # else a window of the pace later,
    Attempt.objects.update(started_at="2026-11-23T00:00Z")  # and to nobody within 6 seconds of a call
    assert sending.drain(sender, seconds=10) == 1
    assert simulator.get("/ledger/summary")["accepted"] == 1
    assert not any(invariants.check().values())

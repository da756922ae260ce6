"""Ceiling of new recipients, cap per person, sending hours, the breaker: what holds messages back, and lets them go."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import limits, outbox, sending, sql
from campaigns.models import Attempt, Message, NewRecipients
from campaigns.status import Kind, Reason, Status
from campaigns.tests.provider import accepted
from gupshup import breaker
from gupshup.api.responses import GupshupResponse, Outcome, failure
from gupshup.models import Sender

pytestmark = pytest.mark.django_db


def begin(sender, wanted=100):
    lease = uuid.uuid4()
    begun = []
    for message in outbox.claim(sender.pk, lease, wanted, {}):
        begun += outbox.begin(sender.pk, lease, [message]) or []
    return begun


def test_no_more_new_people_than_the_ceiling_in_24_hours(launched, sender):
    launched(people=8)
    Sender.objects.update(ceiling=5)
    assert len(begin(sender)) == 5
    assert begin(sender) == []
    assert Message.objects.filter(status=Status.PENDING, lease=None).count() == 3
    NewRecipients.objects.update(minute=timezone.now() - timedelta(hours=24, minutes=2))
    Attempt.objects.update(started_at=timezone.now() - timedelta(hours=25))
    assert len(begin(sender)) == 3


@pytest.mark.django_db(transaction=True)
def test_rival_workers_share_the_ceiling_exactly(launched, sender):
    launched(people=40)
    Sender.objects.update(ceiling=17)

    def work(_):
        try:
            return len(begin(sender))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        began = sum(pool.map(work, range(8)))
    assert began == 17 == Attempt.objects.count()


def test_message_2_goes_out_above_the_ceiling(launched, sender):
    launched(people=2)
    Sender.objects.update(ceiling=0)
    first = Message.objects.first()
    accepted(first)
    Attempt.objects.update(started_at=timezone.now() - timedelta(minutes=1))
    Message.objects.create(
        campaign=first.campaign,
        contact=first.contact,
        sender=sender,
        message_type=Kind.MESSAGE_2,
        destination=first.destination,
        content="Merci",
        next_attempt_at=timezone.now(),
        expires_at=timezone.now() + timedelta(hours=1),
    )
    assert [item.message.kind for item in begin(sender)] == [Kind.MESSAGE_2]


def test_a_person_who_had_enough_is_not_begun(launched, sender):
    first = launched(people=1)
    old = Message.objects.get()
    accepted(old)
    Attempt.objects.update(started_at=timezone.now() - timedelta(days=2))
    second = launched(people=1)
    Message.objects.filter(campaign=second).update(destination=old.destination)
    Sender.objects.update(person_cap=1, person_cap_days=7)
    assert begin(sender) == []
    assert Message.objects.get(campaign=second).reason == Reason.PERSON_CAP
    assert first.pk != second.pk


def test_outside_its_hours_a_campaign_waits_and_goes_on_by_itself(launched, sender):
    now = timezone.localtime()
    closed = {"days": [(now.weekday() + 3) % 7], "from": "09:00", "to": "10:00"}
    campaign = launched(people=1, hours=closed)
    assert begin(sender) == []
    campaign.row.update(hours={})
    assert len(begin(sender)) == 1


def test_two_campaigns_take_turns(launched, sender):
    one, two = launched(people=30), launched(people=30)
    claimed = outbox.claim(sender.pk, uuid.uuid4(), 20, {})
    shares = [sum(item.campaign_id == campaign.pk for item in claimed) for campaign in (one, two)]
    assert shares == [10, 10]


def test_a_claim_takes_no_more_than_it_wants_whatever_the_plan(launched, sender):
    launched(people=30)
    for kind in ("hashjoin", "mergejoin", "sort", "hashagg", "material"):
        sql.run(f"SET LOCAL enable_{kind} = off", {})
    assert len(outbox.claim(sender.pk, uuid.uuid4(), 10, {})) == 10


def test_the_forecast_counts_pace_ceiling_and_hours(launched, sender):
    campaign = launched(people=1)
    campaign.sender.rate_limit, campaign.sender.rate_window = 25, 60
    soon = limits.forecast_for(campaign, 100) - timezone.now()
    assert timedelta(minutes=4) < soon < timedelta(minutes=5)
    campaign.sender.ceiling = 250
    days = limits.forecast_for(campaign, 1000) - timezone.now()
    assert timedelta(days=3) < days < timedelta(days=3, hours=1)


def test_a_streak_of_trouble_stops_the_sender_and_time_lets_one_message_try(launched, sender):
    launched(people=3)
    health = sending.Health()
    trouble = failure(Outcome.UNCERTAIN, "read_timeout")
    assert [health.note(trouble) for _ in range(5)] == ["", "", "", "", "trouble"]
    assert breaker.open_(sender.pk, "trouble")
    assert begin(sender) == []
    Sender.objects.update(breaker_until=timezone.now())
    assert breaker.probe_due() == 1
    Message.objects.update(lease=None, lease_until=None)
    assert len(begin(sender)) == 1
    Message.objects.update(lease=None, lease_until=None)
    assert begin(sender) == []
    assert breaker.probe_worked(sender.pk)
    sender.refresh_from_db()
    assert (sender.breaker, sender.breaker_count) == ("closed", 0)


def test_a_failed_probe_waits_twice_as_long_up_to_half_an_hour(sender):
    breaker.open_(sender.pk, "trouble")
    waits = []
    for _ in range(7):
        Sender.objects.update(breaker_until=timezone.now())
        breaker.probe_due()
        assert breaker.probe_failed(sender.pk)
        sender.refresh_from_db()
        waits.append(round((sender.breaker_until - timezone.now()).total_seconds()))
    assert waits == [120, 240, 480, 960, 1800, 1800, 1800]


def test_a_wrong_key_waits_for_a_person(sender):
    breaker.open_(sender.pk, "authentication_failed")
    sender.refresh_from_db()
    assert sender.breaker_until is None
    assert breaker.probe_due() == 0
    assert breaker.close(sender.pk)


@pytest.fixture
def clock(monkeypatch):
    """Sending's clock, which a test moves by hand."""
    hands = [100.0]
    monkeypatch.setattr(sending, "monotonic", lambda: hands[0])
    return lambda seconds: hands.__setitem__(0, hands[0] + seconds)


TOO_FAST = failure(Outcome.SLOW_DOWN, "too_many_requests")


def test_when_three_waits_in_a_row_did_not_help_the_pace_is_halved(sender, clock):
    health = sending.Health()
    told = []
    for _ in range(3):
        told.append(health.note(TOO_FAST))
        clock(2)
    assert told == ["", "", "too_many_requests"]
    breaker.slow(sender.pk)
    sender.refresh_from_db()
    assert sender.pace_factor == 2


def test_a_provider_that_says_too_fast_now_and_then_does_not_stop_the_sender(clock):
    health = sending.Health()
    for _ in range(20):
        assert health.note(TOO_FAST) == ""
        clock(2)
        assert health.note(GupshupResponse(True, "id-1")) == ""


def test_calls_that_were_too_fast_together_count_once(clock):
    health = sending.Health()
    assert [health.note(TOO_FAST) for _ in range(16)] == [""] * 16


def test_the_code_that_says_stop_sending_stops_at_once():
    assert sending.Health().note(failure(Outcome.SLOW_DOWN, "4001")) == "4001"

"""How a message leaves: against a local Gupshup over real HTTP, on real PostgreSQL."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import invariants, outbox, outcomes, pacing, reconciling, sending
from campaigns.models import Attempt, Message
from campaigns.status import AttemptState, CampaignStatus, Reason, Status
from contacts.models import Contact
from gupshup.models import Sender

pytestmark = pytest.mark.django_db(transaction=True)


def states():
    return dict(Message.objects.values_list("destination", "status"))


def test_every_message_leaves_once_and_its_id_is_kept(gupshup, launched, sender):
    """Validates: 6.1, 6.5"""
    simulator, campaign = gupshup(), launched(people=30)
    assert sending.drain(sender, seconds=20) == 30
    sent = simulator.get("/ledger")["accepted"]
    assert len(sent) == len({one["destination"] for one in sent}) == 30
    assert {one["message_id"] for one in sent} == set(Message.objects.values_list("whatsapp_message_id", flat=True))
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.FINISHED
    assert not any(invariants.check().values())


def test_two_workers_share_the_rows_and_nobody_gets_two(gupshup, launched, sender):
    """Validates: 6.2"""
    simulator, _ = gupshup(), launched(people=120)

    def work(_):
        try:
            return sending.Drain(Sender.objects.get(pk=sender.pk), threads=8).run(20)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 120
    assert simulator.get("/ledger/summary")["max_per_destination_and_content"] == 1
    assert set(states().values()) == {Status.SUBMITTED}
    assert not any(invariants.check().values())


def test_no_window_holds_more_than_the_limit_over_all_workers(gupshup, launched, sender):
    """Validates: 6.2 (P9)"""
    simulator, _ = gupshup(), launched(people=40)
    Sender.objects.update(rate_limit=10, rate_window=1)

    def work(_):
        try:
            return sending.Drain(Sender.objects.get(pk=sender.pk), threads=8).run(20)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    summary = simulator.get("/ledger/summary?window=1")
    assert summary["accepted"] == 40
    assert summary["worst_window_accepted"] <= 10


@pytest.mark.parametrize(
    ("fault", "status", "attempt"),
    [
        ("reset_after", Status.UNCERTAIN, AttemptState.UNCERTAIN),
        ("reset_before", Status.UNCERTAIN, AttemptState.UNCERTAIN),
        ("http_500_after", Status.UNCERTAIN, AttemptState.UNCERTAIN),
        ("garbage_after", Status.UNCERTAIN, AttemptState.UNCERTAIN),
    ],
)
def test_what_may_have_gone_is_uncertain_and_never_sent_again(gupshup, launched, sender, fault, status, attempt):
    gupshup("--faults", f"{fault}=1")
    campaign = launched(people=2)
    sending.drain(sender, seconds=20)
    sending.drain(sender, seconds=20)
    assert set(states().values()) == {status}
    assert set(Attempt.objects.values_list("state", flat=True)) == {attempt}
    assert Attempt.objects.count() == 2
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.FINISHED


def test_a_refused_connection_is_tried_again_after_60_120_240_seconds_and_then_fails(launched, sender):
    """Validates: 6.3, 6.4 (P10)"""
    launched(people=1)  # the sender's address has nobody listening
    waits = []
    for _ in range(4):
        Message.objects.filter(status=Status.PENDING).update(next_attempt_at=timezone.now())
        begun = timezone.now()
        sending.drain(sender, seconds=20)
        message = Message.objects.get()
        if message.next_attempt_at:
            waits.append(round((message.next_attempt_at - begun).total_seconds(), -1))
    assert waits == [60, 120, 240]
    assert (message.status, message.reason) == (Status.FAILED, Reason.NO_MORE_TRIES)
    assert set(Attempt.objects.values_list("state", flat=True)) == {AttemptState.NOT_SENT}


def test_a_wrong_key_stops_the_sender_and_loses_nobody(gupshup, launched, sender):
    gupshup()
    launched(people=5)
    Sender.objects.update(api_key="wrong")
    sender.refresh_from_db()
    sending.drain(sender, seconds=5)
    sender.refresh_from_db()
    assert (sender.breaker, sender.breaker_code) == ("open", "authentication_failed")
    assert set(states().values()) == {Status.PENDING}
    assert set(Message.objects.values_list("retry_count", flat=True)) == {0}


def test_a_frozen_worker_that_was_reaped_sends_nothing(launched, sender):
    launched(people=1)
    lease = uuid.uuid4()
    begun = outbox.begin(sender.pk, lease, outbox.claim(sender.pk, lease, 10, {}))
    Attempt.objects.update(deadline=timezone.now() - timedelta(seconds=1))
    assert reconciling.reap() == (1, 0)
    assert outbox.mark(begun) == []
    assert (Message.objects.get().status, Message.objects.get().retry_count) == (Status.PENDING, 0)


def test_a_worker_killed_after_the_wire_mark_leaves_an_uncertain_message(launched, sender):
    launched(people=1)
    lease = uuid.uuid4()
    assert outbox.mark(outbox.begin(sender.pk, lease, outbox.claim(sender.pk, lease, 10, {})))
    Attempt.objects.update(deadline=timezone.now() - timedelta(seconds=1))
    assert reconciling.reap() == (0, 1)
    assert Message.objects.get().status == Status.UNCERTAIN
    assert outbox.claim(sender.pk, lease, 10, {}) == []


def test_a_lost_lease_begins_nothing(launched, sender):
    launched(people=1)
    lease = uuid.uuid4()
    claimed = outbox.claim(sender.pk, lease, 10, {})
    Message.objects.update(lease=uuid.uuid4())
    assert outbox.begin(sender.pk, lease, claimed) == []


def test_a_claimed_message_of_a_paused_campaign_is_not_begun(launched, sender):
    campaign = launched(people=1)
    lease = uuid.uuid4()
    claimed = outbox.claim(sender.pk, lease, 10, {})
    assert campaign.pause()
    assert outbox.begin(sender.pk, lease, claimed) == []
    assert campaign.resume()


def test_an_opt_out_between_launch_and_sending_cancels(launched, sender):
    launched(people=2)
    lease = uuid.uuid4()
    claimed = outbox.claim(sender.pk, lease, 10, {})
    Contact.objects.filter(number="+33639000000").update(opted_out_at=timezone.now())
    begun = outbox.begin(sender.pk, lease, claimed)
    assert [item.message.destination for item in begun] == ["33639000001"]
    assert Message.objects.get(destination="33639000000").reason == Reason.OPTED_OUT


def test_one_person_in_two_campaigns_waits_for_the_first_outcome(launched, sender):
    first = launched(people=1)
    launched(people=1)
    Message.objects.exclude(campaign=first).update(destination=Message.objects.get(campaign=first).destination)
    lease = uuid.uuid4()
    begun = outbox.begin(sender.pk, lease, outbox.claim(sender.pk, lease, 10, {}))
    assert len(begun) == 1
    waiting = Message.objects.get(status=Status.PENDING)
    assert waiting.next_attempt_at > timezone.now() + timedelta(seconds=5)


def test_an_answer_recorded_twice_changes_nothing(gupshup, launched, sender):
    gupshup()
    launched(people=1)
    lease = uuid.uuid4()
    (item,) = outbox.mark(outbox.begin(sender.pk, lease, outbox.claim(sender.pk, lease, 10, {})))
    drain = sending.Drain(sender, threads=1)
    answer = outcomes.Answer(
        item.message.id,
        item.attempt_id,
        item.message.campaign_id,
        sending.call(drain.service, drain._use(item.message.campaign_id), item),
    )
    outcomes.record(sender.pk, [answer])
    before = Message.objects.values().get()
    outcomes.record(sender.pk, [answer])
    after = Message.objects.values().get()
    assert {**before, "updated_at": None} == {**after, "updated_at": None}


def test_a_slot_that_was_missed_is_given_up_before_the_first_byte(gupshup, launched, sender):
    simulator, _ = gupshup(), launched(people=1)
    lease = uuid.uuid4()
    (item,) = outbox.mark(outbox.begin(sender.pk, lease, outbox.claim(sender.pk, lease, 10, {})))
    late = outbox.Begun(item.message, item.attempt_id, item.opens - 60, item.closes - 60)
    drain = sending.Drain(sender, threads=1)
    response = sending.call(drain.service, drain._use(item.message.campaign_id), late)
    outcomes.record(sender.pk, [outcomes.Answer(item.message.id, item.attempt_id, item.message.campaign_id, response)])
    assert simulator.get("/ledger/summary")["accepted"] == 0
    assert (Message.objects.get().status, Message.objects.get().retry_count) == (Status.PENDING, 0)


def test_slots_are_spaced_so_that_no_window_overflows(sender):
    """Validates: 6.2 (P9)"""
    Sender.objects.update(rate_limit=25, rate_window=60)
    assert pacing.take(sender.pk, 5).count == 1
    count, wait = pacing.due(sender.pk)
    assert count == 0
    assert 0 < wait <= pacing.MAX_WAIT


def test_a_stopped_sender_gets_no_slot(sender):
    Sender.objects.update(breaker="open")
    assert pacing.take(sender.pk, 5).count == 0
    assert pacing.due(sender.pk)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "people"), [(25, 45), (600, 800)])
def test_no_minute_holds_more_than_the_limit_with_two_workers(gupshup, launched, sender, limit, people):
    """Validates: 6.2 (P9)"""
    simulator, _ = gupshup(), launched(people=people)
    Sender.objects.update(rate_limit=limit, rate_window=60)

    def work(_):
        try:
            return sending.Drain(Sender.objects.get(pk=sender.pk), threads=8).run(170)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(work, range(2))) >= people
    summary = simulator.get("/ledger/summary?window=60")
    assert summary["accepted"] == people
    assert limit * 0.9 <= summary["worst_window_calls"] <= limit

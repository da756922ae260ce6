"""Each guard of the engine alone, at the moment that only it covers (docs/chaos.md: mutants)."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from campaigns import ingest, invariants, launching, outbox, outcomes, pacing, reconciling, sending
from campaigns.models import Attempt, Campaign, Message
from campaigns.status import Status
from campaigns.tests.provider import read_inbox, report, says
from gupshup.api.responses import GupshupResponse, Outcome
from gupshup.models import Callback, Sender

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rivals(launched, make_campaign):
    """Two campaigns to the same person."""
    first = launched(people=1)
    second = make_campaign(people=0)
    second.categories.set(first.categories.all())
    assert launching.launch(second)
    assert launching.prepare(second.pk)
    return first, second


def elsewhere(deed):
    """Do it on another connection, as another worker would."""

    def body():
        try:
            return deed()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(body).result()


def claimed(sender, campaign):
    lease = uuid.uuid4()
    found = outbox.claim(sender.pk, lease, 10, {})
    return lease, [one for one in found if one.campaign_id == campaign.pk]


def accepted(item, provider_id="gs-1"):
    response = GupshupResponse(True, provider_id, None, "", outcome=Outcome.ACCEPTED, http_status=202)
    return outcomes.Answer(item.message.id, item.attempt_id, item.message.campaign_id, response)


def test_a_worker_that_slept_after_its_look_keeps_the_distance_between_two_messages(rivals, sender, monkeypatch):
    """Validates: 6.2"""
    lease = uuid.uuid4()
    mine, other = outbox.claim(sender.pk, lease, 10, {})
    within_ceiling = outbox._within_ceiling

    def rival_sends():
        (item,) = outbox.begin(sender.pk, lease, [other])
        outbox.mark([item])
        outcomes.record(sender.pk, [accepted(item)])
        Sender.objects.update(tat="2020-01-01T00:00Z")  # the slot is not what this is about

    def sleeps(*given):
        monkeypatch.setattr(outbox, "_within_ceiling", within_ceiling)
        elsewhere(rival_sends)
        return within_ceiling(*given)

    monkeypatch.setattr(outbox, "_within_ceiling", sleeps)
    assert outbox.begin(sender.pk, lease, [mine]) == []
    assert Attempt.objects.count() == 1
    waiting = Message.objects.get(pk=mine.id)
    assert waiting.status == Status.PENDING
    assert waiting.next_attempt_at is not None


def test_the_first_report_with_both_ids_puts_the_providers_id_right(launched, sender):
    """Validates: 6.5"""
    launched(people=1)
    lease = uuid.uuid4()
    (item,) = outbox.mark(outbox.begin(sender.pk, lease, outbox.claim(sender.pk, lease, 1, {})))
    lost = GupshupResponse(False, None, "timeout", "", outcome=Outcome.UNCERTAIN, http_status=None)
    outcomes.record(sender.pk, [outcomes.Answer(item.message.id, item.attempt_id, item.message.campaign_id, lost)])
    report(sender, "delivered", other="wa-1", destination=item.message.destination)
    read_inbox()
    report(sender, "sent", gs_id="gs-1", other="wa-1", destination=item.message.destination)
    read_inbox()
    assert list(Attempt.objects.values_list("state", "provider_id")) == [("accepted", "gs-1")]
    assert list(Message.objects.values_list("status", "whatsapp_message_id")) == [(Status.DELIVERED, "gs-1")]


def test_a_report_with_whatsapps_id_alone_is_not_given_to_an_open_call_while_it_may_be_anothers(rivals, sender):
    """Validates: 6.5"""
    lease = uuid.uuid4()
    one, other = outbox.claim(sender.pk, lease, 10, {})
    (item,) = outbox.mark(outbox.begin(sender.pk, lease, [one]))
    outcomes.record(sender.pk, [accepted(item, "gs-1")])
    Sender.objects.update(tat="2020-01-01T00:00Z")
    Attempt.objects.update(started_at=timezone.now() - timedelta(seconds=7))
    (item,) = outbox.mark(outbox.begin(sender.pk, lease, [other]))
    report(sender, "delivered", other="wa-1", destination=one.destination)
    read_inbox()
    assert Attempt.objects.get(pk=item.attempt_id).state == "intent"
    report(sender, "sent", gs_id="gs-1", other="wa-1", destination=one.destination)
    read_inbox()
    assert Attempt.objects.get(pk=item.attempt_id).state == "intent"
    Callback.objects.filter(state="waiting").update(due_at=timezone.now())
    read_inbox()
    assert Message.objects.get(pk=one.id).status == Status.DELIVERED


def test_a_rivals_claim_neither_waits_for_mine_nor_takes_the_same(launched, sender):
    """Validates: 6.2"""
    launched(people=4)

    def rival():
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
            try:
                return outbox.claim(sender.pk, uuid.uuid4(), 2, {})
            finally:
                cursor.execute("RESET lock_timeout")

    with transaction.atomic():
        mine = outbox.claim(sender.pk, uuid.uuid4(), 2, {})
        theirs = elsewhere(rival)
    assert len({one.id for one in (*mine, *theirs)}) == 4
    assert outbox.claim(sender.pk, uuid.uuid4(), 4, {}) == []


def test_a_lease_that_ran_out_begins_nothing(launched, sender):
    """Validates: 6.2"""
    launched(people=1)
    lease = uuid.uuid4()
    found = outbox.claim(sender.pk, lease, 1, {})
    Message.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert outbox.begin(sender.pk, lease, found) == []


def test_message_2_is_not_begun_when_its_window_has_closed_since_the_claim(launched, sender):
    """Validates: 6.1"""
    launched(people=1)
    Message.objects.update(message_type="message_2", content="Merci", expires_at=timezone.now() + timedelta(hours=1))
    lease = uuid.uuid4()
    found = outbox.claim(sender.pk, lease, 1, {})
    assert found
    Message.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert outbox.begin(sender.pk, lease, found) == []


def test_a_drain_calls_only_what_it_could_mark(gupshup, launched, sender, monkeypatch):
    """Validates: 6.2"""
    simulator, _ = gupshup(), launched(people=1)
    mark = outbox.mark

    def slept_before_the_mark(begun):
        Attempt.objects.update(deadline=timezone.now() - timedelta(seconds=1))
        elsewhere(reconciling.reap)
        Message.objects.update(next_attempt_at=timezone.now() + timedelta(hours=1))
        return mark(begun)

    monkeypatch.setattr(outbox, "mark", slept_before_the_mark)
    sending.drain(sender, seconds=2)
    assert simulator.get("/ledger")["accepted"] == []
    assert Message.objects.get().status == Status.PENDING


def test_a_mark_set_while_the_reaper_looks_is_respected(launched, sender, monkeypatch):
    """Validates: 6.2"""
    launched(people=1)
    lease = uuid.uuid4()
    begun = outbox.begin(sender.pk, lease, outbox.claim(sender.pk, lease, 1, {}))
    Attempt.objects.update(deadline=timezone.now() - timedelta(seconds=1))
    end = reconciling._end

    def marked_meanwhile(*given):
        monkeypatch.setattr(reconciling, "_end", end)
        assert elsewhere(lambda: outbox.mark(begun))
        return end(*given)

    monkeypatch.setattr(reconciling, "_end", marked_meanwhile)
    assert reconciling.reap() == (0, 0)
    assert Attempt.objects.get().state == "intent"


def test_the_reaper_leaves_calls_under_way_alone(launched, sender):
    """Validates: 6.2"""
    launched(people=1)
    lease = uuid.uuid4()
    outbox.mark(outbox.begin(sender.pk, lease, outbox.claim(sender.pk, lease, 1, {})))
    assert reconciling.reap() == (0, 0)


def test_rivals_hold_all_slots_together_within_the_pace(sender):
    """Validates: 6.2 (P9)"""
    Sender.objects.update(rate_limit=10, rate_window=10)
    taken = [pacing.take(sender.pk, 5, ahead=0.5).count for _ in range(6)]
    assert sum(taken) == 1


def test_nobody_can_be_given_two_open_calls_or_two_rows(launched, sender):
    """Validates: 6.2, 7.2 (P2)"""
    campaign = launched(people=1)
    message = Message.objects.get()
    whole = {"sender": sender, "destination": message.destination, "deadline": timezone.now()}
    Attempt.objects.create(message=message, state="uncertain", released_at=timezone.now(), **whole)
    with pytest.raises(IntegrityError):
        Attempt.objects.create(message=message, state="intent", **whole)  # this message may have been sent
    again = {
        "campaign": campaign,
        "sender": sender,
        "destination": message.destination,
        "next_attempt_at": timezone.now(),
    }
    second = Message.objects.create(message_type="message_2", **again)
    Attempt.objects.update(released_at=None)
    with pytest.raises(IntegrityError):
        Attempt.objects.create(message=second, state="intent", **whole)  # this person has an open call
    with pytest.raises(IntegrityError):
        Message.objects.create(message_type="message_2", **again)


def test_the_databases_trouble_leaves_callbacks_due(launched, sender, monkeypatch):
    """Validates: 7.4"""
    launched(people=1)
    report(sender, "delivered", gs_id="gs-1", destination="33639000000")

    def trouble(*_):
        raise OperationalError("the database had trouble")

    with monkeypatch.context() as patch:
        patch.setattr(ingest, "_apply", trouble)
        with pytest.raises(OperationalError):
            ingest.run()
    assert ingest.run() == 1


def test_a_failure_that_gupshup_itself_tells_settles_the_open_call_whatever_went_before(rivals, sender):
    """Validates: 6.5"""
    lease = uuid.uuid4()
    one, other = outbox.claim(sender.pk, lease, 10, {})
    (item,) = outbox.mark(outbox.begin(sender.pk, lease, [one]))
    outcomes.record(sender.pk, [accepted(item, "gs-1")])
    Sender.objects.update(tat="2020-01-01T00:00Z")
    Attempt.objects.update(started_at=timezone.now() - timedelta(seconds=7))
    outbox.mark(outbox.begin(sender.pk, lease, [other]))
    report(sender, "failed", gs_id="gs-2", code=1002, destination=one.destination)
    read_inbox()
    assert Message.objects.get(pk=other.id).status == Status.FAILED
    assert Message.objects.get(pk=one.id).status == Status.SUBMITTED


@pytest.fixture
def refused(launched, sender):
    """A Message 1 that was accepted, then reported as failed for a passing reason: it waits to be sent again."""
    launched(people=1)
    lease = uuid.uuid4()
    (item,) = outbox.mark(outbox.begin(sender.pk, lease, outbox.claim(sender.pk, lease, 1, {})))
    outcomes.record(sender.pk, [accepted(item, "gs-1")])
    report(sender, "failed", gs_id="gs-1", other="wa-1", code=131000, destination=item.message.destination)
    read_inbox()
    message = Message.objects.get()
    assert message.status == Status.PENDING
    return message


def test_who_quotes_a_message_has_it_and_gets_it_no_second_time(refused, sender):
    """Validates: 6.3, 7.2"""
    says(sender, refused.destination, quotes="gs-1")
    read_inbox()
    first, second = Message.objects.order_by("id")
    assert (first.status, first.next_attempt_at) == (Status.DELIVERED, None)
    assert first.replied_at is not None
    assert second.message_type == "message_2"
    assert not any(invariants.check().values())


def test_an_answer_without_a_quote_is_not_to_a_message_that_was_refused(refused, sender):
    """Validates: 7.2"""
    says(sender, refused.destination)
    read_inbox()
    assert list(Message.objects.values_list("message_type", "status")) == [("message_1", Status.PENDING)]
    assert not any(invariants.check().values())


def test_an_answer_recorded_after_news_takes_nothing_back(launched, sender):
    """Validates: 6.5"""
    launched(people=1)
    lease = uuid.uuid4()
    (item,) = outbox.mark(outbox.begin(sender.pk, lease, outbox.claim(sender.pk, lease, 1, {})))
    report(sender, "delivered", gs_id="gs-1", other="wa-1", destination=item.message.destination)
    read_inbox()
    outcomes.record(sender.pk, [accepted(item, "gs-1")])
    assert Message.objects.get().status == Status.DELIVERED


def test_nobody_changes_a_draft_between_the_look_of_its_launch_and_its_start(make_campaign, monkeypatch):
    """What was looked at is what starts: an edit waits for the end of the launch."""
    campaign = make_campaign(people=1)
    found = []

    def edit():
        with transaction.atomic():
            return Campaign.objects.select_for_update(nowait=True).get(pk=campaign.pk)

    def look(seen):
        with pytest.raises(OperationalError):
            elsewhere(edit)
        found.append(seen.pk)
        return []

    monkeypatch.setattr(launching, "problems", look)
    assert launching.launch(campaign)
    assert found == [campaign.pk]

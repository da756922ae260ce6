"""Delivery reports: in any order, repeated, early, late, contradictory, strange."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns import invariants, launching, outcomes, reconciling, reports, statuses
from campaigns.models import Attempt, Message
from campaigns.status import NEWS, AttemptState, CampaignStatus, Status
from campaigns.tests.provider import accepted, read_inbox, report, says
from contacts.models import Contact
from gupshup.models import Callback

pytestmark = pytest.mark.django_db


@pytest.fixture
def message(launched):
    launched(people=1)
    found = Message.objects.get()
    accepted(found, "gs-1")
    return found


def test_any_order_and_any_repetition_gives_the_same_row_and_the_same_figures(sender, launched):
    """Validates: 5.6 (P7)"""
    campaign = launched(people=30)
    chance = random.Random(5)
    expected = {}
    for message in Message.objects.all():
        attempt = accepted(message)
        words = chance.choices(list(NEWS), k=chance.randint(1, 6))
        expected[message.pk] = max(Status.SUBMITTED, *(NEWS[word] for word in words))
        for word in words:
            code = 131026 if word == "failed" else None
            report(sender, word, gs_id=attempt.provider_id, other="wa-side", destination=message.destination, code=code)
        read_inbox()
    assert dict(Message.objects.values_list("id", "status")) == expected
    before = reports.figures(campaign.pk).as_json()
    Callback.objects.replay()
    read_inbox()
    assert reports.figures(campaign.pk).as_json() == before
    assert not any(invariants.check().values())


@pytest.mark.parametrize("code", [131026, 987654, "131049"])
def test_a_failure_is_final_and_a_later_delivery_is_true(sender, message, code):
    """Validates: 5.4"""
    report(sender, "failed", gs_id="gs-1", other="wa", code=code)
    read_inbox()
    message.refresh_from_db()
    assert (message.status, message.error_code) == (Status.FAILED, str(code))
    report(sender, "sent", gs_id="gs-1", other="wa")
    report(sender, "delivered", gs_id="gs-1", other="wa")
    read_inbox()
    message.refresh_from_db()
    assert (message.status, message.error_code) == (Status.DELIVERED, "")


def test_a_failure_of_the_passing_kind_waits_60_seconds_and_is_sent_anew(sender, message):
    """Validates: 6.3 (P10)"""
    report(sender, "failed", gs_id="gs-1", other="wa", code=131016)
    report(sender, "failed", gs_id="gs-1", other="wa", code=131016)
    read_inbox()
    message.refresh_from_db()
    assert (message.status, message.retry_count) == (Status.PENDING, 1)
    assert timedelta(seconds=50) < message.next_attempt_at - timezone.now() <= timedelta(seconds=60)
    assert Attempt.objects.get().state == AttemptState.REFUSED


def test_a_passing_failure_reported_after_the_end_opens_the_campaign_again(sender, message):
    """Validates: 6.3, 6.6"""
    assert launching.finish_done() == 1
    report(sender, "failed", gs_id="gs-1", other="wa", code=131000)
    read_inbox()
    message.campaign.refresh_from_db()
    assert (message.campaign.status, message.campaign.completed_at) == (CampaignStatus.RUNNING, None)
    assert launching.finish_done() == 0
    assert not any(invariants.check().values())


@pytest.mark.django_db(transaction=True)
def test_a_campaign_does_not_end_while_a_message_is_just_made_to_wait_again(sender, message):
    """The rival has not committed yet, so that its message looks done."""

    def finish():
        try:
            return launching.finish_done()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as rival, transaction.atomic():
        message.attempts.update(state=AttemptState.REFUSED)
        outcomes.refuse([message.pk], "131000", "")
        assert rival.submit(finish).result(10) == 0
    assert not any(invariants.check().values())


def test_a_delivery_of_a_refused_call_ends_the_retry(sender, message):
    report(sender, "failed", gs_id="gs-1", other="wa", code=131016)
    read_inbox()
    report(sender, "read", gs_id="gs-1", other="wa")
    read_inbox()
    message.refresh_from_db()
    assert (message.status, message.next_attempt_at) == (Status.READ, None)
    assert Attempt.objects.get().state == AttemptState.ACCEPTED
    assert not any(invariants.check().values())


def test_news_of_a_replaced_call_is_kept_beside_the_message(sender, message, user):
    report(sender, "failed", gs_id="gs-1", other="wa", code=131026)
    read_inbox()
    assert reconciling.resend([message.pk], user, "nouvelle tentative") == 1
    report(sender, "delivered", gs_id="gs-1", other="wa")
    read_inbox()
    message.refresh_from_db()
    attempt = Attempt.objects.get()
    assert (message.status, attempt.state, attempt.late_news) == (
        Status.PENDING,
        AttemptState.SUPERSEDED,
        "delivered",
    )
    assert message.events.get().actor == user


def test_a_report_that_overtakes_the_answer_settles_the_call(sender, launched):
    launched(people=1)
    message = Message.objects.get()
    Message.objects.update(status=Status.SENDING, next_attempt_at=None)
    Attempt.objects.create(
        message=message,
        sender=sender,
        destination=message.destination,
        wire_at=timezone.now(),
        deadline=timezone.now() + timedelta(seconds=60),
    )
    report(sender, "enqueued", gs_id="gs-early", destination=message.destination)
    report(sender, "delivered", gs_id="gs-early", other="wa", destination=message.destination)
    read_inbox()
    message.refresh_from_db()
    assert (message.status, message.whatsapp_message_id) == (Status.DELIVERED, "gs-early")
    assert Attempt.objects.get().state == AttemptState.ACCEPTED


@pytest.mark.parametrize("given_up", [False, True])
def test_an_uncertain_message_is_adopted_by_a_report_to_its_destination(sender, launched, user, given_up):
    launched(people=1)
    message = Message.objects.get()
    Message.objects.update(status=Status.UNCERTAIN, next_attempt_at=None)
    Attempt.objects.create(
        message=message,
        sender=sender,
        destination=message.destination,
        state="uncertain",
        wire_at=timezone.now(),
        deadline=timezone.now(),
    )
    if given_up:
        assert reconciling.give_up([message.pk], user) == 1
    report(sender, "enqueued", gs_id="gs-x", destination=message.destination)
    read_inbox()
    message.refresh_from_db()
    assert (message.status, message.reason, message.whatsapp_message_id) == (Status.SUBMITTED, "", "gs-x")


@pytest.mark.parametrize("by", ["report", "quote"])
def test_an_answer_recorded_meanwhile_is_not_given_to_an_older_call(sender, launched, monkeypatch, by):
    """Two calls to one person may both be open once the older one's destination was freed."""
    launched(people=1)
    old, new = Message.objects.get(), launched(people=1).messages.get()
    Message.objects.filter(pk=old.pk).update(status=Status.UNCERTAIN, next_attempt_at=None)
    Message.objects.filter(pk=new.pk).update(destination=old.destination, contact=old.contact)
    new.refresh_from_db()
    now = timezone.now()
    forgotten = old.attempts.create(
        sender=sender, destination=old.destination, state="uncertain", deadline=now, wire_at=now, released_at=now
    )
    look = statuses.sql.rows

    def recorded_in_between(statement, values):
        if "('intent', 'uncertain')" in statement and not new.attempts.exists():
            accepted(new, "gs-new")
        return look(statement, values)

    monkeypatch.setattr(statuses.sql, "rows", recorded_in_between)
    if by == "report":
        report(sender, "enqueued", gs_id="gs-new", destination=old.destination)
    else:
        says(sender, old.destination, quotes="gs-new")
    read_inbox()
    forgotten.refresh_from_db()
    new.refresh_from_db()
    assert (forgotten.state, forgotten.provider_id) == (AttemptState.UNCERTAIN, None)
    assert new.status == (Status.SUBMITTED if by == "report" else Status.DELIVERED)


def test_a_call_that_nobody_may_have_made_yet_adopts_no_report(sender, launched):
    """Before the wire mark nothing has left: the report is about somebody else's message to this person."""
    launched(people=1)
    message = Message.objects.get()
    Message.objects.filter(pk=message.pk).update(status=Status.SENDING, next_attempt_at=None)
    attempt = message.attempts.create(sender=sender, destination=message.destination, deadline=timezone.now())
    report(sender, "enqueued", gs_id="gs-foreign", destination=message.destination)
    read_inbox()
    attempt.refresh_from_db()
    assert (attempt.state, attempt.provider_id) == (AttemptState.INTENT, None)


def test_a_report_about_somebody_else_adopts_nothing_and_is_kept_warm_then_foreign(sender, message):
    report(sender, "delivered", gs_id="foreign", other="wa", destination="33611111111")
    read_inbox()
    assert Callback.objects.get().state == Callback.State.WAITING
    for _ in range(5):
        Callback.objects.update(due_at=timezone.now())
        read_inbox()
    assert Callback.objects.get().state == Callback.State.FOREIGN
    message.refresh_from_db()
    assert message.status == Status.SUBMITTED


def test_a_report_without_gs_id_is_matched_by_the_id_that_passed_before(sender, message):
    report(sender, "sent", gs_id="gs-1", other="wa-77")
    read_inbox()
    report(sender, "read", gs_id=None, other="wa-77")
    read_inbox()
    message.refresh_from_db()
    assert message.status == Status.READ


def test_codes_that_speak_of_the_person_are_remembered(sender, launched):
    launched(people=2)
    first, second = Message.objects.order_by("id")
    report(sender, "failed", gs_id=accepted(first).provider_id, code=1002)
    report(sender, "failed", gs_id=accepted(second).provider_id, other="wa", code=131050)
    read_inbox()
    assert Contact.objects.get(pk=first.contact_id).invalid_code == "1002"
    assert Contact.objects.get(pk=second.contact_id).opt_out_source == "provider:131050"


def test_a_paused_template_reported_by_a_failure_pauses_the_campaign(sender, message):
    report(sender, "failed", gs_id="gs-1", other="wa", code=132015)
    read_inbox()
    campaign = message.campaign
    campaign.refresh_from_db()
    assert (campaign.status, campaign.pause_reason) == (CampaignStatus.PAUSED, "132015")


def test_after_a_day_the_destination_is_free_and_the_message_stays_uncertain(sender, launched):
    launched(people=1)
    message = Message.objects.get()
    Message.objects.update(status=Status.UNCERTAIN, next_attempt_at=None)
    Attempt.objects.create(
        message=message,
        sender=sender,
        destination=message.destination,
        state="uncertain",
        started_at=timezone.now() - timedelta(hours=25),
        deadline=timezone.now(),
    )
    assert reconciling.release() == 1
    assert Attempt.objects.get().released_at is not None
    assert Message.objects.get().status == Status.UNCERTAIN


def test_one_poisoned_callback_is_set_aside_and_holds_up_nobody(sender, message, monkeypatch):
    from campaigns import replies

    def poisoned(callback, inbound):
        raise ValueError("poison")

    monkeypatch.setattr(replies, "handle", poisoned)
    from campaigns.tests.provider import says

    says(sender, message.destination)
    report(sender, "delivered", gs_id="gs-1", other="wa")
    read_inbox()
    message.refresh_from_db()
    assert message.status == Status.DELIVERED
    aside = Callback.objects.get(state=Callback.State.FAILED)
    assert "poison" in aside.error
    monkeypatch.undo()
    assert Callback.objects.filter(state=Callback.State.FAILED).replay() == 1
    read_inbox()
    message.refresh_from_db()
    assert message.replied_at is not None


@settings(max_examples=100)
@given(body=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_read_without_trouble(sender, body):
    """Validates: 4.1"""
    from campaigns.tests.provider import post

    post(sender, body)
    read_inbox()
    assert not Callback.objects.filter(state=Callback.State.FAILED).exists()

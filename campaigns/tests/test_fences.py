"""Each guard of the engine alone, at the moment that only it covers (docs/chaos.md: mutants)."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import launching, outbox, outcomes
from campaigns.models import Attempt, Message
from campaigns.status import Status
from campaigns.tests.provider import read_inbox, report
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

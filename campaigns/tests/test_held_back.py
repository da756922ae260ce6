"""A person whom Meta holds back (131049): nothing marketing for 24 h, from any campaign; then it goes on by itself."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone, translation
from rest_framework.test import APIClient

from campaigns import deciding, launching, limits, outbox, sending
from campaigns.models import HeldBack, Message
from campaigns.status import Kind, Status
from campaigns.tests.provider import accepted, read_inbox, report
from gupshup.models import Callback, Template

pytestmark = pytest.mark.django_db

DAY = timedelta(hours=24)


@pytest.fixture
def rivals(launched, make_campaign):
    """Two campaigns to the same two people."""
    first = launched(people=2)
    second = make_campaign(people=0)
    second.categories.set(first.categories.all())
    assert launching.launch(second)
    assert launching.prepare(second.pk)
    return first, second


def begun(sender):
    lease = uuid.uuid4()
    found = outbox.begin(sender.pk, lease, outbox.claim(sender.pk, lease, 100, {}))
    return {(item.message.campaign_id, item.message.destination) for item in found}


def refuse(sender, campaign):
    """Of the first campaign, both are accepted, and the first one's message is refused by Meta afterwards."""
    one, two = Message.objects.filter(campaign=campaign).order_by("id")
    for message in (one, two):
        accepted(message)
        message.attempts.update(started_at=timezone.now() - timedelta(minutes=1))
    report(sender, "failed", gs_id=f"gs-{one.pk}", other="wa-1", destination=one.destination, code=131049)
    read_inbox()
    one.refresh_from_db()
    assert (one.status, one.error_code) == (Status.FAILED, "131049")
    return one, two


def a_day_passes():
    HeldBack.objects.update(until=timezone.now())
    Message.objects.filter(status=Status.PENDING).update(next_attempt_at=timezone.now())


def test_after_a_report_every_campaign_waits_for_that_person_only_and_goes_on_a_day_later(rivals, sender):
    """Validates: 6.2 (P10)"""
    first, second = rivals
    one, two = refuse(sender, first)
    assert begun(sender) == {(second.pk, two.destination)}
    waiting = Message.objects.get(campaign=second, destination=one.destination)
    assert (waiting.status, waiting.lease) == (Status.PENDING, None)
    assert DAY - timedelta(minutes=1) < waiting.next_attempt_at - timezone.now() <= DAY
    launching.finish_done()
    second.refresh_from_db()
    assert second.status == "running"
    a_day_passes()
    assert begun(sender) == {(second.pk, one.destination)}
    limits.forget_old()
    assert not HeldBack.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_after_an_answer_that_refuses_too(gupshup, rivals, sender):
    gupshup("--faults", "http_400_code=1")
    first, second = rivals
    second.pause()
    sending.drain(sender, seconds=20)
    assert set(Message.objects.filter(campaign=first).values_list("status", "error_code")) == {(35, "131049")}
    second.resume()
    sending.drain(sender, seconds=20)
    later = Message.objects.filter(campaign=second).values_list("status", "next_attempt_at")
    assert [status for status, _ in later] == [Status.PENDING] * 2
    assert all(at > timezone.now() + timedelta(hours=23) for _, at in later)


def test_a_service_template_and_message_2_are_not_marketing(rivals, sender):
    first, second = rivals
    one, two = refuse(sender, first)
    Message.objects.create(
        campaign=first,
        sender=sender,
        message_type=Kind.MESSAGE_2,
        destination=one.destination,
        content="Merci",
        next_attempt_at=timezone.now(),
        expires_at=timezone.now() + timedelta(hours=1),
    )
    lease = uuid.uuid4()
    kinds = [message.kind for message in outbox.claim(sender.pk, lease, 100, {})]
    assert sorted(kinds) == [Kind.MESSAGE_1, Kind.MESSAGE_1, Kind.MESSAGE_2]
    Message.objects.filter(status=Status.PENDING).update(lease=None, lease_until=None)
    Message.objects.filter(message_type=Kind.MESSAGE_2).update(destination=two.destination)
    Message.objects.filter(campaign=second, destination=two.destination).delete()
    Template.objects.update(category="UTILITY")
    assert begun(sender) == {(second.pk, one.destination), (first.pk, two.destination)}


def test_a_report_read_again_holds_nobody_longer(rivals, sender):
    refuse(sender, rivals[0])
    held = HeldBack.objects.get()
    Callback.objects.replay()
    read_inbox()
    assert HeldBack.objects.get().until == held.until


def test_a_retry_before_the_day_is_over_says_so_and_waits(rivals, sender, user, capsys):
    first, _ = rivals
    one, _two = refuse(sender, first)
    assert deciding.held_note(first) == ""
    with translation.override("fr"):
        call_command("resend", campaign=first.pk, status="failed")
        told = capsys.readouterr().out
        assert "Meta retient le marketing destiné à 1 personne pendant 24 heures" in told
    assert (first.pk, one.destination) not in begun(sender)
    one.refresh_from_db()
    assert one.next_attempt_at > timezone.now() + timedelta(hours=23)
    assert limits.held_back(first) == (1, HeldBack.objects.get().until)


def test_the_api_says_so_too(rivals, sender, user):
    refuse(sender, rivals[0])
    client = APIClient()
    client.force_authenticate(user)
    answer = client.post(f"/api/campaigns/{rivals[0].pk}/retry", headers={"accept-language": "en"})
    assert answer.status_code == 200, answer.content
    assert "Meta lets no marketing through to 1 person for 24 hours" in answer.json()["message"]

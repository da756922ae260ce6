"""The home page: what runs, what today brought, what waits for a person. Figures as the reports have them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from campaigns import dashboard, launching, reports
from campaigns.models import Attempt, Campaign, Message
from campaigns.status import CampaignStatus, Status
from gupshup import breaker
from gupshup.models import Callback

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def lea(db):
    return User.objects.create_user("lea@example.com", "x")


def called(message: Message, state: str, status: Status, **times) -> Attempt:
    now = timezone.now()
    Message.objects.filter(pk=message.pk).update(status=status, next_attempt_at=None)
    known = {"deadline": now, "wire_at": now, "finished_at": now, **times}
    return Attempt.objects.create(
        message=message, sender=message.sender, destination=message.destination, state=state, **known
    )


def test_the_empty_home_says_how_to_begin(client, lea):
    client.force_login(lea)
    text = client.get(reverse("admin:index")).content.decode()
    assert "Pour commencer" in text
    assert reverse("admin:campaigns_campaign_add") in text


def test_running_campaigns_show_the_reports_figures(launched, lea):
    campaign = launched(people=3, created_by=lea)
    (running,) = dashboard.running(lea)
    assert running.campaign == campaign
    assert running.figures.as_json() == reports.figures(campaign.pk).as_json()


def test_a_marketers_home_knows_nothing_of_others(launched, lea, user):
    campaign = launched(people=1, created_by=user)
    message = Message.objects.get()
    called(message, "uncertain", Status.UNCERTAIN, released_at=timezone.now())
    assert (dashboard.running(lea), dashboard.needs(lea).uncertain) == ([], [])
    assert dashboard.today(lea) == dashboard.Today()
    assert [one.campaign for one in dashboard.running(user)] == [campaign]
    assert dashboard.needs(user).uncertain == [(campaign, 1)]


def test_today_counts_what_was_sent_today_and_nothing_older(launched, lea):
    launched(people=5, created_by=lea)
    old, *new = Message.objects.order_by("id")
    called(old, "accepted", Status.READ, started_at=timezone.now() - timedelta(days=2))
    for message, status in zip(new, (Status.SUBMITTED, Status.DELIVERED, Status.READ), strict=False):
        called(message, "accepted", status)
    called(new[3], "rejected", Status.FAILED)
    Message.objects.filter(pk=new[2].pk).update(replied_at=timezone.now())
    assert dashboard.today(lea) == dashboard.Today(accepted=3, reached=2, read=1, answered=1, failed=1)


@pytest.mark.parametrize("days", range(9))
def test_the_first_row_since_a_moment_is_found_without_an_index(launched, lea, days):
    launched(people=8, created_by=lea)
    now = timezone.now()
    rows = [
        called(message, "accepted", Status.READ, started_at=now - timedelta(days=8 - n))
        for n, message in enumerate(Message.objects.order_by("id"))
    ]
    since = now - timedelta(days=days, hours=1)
    assert [row for row in rows if row.pk >= dashboard.first_since(Attempt, "started_at", since)] == [
        row for row in rows if row.started_at >= since
    ]


def test_no_rows_at_all_are_no_trouble(db):
    assert not Attempt.objects.filter(pk__gte=dashboard.first_since(Attempt, "started_at", timezone.now())).exists()


def test_what_waits_for_a_person_is_named(launched, make_campaign, user, sender):
    launched(people=1, created_by=user).pause(reason="132015", detail="Paused")
    refused = make_campaign(people=1, created_by=user)
    Campaign.objects.filter(pk=refused.pk).update(
        status=CampaignStatus.SCHEDULED, scheduled_at=timezone.now(), template=None
    )
    launching.launch_due()
    breaker.open_(sender.pk, "authentication_failed", "Portal User Not Found")
    Callback.objects.create(sender=sender, raw=b"x", digest=b"1" * 32, state="failed", due_at=None)
    found = dashboard.needs(user)
    assert (len(found.paused), found.refused, found.stopped, found.set_aside) == (1, [refused], [sender], 1)
    assert found


def test_a_paused_campaign_that_a_person_paused_needs_nobody(launched, user):
    launched(people=1, created_by=user).pause(user)
    assert not dashboard.needs(user)


def test_the_fortnight_has_every_day_and_the_reports_sums(launched, lea):
    campaign = launched(people=4, created_by=lea)
    for message in Message.objects.order_by("id")[:3]:
        called(message, "accepted", Status.DELIVERED)
    days = dashboard.fortnight(lea)
    assert len(days) == dashboard.DAYS
    first = reports.figures(campaign.pk).first
    assert days[timezone.localdate().isoformat()] == dashboard.Day(first.accepted, first.reached, 0, 0)


def test_the_home_page_says_it_all_and_refreshes(client, launched, user, sender):
    launched(people=1, created_by=user)
    breaker.open_(sender.pk, "1003", "Low balance")
    client.force_login(user)
    text = client.get(reverse("admin:index")).content.decode()
    assert "est arrêté" in text
    assert "Rechargez le portefeuille Gupshup" in text
    assert client.get(reverse("admin:campaigns_campaign_home")).status_code == 200


def test_broken_promises_are_shown_to_super_admins_only(client, launched, user, lea):
    launched(people=1, created_by=user)
    Message.objects.update(status=Status.UNCERTAIN, next_attempt_at=None)  # without any call
    for person, shown in ((user, True), (lea, False)):
        client.force_login(person)
        text = client.get(reverse("admin:campaigns_campaign_checks")).content.decode()
        assert ("uncertain_has_attempt" in text) == shown

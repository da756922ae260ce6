"""The launch through the admin: what is wrong is said, one press is one run, and who comes second is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from campaigns import audience, launching
from campaigns.models import Campaign, Event, Message
from campaigns.status import CampaignStatus
from contacts.models import Contact

pytestmark = pytest.mark.django_db


def check(campaign: Campaign) -> str:
    return reverse("admin:campaigns_campaign_check", args=(campaign.pk,))


def told(answer) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def page(client, user):
    client.force_login(user)
    return client


@pytest.fixture
def draft(make_campaign, user):
    return make_campaign(people=4, created_by=user)


def test_problems_are_listed_and_there_is_no_button(page, draft):
    Campaign.objects.update(template=None)
    answer = page.get(check(draft))
    assert "no_template" in [problem.code for problem in answer.context["problems"]]
    assert not answer.context["ready"]
    assert 'name="version"' not in answer.content.decode()


def test_the_numbers_are_those_of_the_audience(page, draft):
    Contact.objects.filter(pk=Contact.objects.first().pk).opt_out("test")
    answer = page.get(check(draft))
    assert answer.context["reach"] == audience.count(draft)
    assert answer.context["reach"].planned == 3
    assert answer.context["ready"]


def test_nobody_to_write_to_means_no_button(page, make_campaign, user):
    campaign = make_campaign(people=1, created_by=user)
    Contact.objects.all().opt_out("test")
    answer = page.get(check(campaign))
    assert not answer.context["ready"]


def test_one_press_launches(page, draft, user):
    answer = page.post(check(draft), {"version": draft.version})
    assert answer.url == reverse("admin:campaigns_campaign_change", args=(draft.pk,))
    draft.refresh_from_db()
    assert draft.status == CampaignStatus.PREPARING
    assert draft.launched_by == user


def test_a_second_press_does_nothing_and_says_so(page, draft):
    page.post(check(draft), {"version": draft.version})
    first = Campaign.objects.get().launch_id
    answer = page.post(check(draft), {"version": draft.version}, follow=True)
    assert "déjà lancée" in told(answer)
    assert Campaign.objects.get().launch_id == first
    assert Event.objects.filter(verb="launch").count() == 1


def test_who_comes_second_is_told_who_was_first(page, draft):
    rival = User.objects.create_superuser("camille@example.com", "x", first_name="Camille", last_name="Roux")
    launching.launch(draft, rival)
    answer = page.post(check(draft), {"version": draft.version}, follow=True)
    assert "Camille Roux" in told(answer)


def test_what_changed_since_it_was_seen_is_not_launched(page, draft):
    seen = draft.version
    Campaign.objects.update(version=seen + 1, message_2="Autre chose")
    answer = page.post(check(draft), {"version": seen}, follow=True)
    assert "a changé" in told(answer)
    assert Campaign.objects.get().status == CampaignStatus.DRAFT


@pytest.mark.parametrize("version", ["", "x", "-1", None])
def test_a_press_that_does_not_say_what_was_seen_launches_nothing(page, draft, version):
    page.post(check(draft), {} if version is None else {"version": version})
    assert Campaign.objects.get().status == CampaignStatus.DRAFT


def test_a_refused_launch_says_what_is_wrong(page, draft):
    Campaign.objects.update(template=None)
    answer = page.post(check(draft), {"version": draft.version}, follow=True)
    assert "modèle" in told(answer)
    assert Campaign.objects.get().status == CampaignStatus.DRAFT


def test_a_start_in_the_future_is_scheduled_and_can_be_called_off(page, draft):
    at = timezone.now() + timedelta(days=1)
    Campaign.objects.update(scheduled_at=at)
    assert page.get(check(draft)).context["later"] == at
    page.post(check(draft), {"version": draft.version, "schedule": "1"})
    assert Campaign.objects.get().status == CampaignStatus.SCHEDULED
    page.post(reverse("admin:campaigns_campaign_draft", args=(draft.pk,)))
    assert Campaign.objects.get().status == CampaignStatus.DRAFT


def test_a_scheduled_campaign_can_be_launched_at_once(page, draft):
    launching.schedule(draft, timezone.now() + timedelta(days=1))
    page.post(check(draft), {"version": Campaign.objects.get().version})
    assert Campaign.objects.get().status == CampaignStatus.PREPARING


@pytest.mark.django_db(transaction=True)
def test_rivals_who_press_at_the_same_moment_make_one_run(draft):
    people = [User.objects.create_superuser(f"rival{n}@example.com", "x") for n in range(6)]

    def press(person: User) -> str:
        client = Client()
        client.force_login(person)
        try:
            return client.post(check(draft), {"version": draft.version}, follow=True).content.decode()
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(press, people))
    assert sum("est lancée" in answer for answer in answers) == 1
    assert sum("avant vous" in answer for answer in answers) == 5
    assert Event.objects.filter(verb="launch").count() == 1
    assert launching.prepare(draft.pk)
    assert Message.objects.count() == 4

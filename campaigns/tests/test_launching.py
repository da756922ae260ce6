"""A launch: once, whole, resumable, with everyone a row."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import audience, launching, reports
from campaigns.models import Campaign, Message
from campaigns.status import CampaignStatus, Reason, Status
from contacts.models import Contact

pytestmark = pytest.mark.django_db


def test_everyone_of_the_audience_becomes_a_row_pending_or_skipped_with_a_reason(make_campaign):
    campaign = make_campaign(people=6)
    people = list(Contact.objects.order_by("id"))
    Contact.objects.filter(pk=people[0].pk).opt_out("test")
    Contact.objects.filter(pk=people[1].pk).mark_invalid("1002")
    Contact.objects.filter(pk=people[2].pk).update(first_name=" \n ")
    Contact.objects.filter(pk=people[3].pk).update(number=None, whatsapp_user_id="FR.123")
    campaign.params = [{"field": "first_name", "text": ""}]
    campaign.save()
    reach = audience.count(campaign)
    assert launching.launch(campaign)
    assert launching.prepare(campaign.pk)
    reasons = dict(Message.objects.values_list("contact_id", "reason"))
    assert reasons == {
        people[0].pk: Reason.OPTED_OUT,
        people[1].pk: Reason.INVALID_NUMBER,
        people[2].pk: Reason.MISSING_VARIABLE,
        people[3].pk: Reason.NO_NUMBER,
        people[4].pk: "",
        people[5].pk: "",
    }
    first = reports.figures(campaign.pk).first
    assert (first.audience, first.planned) == (reach.total, reach.planned) == (6, 2)
    assert dict(first.skipped_by) == reach.skipped


def test_number_and_variables_are_frozen_at_launch(launched):
    campaign = launched(people=1)
    Contact.objects.update(first_name="Autre", number="+33639099999")
    message = Message.objects.get()
    assert (message.destination, message.params) == ("33639000000", ["Prénom0"])
    assert message.text == "Bonjour Prénom0, une offre vous attend."
    assert campaign.status == CampaignStatus.RUNNING


def test_variables_are_cleaned_of_what_meta_refuses(make_campaign):
    campaign = make_campaign(people=1)
    Contact.objects.update(first_name=" Anne\n\tMarie     Lou ")
    launching.launch(campaign)
    launching.prepare(campaign.pk)
    assert Message.objects.get().params == ["Anne Marie Lou"]


def test_a_person_in_two_categories_gets_one_message(make_campaign):
    campaign, other = make_campaign(people=2), make_campaign(people=1)
    campaign.categories.add(*other.categories.all())
    other.categories.get().contacts.add(*Contact.objects.all())
    launching.launch(campaign)
    launching.prepare(campaign.pk)
    assert Message.objects.filter(campaign=campaign).count() == 3


def test_what_is_missing_refuses_the_launch_and_says_what_to_do(make_campaign):
    campaign = make_campaign()
    campaign.params = []
    campaign.save()
    campaign.categories.clear()
    with pytest.raises(launching.LaunchRefused) as refusal:
        launching.launch(campaign)
    assert [problem.code for problem in refusal.value.problems] == ["variables", "no_category"]
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT


@pytest.mark.parametrize("kind", ["LOCATION", "CAROUSEL", "LTO", "CATALOG"])
def test_a_template_that_needs_what_a_campaign_cannot_give_is_refused(make_campaign, template, kind):
    template.header_type = kind
    template.save()
    with pytest.raises(launching.LaunchRefused) as refusal:
        launching.launch(make_campaign())
    assert [problem.code for problem in refusal.value.problems] == ["template_kind"]
    assert kind in refusal.value.problems[0].text
    assert not Message.objects.exists()


def test_a_campaign_that_changed_since_it_was_seen_is_not_launched(make_campaign):
    campaign = make_campaign()
    assert not launching.launch(campaign, seen_version=campaign.version + 1)
    assert launching.launch(campaign, seen_version=campaign.version)


def test_a_preparation_cut_short_goes_on_where_it_stood(make_campaign, monkeypatch):
    monkeypatch.setattr(launching, "RANGE", 2)
    campaign = make_campaign(people=5)
    launching.launch(campaign)
    launching.prepare(campaign.pk, seconds=-1)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.position) == (CampaignStatus.PREPARING, 0)
    assert launching.prepare(campaign.pk)
    assert Message.objects.count() == 5


def test_a_preparation_shows_how_far_it_is_and_can_be_cancelled(make_campaign, monkeypatch):
    monkeypatch.setattr(launching, "RANGE", 2)
    campaign = make_campaign(people=5)
    launching.launch(campaign)
    write = launching._write_range
    seen = []

    def cancelled_after_the_second(row):
        write(row)
        row.refresh_from_db()
        seen.append(row.position / row.position_end)
        if len(seen) == 2:
            assert campaign.cancel()

    monkeypatch.setattr(launching, "_write_range", cancelled_after_the_second)
    assert launching.prepare(campaign.pk)
    assert 0 < seen[0] < seen[1] < 1
    assert launching.cancel_leftovers() == 4 == Message.objects.count()
    assert set(Message.objects.values_list("status", flat=True)) == {Status.CANCELLED}


@pytest.mark.django_db(transaction=True)
def test_fifty_rivals_launch_one_run(make_campaign):
    campaign = make_campaign(people=20)

    def press(_):
        try:
            return launching.launch(Campaign.objects.get(pk=campaign.pk)), launching.prepare(campaign.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        won = [started for started, _ in pool.map(press, range(50))]
    assert sum(won) == 1
    assert Message.objects.count() == 20
    assert campaign.events.filter(verb="launch").count() == 1


def test_a_scheduled_campaign_starts_when_its_time_has_come(make_campaign):
    campaign = make_campaign()
    launching.schedule(campaign, timezone.now() + timedelta(hours=1))
    assert launching.launch_due() == []
    campaign.row.update(scheduled_at=timezone.now())
    assert launching.launch_due() == [campaign.pk]


def test_a_cancelled_campaign_ends_what_waits(launched):
    campaign = launched(people=4)
    assert campaign.cancel()
    assert launching.cancel_waiting(campaign.pk) == 4
    assert set(Message.objects.values_list("status", "reason")) == {(Status.CANCELLED, Reason.CAMPAIGN_CANCELLED)}
    assert not campaign.resume()


def test_an_empty_campaign_finishes(launched):
    campaign = launched(people=0)
    launching.finish_done()
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.FINISHED

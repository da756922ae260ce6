"""A draft in the admin: what is typed is what is kept, and what the page says is what a launch would do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from campaigns import audience, launching
from campaigns.admin import drafting
from campaigns.forms import CampaignForm
from campaigns.models import Campaign, Event
from campaigns.status import CampaignStatus
from contacts.models import Category, Contact

pytestmark = pytest.mark.django_db
ADD = reverse("admin:campaigns_campaign_add")


def change(campaign: Campaign) -> str:
    return reverse("admin:campaigns_campaign_change", args=(campaign.pk,))


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def marketer(db):
    return User.objects.create_user("lea@example.com", "un mot de passe 42")


@pytest.fixture
def page(client, marketer):
    client.force_login(marketer)
    return client


@pytest.fixture
def category(marketer):
    found = Category.objects.create(name="Clientes", created_by=marketer)
    people = [
        Contact(number="+33639000001", first_name="Zoé", attributes={"ville": "Lyon"}),
        Contact(number="+33639000002", first_name="", attributes={"ville": "Nantes"}),
        Contact(number="+33639000003", first_name="Ali", opted_out_at=timezone.now()),
    ]
    found.contacts.add(*Contact.objects.bulk_create(people))
    return found


@pytest.fixture
def typed(template, category):
    return {
        "name": "Rentrée",
        "template": template.pk,
        "params-0-field": "first_name",
        "params-0-text": "vous",
        "categories": [category.pk],
        "message_2": "Merci {{first_name}} !",
        "trigger": "any",
        "message_2_delay": "5",
    }


def test_a_draft_keeps_what_was_typed(page, marketer, typed, template, category):
    page.post(ADD, typed)
    campaign = Campaign.objects.get()
    assert campaign.status == CampaignStatus.DRAFT
    assert (campaign.name, campaign.template, campaign.sender) == ("Rentrée", template, template.sender)
    assert campaign.params == [{"field": "first_name", "text": "vous"}]
    assert (campaign.message_2, campaign.message_2_delay) == ("Merci {{first_name}} !", 5)
    assert list(campaign.categories.all()) == [category]
    assert campaign.created_by == marketer
    assert (campaign.hours, campaign.time_zone) == ({}, "Europe/Paris")
    assert Event.objects.get().verb == "create"


def test_checking_saves_first(page, typed):
    answer = page.post(ADD, typed | {"_check": "1"})
    assert answer.url == reverse("admin:campaigns_campaign_check", args=(Campaign.objects.get().pk,))


def test_an_unfinished_draft_can_be_saved(page, sender):
    page.post(ADD, {"name": "Idée", "trigger": "any"})
    campaign = Campaign.objects.get()
    assert (campaign.template, campaign.params, campaign.sender) == (None, [], sender)


def test_each_saving_is_a_new_version(page, typed):
    page.post(ADD, typed)
    campaign = Campaign.objects.get()
    page.post(change(campaign), typed | {"name": "Autre nom"})
    after = Campaign.objects.get()
    assert (after.name, after.version) == ("Autre nom", campaign.version + 1)
    assert not launching.launch(after, seen_version=campaign.version)


def test_sending_hours_are_kept_as_the_engine_reads_them(page, typed):
    hours = {
        "limited": "on",
        "hours_days": ["0", "4"],
        "hours_from": "09:00",
        "hours_to": "19:30",
        "hours_holidays": "FR",
    }
    page.post(ADD, typed | hours | {"time_zone": "Indian/Reunion"})
    campaign = Campaign.objects.get()
    assert campaign.hours == {"days": [0, 4], "from": "09:00", "to": "19:30", "holidays": "FR"}
    assert campaign.time_zone == "Indian/Reunion"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"scheduled_at": "2020-01-01T09:00"}, "scheduled_at"),
        ({"message_2_delay": "2000"}, "message_2_delay"),
        ({"trigger": "words", "trigger_words": " "}, "trigger_words"),
        ({"limited": "on", "hours_days": []}, "hours_days"),
        ({"params-0-field": "password"}, "params"),
        ({"categories": ["999999"]}, "categories"),
    ],
)
def test_what_cannot_be_is_told_at_its_field(page, typed, wrong, field):
    answer = page.post(ADD, typed | wrong)
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert not Campaign.objects.exists()


def test_nobody_writes_to_another_persons_category(page, typed, user):
    foreign = Category.objects.create(name="À quelqu’un d’autre", created_by=user)
    answer = page.post(ADD, typed | {"categories": [foreign.pk]})
    assert "categories" in answer.context["adminform"].form.errors


def test_a_template_that_a_campaign_cannot_fill_in_is_refused_where_it_is_chosen(page, typed, template):
    template.header_type = "CAROUSEL"
    template.save()
    answer = page.post(ADD, typed)
    assert "CAROUSEL" in str(answer.context["adminform"].form.errors["template"])
    assert not Campaign.objects.exists()


def test_the_template_decides_the_sender_and_how_many_variables_there_are(page, typed, template):
    page.post(
        ADD, typed | {"params-1-field": "last_name", "params-1-text": "", "header_media": "https://exemple.fr/x.jpg"}
    )
    campaign = Campaign.objects.get()
    assert len(campaign.params) == template.params_count == 1
    assert campaign.header_media == ""


def test_the_live_count_is_the_audience_of_a_launch(page, typed, category):
    answer = page.post(reverse("admin:campaigns_campaign_audience"), typed | {"params-0-text": ""})
    assert not Campaign.objects.exists()
    page.post(ADD, typed | {"params-0-text": ""})
    reach = audience.count(Campaign.objects.get())
    assert (reach.total, reach.planned) == (3, 1)
    assert answer.context["reach"] == reach
    assert {cause.code: count for count, cause in answer.context["skipped"]} == reach.skipped


def test_the_live_preview_is_a_real_persons_message_and_leaves_nothing_behind(page, typed):
    answer = page.post(reverse("admin:campaigns_campaign_preview"), typed)
    assert "Bonjour <mark>Zoé</mark>, une offre vous attend." in answer.content.decode()
    assert "Merci Zoé !" in answer.content.decode()
    assert not Campaign.objects.exists()


def test_a_half_typed_form_has_a_preview_too(page, sender):
    for part in drafting.PARTS:
        answer = page.post(reverse(f"admin:campaigns_campaign_{part}"), {"name": "", "message_2_delay": "x"})
        assert answer.status_code == 200


def test_without_any_sender_the_page_says_so(page):
    answer = page.post(ADD, {"name": "Idée", "trigger": "any"})
    assert answer.context["adminform"].form.non_field_errors()
    assert page.get(ADD).status_code == 200
    for part in drafting.PARTS:
        assert page.post(reverse(f"admin:campaigns_campaign_{part}"), {}).status_code == 200


def test_a_draft_that_was_launched_meanwhile_is_not_changed(page, typed):
    page.post(ADD, typed)
    campaign = Campaign.objects.get()
    launching.launch(campaign)
    answer = page.post(change(campaign), typed | {"name": "Trop tard"}, follow=True)
    assert Campaign.objects.get().name == "Rentrée"
    assert any("vos changements" in str(told) for told in answer.context["messages"])


def test_only_a_draft_can_be_deleted(page, typed):
    page.post(ADD, typed)
    campaign = Campaign.objects.get()
    delete = reverse("admin:campaigns_campaign_delete", args=(campaign.pk,))
    launching.launch(campaign)
    assert page.post(delete, {"post": "yes"}).status_code == 403
    campaign.row.update(status=CampaignStatus.DRAFT)
    assert page.post(delete, {"post": "yes"}).status_code == 302
    assert not Campaign.objects.exists()


def test_a_copy_is_a_draft_of_its_own(page, typed, launched, marketer):
    campaign = launched(people=1, created_by=marketer)
    page.post(reverse("admin:campaigns_campaign_copy", args=(campaign.pk,)))
    copy = Campaign.objects.exclude(pk=campaign.pk).get()
    assert copy.status == CampaignStatus.DRAFT
    assert (copy.template, copy.params, copy.message_2) == (campaign.template, campaign.params, campaign.message_2)
    assert list(copy.categories.all()) == list(campaign.categories.all())
    assert not copy.messages.exists()


def test_the_moment_typed_is_in_the_readers_time_zone(page, typed):
    moment = timezone.localtime() + timedelta(days=2)
    page.post(ADD, typed | {"scheduled_at": moment.strftime("%Y-%m-%dT%H:%M")})
    assert Campaign.objects.get().scheduled_at == moment.replace(second=0, microsecond=0)


def test_the_form_offers_approved_templates_and_known_attributes(marketer, template, category):
    type(template).objects.create(
        sender=template.sender, provider_id="x", name="refuse", language="fr", status="REJECTED", body="Non"
    )
    form = type("Form", (CampaignForm,), {"user": marketer})()
    assert [value for value, _label in form.fields["template"].choices] == ["", template.pk]
    assert form.attribute_names == ["ville"]


def test_another_template_brings_its_variables_and_its_buttons(page, typed, template):
    type(template).objects.update(
        buttons=[{"kind": "QUICK_REPLY", "text": "Oui, volontiers"}, {"kind": "URL", "text": "Voir"}]
    )
    text = page.post(reverse("admin:campaigns_campaign_variables"), typed).content.decode()
    assert 'name="params-0-field"' in text
    assert 'data-insert="Oui, volontiers"' in text
    assert 'data-insert="Voir"' not in text


def test_several_senders_have_their_templates_under_their_names(marketer, sender, template):
    other = type(sender).objects.create(
        name="Autre boutique", app_name="Autre", phone_number="33700000002", api_key="x"
    )
    theirs = type(template).objects.create(
        sender=other, provider_id="y", name="autre", language="fr", status="APPROVED", body="Bonjour"
    )
    form = type("Form", (CampaignForm,), {"user": marketer})({"name": "Idée", "trigger": "any", "template": theirs.pk})
    names = [group for group, _options in form.fields["template"].choices[1:]]
    assert names == ["Boutique", "Autre boutique"]
    assert form.is_valid(), form.errors
    assert form.instance.sender == other

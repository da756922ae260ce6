"""A campaign's page and the lists: figures equal the reports, rows stay as they are, nobody sees another's campaign."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from campaigns import reports
from campaigns.admin import report, running, timeline
from campaigns.admin.rows import MessageAdmin
from campaigns.models import Attempt, Campaign, Event, Interaction, Message
from campaigns.status import CampaignStatus, Reason, Status
from contacts import exporting
from contacts.models import Contact
from whatsapp_campaigns import lists


def address(name: str, campaign: Campaign) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=(campaign.pk,))


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def page(client, user):
    client.force_login(user)
    return client


@pytest.fixture
def campaign(launched, user):
    """Twelve people in eight states."""
    made = launched(people=12, created_by=user)
    messages = list(Message.objects.order_by("id"))
    states = [Status.READ, Status.READ, Status.DELIVERED, Status.SENT, Status.SUBMITTED, Status.FAILED, Status.FAILED]
    states += [Status.UNCERTAIN, Status.UNCERTAIN, Status.CANCELLED]
    for message, status in zip(messages, states, strict=False):
        settle(message, status)
    Message.objects.filter(pk=messages[5].pk).update(error_code="131026", error_message="Undeliverable")
    Message.objects.filter(pk=messages[6].pk).update(reason=Reason.NO_MORE_TRIES)
    Message.objects.filter(pk=messages[0].pk).update(replied_at=timezone.now())
    return made


def settle(message: Message, status: Status) -> None:
    now = timezone.now()
    state = {Status.UNCERTAIN: "uncertain", Status.FAILED: "rejected"}.get(status, "accepted")
    if status is not Status.CANCELLED:
        Attempt.objects.create(
            message=message, sender=message.sender, destination=message.destination, state=state, deadline=now,
            wire_at=now, finished_at=now, provider_id=f"gs-{message.pk}" if state == "accepted" else None,
        )  # fmt: skip
    Message.objects.filter(pk=message.pk).update(status=status, next_attempt_at=None, accepted_at=now)


# -- the page


@pytest.mark.django_db
def test_the_pages_figures_are_the_reports(page, campaign):
    answer = page.get(address("change", campaign))
    assert answer.context["figures"].as_json() == reports.figures(campaign.pk).as_json()
    first = reports.figures(campaign.pk).first
    assert sum(line.count for line in answer.context["states"]) == first.planned == 12
    assert answer.context["skipped_total"] + first.planned == first.audience


@pytest.mark.django_db
def test_the_live_part_refreshes_and_brings_a_new_head_only_when_the_state_changed(page, campaign):
    seen = page.get(address("change", campaign)).context["seen"]
    assert "wc-head" not in page.get(address("live", campaign), {"seen": seen}).content.decode()
    campaign.pause()
    assert 'id="wc-head"' in page.get(address("live", campaign), {"seen": seen}).content.decode()


@pytest.mark.django_db
def test_every_cause_of_the_catalogue_has_a_sentence(page, campaign):
    causes = {line.cause.code: line.cause for line in page.get(address("change", campaign)).context["failed"]}
    assert set(causes) == {"131026", Reason.NO_MORE_TRIES}
    assert all(cause.what and cause.advice for cause in causes.values())


@pytest.mark.django_db
def test_pause_resume_and_cancel_name_who_did_it(page, campaign, user):
    page.post(address("pause", campaign))
    assert Campaign.objects.get().status == CampaignStatus.PAUSED
    page.post(address("resume", campaign))
    assert Campaign.objects.get().status == CampaignStatus.RUNNING
    assert "jamais" in page.get(address("cancel", campaign)).content.decode()
    assert Campaign.objects.get().status == CampaignStatus.RUNNING
    page.post(address("cancel", campaign))
    assert Campaign.objects.get().status == CampaignStatus.CANCELLED
    assert not Message.objects.filter(status=Status.PENDING).exists()
    deeds = set(Event.objects.filter(actor=user).values_list("verb", flat=True))
    assert {"pause", "resume", "cancel"} <= deeds


@pytest.mark.django_db
def test_a_pause_says_how_many_are_in_flight(page, campaign):
    Message.objects.filter(pk__in=[m.pk for m in Message.objects.filter(status=Status.PENDING)[:2]]).update(
        status=Status.SENDING, next_attempt_at=None
    )
    assert "Au plus 2 messages sont en vol" in running.in_flight(campaign)
    answer = page.post(address("pause", campaign), follow=True)
    assert any("en vol" in str(message) for message in answer.context["messages"])


@pytest.mark.django_db
@pytest.mark.parametrize("verb", ["pause", "resume", "copy", "draft"])
def test_looking_changes_nothing(page, campaign, verb):
    assert page.get(address(verb, campaign)).status_code == 405


@pytest.mark.django_db
def test_a_verb_that_comes_too_late_says_so(page, campaign):
    answer = page.post(address("resume", campaign), follow=True)
    assert any("Rien n’a été changé" in str(message) for message in answer.context["messages"])


# -- who sees what


PAGES = ("change", "check", "live", "cancel", "uncertain", "retry", "report", "messages")
DEEDS = ("check", "pause", "resume", "cancel", "draft", "copy", "uncertain", "retry")


@pytest.mark.django_db
def test_a_marketer_neither_sees_nor_moves_anothers_campaign(client, campaign):
    client.force_login(User.objects.create_user("lea@example.com", "x"))
    for name in PAGES:
        assert client.get(address(name, campaign)).status_code in (302, 404), name
    for name in DEEDS:
        assert client.post(address(name, campaign), {"version": campaign.version}).status_code == 404, name
    assert Campaign.objects.get().status == CampaignStatus.RUNNING
    for model in ("campaign", "message", "attempt", "interaction", "event"):
        listed = client.get(reverse(f"admin:campaigns_{model}_changelist"))
        assert listed.context["cl"].result_count == 0
    message = Message.objects.first()
    assert client.get(reverse("admin:campaigns_message_change", args=(message.pk,))).status_code == 404


@pytest.mark.django_db
def test_a_stranger_is_sent_to_the_login(client, campaign):
    for name in PAGES:
        assert "/login/" in client.get(address(name, campaign)).url


@pytest.mark.django_db
@pytest.mark.parametrize("model", ["message", "attempt", "interaction", "event"])
def test_rows_of_the_system_cannot_be_added_changed_or_deleted(page, campaign, model):
    message = Message.objects.first()
    interaction = Interaction.objects.create(
        sender=campaign.sender, campaign=campaign, interaction_type="reply", inbound_id="x", received_at=timezone.now()
    )
    attempt = Attempt.objects.first()
    row = {"message": message, "attempt": attempt, "interaction": interaction, "event": Event.objects.first()}[model]
    assert page.get(reverse(f"admin:campaigns_{model}_add")).status_code == 403
    for verb in ("change", "delete"):
        where = reverse(f"admin:campaigns_{model}_{verb}", args=(row.pk,))
        assert page.post(where, {"status": 50, "post": "yes"}).status_code in (200, 302, 403)
    before = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    row.refresh_from_db()
    assert {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields} == before


@pytest.mark.django_db
def test_a_launched_campaign_cannot_be_changed(page, campaign):
    page.post(address("change", campaign), {"name": "Autre", "trigger": "any", "message_2": "Autre"})
    after = Campaign.objects.get()
    assert (after.name, after.message_2) == (campaign.name, campaign.message_2)


# -- the lists


@pytest.mark.django_db
def test_the_list_reads_all_figures_at_once(page, campaign, make_campaign, user):
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as ran:
            assert page.get(reverse("admin:campaigns_campaign_changelist")).status_code == 200
        assert sum("campaigns_tally" in query["sql"] for query in ran.captured_queries) == 1
        return len(ran)

    one = queries()
    for _ in range(5):
        make_campaign(people=1, created_by=user)
    assert queries() == one


@pytest.mark.django_db
@pytest.mark.parametrize("typed", ["+33639000003", "06 39 00 00 03", "0033 6.39.00.00.03", "33639000003"])
def test_a_message_is_found_by_its_number_in_any_spelling(page, campaign, typed):
    found = page.get(reverse("admin:campaigns_message_changelist"), {"q": typed}).context["cl"].result_list
    assert {message.destination for message in found} == {"33639000003"}


@pytest.mark.django_db
def test_a_message_is_found_by_the_providers_id_and_by_its_own(page, campaign):
    message = Message.objects.order_by("id")[2]
    for typed in (f"gs-{message.pk}", f"#{message.pk}"):
        found = page.get(reverse("admin:campaigns_message_changelist"), {"q": typed}).context["cl"].result_list
        assert [one.pk for one in found] == [message.pk]
    assert not page.get(reverse("admin:campaigns_message_changelist"), {"q": "%"}).context["cl"].result_list


@pytest.mark.django_db
def test_a_call_is_found_by_its_number_and_by_the_providers_id(page, campaign):
    attempt = Attempt.objects.get(destination="33639000002")
    for typed in ("0639000002", f"gs-{attempt.message_id}"):
        found = page.get(reverse("admin:campaigns_attempt_changelist"), {"q": typed}).context["cl"].result_list
        assert [one.pk for one in found] == [attempt.pk]


@pytest.mark.django_db
def test_a_list_is_counted_to_a_bound_only(campaign, monkeypatch):
    monkeypatch.setattr(lists, "COUNTED", 5)
    paginator = lists.BoundedPaginator(Message.objects.order_by("-id"), 2)
    assert (paginator.count, paginator.more, paginator.num_pages) == (5, True, 3)
    assert MessageAdmin.paginator is lists.BoundedPaginator


@pytest.mark.django_db
def test_a_cause_leads_to_its_messages(page, campaign):
    where = reverse("admin:campaigns_message_changelist")
    for cause in ("131026", Reason.NO_MORE_TRIES.value):
        found = page.get(where, {"campaign__id__exact": campaign.pk, "status__exact": 35, "cause": cause})
        assert found.context["cl"].result_count == 1


@pytest.mark.django_db
def test_a_message_shows_its_text_and_its_story_in_order(page, campaign):
    message = Message.objects.order_by("id").first()
    Interaction.objects.create(
        sender=campaign.sender, campaign=campaign, message=message, contact=message.contact, interaction_type="reply",
        content="<b>oui</b>", inbound_id="in-1", received_at=timezone.now(),
    )  # fmt: skip
    answer = page.get(reverse("admin:campaigns_message_change", args=(message.pk,)))
    text = answer.content.decode()
    assert "Bonjour <mark>Prénom0</mark>, une offre vous attend." in text
    assert "&lt;b&gt;oui&lt;/b&gt;" in text
    moments = [news.at.replace(microsecond=0) for news in answer.context["news"]]  # as the page shows them
    assert moments == sorted(moments)


# -- what a person decides


@pytest.mark.django_db
def test_uncertain_messages_are_resent_only_with_a_confirmation_and_a_reason(page, campaign, user):
    one, other = Message.objects.filter(status=Status.UNCERTAIN).order_by("id")
    where = address("uncertain", campaign)
    choice = {"verb": "resend", "ids": [one.pk]}
    for step in (choice, choice | {"confirmed": "1"}, choice | {"confirmed": "1", "why": "  "}):
        page.post(where, step)
        assert Message.objects.get(pk=one.pk).status == Status.UNCERTAIN
    page.post(where, choice | {"confirmed": "1", "why": "La cliente n’a rien reçu"})
    assert Message.objects.get(pk=one.pk).status == Status.PENDING
    assert Message.objects.get(pk=other.pk).status == Status.UNCERTAIN
    event = Event.objects.get(verb="resend")
    assert (event.actor, event.message, event.details["why"]) == (user, one, "La cliente n’a rien reçu")


@pytest.mark.django_db
def test_all_uncertain_messages_can_be_given_up(page, campaign):
    page.post(address("uncertain", campaign), {"verb": "give_up", "all": "1", "confirmed": "1", "why": "Trop tard"})
    assert not Message.objects.filter(status=Status.UNCERTAIN).exists()
    assert Message.objects.filter(status=Status.FAILED, reason=Reason.GIVEN_UP).count() == 2


@pytest.mark.django_db
def test_what_is_not_uncertain_any_more_is_left_alone(page, campaign):
    read = Message.objects.filter(status=Status.READ).first()
    page.post(
        address("uncertain", campaign), {"verb": "resend", "ids": [read.pk], "confirmed": "1", "why": "Par erreur"}
    )
    assert Message.objects.get(pk=read.pk).status == Status.READ


@pytest.mark.django_db
def test_only_the_chosen_causes_are_retried(page, campaign):
    page.post(address("retry", campaign), {"codes": [Reason.NO_MORE_TRIES.value], "why": "Le réseau est revenu"})
    assert Message.objects.filter(status=Status.FAILED).get().error_code == "131026"


@pytest.mark.django_db
def test_who_opted_out_is_not_offered_a_retry(page, campaign):
    Message.objects.filter(status=Status.FAILED).update(error_code="1012")
    page.post(address("retry", campaign), {"codes": ["1012"], "why": "Essai"})
    assert Message.objects.filter(status=Status.FAILED).count() == 2


# -- exports


def rows_of(answer) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text), delimiter=";"))


@pytest.mark.django_db
def test_the_exported_report_says_what_the_page_says(page, campaign):
    rows = rows_of(page.get(address("report", campaign)))
    first = reports.figures(campaign.pk).first
    numbers = {row[0]: row[1] for row in rows if len(row) > 1}
    assert numbers["Prévus"] == str(first.planned)
    assert numbers["Acceptés"] == str(first.accepted)
    assert [float(row[3]) for row in rows if row[:1] == ["Distribués, sur les acceptés"]] == [
        first.reached and reports.figures(campaign.pk).rates["delivery"].percent
    ]


@pytest.mark.django_db
def test_every_message_is_one_row_of_the_export_and_the_export_is_in_the_journal(page, campaign, user):
    Contact.objects.filter(number="+33639000001").update(first_name='=HYPERLINK("http://mal.example")', last_name="@x")
    rows = rows_of(page.get(address("messages", campaign)))
    assert len(rows) == 1 + Message.objects.count()
    assert rows[2][2:4] == ['\'=HYPERLINK("http://mal.example")', "'@x"]
    assert Event.objects.get(verb="export").actor == user


@given(st.text(max_size=20) | st.from_regex(r"\A\s*[=+\-@]", fullmatch=False))
def test_no_cell_begins_like_a_formula(value):
    cell = exporting.safe(value)
    assert not cell.lstrip().startswith(("=", "+", "-", "@"))
    assert cell in (value, f"'{value}")


def test_shares_have_a_denominator_or_are_zero():
    assert report.share(1, 0) == 0.0
    assert report.share(1, 4) == 25.0


def test_within_one_second_a_message_takes_its_usual_course(page, campaign):
    """Reports tell whole seconds: 'read' may seem older than the call."""
    message = campaign.messages.filter(status=Status.READ).first()
    second = timezone.now().replace(microsecond=0)
    Message.objects.filter(pk=message.pk).update(sent_at=second, delivered_at=second, read_at=second)
    message.attempts.update(
        started_at=second + timedelta(milliseconds=300), finished_at=second + timedelta(milliseconds=400)
    )
    message.refresh_from_db()
    at_once = [news.step for news in timeline.of_message(message) if news.at.replace(microsecond=0) == second]
    assert at_once == sorted(at_once)
    assert {1, 2, 4, 5, 6} <= set(at_once)

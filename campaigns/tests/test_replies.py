"""An answer in the window brings Message 2, once; all others are recorded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import ingest, invariants, replies
from campaigns.models import Interaction, Message
from campaigns.status import Kind, Reason, Status
from campaigns.tests.provider import accepted, now_ms, read_inbox, report, says
from contacts.models import Contact
from gupshup.models import Callback

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(launched):
    launched(people=1)
    message = Message.objects.get()
    accepted(message, "gs-1")
    return message


def second():
    return Message.objects.filter(message_type=Kind.MESSAGE_2).first()


def test_an_answer_queues_message_2_with_the_persons_variables(sender, first):
    """Validates: 4.3, 4.4"""
    says(sender, first.destination)
    read_inbox()
    message = second()
    assert (message.content, message.destination, message.status) == (
        "Merci Prénom0 !",
        first.destination,
        Status.PENDING,
    )
    assert timedelta(hours=23, minutes=59) < message.expires_at - timezone.now() <= timedelta(hours=24)
    first.refresh_from_db()
    assert (first.status, first.replied_at is not None) == (Status.DELIVERED, True)
    assert Interaction.objects.get().triggered


@pytest.mark.django_db(transaction=True)
def test_fifty_answers_at_once_bring_one_message_2(sender, first):
    """Validates: 4.4"""
    for _ in range(50):
        says(sender, first.destination)

    def work(_):
        try:
            read_inbox()
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    read_inbox()
    assert Message.objects.filter(message_type=Kind.MESSAGE_2).count() == 1
    assert Interaction.objects.count() == 50
    assert not any(invariants.check().values())


def test_the_same_message_told_twice_is_one_interaction(sender, first):
    says(sender, first.destination, wamid="wamid.same", at_ms=now_ms())
    says(sender, first.destination, wamid="wamid.same", at_ms=now_ms() + 5)
    read_inbox()
    assert Interaction.objects.count() == 1


def test_the_quoted_message_decides_and_not_the_newest(sender, first, launched):
    newer = launched(people=1)
    other = Message.objects.get(campaign=newer)
    Message.objects.filter(pk=other.pk).update(contact=first.contact)
    accepted(other)
    says(sender, first.destination, quotes="gs-1")
    read_inbox()
    assert second().campaign_id == first.campaign_id


def test_without_a_quote_the_newest_message_1_in_the_window_decides(sender, first, launched):
    """Validates: 4.3"""
    newer = launched(people=1)
    other = Message.objects.get(campaign=newer)
    Message.objects.filter(pk=other.pk).update(contact=first.contact)
    accepted(other)
    says(sender, first.destination)
    read_inbox()
    assert second().campaign_id == newer.pk


def test_an_answer_after_the_window_is_late_and_sends_nothing(sender, first):
    Message.objects.update(accepted_at=timezone.now() - timedelta(hours=25))
    says(sender, first.destination)
    read_inbox()
    assert second() is None
    assert Interaction.objects.get().late
    first.refresh_from_db()
    assert (first.replied_at, first.status) == (None, Status.DELIVERED)


@pytest.mark.parametrize(
    "word", ["STOP", "stop !", "Arrêt", "ARRET", "🛑 Stop 🛑", "désabonner", "Unsubscribe", " STOP PUB. "]
)
def test_a_stop_word_opts_out_and_cancels_what_waits(sender, first, word):
    says(sender, first.destination, "Oui")
    read_inbox()
    says(sender, first.destination, word)
    read_inbox()
    contact = Contact.objects.get(pk=first.contact_id)
    assert contact.opted_out_at is not None
    assert contact.consents.get().evidence == word.strip() or contact.consents.get().evidence == word
    assert (second().status, second().reason) == (Status.CANCELLED, Reason.OPTED_OUT)
    first.refresh_from_db()
    assert first.opted_out_at is not None


@pytest.mark.parametrize("text", ["Ne stoppez pas", "stop ou encore ?", "arrêt de bus ?", "Je veux m'arrêter"])
def test_a_stop_word_inside_a_sentence_opts_nobody_out(sender, first, text):
    says(sender, first.destination, text)
    read_inbox()
    assert Contact.objects.get(pk=first.contact_id).opted_out_at is None
    assert second() is not None


def test_start_undoes_an_opt_out(sender, first):
    says(sender, first.destination, "STOP")
    read_inbox()
    says(sender, first.destination, "START")
    read_inbox()
    contact = Contact.objects.get(pk=first.contact_id)
    assert contact.opted_out_at is None
    assert [event.kind for event in contact.consents.order_by("id")] == ["out", "in"]


def test_a_stranger_is_recorded_and_a_stop_of_a_stranger_is_honoured(sender):
    """Validates: 4.5"""
    says(sender, "33699999999", "STOP")
    read_inbox()
    assert Contact.objects.get(number="+33699999999").opted_out_at is not None
    assert Interaction.objects.count() == 1


def test_an_answer_quoting_an_unknown_id_adopts_the_uncertain_message(sender, launched):
    launched(people=1)
    message = Message.objects.get()
    attempt = accepted(message)
    Message.objects.update(status=Status.UNCERTAIN, accepted_at=None)
    type(attempt).objects.update(state="uncertain", provider_id=None)
    says(sender, message.destination, quotes="gs-unknown")
    read_inbox()
    message.refresh_from_db()
    assert (message.status, message.whatsapp_message_id) == (Status.DELIVERED, "gs-unknown")
    assert second() is not None


@pytest.mark.parametrize(
    ("trigger", "words", "text", "expected"),
    [
        ("any", "", "peu importe", True),
        ("words", "oui\nok", "Oui, volontiers", True),
        ("words", "oui\nok", "non merci", False),
        ("words", "oui", "ouistiti", False),
        ("button", "En savoir plus", "En savoir plus", False),
    ],
)
def test_the_rule_says_which_answers_bring_message_2(sender, launched, trigger, words, text, expected):
    launched(people=1, trigger=trigger, trigger_words=words)
    message = Message.objects.get()
    accepted(message)
    says(sender, message.destination, text)
    read_inbox()
    assert (second() is not None) is expected
    assert Interaction.objects.get().triggered is expected


def test_a_delay_holds_message_2_back(sender, launched):
    launched(people=1, message_2_delay=30)
    message = Message.objects.get()
    accepted(message)
    says(sender, message.destination)
    read_inbox()
    assert second().next_attempt_at > timezone.now() + timedelta(minutes=29)


def test_message_2_expires_with_the_window(sender, first):
    says(sender, first.destination)
    read_inbox()
    Message.objects.filter(message_type=Kind.MESSAGE_2).update(expires_at=timezone.now())
    assert replies.expire() == 1
    assert (second().status, second().reason) == (Status.CANCELLED, Reason.WINDOW_CLOSED)


def test_a_person_without_a_number_is_attributed_by_the_quote(sender, first):
    from campaigns.tests.provider import post

    post(
        sender,
        {
            "app": "DemoApp",
            "timestamp": now_ms(),
            "version": 2,
            "type": "message",
            "payload": {
                "id": "wamid.nophone",
                "source": "",
                "type": "text",
                "payload": {"text": "Oui"},
                "sender": {"name": "Awa", "userId": "FR.1234567890"},
                "context": {"id": "x", "gsId": "gs-1"},
            },
        },
    )
    read_inbox()
    interaction = Interaction.objects.get()
    assert interaction.message_id == first.pk
    assert Contact.objects.get(pk=first.contact_id).whatsapp_user_id == "FR.1234567890"
    assert second().destination == first.destination


def test_metas_own_opt_out_is_followed(sender, first):
    from campaigns.tests.provider import post

    post(
        sender,
        {
            "app": "DemoApp",
            "timestamp": now_ms(),
            "version": 2,
            "type": "preference-event",
            "payload": {
                "type": "user_preferences",
                "payload": {
                    "user_preferences": [
                        {
                            "wa_id": first.destination,
                            "category": "marketing_messages",
                            "value": "stop",
                            "timestamp": now_ms(),
                        }
                    ]
                },
            },
        },
    )
    read_inbox()
    assert Contact.objects.get(pk=first.contact_id).opt_out_source == "meta"


def test_an_answer_before_any_report_raises_the_message_to_delivered_for_good(sender, first):
    says(sender, first.destination)
    read_inbox()
    report(sender, "sent", gs_id="gs-1", other="wa")
    read_inbox()
    first.refresh_from_db()
    assert first.status == Status.DELIVERED


def test_who_could_not_be_reached_and_answers_all_the_same_gets_message_2(sender, first):
    """131026 may be followed by a delivery, and the answer may overtake it."""
    report(sender, "failed", gs_id="gs-1", code=131026)
    says(sender, first.destination)
    read_inbox()
    first.refresh_from_db()
    assert (first.status, first.error_code) == (Status.DELIVERED, "")
    assert second() is not None


def test_an_answer_to_nothing_revives_no_failed_message(sender, first):
    report(sender, "failed", gs_id="gs-1", code=131049)
    says(sender, first.destination)
    read_inbox()
    first.refresh_from_db()
    assert first.status == Status.FAILED
    assert second() is None


@pytest.mark.parametrize("order", [("STOP", "START"), ("START", "STOP")])
def test_what_a_person_said_last_stands_whatever_arrives_first(sender, first, order):
    moments = {"STOP": now_ms() - 60_000, "START": now_ms() - 30_000}
    for word in order:
        says(sender, first.destination, word, at_ms=moments[word])
        read_inbox()
    assert Contact.objects.get(pk=first.contact_id).opted_out_at is None
    first.refresh_from_db()
    assert first.opted_out_at is not None  # it counts as an opt-out of this campaign all the same


def test_a_days_callbacks_read_again_change_nothing(sender, first):
    for word in ("Oui", "STOP", "START", "Merci"):
        says(sender, first.destination, word)
        read_inbox()
    report(sender, "read", gs_id="gs-1", other="wa")
    read_inbox()
    keep = ("updated_at",)
    before = [{**row, **dict.fromkeys(keep)} for row in Message.objects.order_by("id").values()]
    contact = Contact.objects.values().get(pk=first.contact_id)
    Callback.objects.replay()
    read_inbox()
    assert [{**row, **dict.fromkeys(keep)} for row in Message.objects.order_by("id").values()] == before
    after = Contact.objects.values().get(pk=first.contact_id)
    assert {**contact, **dict.fromkeys(keep)} == {**after, **dict.fromkeys(keep)}
    assert Interaction.objects.count() == 4


def open_call(message):
    """A call that the provider may have taken: begun, marked, not answered."""
    now = timezone.now()
    Message.objects.filter(pk=message.pk).update(status=Status.UNCERTAIN, next_attempt_at=None)
    return message.attempts.create(
        sender=message.sender, destination=message.destination, state="uncertain", deadline=now, wire_at=now
    )


def read_again():
    Callback.objects.filter(due_at__isnull=False).update(due_at=timezone.now())
    read_inbox()


def test_an_answer_that_overtakes_its_calls_outcome_waits_for_it(sender, launched):
    launched(people=1)
    message = Message.objects.get()
    open_call(message)
    says(sender, message.destination)
    read_inbox()
    assert not Interaction.objects.exists()
    report(sender, "enqueued", gs_id="gs-1", destination=message.destination)
    read_inbox()
    read_again()
    message.refresh_from_db()
    assert (message.status, message.replied_at is not None) == (Status.DELIVERED, True)
    assert second() is not None


def test_an_answer_waits_no_longer_than_news_may_take(sender, launched):
    launched(people=1)
    message = Message.objects.get()
    open_call(message)
    says(sender, message.destination)
    for _ in range(len(ingest.PATIENCE) + 1):
        read_again()
    message.refresh_from_db()
    assert (message.status, Interaction.objects.get().campaign) == (Status.UNCERTAIN, None)


def test_a_wish_to_be_left_in_peace_never_waits(sender, launched):
    launched(people=1)
    message = Message.objects.get()
    open_call(message)
    says(sender, message.destination, "STOP")
    read_inbox()
    assert Contact.objects.get(number=f"+{message.destination}").opted_out_at is not None


def test_a_wish_to_be_left_in_peace_counts_for_its_campaign_once_the_call_is_known(sender, launched):
    launched(people=1)
    message = Message.objects.get()
    open_call(message)
    says(sender, message.destination, "STOP")
    read_inbox()
    report(sender, "delivered", gs_id="gs-late", other="wa", destination=message.destination)
    read_again()
    read_again()
    message.refresh_from_db()
    assert message.replied_at is not None
    assert message.opted_out_at is not None
    assert Contact.objects.get(pk=message.contact_id).consents.count() == 1

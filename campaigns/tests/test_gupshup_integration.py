"""The whole way, over real HTTP in both directions: campaign → send → webhook → Message 2 → statistics.

The provider is the bundled simulator in its own process; our web server is Django's live server. Requirement 10.
"""

from __future__ import annotations

import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from campaigns import ingest, invariants, launching, reports, sending, sweeping
from campaigns.models import Interaction, Message
from campaigns.status import CampaignStatus, Kind, Status
from conftest import wait_for
from contacts.models import Contact
from gupshup.api.responses import Outcome
from gupshup.models import Callback
from gupshup.services import service_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def webhook(live_server, sender):
    """The address that the provider calls."""
    return f"{live_server.url}/api/webhooks/gupshup/{sender.webhook_secret}"


def post(url, body, content_type="application/json", **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        with urlopen(Request(url, data, {"Content-Type": content_type, **headers}), timeout=10) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, error.read()


def work(sender, simulator, seconds=60):
    """What worker and beat do, until all is quiet."""

    def quiet():
        sweeping.sweep()
        sending.drain(sender, seconds=5)
        waits = Message.objects.filter(next_attempt_at__isnull=False).exists()
        queue = simulator.get("/queue?horizon=20")
        inbox = Callback.objects.filter(state=Callback.State.NEW).exists()
        return not waits and not inbox and queue["pending_callbacks"] == queue["scheduled"] == 0

    wait_for(quiet, seconds)
    ingest.run()


def test_a_template_is_sent(gupshup, sender, template):
    """Validates: 2.1, 2.2, 2.4, 2.5"""
    simulator = gupshup()
    template.refresh_from_db()
    response = service_for(sender).send_template("33639000001", template.provider_id, ["Awa"])
    assert (response.success, response.outcome) == (True, Outcome.ACCEPTED)
    (sent,) = simulator.get("/ledger")["accepted"]
    assert (sent["destination"], sent["params"], sent["message_id"]) == ("33639000001", ["Awa"], response.message_id)


def test_a_text_is_sent_unchanged(gupshup, sender):
    """Validates: 3.1, 3.2, 3.4, 3.5"""
    simulator = gupshup()
    text = "Ça marche ? 🎉\n« oui » & 100 % <b>"
    response = service_for(sender).send_text_message("+33639000001", text)
    assert response.success
    (sent,) = simulator.get("/ledger")["accepted"]
    assert (
        json.loads(sent["message"])["text"] == text
        if isinstance(sent["message"], str)
        else sent["message"]["text"] == text
    )


def test_a_number_leaves_without_plus(gupshup, sender, template):
    """Validates: 2.3"""
    simulator = gupshup()
    template.refresh_from_db()
    service_for(sender).send_template("+33 6 39 00 00 01", template.provider_id, ["Awa"])
    assert simulator.get("/ledger")["accepted"][0]["destination"] == "33639000001"


def test_an_inbound_message_is_kept_at_once_and_recorded_later(webhook):
    """Validates: 4.1, 4.5, 4.6"""
    body = {
        "app": "DemoApp",
        "timestamp": 1790000000000,
        "version": 2,
        "type": "message",
        "payload": {
            "id": "wamid.invented1",
            "source": "33639009999",
            "type": "text",
            "payload": {"text": "Bonjour"},
            "sender": {"phone": "33639009999", "name": "Inconnue"},
        },
    }
    assert post(webhook, body) == (200, b"")
    assert Callback.objects.get().raw
    assert ingest.run() == 1
    interaction = Interaction.objects.get()
    assert (interaction.content, interaction.contact.number) == ("Bonjour", "+33639009999")
    post(webhook, body)
    ingest.run()
    assert Interaction.objects.count() == 1
    assert Callback.objects.get().copies == 2


@pytest.mark.parametrize("word", ["enqueued", "sent", "delivered", "read", "failed"])
def test_a_status_reaches_its_message(webhook, launched, sender, word):
    """Validates: 5.1, 5.2, 5.3, 5.4, 5.5"""
    launched(people=1)
    message = Message.objects.get()
    Message.objects.update(status=Status.SUBMITTED, next_attempt_at=None, whatsapp_message_id="gs-1")
    message.attempts.create(
        sender=sender,
        destination=message.destination,
        state="accepted",
        provider_id="gs-1",
        deadline=message.created_at,
    )
    payload = {"id": "gs-1", "type": word, "destination": message.destination, "payload": {"ts": 1790000000}}
    if word == "failed":
        payload["payload"] = {"code": 131026, "reason": "Message undeliverable"}
    elif word != "enqueued":
        payload |= {"id": "other-id", "gsId": "gs-1"}
    post(
        webhook,
        {"app": "DemoApp", "timestamp": 1790000000500, "version": 2, "type": "message-event", "payload": payload},
    )
    ingest.run()
    message.refresh_from_db()
    expected = {
        "enqueued": Status.SUBMITTED,
        "sent": Status.SENT,
        "delivered": Status.DELIVERED,
        "read": Status.READ,
        "failed": Status.FAILED,
    }
    assert message.status == expected[word]
    if word == "failed":
        assert (message.error_code, message.error_message) == ("131026", "Message undeliverable")


def test_without_the_secret_nothing_is_kept(live_server, webhook):
    for url in (
        webhook + "x",
        f"{live_server.url}/api/webhooks/gupshup",
        f"{live_server.url}/webhooks/gupshup?token=no",
    ):
        assert post(url, {"type": "message"})[0] == 401
    assert not Callback.objects.exists()


def test_the_secret_may_come_in_a_header_or_the_query(live_server, sender):
    secret = sender.webhook_secret
    assert post(f"{live_server.url}/webhooks/gupshup?token={secret}", {"n": 1})[0] == 200
    assert post(f"{live_server.url}/api/webhooks/gupshup", {"n": 2}, **{"X-Webhook-Secret": secret})[0] == 200
    assert Callback.objects.count() == 2


def test_the_whole_way(gupshup, webhook, make_campaign, sender):
    """Validates: 2.5, 4.2, 4.3, 4.4, 4.5, 5.6, 6.6"""
    simulator = gupshup("--webhook", webhook, "--speed", "200", "--seed", "7", "--behaviour", "lively")
    campaign = make_campaign(people=60, message_2="Merci {{1}} !")
    assert launching.launch(campaign)
    work(sender, simulator)
    campaign.refresh_from_db()
    figures = reports.figures(campaign.pk)
    ledger = simulator.get("/ledger/summary")
    assert campaign.status == CampaignStatus.FINISHED
    assert figures.first.planned == 60
    assert figures.first.replied > 0
    assert figures.second.accepted > 0
    assert ledger["max_templates_per_destination"] == 1
    assert ledger["max_sessions_per_destination"] <= 1
    assert (
        ledger["accepted_session"]
        == Message.objects.filter(message_type=Kind.MESSAGE_2).exclude(accepted_at=None).count()
    )
    assert not any(invariants.check(campaign.pk).values())
    assert Contact.objects.filter(opted_out_at__isnull=False).count() == figures.first.opted_out

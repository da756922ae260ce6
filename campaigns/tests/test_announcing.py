"""What happens in campaigns is told to other programs, in the transaction in which it happens."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import announcing, ingest, launching
from campaigns.models import Campaign, Interaction, Message
from campaigns.status import CampaignStatus, Kind, Status
from contacts.models import Contact
from gupshup.models import Callback
from hooks.models import CHOSEN, Delivery, Endpoint

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def listener(db):
    endpoint = Endpoint(name="caisse", url="https://example.com/", events=[value for value, _ in CHOSEN])
    endpoint.issue()
    endpoint.save()
    return endpoint


def told(kind: str) -> list[dict]:
    return [json.loads(delivery.body) for delivery in Delivery.objects.filter(kind=kind).order_by("id")]


def hear(sender, text: str, phone: str = "33639000000", message_id: str = "in-1") -> None:
    """An answer arrives, in Gupshup's second layout, and is read."""
    said = {
        "app": sender.app_name,
        "timestamp": int(timezone.now().timestamp() * 1000),
        "version": 2,
        "type": "message",
        "payload": {
            "id": message_id,
            "source": phone,
            "type": "text",
            "payload": {"text": text},
            "sender": {"phone": phone, "name": "Awa", "country_code": "33", "dial_code": phone[2:]},
        },
    }
    raw = json.dumps(said).encode()
    Callback.objects.create(sender=sender, raw=raw, digest=sha256(raw).digest(), content_type="application/json")
    Callback.objects.all().replay()
    ingest.run()


def test_an_answer_is_told_with_who_and_to_what(sender, launched, listener):
    campaign = launched(people=1)
    Message.objects.update(status=Status.DELIVERED, next_attempt_at=None, accepted_at=timezone.now())
    hear(sender, "Oui, où ?")
    (said,) = told("reply.received")
    contact = Contact.objects.get(number="+33639000000")
    assert said["data"]["interaction"]["content"] == "Oui, où ?"
    assert said["data"]["contact"]["id"] == contact.pk
    assert said["data"]["campaign"] == {"id": campaign.pk, "name": campaign.name}
    announcing.answered(Callback.objects.values_list("pk", flat=True))
    assert len(told("reply.received")) == 1
    assert told("contact.opted_out") == []


def test_an_opt_out_is_told_however_it_came(sender, launched, listener, user):
    launched(people=2)
    hear(sender, "STOP")
    Contact.objects.filter(number="+33639000001").opt_out("admin", "au téléphone", user)
    Contact.objects.filter(number="+33639000001").opt_out("admin", "encore", user)
    first, second = told("contact.opted_out")
    assert (first["data"]["contact"]["full_number"], first["data"]["source"]) == ("+33639000000", "word")
    assert (second["data"]["contact"]["full_number"], second["data"]["source"]) == ("+33639000001", "admin")
    assert len(told("reply.received")) == 1


def test_the_end_of_a_campaign_is_told_with_its_figures(launched, listener):
    campaign = launched(people=3)
    Message.objects.update(status=Status.DELIVERED, next_attempt_at=None)
    assert launching.finish_done() == 1
    assert launching.finish_done() == 0
    (said,) = told("campaign.finished")
    assert said["data"]["campaign"]["status"] == "completed"
    assert said["data"]["campaign"]["delivered_count"] == 3
    assert said["data"]["figures"]["audience"] == 3
    assert Campaign.objects.get(pk=campaign.pk).status == CampaignStatus.FINISHED


def test_a_fault_in_telling_holds_up_nothing(sender, launched, listener, monkeypatch):
    launched(people=1)
    monkeypatch.setattr(announcing.outbox, "tell", lambda *_: 1 / 0)
    hear(sender, "STOP")
    Message.objects.filter(message_type=Kind.MESSAGE_1).update(status=Status.FAILED, next_attempt_at=None)
    assert Interaction.objects.count() == 1
    assert Contact.objects.filter(opted_out_at__isnull=False).count() == 1
    assert launching.finish_done() == 1


def test_where_nobody_listens_a_batch_costs_one_query_more_and_no_row(sender, launched):
    launched(people=1)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        hear(sender, "Bonjour")
    assert len([query for query in asked if "hooks_" in query["sql"]]) == 1
    assert not Delivery.objects.exists()

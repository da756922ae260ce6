"""Outgoing webhooks over HTTP: the secret once, addresses that will be called, deliveries again."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection
from rest_framework.test import APIClient

from hooks import delivering
from hooks.models import Delivery, Endpoint

pytestmark = pytest.mark.django_db(transaction=True)
ENDPOINTS = "/api/webhook-endpoints"


@pytest.fixture
def chief(user):
    client = APIClient(headers={"Accept-Language": "en"})
    client.force_authenticate(user)
    return client


def make(chief, **fields):
    body = {"name": "CRM", "url": "https://crm.example.com/hook", "events": ["reply.received"], **fields}
    return chief.post(ENDPOINTS, body, format="json")


def test_the_secret_is_in_the_answer_that_makes_it_and_nowhere_else(chief):
    made = make(chief)
    secret = made.json()["secret"]
    one = f"{ENDPOINTS}/{made.json()['id']}"
    assert secret.startswith("whsec_")
    assert "secret" not in chief.get(one).json()
    assert "secret" not in chief.get(ENDPOINTS).json()["results"][0]
    new = chief.post(f"{one}/secret", {}, format="json").json()
    assert new["secret"] not in ("", secret)
    with connection.cursor() as cursor:
        cursor.execute("SELECT e::text FROM hooks_endpoint e")
        kept = cursor.fetchone()[0]
    assert secret not in kept
    assert new["secret"] not in kept


def test_a_repeated_request_makes_one_endpoint_and_keeps_no_secret(chief, capsys):
    body = {"name": "CRM", "url": "https://crm.example.com/hook", "events": ["reply.received"]}
    first, second = (chief.post(ENDPOINTS, body, format="json", headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, second.status_code, Endpoint.objects.count()) == (201, 201, 1)
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["secret"]
    assert second.json()["secret"] == ""
    call_command("dumpdata", "accounts")
    assert first.json()["secret"] not in capsys.readouterr().out


@pytest.mark.parametrize("url", ["http://example.com/", "https://169.254.169.254/", "https://u:p@example.com/", "x"])
def test_an_address_that_will_never_be_called_is_refused(chief, settings, url):
    settings.HOOKS_ALLOWED_NETWORKS = []
    answer = make(chief, url=url)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_address")
    assert answer.json()["errors"]["url"]


@pytest.mark.parametrize("events", [[], ["webhook.trial"], ["nonsense"], "reply.received"])
def test_only_what_can_be_told_may_be_chosen(chief, events):
    assert make(chief, events=events).status_code == 400


def test_a_trial_is_delivered_and_can_be_delivered_again(chief, receiver):
    server = receiver()
    endpoint = make(chief, url=server.url()).json()
    trial = chief.post(f"{ENDPOINTS}/{endpoint['id']}/trial", {}, format="json")
    assert (trial.status_code, trial.json()["state"]) == (202, "waiting")
    delivering.run()
    one = f"/api/webhook-deliveries/{trial.json()['id']}"
    shown = chief.get(one).json()
    assert (shown["state"], shown["log"][0]["status"], shown["kind"]) == ("delivered", 204, "webhook.trial")
    assert chief.post(f"{one}/redeliver", {}, format="json").status_code == 202
    delivering.run()
    assert len(server.requests) == 2
    assert chief.get(f"/api/webhook-deliveries?state=delivered&endpoint_id={endpoint['id']}").json()["count"] == 1
    assert chief.post("/api/webhook-deliveries/999999/redeliver", {}, format="json").status_code == 404
    assert Delivery.objects.count() == 1


def test_what_was_switched_off_is_switched_on_again(chief):
    pk = make(chief).json()["id"]
    Endpoint.objects.update(active=False, disabled_reason="failing", failures=9)
    assert chief.get(f"{ENDPOINTS}/{pk}").json()["state"] == "disabled"
    on = chief.patch(f"{ENDPOINTS}/{pk}", {"active": True}, format="json").json()
    assert (on["state"], on["disabled_reason"]) == ("active", "")
    assert Endpoint.objects.get().failures == 0

"""Monitoring reads what waits and what is wrong; strangers read nothing, and no figure names a person."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import ApiKey, User
from campaigns import sweeping
from campaigns.models import Attempt, Message
from campaigns.status import Status
from hooks import outbox
from hooks.models import Endpoint
from metrics import registry
from metrics.registry import Gauge, text

TOKEN = "a-token-for-monitoring"
LINE = re.compile(r'([a-z_]+)(\{([a-z_]+="(\\.|[^"\\\n])*",?)*\})? (-?[0-9.e+-]+)')


@pytest.fixture
def scrape(db, client, settings):
    settings.METRICS_TOKEN = TOKEN

    def read() -> dict[str, float]:
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
        assert all(LINE.fullmatch(line) for line in lines)
        return {line.rpartition(" ")[0].removeprefix(registry.PREFIX): float(line.rpartition(" ")[2]) for line in lines}

    return read


@pytest.mark.parametrize("word", ["", "Bearer", "Bearer x", "Bearer ", "Basic eA==", "Api-Key wck_x", "Bearer é"])
def test_strangers_read_nothing(db, client, settings, word):
    for token in ("", TOKEN):
        settings.METRICS_TOKEN = token
        answer = client.get("/metrics", headers={"Authorization": word})
        assert answer.status_code == 401
        assert b"campaigns_" not in answer.content


@pytest.mark.parametrize(("role", "status"), [("super_admin", 200), ("admin", 401)])
def test_a_super_admins_key_opens_it_too(db, client, role, status):
    user = User.objects.create_user("a@example.com", "un mot de passe 42", role=role)
    key = ApiKey(name="prometheus", user=user, scope="read")
    secret = key.issue()
    key.save()
    assert client.get("/metrics", headers={"Authorization": f"Api-Key {secret}"}).status_code == status


def test_it_answers_by_address_and_without_https_as_probes_do(scrape, client, settings):
    settings.SECURE_SSL_REDIRECT, settings.ALLOWED_HOSTS = True, ["example.com"]
    assert scrape()['collector_up{collector="campaigns"}'] == 1


def test_the_figures_are_those_of_the_rows(scrape, launched, sender):
    launched(people=5)
    first, second, *_ = Message.objects.order_by("id")
    Message.objects.filter(pk=first.pk).update(status=Status.UNCERTAIN, next_attempt_at=None)
    Message.objects.filter(pk=second.pk).update(next_attempt_at=timezone.now() - timezone.timedelta(seconds=90))
    Attempt.objects.create(
        message=first, sender=sender, destination="x", wire_at=timezone.now(), deadline=timezone.now()
    )
    found = scrape()
    assert found['messages{sender="Boutique",message="message_1",state="pending"}'] == 4
    assert found['messages{sender="Boutique",message="message_1",state="uncertain"}'] == 1
    assert 90 <= found['oldest_due_seconds{sender="Boutique"}'] < 100
    assert found['calls_last_minute{sender="Boutique"}'] == 1
    assert found['pace_allowed_per_minute{sender="Boutique"}'] == 60_000
    assert found['campaigns{state="running"}'] == 1
    assert found["callbacks_waiting"] == found["callbacks_set_aside"] == 0


def test_a_broken_promise_and_a_stopped_sender_show(scrape, launched, sender, caplog):
    launched(people=1)
    Message.objects.update(status=Status.UNCERTAIN, next_attempt_at=None)  # without a call
    type(sender).objects.update(breaker="open", pace_factor=2)
    sweeping.self_check()
    found = scrape()
    assert found['invariant_offences{invariant="uncertain_has_attempt"}'] == 1
    assert found['invariant_offences{invariant="person_once"}'] == 0
    assert abs(found['self_check_timestamp_seconds{invariant="person_once"}'] - timezone.now().timestamp()) < 60
    assert found['sender_stopped{sender="Boutique"}'] == 1
    assert found['pace_allowed_per_minute{sender="Boutique"}'] == 30_000


def test_outgoing_webhooks_in_trouble_show(scrape):
    endpoint = Endpoint(name="x", url="https://example.com", events=[], active=False, disabled_reason="gone")
    endpoint.issue()
    endpoint.save()
    outbox.trial(endpoint)
    found = scrape()
    assert (found["hook_deliveries_waiting"], found['hook_endpoints{state="disabled"}']) == (1, 1)


def test_a_part_that_fails_hides_no_other(scrape, monkeypatch):
    monkeypatch.setitem(registry._collectors, "broken", lambda: [1 // 0])
    found = scrape()
    assert found['collector_up{collector="broken"}'] == 0
    assert 'campaigns{state="running"}' in found


@given(label=st.text(), value=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53))
def test_any_label_and_value_makes_one_readable_line(label, value):
    *_, line = text([Gauge("x", "About\nthis", [({"name": label}, value)])]).split("\n")[:-1]
    escaped = label.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    assert line.startswith(f'{registry.PREFIX}x{{name="{escaped}"}} ')
    assert float(line.rpartition(" ")[2]) == value

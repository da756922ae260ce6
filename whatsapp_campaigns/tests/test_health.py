from __future__ import annotations

import socket
import time

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from whatsapp_campaigns import health


@pytest.fixture(autouse=True)
def _own_checks(monkeypatch):
    monkeypatch.setattr(health, "_checks", {})


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_the_process_is_up_whatever_the_database_does(client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.django_db(transaction=True)
def test_ready_with_a_database_that_is_up_to_date(client):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "checks": {"database": "ok", "migrations": "ok"}}


@pytest.mark.django_db(transaction=True)
def test_not_ready_without_a_database_and_quick_to_say_so(client, monkeypatch, closed_port):
    monkeypatch.setitem(connection.settings_dict, "PORT", closed_port)
    started = time.monotonic()
    answer = client.get("/readyz")
    assert time.monotonic() - started < 2 * health.CONNECT_SECONDS
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "checks": {"database": "no answer"}}


@pytest.mark.django_db(transaction=True)
def test_not_ready_while_a_migration_is_missing(client):
    newest = MigrationRecorder.Migration.objects.filter(app="accounts").latest("id")
    newest.delete()
    try:
        assert client.get("/readyz").json()["checks"]["migrations"] == "1 to apply"
    finally:
        newest.save(force_insert=True)


@pytest.mark.django_db(transaction=True)
def test_an_app_adds_its_own_question(client):
    health.register("figures", lambda: "")
    assert client.get("/readyz").json()["checks"]["figures"] == "ok"
    health.register("figures", lambda: "2 differ")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["figures"] == "2 differ"


@pytest.mark.django_db(transaction=True)
def test_a_question_that_breaks_is_trouble_without_its_words(client):
    health.register("figures", lambda: 1 // 0)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["figures"] == "ZeroDivisionError"


def test_probes_come_by_any_host_name_and_without_https(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/healthz", headers={"Host": "10.1.2.3:8000"}).status_code == 200


def test_probes_are_read_only(client):
    assert client.post("/healthz").status_code == 404

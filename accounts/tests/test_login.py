from __future__ import annotations

import pytest
from django.contrib.auth import get_user

from accounts.clients import address
from accounts.tests.conftest import PASSWORD

LOGIN = "/admin/login/?next=/admin/"
pytestmark = pytest.mark.django_db


def log_in(client, email, password=PASSWORD, **extra):
    return client.post(LOGIN, {"username": email, "password": password}, **extra)


@pytest.mark.parametrize("typed", ["marketer@example.com", "Marketer@Example.COM", "  marketer@example.com "])
def test_a_person_logs_in_with_an_e_mail_however_it_is_typed(client, marketer, typed):
    assert log_in(client, typed).headers["Location"] == "/admin/"
    assert get_user(client) == marketer


def test_the_field_is_called_e_mail_and_takes_addresses(client):
    page = client.get(LOGIN).content.decode()
    assert "E-mail" in page
    assert 'type="email"' in page


@pytest.mark.parametrize("trouble", ["unknown", "wrong", "inactive"])
def test_a_refusal_does_not_tell_what_was_wrong(client, marketer, trouble):
    marketer.is_active = trouble != "inactive"
    marketer.save()
    email = "nobody@example.com" if trouble == "unknown" else marketer.email
    page = log_in(client, email, "something else" if trouble == "wrong" else PASSWORD).content.decode()
    assert "This e-mail address and this password do not match." in page
    assert not get_user(client).is_authenticated


def test_ten_wrong_passwords_lock_this_address_out_and_nobody_else(client, marketer, chief, settings):
    settings.AXES_ENABLED = True
    for _ in range(10):
        last = log_in(client, marketer.email, "wrong")
    assert last.status_code == 429
    assert "Too many failed logins" in last.content.decode()
    assert log_in(client, marketer.email).status_code == 429
    assert log_in(client, marketer.email, REMOTE_ADDR="192.0.2.7").status_code == 302
    assert log_in(client, chief.email).status_code == 302


def test_a_spoofed_forwarded_for_does_not_reset_the_count(client, marketer, settings):
    settings.AXES_ENABLED = True
    statuses = [
        log_in(client, marketer.email, "wrong", HTTP_X_FORWARDED_FOR=f"192.0.2.{n}").status_code for n in range(11)
    ]
    assert statuses[-1] == 429


def test_behind_a_proxy_the_hop_that_the_proxy_wrote_counts(rf, settings):
    request = rf.get("/", HTTP_X_FORWARDED_FOR="10.0.0.1, 192.0.2.9", REMOTE_ADDR="127.0.0.1")
    assert address(request) == "127.0.0.1"
    settings.BEHIND_PROXY = True
    assert address(request) == "192.0.2.9"
    assert address(rf.get("/", REMOTE_ADDR="127.0.0.1")) == "127.0.0.1"


def test_a_person_changes_their_own_password(client, marketer):
    log_in(client, marketer.email)
    new = "un tout autre mot de passe"
    answer = client.post(
        "/admin/password_change/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    )
    assert answer.status_code == 302
    marketer.refresh_from_db()
    assert marketer.check_password(new)


def guess(client, email, n, **extra):
    return log_in(client, email, f"wrong-{n}", REMOTE_ADDR=f"198.51.100.{n}", **extra).content.decode()


def test_guessing_one_name_from_many_addresses_is_slowed_down(client, marketer, chief):
    pages = [guess(client, marketer.email, n) for n in range(25)]
    assert "Too many logins" not in "".join(pages[:20])
    assert "Too many logins. Wait" in pages[-1]
    assert "Too many logins" in guess(client, marketer.email.upper(), 99)
    assert "Too many logins" not in guess(client, chief.email, 99)


def test_the_owner_does_not_wait_with_the_strangers(client, marketer):
    assert log_in(client, marketer.email, REMOTE_ADDR="192.0.2.1").status_code == 302
    client.logout()
    for n in range(25):
        guess(client, marketer.email, n)
    assert log_in(client, marketer.email, REMOTE_ADDR="192.0.2.2").status_code == 200
    assert log_in(client, marketer.email, REMOTE_ADDR="192.0.2.1").status_code == 302


def test_guessing_many_names_from_one_address_is_slowed_down(client, db):
    pages = [log_in(client, f"somebody{n}@example.com", "x").content.decode() for n in range(70)]
    assert "Too many logins" not in "".join(pages[:60])
    assert "Too many logins" in "".join(pages[60:])


def test_the_api_and_the_admin_count_together(client, marketer):
    for n in range(21):
        guess(client, marketer.email, n)
    body = {"email": marketer.email, "password": PASSWORD}
    answer = client.post("/api/auth/login", body, content_type="application/json", REMOTE_ADDR="203.0.113.9")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_logins")
    assert 0 < int(answer.headers["Retry-After"]) <= 31

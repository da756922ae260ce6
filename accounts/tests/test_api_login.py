"""Logging in to the API: tokens for people, keys for programs, and how both end."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import gates
from accounts.models import ApiKey, Role, User
from accounts.tests.conftest import PASSWORD

LOGIN, REFRESH, ME = "/api/auth/login", "/api/auth/refresh", "/api/auth/me"


def post(client: Client, url: str, **body: object):
    return client.post(url, body, content_type="application/json")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_an_email_and_a_password_give_two_tokens_that_work(client, marketer):
    tokens = post(client, LOGIN, email="Marketer@example.com", password=PASSWORD).json()
    assert tokens["expires_in"] == 30 * 60
    me = client.get(ME, headers=bearer(tokens["access"])).json()
    assert me == {"id": marketer.pk, "email": marketer.email, "role": "admin", "is_active": True} | {
        "created_at": me["created_at"]
    }
    again = post(client, REFRESH, refresh=tokens["refresh"]).json()
    assert client.get(ME, headers=bearer(again["access"])).status_code == 200
    assert client.get(ME, headers=bearer(tokens["refresh"])).status_code == 401


def test_other_clients_names_for_the_tokens_work_too(client, marketer):
    tokens = post(client, LOGIN, email=marketer.email, password=PASSWORD).json()
    again = post(client, REFRESH, refresh_token=tokens["refresh_token"]).json()
    assert client.get(ME, headers=bearer(again["access_token"])).status_code == 200


@pytest.mark.parametrize("email", ["marketer@example.com", "nobody@example.com"])
def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(client, marketer, email):
    answer = post(client, LOGIN, email=email, password="wrong-password")
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_credentials")


@pytest.mark.parametrize("change", ["password", "is_active", "deleted"])
def test_tokens_end_with_the_password_and_with_the_user(client, marketer, change):
    tokens = post(client, LOGIN, email=marketer.email, password=PASSWORD).json()
    if change == "password":
        marketer.set_password("another-password-9")
        marketer.save()
    elif change == "is_active":
        User.objects.filter(pk=marketer.pk).update(is_active=False)
    else:
        marketer.delete()
    assert client.get(ME, headers=bearer(tokens["access"])).status_code == 401
    assert post(client, REFRESH, refresh=tokens["refresh"]).status_code == 401
    assert post(client, LOGIN, email=marketer.email, password=PASSWORD).status_code == 401


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer x y", "Bearer abc", "Basic YTpi", "Api-Key", "Api-Key wck_x", "é"]
)
def test_a_broken_credential_is_refused_and_breaks_nothing(client, db, header):
    answer = client.get(ME, headers={"Authorization": header})
    assert answer.status_code == 401
    assert set(answer.json()) == {"detail", "code"}


def test_guessing_one_login_is_slowed_down_before_any_hash_is_computed(client, marketer):
    answers = [post(client, LOGIN, email=marketer.email, password=f"wrong-{n}") for n in range(14)]
    assert [answer.status_code for answer in answers[:9]] == [401] * 9
    assert answers[-1].status_code == 429
    assert post(client, LOGIN, email=marketer.email, password=PASSWORD).status_code == 429
    assert post(client, LOGIN, email="other@example.com", password="x").status_code == 401


@pytest.mark.django_db(transaction=True)
def test_a_gate_lets_exactly_its_burst_through_whoever_asks_at_once():
    limit = gates.Limit("a test", burst=7, every=60)

    def ask(_: int) -> bool:
        try:
            return gates.enter(limit, "somebody") == 0
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(ask, range(60))) == 7
    assert 0 < gates.enter(limit, "somebody") <= 60
    gates.forgive(limit, "somebody")
    assert gates.enter(limit, "somebody") == 0


def make_key(user: User, scope: str = "read", **fields: object) -> str:
    key = ApiKey(name="caisse", user=user, scope=scope, **fields)
    secret = key.issue()
    key.save()
    return secret


def test_a_key_acts_for_its_user_within_its_scope(client, marketer):
    secret = make_key(marketer, "write")
    headers = {"Authorization": f"Api-Key {secret}"}
    assert client.get(ME, headers=headers).json()["email"] == marketer.email
    made = client.post("/api/categories", {"name": "x"}, content_type="application/json", headers=headers)
    assert made.json()["created_by"] == marketer.pk
    body = {"name": "x", "message_1": "x", "category_ids": [1]}
    refused = client.post("/api/campaigns", body, content_type="application/json", headers=headers)
    assert refused.status_code == 403


@pytest.mark.parametrize("end", ["revoked", "expired", "deactivated"])
def test_a_key_ends(client, marketer, end):
    headers = {"Authorization": f"Api-Key {make_key(marketer)}"}
    assert client.get("/api/categories", headers=headers).status_code == 200
    if end == "revoked":
        assert ApiKey.objects.all().revoke() == 1
    elif end == "expired":
        ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    else:
        User.objects.filter(pk=marketer.pk).update(is_active=False)
    answer = client.get("/api/categories", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_api_key")


def test_only_the_hash_of_a_key_is_kept(marketer, capsys):
    secret = make_key(marketer)
    call_command("dumpdata", "accounts")
    dumped = capsys.readouterr().out
    assert secret not in dumped
    assert secret[len("wck_") + 8 :] not in dumped


def test_a_super_admins_key_does_not_reach_users(client, chief):
    headers = {"Authorization": f"Api-Key {make_key(chief, 'launch')}"}
    assert client.get("/api/users", headers=headers).status_code == 403
    assert client.get("/api/senders", headers=headers).status_code == 200


def test_users_are_made_changed_and_deleted_by_a_super_admin(client, chief):
    chiefs = bearer(post(client, LOGIN, email=chief.email, password=PASSWORD).json()["access"])

    def send(method: str, url: str, **body: object):
        return client.generic(method, url, json.dumps(body), "application/json", headers=chiefs)

    weak = send("POST", "/api/users", email="new@example.com", password="12345678")
    assert (weak.status_code, weak.json()["code"]) == (422, "weak_password")
    made = send("POST", "/api/users", email="New@Example.com", password="Zanzibar-77-lune")
    assert (made.status_code, made.json()["email"], made.json()["role"]) == (201, "new@example.com", "admin")
    assert "password" not in made.json()
    taken = send("POST", "/api/users", email="new@example.com", password="Zanzibar-77-lune")
    assert (taken.status_code, taken.json()["code"]) == (409, "email_taken")
    url = reverse("api:user", args=(made.json()["id"],))
    assert send("PUT", url, role="super_admin").json()["role"] == "super_admin"
    assert post(client, LOGIN, email="new@example.com", password="Zanzibar-77-lune").status_code == 200
    assert send("DELETE", url).status_code == 204
    assert send("GET", url).status_code == 404


def test_the_last_super_admin_stays(client, chief):
    chiefs = bearer(post(client, LOGIN, email=chief.email, password=PASSWORD).json()["access"])
    url = reverse("api:user", args=(chief.pk,))
    for answer in (
        client.delete(url, headers=chiefs),
        client.put(url, {"role": Role.ADMIN}, content_type="application/json", headers=chiefs),
        client.put(url, {"is_active": False}, content_type="application/json", headers=chiefs),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "last_super_admin")

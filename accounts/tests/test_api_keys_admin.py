"""The page of API keys: a key is shown once, its making is a super-admin's business, revoking is for good."""

from __future__ import annotations

import re

from django.urls import reverse

from accounts.models import ApiKey

LIST = "admin:accounts_apikey_changelist"


def make(client, user, **fields):
    body = {"name": "Caisse", "user": user.pk, "scope": "read", "expires_at_0": "", "expires_at_1": "", **fields}
    return client.post(reverse("admin:accounts_apikey_add"), body, follow=True)


def test_a_new_key_is_shown_once_and_works(as_chief, client, marketer):
    page = make(as_chief, marketer).content.decode()
    secret = re.search(r"<code>(wck_[\w-]{43})</code>", page).group(1)
    assert secret not in as_chief.get(reverse(LIST)).content.decode()
    answer = client.get("/api/auth/me", headers={"Authorization": f"Api-Key {secret}"})
    assert answer.json()["email"] == marketer.email


def test_a_revoked_key_ends_at_once(as_chief, marketer):
    make(as_chief, marketer)
    key = ApiKey.objects.get()
    as_chief.post(reverse(LIST), {"action": "revoke", "_selected_action": [key.pk]})
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_a_key_keeps_its_user_and_its_scope(as_chief, chief, marketer):
    make(as_chief, marketer)
    key = ApiKey.objects.get()
    url = reverse("admin:accounts_apikey_change", args=(key.pk,))
    body = {"name": "Autre", "user": chief.pk, "scope": "launch", "expires_at_0": "", "expires_at_1": ""}
    as_chief.post(url, body)
    key.refresh_from_db()
    assert (key.name, key.user, key.scope) == ("Autre", marketer, "read")


def test_a_marketer_sees_no_keys(client, marketer):
    client.force_login(marketer, "django.contrib.auth.backends.ModelBackend")
    assert client.get(reverse(LIST)).status_code == 403

"""Mass assignment: whatever keys a body has, only the declared fields of a row change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.apps import apps
from django.db import models, transaction
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from campaigns.models import Campaign
from campaigns.tests.api import World
from contacts.models import Category, Contact

pytestmark = pytest.mark.django_db
VALUES: dict[type[models.Field[Any, Any]], Any] = {
    models.BooleanField: True,
    models.DateTimeField: "2020-01-01T00:00:00Z",
    models.IntegerField: 1,
    models.ForeignKey: 1,
}
ALWAYS = {"updated_at", "version", "password"}  # set by the change itself


def every_field() -> dict[str, Any]:
    """The name of every column of ours, with a value that it would take."""
    ours = ("accounts", "contacts", "gupshup", "hooks", "campaigns")
    found = {}
    for model in apps.get_models():
        if model._meta.app_label in ours:
            for column in model._meta.get_fields():
                kinds = [value for kind, value in VALUES.items() if isinstance(column, kind)]
                found[column.name] = kinds[0] if kinds else "x"
    return found | {"is_staff": True, "is_superuser": True, "pk": 1, "__proto__": {}, "created_by_id": 1}


def writable(world: World) -> list[tuple[str, str, models.Model, dict[str, Any], set[str]]]:
    """(method, address, row, a good body, the columns that the body may change)."""
    ann = world.ann
    category, contact, draft = ann.category, ann.contacts[0], ann.draft
    profile = reverse("api:contact-profile", args=(contact.pk,))
    content = reverse("api:campaign-content", args=(draft.pk,))
    names = {"first_name", "last_name"}
    number = {"number", "country_code", "whatsapp_number", "whatsapp_user_id", "invalid_at", "invalid_code"}
    said = {
        "name", "template_id", "params", "header_media", "message_2", "trigger", "trigger_words", "message_2_delay",
        "hours", "time_zone", "sender_id", "pause_reason", "pause_detail",
    }  # fmt: skip
    return [
        ("PUT", reverse("api:category", args=(category.pk,)), category, {"name": "VIP"}, {"name", "color"}),
        ("PATCH", reverse("api:contact", args=(contact.pk,)), contact, {"last_name": "Petit"}, names | number),
        ("PATCH", profile, contact, {"attributes": {}}, {"attributes"}),
        ("PATCH", content, draft, {"name": "Soldes"}, said),
        (
            "PATCH",
            reverse("api:endpoint", args=(world.endpoint.pk,)),
            world.endpoint,
            {"name": "Caisse"},
            {"name", "url", "events", "active"},
        ),
        ("PATCH", reverse("api:user", args=(ann.user.pk,)), ann.user, {}, {"email", "role", "is_active"}),
    ]


def columns(row: models.Model, but: set[str]) -> dict[str, Any]:
    kept = type(row)._base_manager.filter(pk=row.pk).values().get()
    return {name: value for name, value in kept.items() if name not in but | ALWAYS}


def test_no_key_of_any_model_changes_more_than_is_declared(world):
    client = world.as_user(world.root)
    for method, url, row, good, declared in writable(world):
        before = columns(row, declared)
        for name, value in every_field().items():
            with transaction.atomic():
                body = json.dumps({**good, name: value})
                answer = client.generic(method, url, body, content_type="application/json")
                assert answer.status_code in (200, 400, 404, 409, 422), (method, url, name, answer.content)
                assert columns(row, declared) == before, (method, url, name)
                transaction.set_rollback(True)


@pytest.mark.parametrize(
    ("name", "body", "model"),
    [
        ("categories", {"name": "Nouveaux"}, Category),
        ("contacts", {"full_number": "+33612345678"}, Contact),
        ("drafts", {"name": "Plus tard"}, Campaign),
        ("users", {"email": "new@example.com", "password": "Zanzibar-77-lune"}, User),
    ],
)
def test_a_new_row_belongs_to_its_maker_whatever_the_body_says(world, name, body, model):
    client, url = world.as_user(world.root), reverse(f"api:{name}")
    declared = {"template_id", "categories", "params", "role", "is_active", "message_2", "hours", "name", "color"}
    for extra, value in every_field().items():
        if extra in declared | set(body):
            continue
        with transaction.atomic():
            answer = client.post(url, {**body, extra: value}, format="json")
            assert answer.status_code in (201, 400, 404, 409, 422), (extra, answer.content)
            if answer.status_code == 201 and model is not User:
                assert model.objects.get(pk=answer.json()["id"]).created_by == world.root, extra
            transaction.set_rollback(True)


@given(keys=st.dictionaries(st.text(min_size=1), st.none() | st.integers() | st.text(), min_size=1, max_size=3))
def test_an_unknown_key_is_refused_by_name(db, django_user_model, keys):
    """Validates: 7 (bodies are strict)"""
    from contacts.serializers import CategorySerializer

    known = set(CategorySerializer().fields)
    given = CategorySerializer(data={"name": "VIP", **keys})
    assert given.is_valid() == (not keys.keys() - known and given.is_valid())
    if keys.keys() - known:
        assert set(given.errors) == keys.keys() - known


@pytest.mark.parametrize(
    "body",
    [b'{"name": "a\\u0000b"}', b'{"name": "\\ud800"}', b'{"\\ud800": 1}', b"\xff\xfe", b"[" * 100_000, b"{", b""],
)
def test_what_cannot_be_kept_is_refused_and_nothing_breaks(world, body):
    answer = world.as_user(world.ann.user).generic(
        "POST", reverse("api:categories"), body, content_type="application/json"
    )
    assert (answer.status_code, set(answer.json())) in ((400, {"detail", "code"}), (400, {"detail", "code", "errors"}))


@pytest.mark.parametrize("value", [5, True, None, [], {}, 1.5])
def test_a_text_is_a_text(world, value):
    answer = world.as_user(world.ann.user).post(reverse("api:categories"), {"name": value}, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["name"])


@pytest.mark.parametrize("value", ["5", True, None, [5], 1.5, 0, -1, 2**63, 10**400])
def test_an_id_is_a_whole_number_of_64_bits(world, value):
    url = reverse("api:category-contacts", args=(world.ann.category.pk,))
    answer = world.as_user(world.ann.user).post(url, {"contact_ids": [value]}, format="json")
    assert answer.status_code == 400


def test_a_body_of_megabytes_is_refused_before_it_is_read(world):
    body = b'{"name": "' + b"x" * (3 * 1024 * 1024) + b'"}'
    answer = world.as_user(world.ann.user).generic(
        "POST", reverse("api:categories"), body, content_type="application/json"
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

"""The shape of every answer, against files that were agreed on once. GOLDEN=write writes them anew.

A shape names for each field the kinds of value that it may have: "moment|null".
"""

from __future__ import annotations

import json
import os
import re
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.authentication import tokens_for
from campaigns import oldwords
from campaigns.models import Campaign, Message
from campaigns.reports import Figures
from campaigns.serializers import CampaignSerializer, MessageSerializer
from campaigns.status import CampaignStatus, Status
from campaigns.tests.api import PASSWORD, World, routes
from campaigns.tests.test_api_roles import MATRIX, address

pytestmark = pytest.mark.django_db
GOLDEN = Path(__file__).parent / "golden"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def shape(value: Any) -> Any:
    """`{"id": "int", "completed_at": "null"}`: names and kinds, no values."""
    match value:
        case dict():
            return {name: shape(inner) for name, inner in sorted(value.items())}
        case list():
            return [shape(value[0])] if value else []
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case None:
            return "null"
        case str() if MOMENT.fullmatch(value):
            return "moment"
        case str() if UUID.fullmatch(value):
            return "uuid"
        case _:
            return "text"


def fits(seen: Any, agreed: Any) -> bool:
    """Whether a shape is the agreed one; "moment|null" allows either, an empty list is any list."""
    if isinstance(agreed, str):
        return isinstance(seen, str) and seen in agreed.split("|")
    if isinstance(agreed, list):
        return isinstance(seen, list) and (not seen or not agreed or fits(seen[0], agreed[0]))
    return (
        isinstance(seen, dict) and seen.keys() == agreed.keys() and all(fits(seen[name], agreed[name]) for name in seen)
    )


def agreed_on(name: str, body: Any) -> None:
    file = GOLDEN / f"{name}.json"
    if os.environ.get("GOLDEN") == "write":
        known = json.loads(file.read_text()) if file.exists() else {}
        if not fits(shape(body), known or {"": ""}):
            file.write_text(json.dumps(shape(body), indent=2, ensure_ascii=False) + "\n")
    assert fits(shape(body), json.loads(file.read_text())), (name, shape(body))


READS = sorted(name for method, name in MATRIX if method == "GET")
WRITES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "categories"): {"name": "Nouveaux"},
    ("PUT", "category"): {"name": "VIP", "color": "#000000"},
    ("POST", "contacts"): {"phone_number": "6 12 34 56 78", "country_code": "+33"},
    ("PUT", "contact"): {"first_name": "Zoé"},
    ("PATCH", "contact-profile"): {"attributes": {"ville": "Lyon"}},
    ("POST", "contact-opt-out"): {"evidence": "au téléphone"},
    ("POST", "contact-opt-in"): {},
    ("POST", "drafts"): {"name": "Plus tard", "params": ["vous"], "hours": {"days": [0, 1], "from": "09:00"}},
    ("POST", "campaign-retry"): {},
    ("POST", "campaign-pause"): {},
    ("POST", "campaign-cancel"): {},
    ("POST", "uncertain-resend"): {"all": True, "why": "x"},
    ("POST", "uncertain-give-up"): {"all": True, "why": "x"},
}


@pytest.mark.parametrize("name", READS)
def test_what_is_read_has_the_agreed_shape(world, name):
    """Validates: 7, 8.1 (P11)"""
    answer = world.as_user(world.root).get(address(name, world.ann, world))
    assert answer.status_code == 200
    agreed_on(f"get-{name}", answer.json())


@pytest.mark.parametrize("route", WRITES, ids="-".join)
def test_what_is_written_answers_in_the_agreed_shape(world, route):
    """Validates: 7 (P11)"""
    method, name = route
    url = address(name, world.ann, world)
    answer = getattr(world.as_user(world.ann.user), method.lower())(url, WRITES[route], format="json")
    assert answer.status_code in (200, 201), answer.content
    agreed_on(f"{method.lower()}-{name}", answer.json())


HOOK = {"name": "Caisse", "url": "https://example.com/hook", "events": ["reply.received"]}
HOOK_WRITES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "endpoints"): HOOK,
    ("PUT", "endpoint"): {"active": False},
    ("POST", "endpoint-secret"): {},
    ("POST", "endpoint-trial"): {},
    ("POST", "delivery-redeliver"): {},
}


@pytest.mark.parametrize("route", HOOK_WRITES, ids="-".join)
def test_outgoing_webhooks_answer_in_the_agreed_shape(world, route):
    method, name = route
    url = address(name, world.ann, world)
    answer = getattr(world.as_user(world.root), method.lower())(url, HOOK_WRITES[route], format="json")
    assert answer.status_code in (200, 201, 202), answer.content
    agreed_on(f"{method.lower()}-{name}", answer.json())


def test_logging_in_answers_in_the_agreed_shape(world, client):
    credentials = {"email": "ann@example.com", "password": PASSWORD}
    login = client.post(reverse("api:login"), credentials, content_type="application/json")
    agreed_on("post-login", login.json())
    refresh = client.post(reverse("api:refresh"), {"refresh": login.json()["refresh"]}, content_type="application/json")
    agreed_on("post-refresh", refresh.json())


def test_users_answer_in_the_agreed_shape(world):
    body = {"email": "new@example.com", "password": "Zanzibar-77-lune", "role": "super_admin"}
    made = world.as_user(world.root).post(reverse("api:users"), body, format="json")
    agreed_on("post-users", made.json())
    url = reverse("api:user", args=(made.json()["id"],))
    agreed_on("put-user", world.as_user(world.root).put(url, {"role": "admin"}, format="json").json())


def test_a_launch_answers_202_with_the_campaign_and_a_task_id(world):
    """Validates: 7 (P11)"""
    body = {"name": "Soldes", "message_1": "Bienvenue !", "category_ids": [world.ann.category.pk]}
    answer = world.as_user(world.ann.user).post(reverse("api:campaigns"), body, format="json")
    assert answer.status_code == 202
    agreed_on("post-campaigns", answer.json())
    launched = Campaign.objects.get(pk=answer.json()["id"])
    assert answer.json()["task_id"] == str(launched.launch_id)
    assert answer.json()["campaign"] == {
        name: value for name, value in answer.json().items() if name not in ("task_id", "campaign")
    }


def test_an_import_reports_valid_and_rejected_rows(world):
    file = SimpleUploadedFile("c.csv", "prénom;téléphone\nAnne;06 12 34 56 78\nLuc;12\n".encode())
    answer = world.as_user(world.ann.user).post(reverse("api:import-contacts"), {"file": file}, format="multipart")
    assert answer.status_code == 200
    agreed_on("post-import-contacts", answer.json())
    report = answer.json()
    assert (report["total_rows"], report["valid_rows"], report["rejected_rows"]) == (2, 1, 1)
    assert report["rejected"] == [
        {"line": 3, "row": "Luc;12", "reason": "too_short", "message": "The number has too few digits."}
    ]


def errors_of(world: World) -> dict[str, Any]:
    """One request for each kind of error."""
    ann, anonymous = world.as_user(world.ann.user), world.as_program("read")
    anonymous.credentials()
    anonymous.defaults.pop("HTTP_AUTHORIZATION", None)
    campaign = reverse("api:campaign-resume", args=(world.ann.campaign.pk,))
    text = {"name": "x", "message_1": "jamais vu", "category_ids": [world.ann.category.pk]}
    return {
        "400": ann.post(reverse("api:categories"), {"nam": "x"}, format="json"),
        "401": anonymous.get(reverse("api:categories")),
        "403": ann.get(reverse("api:users")),
        "404": ann.get(reverse("api:category", args=(world.bob.category.pk,))),
        "404-address": ann.get("/api/nothing"),
        "404-named": ann.post(
            reverse("api:campaigns"), text | {"category_ids": [world.bob.category.pk]}, format="json"
        ),
        "405": ann.delete(reverse("api:categories")),
        "409": ann.post(campaign, {}, format="json"),
        "413": ann.generic(
            "POST", reverse("api:categories"), b'"' + b"x" * 2_200_000 + b'"', content_type="application/json"
        ),
        "415": ann.generic("POST", reverse("api:categories"), b"name=x", content_type="text/plain"),
        "422": ann.post(reverse("api:campaigns"), text, format="json"),
        "422-number": ann.post(reverse("api:contacts"), {"full_number": "12"}, format="json"),
    }


def test_errors_have_one_shape(world):
    for name, answer in errors_of(world).items():
        assert answer.status_code == int(name[:3]), (name, answer.content)
        body = answer.json()
        assert isinstance(body["detail"], str)
        assert re.fullmatch(r"[a-z_]+", body["code"])
        agreed_on(f"error-{name}", body)


def test_every_operation_has_its_golden_file():
    files = {file.stem for file in GOLDEN.glob("*.json")}
    without_body = {("POST", "sync-templates"), ("POST", "category-contacts")}
    missing = []
    for method, name in routes():
        same = {"PATCH": "put", "PUT": "put"}.get(method, method.lower())
        if method == "DELETE" or (method, name) in without_body or f"{method.lower()}-{name}" in files:
            continue
        if f"{same}-{name}" not in files and MATRIX[method, name].ok != 409 and name != "campaign-content":
            missing.append((method, name))
    assert not missing


@given(
    name=st.text(min_size=1, max_size=160),
    state=st.sampled_from(CampaignStatus),
    words=st.lists(st.sampled_from(Status), max_size=6),
    moments=st.none() | st.datetimes(timezones=st.just(UTC)),
)
def test_every_campaign_and_message_has_the_agreed_shape(name, state, words, moments):
    """Validates: 8.1 (P11): whatever is in the rows."""
    now = timezone.now()
    campaign = Campaign(id=1, name=name, status=state, completed_at=moments, scheduled_at=moments, updated_at=now)
    campaign._prefetched_objects_cache = {"categories": []}
    shown = CampaignSerializer(campaign, context={"figures": {1: _figures(words)}}).data
    assert fits(shape(json.loads(json.dumps(shown, default=str))), _golden("get-campaign"))
    assert shown["status"] in oldwords.OLD_CAMPAIGN_WORDS
    for word in words:
        message = Message(id=1, campaign=campaign, status=word, sent_at=moments, read_at=moments)
        told = MessageSerializer(message).data
        assert told.keys() == _golden("get-message").keys()
        assert told["status"] in (*oldwords.OLD_MESSAGE_WORDS, "skipped")


def _golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text())


def _figures(words: list[Status]) -> Figures:
    figures = Figures(1)
    for word in words:
        figures.first.add(word, "", False, False, 1)
    return figures


def test_tokens_work_with_and_without_a_final_slash(world, client):
    token = {"Authorization": f"Bearer {tokens_for(world.ann.user)['access']}"}
    for slash in ("", "/"):
        assert client.get(f"/api/auth/me{slash}", headers=token).json()["email"] == "ann@example.com"
        made = client.post(f"/api/categories{slash}", {"name": "x"}, content_type="application/json", headers=token)
        assert made.status_code == 201

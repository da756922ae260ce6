"""Who may do what: every route, every method, one's own and another's. A route without a row here fails."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from rest_framework.test import APIClient

from campaigns.models import Campaign
from campaigns.status import CampaignStatus
from campaigns.tests.api import Belongings, World, routes

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Row:
    """`who`: anyone, all (logged in), own (the owner; another marketer gets 404), root (super-admins), shared."""

    who: str
    scope: str = "read"  # what a program's key needs; "never": no key will do
    ok: int = 200
    body: dict[str, Any] = field(default_factory=dict)


LAUNCH = {"name": "Soldes", "message_1": "Bienvenue !"}
HOOK = {"name": "Caisse", "url": "https://example.com/hook", "events": ["reply.received"]}
WHY = {"all": True, "why": "le client insiste"}
MATRIX: dict[tuple[str, str], Row] = {
    ("POST", "login"): Row("anyone", body={"email": "ann@example.com", "password": "un mot de passe 42"}),
    ("POST", "refresh"): Row("anyone", ok=401, body={"refresh": "x"}),
    ("GET", "me"): Row("all"),
    ("GET", "users"): Row("root", "never"),
    ("POST", "users"): Row("root", "never", 201, {"email": "new@example.com", "password": "Zanzibar-77-lune"}),
    ("GET", "user"): Row("root", "never"),
    ("PUT", "user"): Row("root", "never", body={"role": "admin"}),
    ("PATCH", "user"): Row("root", "never", body={"is_active": False}),
    ("DELETE", "user"): Row("root", "never", 409),
    ("GET", "categories"): Row("all"),
    ("POST", "categories"): Row("all", "write", 201, {"name": "Nouveaux"}),
    ("GET", "category"): Row("own"),
    ("PUT", "category"): Row("own", "write", body={"name": "VIP"}),
    ("PATCH", "category"): Row("own", "write", body={"color": "#000000"}),
    ("DELETE", "category"): Row("own", "write", 204),
    ("GET", "category-contacts"): Row("own"),
    ("POST", "category-contacts"): Row("own", "write", body={"contact_ids": []}),
    ("DELETE", "category-contact"): Row("own", "write", 204),
    ("GET", "contacts"): Row("all"),
    ("POST", "contacts"): Row("all", "write", 201, {"full_number": "+33612345678"}),
    ("POST", "import-contacts"): Row("all", "write"),
    ("GET", "contact"): Row("own"),
    ("PUT", "contact"): Row("own", "write", body={"first_name": "Zoé"}),
    ("PATCH", "contact"): Row("own", "write", body={"last_name": "Petit"}),
    ("DELETE", "contact"): Row("own", "write", 204),
    ("GET", "contact-profile"): Row("own"),
    ("PATCH", "contact-profile"): Row("own", "write", body={"attributes": {"ville": "Lyon"}}),
    ("POST", "contact-opt-out"): Row("own", "write"),
    ("POST", "contact-opt-in"): Row("own", "write"),
    ("GET", "imports"): Row("all"),
    ("GET", "import"): Row("own"),
    ("GET", "import-rejected"): Row("own"),
    ("GET", "templates"): Row("all"),
    ("GET", "template"): Row("shared"),
    ("POST", "sync-templates"): Row("all", "write", 409),
    ("GET", "senders"): Row("root"),
    ("GET", "sender"): Row("root"),
    ("GET", "endpoints"): Row("root"),
    ("POST", "endpoints"): Row("root", ok=201, body=HOOK),
    ("GET", "endpoint"): Row("root"),
    ("PUT", "endpoint"): Row("root", body={"active": False}),
    ("PATCH", "endpoint"): Row("root", body={"name": "Boutique"}),
    ("DELETE", "endpoint"): Row("root", ok=204),
    ("POST", "endpoint-secret"): Row("root"),
    ("POST", "endpoint-trial"): Row("root", ok=202),
    ("GET", "deliveries"): Row("root"),
    ("GET", "delivery"): Row("root"),
    ("POST", "delivery-redeliver"): Row("root", ok=202),
    ("GET", "campaigns"): Row("all"),
    ("POST", "campaigns"): Row("all", "launch", 202, LAUNCH),
    ("POST", "drafts"): Row("all", "write", 201, {"name": "Plus tard"}),
    ("GET", "campaign"): Row("own"),
    ("DELETE", "campaign"): Row("own", "write", 409),
    ("GET", "campaign-stats"): Row("own"),
    ("POST", "campaign-retry"): Row("own", "launch"),
    ("GET", "campaign-content"): Row("own"),
    ("PATCH", "campaign-content"): Row("own", "write", 409, {"name": "Autre"}),
    ("POST", "campaign-launch"): Row("own", "launch", 409),
    ("POST", "campaign-schedule"): Row("own", "launch", 409, {"scheduled_at": "2099-01-01T09:00:00Z"}),
    ("DELETE", "campaign-schedule"): Row("own", "launch", 409),
    ("POST", "campaign-pause"): Row("own", "launch"),
    ("POST", "campaign-resume"): Row("own", "launch", 409),
    ("POST", "campaign-cancel"): Row("own", "launch"),
    ("GET", "campaign-audience"): Row("own"),
    ("GET", "campaign-problems"): Row("own"),
    ("GET", "campaign-figures"): Row("own"),
    ("GET", "campaign-events"): Row("own"),
    ("GET", "uncertain"): Row("own"),
    ("POST", "uncertain-resend"): Row("own", "launch", body=WHY),
    ("POST", "uncertain-give-up"): Row("own", "launch", body=WHY),
    ("GET", "messages"): Row("all"),
    ("GET", "message-stats"): Row("all"),
    ("GET", "message"): Row("own"),
    ("GET", "message-attempts"): Row("own"),
    ("GET", "interactions"): Row("all"),
    ("GET", "interaction"): Row("own"),
}


def address(name: str, of: Belongings, world: World) -> str:
    """The route's address for one marketer's belongings."""
    ids = {
        "user": of.user.pk,
        "categor": of.category.pk,
        "contact": of.contacts[1].pk,
        "import": of.job.pk,
        "template": world.plain.pk,
        "sender": world.sender.pk,
        "campaign": of.campaign.pk,
        "uncertain": of.campaign.pk,
        "message": of.messages[0].pk,
        "interaction": of.interaction.pk,
        "endpoint": world.endpoint.pk,
        "delivery": world.delivery.pk,
    }
    pk = next((pk for start, pk in ids.items() if name.startswith(start)), None)
    if name == "category-contact":
        return reverse("api:category-contact", args=(of.category.pk, of.contacts[0].pk))
    if name in PLAIN:
        return reverse(f"api:{name}")
    return reverse(f"api:{name}", args=(pk,))


PLAIN = {
    "login", "refresh", "me", "users", "categories", "contacts", "import-contacts", "imports", "templates",
    "sync-templates", "senders", "campaigns", "drafts", "messages", "message-stats", "interactions",
    "endpoints", "deliveries",
}  # fmt: skip


def call(client: APIClient, route: tuple[str, str], row: Row, of: Belongings, world: World) -> int:
    method, name = route
    body = dict(row.body)
    if name == "category-contacts":
        body = {"contact_ids": [of.contacts[0].pk]}
    if route == ("POST", "campaigns"):
        body["category_ids"] = [of.category.pk]
    url = address(name, of, world)
    if name == "import-contacts":
        file = SimpleUploadedFile("c.csv", b"telephone\n0612345679\n")
        return client.post(url, {"file": file}, format="multipart").status_code
    if method == "GET":
        return client.get(url).status_code
    return client.generic(method, url, json.dumps(body), content_type="application/json").status_code


def test_every_route_has_a_row():
    assert set(routes()) == set(MATRIX)


@pytest.mark.parametrize(("route", "row"), MATRIX.items(), ids=lambda it: "-".join(it) if isinstance(it, tuple) else "")
def test_the_matrix(route, row, world):
    def status(client: APIClient, of: Belongings = world.ann) -> int:
        return call(client, route, row, of, world)

    if row.who == "anyone":
        assert status(APIClient()) == row.ok
        return
    assert status(APIClient()) == 401
    if row.who == "root":
        assert status(world.as_user(world.ann.user)) == 403
        assert status(world.as_program("launch")) == 403
        assert status(world.as_user(world.root)) == row.ok
        return
    if row.who == "own":
        assert status(world.as_user(world.bob.user)) == 404
        assert status(world.as_program("launch"), world.bob) == 404
    for lower in ("read", "write")[: ("read", "write", "launch").index(row.scope)]:
        assert status(world.as_program(lower)) == 403
    if row.who == "own" and route[0] != "GET":
        assert status(world.as_user(world.root), world.bob) == row.ok
    assert status(world.as_program(row.scope)) == row.ok


def test_a_marketer_does_what_is_theirs(world):
    refused = []
    for route, row in MATRIX.items():
        if row.who in ("all", "own", "shared"):
            got = call(world.as_user(world.ann.user), route, row, world.ann, world)
            if got in (401, 403):
                refused.append((route, got))
    assert not refused


def test_lists_hold_only_what_one_may_see(world):
    for name, own in (
        ("campaigns", {world.ann.campaign.pk, world.ann.draft.pk}),
        ("categories", {world.ann.category.pk}),
        ("contacts", {contact.pk for contact in world.ann.contacts}),
        ("messages", {message.pk for message in world.ann.messages}),
        ("interactions", {world.ann.interaction.pk}),
    ):
        mine = world.as_user(world.ann.user).get(reverse(f"api:{name}")).json()
        everything = world.as_user(world.root).get(reverse(f"api:{name}")).json()
        assert {row["id"] for row in mine["results"]} == own
        assert mine["count"] == len(own)
        assert everything["count"] == 2 * len(own)


def test_figures_hold_only_what_one_may_see(world):
    mine = world.as_user(world.ann.user).get(reverse("api:message-stats")).json()
    everything = world.as_user(world.root).get(reverse("api:message-stats")).json()
    assert (mine["total"], everything["total"]) == (5, 10)


def test_a_draft_is_launched_by_its_owner_and_nobody_else(world):
    url = reverse("api:campaign-launch", args=(world.ann.draft.pk,))
    assert world.as_user(world.bob.user).post(url, {}, format="json").status_code == 404
    assert world.as_user(world.ann.user).post(url, {}, format="json").status_code == 202
    assert Campaign.objects.get(pk=world.ann.draft.pk).status != CampaignStatus.DRAFT

"""A fuzzer reads our OpenAPI document and calls every operation, as each role: no finding.

FUZZ_EXAMPLES says how many for an operation in the slow test, FUZZ_ONLY which operations (a regular expression), and
pytest's --hypothesis-seed with which seed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, given, settings
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import RefreshToken
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from campaigns.tests.api import World

# A request can be well formed and still be refused: no such template, an unassigned number, a weak password.
ANSWERS = ["2xx", "401", "403", "404", "409", "422", "429"]
CONFIG = SchemathesisConfig.from_dict({"checks": {"positive_data_acceptance": {"expected-statuses": ANSWERS}}})

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _keep_the_connection() -> Iterator[None]:
    """As Django's test client does: the end of a request must not end the test's transaction."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


FEW = 5
MANY = int(os.environ.get("FUZZ_EXAMPLES", "50"))
ONLY = re.compile(os.environ.get("FUZZ_ONLY", ""))
ROLES = ["anonymous", "admin", "super_admin", "read", "write", "launch"]


def headers(world: World, role: str) -> dict[str, str]:
    if role in ("read", "write", "launch"):
        world.as_program(role)
        return {"Authorization": f"Api-Key {world.keys[role]}"}
    if role == "anonymous":
        return {}
    user = world.root if role == "super_admin" else world.ann.user
    return {"Authorization": f"Bearer {RefreshToken.for_user(user).access_token}"}


def ids(world: World, path: str) -> dict[str, int]:
    """What exists, for the places in an address: with made-up ids a fuzzer sees little but 404."""
    ann = world.ann
    found = {
        "categories": ann.category.pk,
        "contacts": ann.contacts[0].pk,
        "imports": ann.job.pk,
        "campaigns": ann.draft.pk if path.endswith(("launch", "content", "schedule")) else ann.campaign.pk,
        "messages": ann.messages[0].pk,
        "interactions": ann.interaction.pk,
        "templates": world.plain.pk,
        "senders": world.sender.pk,
        "users": ann.user.pk,
        "webhook-endpoints": world.endpoint.pk,
        "webhook-deliveries": world.delivery.pk,
    }
    named = {"id": found.get(path.split("/")[2], 1), "contact_id": ann.contacts[0].pk}
    return {name: pk for name, pk in named.items() if f"{{{name}}}" in path}


def findings(world: World, role: str, examples: int) -> list[str]:
    """What a fuzzer finds, operation by operation, each on the world as it was."""
    schema = schemathesis.openapi.from_wsgi("/api/schema", WSGIHandler(), config=CONFIG)
    sent, found = headers(world, role), []
    for result in schema.get_all_operations():
        operation = result.ok()
        if not ONLY.search(operation.label):
            continue
        here = ids(world, operation.path)
        cases = operation.as_strategy(path_parameters=here) | operation.as_strategy()
        cases |= operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=examples <= FEW or "CI" in os.environ,  # the short run is the same for everybody
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases)
        def called(case):
            with transaction.atomic():
                case.call_and_validate(headers=sent)
                transaction.set_rollback(True)

        try:
            called()
        except BaseExceptionGroup as error:
            found += [f"{operation.label}: {each}" for each in error.exceptions]
    return found


def tell(found: list[str]) -> None:
    if found:
        pytest.fail("\n\n".join(found), pytrace=False)


@pytest.mark.parametrize("role", ["admin", "super_admin"])
def test_nothing_is_found(world, role):
    tell(findings(world, role, FEW))


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_found_for_long(world, role):
    tell(findings(world, role, MANY))


def test_the_document_is_there_for_anybody_and_complete():
    answer = APIClient().get("/api/schema")
    document = answer.json()
    assert answer.status_code == 200
    assert document["openapi"].startswith("3.")
    assert "/api/campaigns/{id}/stats" in document["paths"]
    assert all("401" in op["responses"] for path in document["paths"].values() for op in path.values())

"""The client and the parser against a local Gupshup that shares no line of code with them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from gupshup.api import transport
from gupshup.api.client import GupshupService
from gupshup.api.drafts import TemplateDraft
from gupshup.api.events import Event, Inbound, StatusReport, TemplateNews, Unrecognised, parse
from gupshup.api.responses import Outcome
from gupshup.api.templates import TemplateInfo
from gupshup.tests.api.servers import Request, reply, serving

ROOT = Path(__file__).parents[3]
KEY, APP, SOURCE = "sk_simulator", "DemoCampagnes", "33700000000"

# the simulator's table of calls that go wrong, by the last four digits -> what we must make of them
FAULTS = {
    "6500": Outcome.UNCERTAIN,
    "6502": Outcome.UNCERTAIN,
    "7503": Outcome.UNCERTAIN,
    "7504": Outcome.UNCERTAIN,
    "6001": Outcome.UNCERTAIN,
    "7001": Outcome.UNCERTAIN,
    "6002": Outcome.UNCERTAIN,
    "7002": Outcome.UNCERTAIN,
    "6003": Outcome.UNCERTAIN,
    "7003": Outcome.UNCERTAIN,
    "6004": Outcome.UNCERTAIN,
    "7004": Outcome.UNCERTAIN,
    "7005": Outcome.UNCERTAIN,
    "7013": Outcome.UNCERTAIN,
    "7006": Outcome.UNCERTAIN,
    "7007": Outcome.UNCERTAIN,
    "7008": Outcome.UNCERTAIN,
    "7010": Outcome.UNCERTAIN,
    "7011": Outcome.UNCERTAIN,
    "7012": Outcome.UNCERTAIN,
    "6302": Outcome.UNCERTAIN,
    "6429": Outcome.SLOW_DOWN,
    "6430": Outcome.SLOW_DOWN,
    "6404": Outcome.SLOW_DOWN,
    "6400": Outcome.REJECTED,
    "6449": Outcome.REJECTED,
    "6401": Outcome.HALT,
    "7009": Outcome.ACCEPTED,
    "7020": Outcome.ACCEPTED,
    "1026": Outcome.ACCEPTED,
}


def wait(what, seconds: float = 20):
    until, rest = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < until:
        if found := what():
            return found
        rest.wait(0.02)
    raise AssertionError("waited in vain")


def get(url: str, path: str):
    with urlopen(f"{url}{path}", timeout=10) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Iterator:
    started: list[subprocess.Popen[bytes]] = []

    def run(*flags: str) -> str:
        port_file = tmp_path_factory.mktemp("simulator") / "port"
        command = [sys.executable, "-m", "gupshup.simulator", "--port", "0", "--port-file", str(port_file), *flags]
        started.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL))
        return f"http://127.0.0.1:{wait(lambda: port_file.exists() and port_file.read_text().strip())}"

    yield run
    for process in started:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def simulator(start) -> str:
    return start()


@pytest.fixture(autouse=True)
def fresh_connections():
    yield
    transport.close()


def client(url: str, **options: object) -> GupshupService:
    defaults: dict[str, object] = {"deadline": 0.7, "app_id": None} | options
    return GupshupService(KEY, APP, SOURCE, f"{url}/wa/api/v1", **defaults)


def templates(url: str) -> dict[str, TemplateInfo]:
    found = client(url, deadline=5.0).templates().value
    assert found
    return {info.name: info for info in found if info.language == "fr"}


def accepted(url: str, destination: str) -> int:
    return sum(one["destination"] == destination for one in get(url, "/ledger")["accepted"])


@pytest.mark.parametrize("digits", FAULTS)
def test_each_fault_has_its_outcome_and_no_message_goes_twice(simulator, digits):
    destination = f"3360099{digits}"
    template = templates(simulator)["bienvenue"]
    response = client(simulator).send_template(f"+{destination}", template.id, ["Léa"] * template.params_count)
    assert response.outcome is FAULTS[digits], response
    count = accepted(simulator, destination)
    assert count <= 1
    if response.outcome is Outcome.ACCEPTED:
        assert count == 1
    if response.outcome in (Outcome.NOT_SENT, Outcome.SLOW_DOWN, Outcome.REJECTED, Outcome.HALT):
        assert count == 0
    if digits == "6429":
        assert response.retry_after is not None


def test_both_spellings_of_success_are_accepted(simulator):
    template = templates(simulator)["bienvenue"]
    service = client(simulator, deadline=5.0)
    responses = [service.send_template(f"3361230{n:04}", template.id, ["Léa"]) for n in range(40)]
    assert all(response.success for response in responses)
    assert {response.raw_response["status"] for response in responses} == {"submitted", "success"}
    assert {response.http_status for response in responses} == {200, 202}
    assert len({response.message_id for response in responses}) == 40


def test_a_wrong_key_app_or_number_is_said_so(simulator):
    template = templates(simulator)["bienvenue"]
    url = f"{simulator}/wa/api/v1"
    wrong_key = GupshupService("sk_other", APP, SOURCE, url).send_template("33600000001", template.id, ["a"])
    wrong_app = GupshupService(KEY, "AutreAppli", SOURCE, url).send_template("33600000001", template.id, ["a"])
    wrong_source = GupshupService(KEY, APP, "33711111111", url).send_template("33600000001", template.id, ["a"])
    wrong_person = client(simulator).send_template("123", template.id, ["a"])
    assert [(one.outcome, one.error_code) for one in (wrong_key, wrong_app, wrong_source, wrong_person)] == [
        (Outcome.HALT, "authentication_failed"),
        (Outcome.HALT, "invalid_app_details"),
        (Outcome.HALT, "invalid_app_details"),
        (Outcome.REJECTED, "invalid_destination"),
    ]


def test_the_account_is_read(simulator):
    listed = templates(simulator)
    app_id = _app_id(simulator)
    service = client(simulator, deadline=5.0, app_id=app_id)
    paged = service.templates().value
    assert paged is not None
    assert {info.id for info in paged} >= {info.id for info in listed.values()}
    one = service.template(paged[0].id)
    assert one.value is not None
    assert one.value.name == paged[0].name
    wallet = service.wallet().value
    assert wallet is not None
    assert wallet.balance > 0
    assert service.health().value is True
    ratings = service.ratings().value
    assert ratings is not None
    assert ratings.quality == "GREEN"


def _app_id(url: str) -> str:
    """The simulator names it in its ready line and in every listed template."""
    info = next(iter(templates(url).values()))
    service = client(url, deadline=5.0)
    raw = service.templates().response.raw_response["templates"]
    return next(entry["appId"] for entry in raw if entry["id"] == info.id)


@pytest.mark.parametrize("layout", ["v2", "v3", "enterprise"])
def test_everything_that_comes_back_is_understood(start, layout):
    """All kinds of people, in each layout: no body unrecognised, ids that match what was sent."""
    heard: list[Event] = []

    def receive(connection: socket.socket, request: Request) -> bool:
        heard.extend(parse(request.body, request.headers.get("content-type", "")))
        connection.sendall(reply(b"", "200 OK"))
        return True

    with serving(receive) as server:
        url = start("--webhook", f"http://127.0.0.1:{server.port}/hook", "--layout", layout, "--speed", "300",
                    "--faults", "callback.text_ts=0.3,callback.duplicate=0.2", "--seed", "7")  # fmt: skip
        info = templates(url)["bienvenue"]
        service = client(url, deadline=5.0)
        people = [f"336{layout_number(layout)}50{n:05}" for n in range(60)]
        sent = {
            service.send_template(person, info.id, ["Léa"] * info.params_count).message_id: person for person in people
        }
        wait(lambda: get(url, "/queue")["pending_callbacks"] == 0, 60)
    assert not [event for event in heard if isinstance(event, Unrecognised)]
    reports = [event for event in heard if isinstance(event, StatusReport)]
    assert {report.message_ids[0] for report in reports} >= set(sent)
    for report in reports:
        assert sent.get(report.message_ids[0], report.destination) == report.destination
        assert report.at is not None
    inbound = [event for event in heard if isinstance(event, Inbound)]
    assert len({event.kind for event in inbound}) >= 3
    assert all(event.phone or event.user_id for event in inbound)


def layout_number(layout: str) -> int:
    return ["v2", "v3", "enterprise"].index(layout) + 1


def test_a_subscription_is_set_pinged_and_told_of_templates(start):
    heard: list[Event] = []

    def receive(connection: socket.socket, request: Request) -> bool:
        heard.extend(parse(request.body))
        connection.sendall(reply(b"", "200 OK"))
        return True

    url = start("--speed", "200")
    service = client(url, deadline=5.0, app_id=_app_id(url))
    with serving(receive) as server:
        made = service.set_subscription(f"http://127.0.0.1:{server.port}/hook")
        assert made.value is not None
        assert made.value.missing() == ()
        assert heard[0].source.layout == "v2"
        created = service.create_template(
            TemplateDraft("nouveau", "fr", "MARKETING", "Bonjour {{1}}, voici nos offres", ["Léa"])
        )
        assert created.value is not None
        assert created.value.status == "PENDING"
        news = wait(lambda: [event for event in heard if isinstance(event, TemplateNews)])
        assert (news[0].status, news[0].template_id) == ("APPROVED", created.value.id)
    listed = service.subscriptions().value
    assert listed is not None
    assert service.delete_subscription(listed[0].id).success
    refused = service.set_subscription("http://127.0.0.1:1/hook")
    assert refused.response.error_code == "invalid_url"

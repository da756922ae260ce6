"""`check_gupshup` against a local Gupshup over real HTTP: each set-up mistake is named, and --fix puts it right."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from io import StringIO
from itertools import count
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from celery import current_app
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from campaigns import ingest
from campaigns.status import CampaignStatus
from conftest import ROOT, Simulator, wait_for
from gupshup import webhooks
from gupshup.api import transport
from gupshup.api.account import NEEDED_MODES
from gupshup.diagnosis import Level, reach
from gupshup.models import Callback, Sender
from gupshup.senders import webhook_address
from gupshup.tests.api.servers import answering, reply, serving

pytestmark = pytest.mark.django_db(transaction=True)
ALL_MODES = ",".join(NEEDED_MODES)
OLD_HOOK = "https://old.example.com/hook"


@pytest.fixture(scope="module")
def simulator(tmp_path_factory) -> Iterator[Simulator]:
    """One for all tests of this file; each has an app of its own in it."""
    port_file = tmp_path_factory.mktemp("simulator") / "port"
    command = [sys.executable, "-m", "gupshup.simulator", "--port", "0", "--port-file", str(port_file)]
    process = subprocess.Popen([*command, "--speed", "100"], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield Simulator(f"http://127.0.0.1:{wait_for(lambda: port_file.exists() and port_file.read_text().strip())}")
    finally:
        process.terminate()
        process.wait(10)


_serial = count(1)


@dataclass
class App:
    """Our app at the simulator: fresh, with the usual templates and no subscription."""

    simulator: Simulator
    name: str
    key: str
    id: str

    def set(self, **values: Any) -> None:
        self.simulator.post("/control", app=self.name, **values)

    def view(self) -> dict[str, Any]:
        apps = self.simulator.get("/control")["apps"]
        return next(one for one in apps if one["name"] == self.name)

    def accepted(self) -> list[dict[str, Any]]:
        return [one for one in self.simulator.get("/ledger")["accepted"] if one["app"] == self.name]

    def subscribe(self, url: str, **fields: str) -> None:
        form = {"url": url, "version": "2", "modes": ALL_MODES, "tag": f"v{fields.get('version', 2)}"} | fields
        headers = {"apikey": self.key, "Content-Type": "application/x-www-form-urlencoded"}
        address = f"{self.simulator.url}/wa/app/{self.id}/subscription"
        urlopen(Request(address, urlencode(form).encode(), headers), timeout=10).close()

    def active(self) -> list[dict[str, Any]]:
        return [one for one in self.view()["subscriptions"] if one["active"]]


@pytest.fixture(autouse=True)
def no_worker(monkeypatch):
    """Nobody reads the inbox in these tests, and nobody waits for it."""
    monkeypatch.setattr(reach, "READING", 0)


@pytest.fixture
def local(simulator, live_server, sender, settings) -> Iterator[App]:
    """Our sender and web process, and their app at the simulator."""
    n = next(_serial)
    app = App(simulator, f"DemoApp{n}", f"sk_test_{n}", f"5b2b3a3e-0000-4000-8000-{n:012d}")
    simulator.post("/control/apps", name=app.name, key=app.key, source=sender.phone_number, id=app.id)
    settings.PUBLIC_URL = live_server.url
    settings.GUPSHUP_ALLOWED_ADDRESSES = []
    settings.GUPSHUP_FROM_ENVIRONMENT = False
    change(
        sender,
        app_name=app.name,
        api_key=app.key,
        app_id=app.id,
        api_url=simulator.api_url,
        ceiling=250,
        templates_synced_at=timezone.now(),
    )
    yield app
    transport.close()
    webhooks.forget_secrets()


@pytest.fixture
def ours(live_server, sender):
    return f"{live_server.url}/api/webhooks/gupshup/{sender.webhook_secret}"


def check(*flags: str, **options: Any) -> tuple[int, dict[str, dict[str, str]]]:
    """Exit code, and the findings by code."""
    out = StringIO()
    code = 0
    try:
        call_command("check_gupshup", "--json", "--lang", "en", *flags, stdout=out, **options)
    except SystemExit as end:
        code = int(end.code or 0)
    (report,) = json.loads(out.getvalue())
    return code, {one["code"]: one for one in report["findings"]}


def change(sender: Sender, **fields: Any) -> None:
    Sender.objects.filter(pk=sender.pk).update(**fields)
    webhooks.forget_secrets()


def test_a_good_set_up_has_no_error(local, sender, ours):
    local.subscribe(ours)
    code, found = check()
    assert {one["level"] for one in found.values()} <= {"ok", "attention"}, found
    assert code == 0
    for good in ("settings", "credentials", "health", "wallet", "templates", "subscription", "webhook_answers"):
        assert found[good]["level"] == "ok"
    assert ours in found["webhook"]["text"]
    assert "soldes_flash" in found["templates_troubled"]["text"]
    assert local.accepted() == []  # nothing was sent to anybody


# --- mistakes: each changes a good set-up ------------------------------------------------------------------------


def wrong_key(local, sender, ours, settings):
    change(sender, api_key="sk_wrong")


def wrong_name(local, sender, ours, settings):
    change(sender, app_name="OtherApp")


def wrong_id(local, sender, ours, settings):
    change(sender, app_id="5b2b3a3e-0000-4000-8000-ffffffffffff")


def wrong_number(local, sender, ours, settings):
    change(sender, phone_number="33799999999")


def number_as_dialled_at_home(local, sender, ours, settings):
    change(sender, phone_number="0612345678")


def name_in_place_of_the_id(local, sender, ours, settings):
    change(sender, app_id=sender.app_name if sender.app_name.startswith("DemoApp") else local.name)


def another_product(local, sender, ours, settings):
    change(sender, api_url="http://mediaapi.smsgupshup.com.localhost:9/wa/api/v1")


def http_in_place_of_https(local, sender, ours, settings):
    local.set(webhook=ours.replace("http://", "https://"))


def a_path_that_is_not_ours(local, sender, ours, settings):
    local.set(webhook=ours.replace("/api/", "/v1/api/"))


def no_subscription(local, sender, ours, settings):
    local.set(webhook="")


def elsewhere(local, sender, ours, settings):
    local.set(webhook=f"{OLD_HOOK}?token=hidden")


def wrong_secret(local, sender, ours, settings):
    local.set(webhook=f"{ours}x")


def switched_off(local, sender, ours, settings):
    local.set(webhook="")
    local.subscribe(ours, active="false")


def dashboard_modes(local, sender, ours, settings):
    local.set(webhook="")
    local.subscribe(ours, modes='["SENT","READ"]')  # a JSON list is ignored


def all_but_failed(local, sender, ours, settings):
    local.set(webhook="")
    local.subscribe(ours, modes="ALL")


def both_versions(local, sender, ours, settings):
    local.subscribe(ours, version="3")


def twice(local, sender, ours, settings):
    local.subscribe(ours, tag="again")


def empty_wallet(local, sender, ours, settings):
    local.set(wallet=0)


def no_approved_template(local, sender, ours, settings):
    for one in local.view()["templates"]:
        local.simulator.post("/control/template-event", app=local.name, template=one["id"], status="paused")


def not_live(local, sender, ours, settings):
    local.set(live=False)


def unreachable_webhook(local, sender, ours, settings):
    settings.PUBLIC_URL = "http://127.0.0.1:9"


def closed_gupshup(local, sender, ours, settings):
    change(sender, api_url="http://127.0.0.1:9/wa/api/v1")


def wrong_api_address(local, sender, ours, settings):
    change(sender, api_url=f"{local.simulator.url}/wa/api/v2")


def lost_key(local, sender, ours, settings):
    change(sender, api_key="")


def lost_secret(local, sender, ours, settings):
    change(sender, webhook_secret="", webhook_secret_old="")


# mistake, code of the finding, what it must say, what it brings with it
MISTAKES: list[tuple[Any, str, list[str], list[str]]] = [
    (wrong_key, "key", ["refuses the API key"], []),
    (wrong_name, "app_name_wrong", ["OtherApp"], []),
    (wrong_id, "app_id_wrong", ["ffffffffffff", "app id is wrong"], []),
    (wrong_number, "phone_number_wrong", ["33799999999", "33700000001"], []),
    (number_as_dialled_at_home, "phone_number", ["0612345678", "country code"], ["phone_number_wrong"]),
    (name_in_place_of_the_id, "app_id_wrong", ["DemoApp", "app id is wrong"], []),
    (
        another_product,
        "api_other_product",
        ["another product", "smsgupshup.com"],
        ["api_http", "unreachable", "webhook_http", "webhook_private"],
    ),
    (http_in_place_of_https, "subscription_elsewhere", ["https://"], []),
    (a_path_that_is_not_ours, "subscription_elsewhere", ["/v1/api/webhooks"], []),
    (no_subscription, "no_subscription", ["no subscription", "--fix"], []),
    (elsewhere, "subscription_elsewhere", [OLD_HOOK], []),
    (wrong_secret, "subscription_secret", ["wrong secret"], []),
    (switched_off, "subscription_inactive", ["switched off"], []),
    (dashboard_modes, "subscription_modes", ["SENT, DELIVERED, READ"], []),
    (all_but_failed, "subscription_modes", ["FAILED"], []),
    (both_versions, "subscription_versions", ["v2 + v3", "twice"], []),
    (twice, "subscription_twice", ["2 subscriptions"], []),
    (empty_wallet, "wallet_empty", ["empty", "0.00 USD"], []),
    (no_approved_template, "no_template", ["No template is approved"], []),
    (not_live, "not_live", ["not live"], []),
    (unreachable_webhook, "webhook_unreachable", ["cannot be reached"], ["subscription_elsewhere"]),
    (closed_gupshup, "unreachable", ["cannot be reached"], []),
    (wrong_api_address, "wrong_address", ["GUPSHUP_API_URL"], []),
    (lost_key, "api_key_missing", ["FIELD_ENCRYPTION_KEYS"], ["key"]),
    (lost_secret, "secret_missing", ["every callback is refused"], ["subscription_secret"]),
]


@pytest.mark.parametrize(("mistake", "code", "words", "also"), MISTAKES, ids=[one[0].__name__ for one in MISTAKES])
def test_each_mistake_is_named(local, sender, ours, settings, mistake, code, words, also):
    local.subscribe(ours)
    mistake(local, sender, ours, settings)
    exit_code, found = check()
    assert exit_code == 1
    assert found[code]["level"] == "error", sorted(found)
    said = f"{found[code]['text']} {found[code]['advice']}"
    assert [word for word in words if word not in said] == []
    assert {one for one in found if found[one]["level"] == "error"} <= {code, *also}, found


def test_the_provider_is_asked_nothing_more_once_the_key_is_refused(local, sender, ours):
    change(sender, api_key="sk_wrong")
    _code, found = check()
    assert not {"wallet", "wallet_unknown", "templates", "health", "subscription", "no_subscription"} & set(found)


REFUSES_THE_RECIPIENT = reply(b'{"status":"error","message":"Invalid Destination"}', "400 Bad Request")
REFUSES_THE_KEY = reply(b'{"status":"error","message":"Authentication Failed"}', "401 Unauthorized")


def looking_at_the_recipient_first(account: bytes) -> Any:
    """A Gupshup that says nothing of key, name and number to who writes to nobody."""

    def handle(connection: Any, request: Any) -> bool:
        connection.sendall(REFUSES_THE_RECIPIENT if request.line.startswith("POST") else account)
        return True

    return handle


def test_a_trial_that_says_nothing_of_the_name_is_not_called_a_success(local, sender):
    with serving(looking_at_the_recipient_first(reply(b'{"status":"success","balance":9}'))) as server:
        change(sender, api_url=server.url(), app_id="")
        _code, found = check()
    assert "credentials" not in found
    assert found["credentials_unseen"]["level"] == "attention"
    assert "--live" in found["credentials_unseen"]["advice"]


def test_a_wrong_key_is_named_also_where_the_recipient_is_looked_at_first(local, sender):
    with serving(looking_at_the_recipient_first(REFUSES_THE_KEY)) as server:
        change(sender, api_url=server.url())
        code, found = check()
    assert code == 1
    assert found["key"]["level"] == "error"
    assert "app_id_wrong" not in found


def test_an_app_id_that_the_key_may_not_ask_for_is_named(local, sender):
    def handle(connection: Any, request: Any) -> bool:
        wrong_name = b"-not-this-app" in request.body
        sent = reply(b'{"status":"error","message":"Invalid App Details"}', "400 Bad Request")
        known = REFUSES_THE_KEY if "/template?" in request.line else REFUSES_THE_RECIPIENT
        connection.sendall(sent if wrong_name else known)
        return True

    with serving(handle) as server:
        change(sender, api_url=server.url())
        code, found = check()
    assert code == 1
    assert found["credentials"]["level"] == "ok"
    assert local.id in found["app_id_refused"]["text"]


def test_an_app_id_that_does_not_look_like_one_is_told(local, sender):
    change(sender, app_id="my app")
    assert check()[1]["app_id_form"]["level"] == "attention"


def test_templates_that_no_campaign_can_send_are_told(local, sender):
    local.set()  # the usual ones can be sent
    assert "templates_special" not in check()[1]
    entry = {
        "id": "t-1",
        "elementName": "carte",
        "languageCode": "fr",
        "status": "APPROVED",
        "templateType": "LOCATION",
    }
    listed = reply(json.dumps({"status": "success", "templates": [entry]}).encode(), "200 OK")

    def handle(connection: Any, request: Any) -> bool:
        connection.sendall(listed if "/template?" in request.line else REFUSES_THE_RECIPIENT)
        return True

    with serving(handle) as server:
        change(sender, api_url=server.url())
        assert "carte (fr)" in check()[1]["templates_special"]["text"]


def test_without_an_app_id_it_says_what_cannot_be_seen(local, sender, ours):
    change(sender, app_id="")
    code, found = check()
    assert code == 0
    assert found["app_id_missing"]["level"] == "attention"
    assert found["credentials"]["level"] == "ok"


def test_a_name_or_a_number_is_wrong_when_gupshup_does_not_tell_which(local, sender):
    change(sender, app_id="", app_name="OtherApp")
    code, found = check()
    assert code == 1
    assert "33700000001" in found["app_mismatch"]["text"]


@pytest.mark.parametrize(
    ("minutes", "level"), [(0, "ok"), (2, "attention"), (-2, "attention"), (30, "error"), (-30, "error")]
)
def test_clocks_that_disagree_are_told(local, sender, minutes, level):
    there = format_datetime(timezone.now() + timedelta(minutes=minutes), usegmt=False)
    refused = reply(b'{"status":"error","message":"Invalid Destination"}', "400 Bad Request", Date=there)
    with serving(answering(refused)) as server:
        change(sender, api_url=server.url(), app_id="")
        _code, found = check()
    assert found["clock"]["level"] == level


def test_an_inbox_that_nobody_reads_is_told(local, sender, ours, monkeypatch):
    local.subscribe(ours)
    assert check()[1]["inbox_unread"]["level"] == "attention"
    monkeypatch.setattr(reach, "READING", 20)
    done = threading.Event()
    worker = threading.Thread(target=read_inbox, args=(done,))
    worker.start()
    try:
        assert check()[1]["inbox"]["level"] == "ok"
    finally:
        done.set()
        worker.join(30)


def read_inbox(done: threading.Event) -> None:
    """What a worker does."""
    try:
        while not done.wait(0.05):
            ingest.run()
    finally:
        connection.close()


def test_campaigns_that_cannot_go_on_are_named(local, sender, ours, template, make_campaign):
    local.subscribe(ours)
    make_campaign().row.update(status=CampaignStatus.SCHEDULED)
    make_campaign().row.update(status=CampaignStatus.PAUSED)
    assert "campaign_template" not in check()[1]
    type(template).objects.update(status="PAUSED")
    code, found = check()
    assert code == 1
    assert "Rentrée" in found["campaign_template"]["text"]


def test_a_silent_broker_is_no_error(local, sender, ours, settings, monkeypatch):
    local.subscribe(ours)
    monkeypatch.setattr(current_app.conf, "broker_url", "redis://127.0.0.1:9/0")
    settings.CELERY_BROKER_URL = "redis://:hidden@127.0.0.1:9/0"
    code, found = check()
    assert (code, found["broker"]["level"]) == (0, "attention")
    assert "hidden" not in str(found)


def test_a_wallet_that_cannot_be_read_is_no_error(local, sender, ours):
    refused = reply(b'{"status":"error","message":"Invalid Destination"}', "400 Bad Request")
    with serving(answering(refused)) as server:
        change(sender, api_url=server.url())
        _code, found = check()
    assert found["wallet_unknown"]["level"] == found["health"]["level"] == "attention"


def test_an_app_id_that_leads_nowhere_is_named_and_not_the_api_address(local, sender):
    def answer(connection: Any, request: Any) -> bool:
        if "/msg" in request.line:
            connection.sendall(reply(b'{"status":"error","message":"Invalid Destination"}', "400 Bad Request"))
        else:
            connection.sendall(reply(b"<html>not found</html>", "404 Not Found"))
        return True

    with serving(answer) as server:
        change(sender, api_url=server.url())
        code, found = check()
    assert code == 1
    assert "app id is wrong" in found["app_id_wrong"]["advice"]
    assert "GUPSHUP_API_URL" not in str(found)


def test_templates_and_a_stop_that_need_a_look_are_told(local, sender, ours):
    local.subscribe(ours)
    stopped = {"breaker": Sender.Breaker.OPEN, "breaker_code": "1003"}
    change(sender, templates_synced_at=timezone.now() - timedelta(days=3), ceiling=None, **stopped)
    local.set(quality="RED")
    code, found = check()
    assert code == 0
    assert {"sync", "stopped", "quality", "ceiling"} <= {one for one in found if found[one]["level"] == "attention"}
    assert "wallet" in found["stopped"]["text"]


def test_a_secret_that_stands_in_somebodys_address_is_not_shown(local, sender, ours):
    local.set(webhook="https://old.example.com/webhooks/gupshup/hidden")
    _code, found = check()
    assert "hidden" not in found["subscription_elsewhere"]["text"]
    assert "https://old.example.com/webhooks/gupshup/…" in found["subscription_elsewhere"]["text"]


def test_the_address_list_keeps_the_check_out_too(local, sender, ours, settings):
    local.subscribe(ours)
    settings.GUPSHUP_ALLOWED_ADDRESSES = ["34.202.224.208"]
    code, found = check()
    assert code == 0
    assert found["webhook_list"]["level"] == "attention"


@pytest.mark.parametrize(
    ("public", "codes"),
    [
        ("http://campagnes.example.com", {"webhook_http"}),
        ("https://127.0.0.1:9", {"webhook_private"}),
        ("http://10.0.0.7", {"webhook_http", "webhook_private"}),
        ("https://localhost", {"webhook_private"}),
        ("https://campagnes.example.com", set()),
    ],
)
def test_the_real_gupshup_needs_a_public_https_address(sender, settings, public, codes):
    settings.PUBLIC_URL = public
    sender.api_url = "https://api.gupshup.io/wa/api/v1"
    found = reach.outside(sender, webhook_address(sender))
    assert {one.code for one in found} == codes


# --- putting it right --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mistake",
    [no_subscription, elsewhere, wrong_secret, switched_off, dashboard_modes, all_but_failed, both_versions, twice],
    ids=lambda one: one.__name__,
)
def test_fix_sets_the_subscription(local, sender, ours, settings, mistake):
    local.subscribe(ours)
    mistake(local, sender, ours, settings)
    before = {one["url"] for one in local.active()}
    code, found = check("--fix")
    assert code == 0, found
    assert found["subscription_set"]["level"] == found["subscription"]["level"] == "ok"
    mine = [one for one in local.active() if one["url"] == ours]
    assert [one["version"] for one in mine] == [2]
    assert set(mine[0]["modes"]) >= set(NEEDED_MODES)
    if mistake is elsewhere:
        assert before <= {one["url"] for one in local.active()}  # what is not ours stays
    assert ("subscription_removed" in found) is (mistake in (both_versions, twice))  # nothing goes without a word


def test_fix_twice_changes_nothing_more(local, sender):
    assert check("--fix")[0] == 0
    first = [one["id"] for one in local.active()]
    assert check("--fix")[0] == 0
    assert [one["id"] for one in local.active()] == first


def test_fix_leaves_a_full_list_alone(local, sender):
    with serving(answering(reply(b"", "200 OK"))) as server:
        for n in range(5):
            local.subscribe(f"http://127.0.0.1:{server.port}/{n}", tag=f"x{n}")
        code, found = check("--fix")
    assert code == 1
    assert "5 subscriptions" in found["subscriptions_full"]["text"]
    assert len(local.active()) == 5


def test_fix_takes_a_tag_that_is_free(local, sender, ours):
    with serving(answering(reply(b"", "200 OK"))) as server:
        local.subscribe(f"http://127.0.0.1:{server.port}/", tag="campaigns")
    assert check("--fix")[0] == 0
    assert {one["tag"] for one in local.active()} == {"campaigns", "campaigns-2"}


def test_fix_says_when_gupshup_cannot_call_us(local, sender, settings):
    settings.PUBLIC_URL = "http://127.0.0.1:9"
    code, found = check("--fix")
    assert code == 1
    assert "2xx" in found["subscription_not_set"]["advice"]


def test_fix_needs_to_know_our_address(local, sender, settings):
    settings.PUBLIC_URL = ""
    assert check("--fix")[0] == 1
    assert local.active() == []


def test_after_a_rotation_the_old_address_is_replaced(local, sender, ours):
    local.subscribe(ours)
    change(sender, webhook_secret="a-newer-secret", webhook_secret_old=sender.webhook_secret)
    code, found = check("--fix")
    assert code == 0
    assert found["secret_old"]["level"] == "attention"
    assert [one["url"].rsplit("/", 1)[1] for one in local.active()] == ["a-newer-secret"]


# --- one message to oneself --------------------------------------------------------------------------------------


def test_live_ends_with_a_delivery(local, sender, ours):
    local.subscribe(ours)
    code, found = check("--live", "+33639985001", "--yes", "--wait", "20")
    assert code == 0, found
    assert "works" in found["live"]["text"]
    (sent,) = local.accepted()
    assert sent["destination"] == "33639985001"
    assert Callback.objects.filter(sender=sender).count() >= 3


def test_live_takes_the_template_that_is_named(local, sender, ours):
    local.subscribe(ours)
    named = ("--template", "nouvelle_collection", "--language", "fr")
    code, found = check("--live", "33639985001", "--yes", "--wait", "20", *named)
    assert code == 0, found
    assert local.accepted()[0]["message"]["type"] == "image"  # the media of the template's sample


def test_live_tells_a_failure_in_plain_words(local, sender, ours):
    local.subscribe(ours)
    code, found = check("--live", "33639991049", "--yes", "--wait", "20")
    assert code == 1
    assert "131049" in found["live_failed"]["text"]
    assert "Held back by Meta" in found["live_failed"]["advice"]


def test_live_tells_that_no_report_came_back(local, sender):
    code, found = check("--live", "33639985001", "--yes", "--wait", "0.2")
    assert code == 1
    assert "way back" in found["live_silent"]["advice"]


def test_live_tells_a_refusal(local, sender, ours):
    local.subscribe(ours)
    code, found = check("--live", "33639996400", "--yes")
    assert code == 1
    assert "Invalid Destination" in found["live_refused"]["advice"]


def test_live_without_a_template_sends_nothing(local, sender, ours):
    code, found = check("--live", "33639985001", "--yes", "--template", "unheard_of")
    assert code == 1
    assert "live_template" in found
    assert local.accepted() == []


def test_live_sends_nothing_without_a_yes(local, sender, ours):
    local.subscribe(ours)
    with pytest.raises(CommandError, match="--yes"):
        check("--live", "33639985001")
    assert local.accepted() == []


# --- words -------------------------------------------------------------------------------------------------------


def printed(*flags: str) -> str:
    out = StringIO()
    with suppress(SystemExit):
        call_command("check_gupshup", "--no-color", *flags, stdout=out)
    return out.getvalue()


def test_it_speaks_french_and_english(local, sender):
    french, english = printed(), printed("--lang", "en")
    assert "  erreur     Il n’y a aucun abonnement" in french
    assert "  error      There is no subscription" in english
    for text in (french, english):
        assert local.key not in text
        assert all(line.startswith("  ") for line in text.splitlines()[1:])


def test_without_any_sender_it_says_what_the_settings_lack(settings, db):
    settings.GUPSHUP_FROM_ENVIRONMENT = False
    settings.GUPSHUP_API_KEY = ""
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("check_gupshup", "--lang", "en", "--no-color", stdout=out)
    assert "GUPSHUP_API_KEY is missing" in out.getvalue()


def test_an_app_that_nobody_knows_is_said_to_be_unknown(sender, settings):
    settings.GUPSHUP_FROM_ENVIRONMENT = False
    with pytest.raises(CommandError, match="app name"):
        call_command("check_gupshup", "--app", "Nobody", "--lang", "en")


def test_levels_are_words_for_programs():
    assert [level.value for level in Level] == ["ok", "attention", "error"]

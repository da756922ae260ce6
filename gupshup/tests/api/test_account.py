"""Templates, wallet, health, quality, subscriptions: over real HTTP."""

from __future__ import annotations

import json
import socket
from urllib.parse import parse_qs, urlsplit

import pytest

from gupshup.api import transport
from gupshup.api.account import NEEDED_MODES, PAGE, Wallet
from gupshup.api.client import GupshupService
from gupshup.api.drafts import TemplateDraft
from gupshup.api.responses import Outcome
from gupshup.tests.api.servers import Request, answering, reply, serving

APP = "6f1d3c6a-2f0e-4d5b-9a55-5a8f2f1b7c01"


def entry(number: int) -> dict[str, object]:
    return {
        "id": f"t-{number}",
        "elementName": f"modele_{number}",
        "languageCode": "fr",
        "status": "APPROVED",
        "data": "x" * 900,
    }


def client(url: str, app_id: str | None = APP) -> GupshupService:
    return GupshupService("sk_demo_key", "BoutiqueDemo", "33199000000", url, app_id=app_id, deadline=5.0)


@pytest.fixture(autouse=True)
def fresh_connections():
    yield
    transport.close()


def routes(table: dict[str, object]):
    """A handler: ``METHOD path`` -> a JSON value, or (status, value), or a function of the query."""

    def handle(connection: socket.socket, request: Request) -> bool:
        method, target, _ = request.line.split(" ")
        parts = urlsplit(target)
        found = table.get(f"{method} {parts.path}", ("404 Not Found", {"status": "error", "message": "no route"}))
        if callable(found):
            found = found({name: values[0] for name, values in parse_qs(parts.query).items()})
        status, value = found if isinstance(found, tuple) else ("200 OK", found)
        connection.sendall(reply(json.dumps(value).encode(), status))
        return True

    return handle


def paged(total: int, first: int):
    """Templates in pages that count from ``first``; a page before it is refused when pages count from 2."""

    def answer(query: dict[str, str]) -> object:
        number, size = int(query["pageNo"]) - first, int(query["pageSize"])
        if number < 0 and first == 2:
            return "400 Bad Request", {"status": "error", "message": "bad page"}
        start = max(number, 0) * size
        return {"status": "success", "templates": [entry(n) for n in range(start, min(start + size, total))]}

    return answer


@pytest.mark.parametrize("total", [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE, 3 * PAGE + 7])
@pytest.mark.parametrize("first", [0, 1])
def test_every_page_is_read_wherever_they_count_from(total, first):
    with serving(routes({f"GET /wa/app/{APP}/template": paged(total, first)})) as server:
        result = client(server.url()).templates()
    assert result.value is not None
    assert [info.id for info in result.value] == [f"t-{n}" for n in range(total)]
    assert not result.partial


@pytest.mark.parametrize("total", [3, PAGE, 2 * PAGE + 5])
def test_an_account_that_ignores_pages_is_read_once(total):
    everything = {"status": "success", "templates": [entry(n) for n in range(total)]}
    with serving(routes({f"GET /wa/app/{APP}/template": everything})) as server:
        result = client(server.url()).templates()
        assert len(server.requests) <= 3
    assert result.value is not None
    assert len(result.value) == total


def test_half_a_list_is_no_list():
    def answer(query: dict[str, str]) -> object:
        if query["pageNo"] == "2":
            return "429 Too Many Requests", {"status": "error", "message": "Too Many Requests"}
        return paged(5 * PAGE, 0)(query)

    with serving(routes({f"GET /wa/app/{APP}/template": answer})) as server:
        result = client(server.url()).templates()
    assert result.value is None
    assert result.response.outcome is Outcome.SLOW_DOWN


def test_one_entry_that_cannot_be_read_costs_none_of_the_others():
    listed = [entry(1), None, {"id": "t-2"}, entry(3)]
    with serving(routes({f"GET /wa/app/{APP}/template": {"status": "success", "templates": listed}})) as server:
        result = client(server.url()).templates()
    assert result.value is not None
    assert [info.id for info in result.value] == ["t-1", "t-3"]
    assert result.partial  # what is missing in it may exist all the same


def test_without_an_app_id_the_old_list_is_asked_and_the_rest_says_so():
    with serving(routes({"GET /sm/api/v1/template/list/BoutiqueDemo": {"templates": [entry(1)]}})) as server:
        service = client(server.url(), app_id=None)
        assert service.templates().ok
        count = len(server.requests)
        replies = [service.subscriptions(), service.health(), service.ratings(), service.template("t-1")]
        assert all(one.response.error_code == "app_id_missing" for one in replies)
        assert service.delete_subscription("1").error_code == "app_id_missing"
        assert len(server.requests) == count


def test_one_template_and_a_new_one():
    draft = TemplateDraft("soldes", "fr", "MARKETING", "Bonjour {{1}} et bienvenue chez nous", ["Léa"])
    table = {
        f"GET /wa/app/{APP}/template/t-1": {"status": "success", "template": entry(1)},
        f"POST /wa/app/{APP}/template": {"status": "success", "template": entry(2) | {"status": "PENDING"}},
    }
    with serving(routes(table)) as server:
        service = client(server.url())
        one, new = service.template("t-1"), service.create_template(draft)
        assert server.requests[-1].form["content"] == draft.body
        assert server.requests[-1].form["example"] == "Bonjour Léa et bienvenue chez nous"
        assert "header" not in server.requests[-1].form
    assert one.value is not None
    assert new.value is not None
    assert (one.value.id, new.value.status) == ("t-1", "PENDING")


def test_a_template_that_exists_is_said_to_exist():
    said = "Template Already exists with same namespace and elementName and languageCode"
    answer = ("400 Bad Request", {"status": "error", "message": said})
    with serving(routes({f"POST /wa/app/{APP}/template": answer})) as server:
        result = client(server.url()).create_template(TemplateDraft("a", "fr", "UTILITY", "b"))
    assert (result.ok, result.response.error_code) == (False, "template_exists")


@pytest.mark.parametrize(
    ("table", "balance"),
    [
        ({"GET /sm/api/v2/wallet/balance": {"status": "success", "balance": 41.938}}, 41.938),
        ({"GET /sm/api/v2/wallet/balance": {"status": "success", "balance": "12.5"}}, 12.5),
        (
            {
                f"GET /wa/app/{APP}/wallet/balance": {
                    "status": "success",
                    "walletResponse": {"currency": "USD", "currentBalance": 7, "overDraftLimit": 0},
                }
            },
            7.0,
        ),
    ],
)
def test_the_wallet_is_read_where_it_is(table, balance):
    with serving(routes(table)) as server:
        result = client(server.url()).wallet()
    assert result.value is not None
    assert (result.value.balance, result.value.currency) == (balance, "USD")


@pytest.mark.parametrize("answer", [{"status": "success"}, {"balance": None}, "x", ("404 Not Found", {})])
def test_a_wallet_that_cannot_be_read_is_unknown(answer):
    with serving(routes({"GET /sm/api/v2/wallet/balance": answer})) as server:
        assert client(server.url()).wallet().value is None


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ({"status": "success", "healthy": "true"}, True),
        ({"status": "success", "healthy": False}, False),
        (("400 Bad Request", {"status": "error", "message": "App is not live."}), False),
        (("500 Internal Server Error", {}), None),
    ],
)
def test_health_is_yes_no_or_unknown(answer, value):
    with serving(routes({f"GET /partner/app/{APP}/health": answer})) as server:
        assert client(server.url()).health().value is value


def test_quality_and_limit_are_read():
    ratings = {"oldLimit": "TIER_1K", "currentLimit": "TIER_10K", "event": "upgrade", "phoneQuality": "GREEN"}
    with serving(routes({f"GET /wa/app/{APP}/ratings": {"status": "success", "ratings": ratings}})) as server:
        value = client(server.url()).ratings().value
    assert value is not None
    assert (value.quality, value.limit, value.old_limit, value.event) == ("GREEN", 10_000, 1_000, "UPGRADE")


def test_subscriptions_are_listed_with_what_they_lack():
    listed = [
        {"id": 111, "tag": "a", "url": "https://e.fr/w", "version": 2, "active": True, "modes": ["MESSAGE", "SENT"]},
        {"id": "222", "tag": "b", "url": "https://e.fr/x", "version": "3", "active": False, "modes": "all"},
        {"id": "333"},
    ]
    table = {f"GET /wa/app/{APP}/subscription": {"status": "success", "subscriptions": listed}}
    with serving(routes(table)) as server:
        value = client(server.url()).subscriptions().value
    assert value is not None
    assert [(one.id, one.version, one.active) for one in value] == [("111", 2, True), ("222", 3, False)]
    assert "FAILED" in value[0].missing()
    assert "SENT" not in value[0].missing()
    assert value[1].missing() == ("FAILED",)  # ALL is all but what must be named


def test_the_number_behind_the_app_id_is_read():
    answer = {"status": "success", "wabaInfo": {"phone": "+33 7 00 00 00 01", "wabaName": "Boutique"}}
    with serving(routes({f"GET /partner/app/{APP}/waba/info": answer})) as server:
        value = client(server.url()).business().value
    assert value is not None
    assert (value.phone, value.name) == ("33700000001", "Boutique")


def test_the_wallet_is_sought_where_the_key_is_good_for_it():
    wallet = {"status": "success", "walletResponse": {"currentBalance": 3}}
    table = {
        "GET /sm/api/v2/wallet/balance": ("401 Unauthorized", {"status": "error", "message": "Authentication Failed"}),
        f"GET /wa/app/{APP}/wallet/balance": wallet,
    }
    with serving(routes(table)) as server:
        assert client(server.url()).wallet().value == Wallet(3.0)


def test_modes_travel_as_text():
    """A JSON list of modes would be ignored without a word."""
    made = {"status": "success", "subscription": {"id": "1", "url": "https://e.fr/w", "version": 2, "modes": ["SENT"]}}
    table = {f"POST /wa/app/{APP}/subscription": made, f"PUT /wa/app/{APP}/subscription/1": made}
    with serving(routes(table)) as server:
        service = client(server.url())
        assert service.set_subscription("https://e.fr/w", headers={"X-Webhook-Secret": "s"}).ok
        form = server.requests[-1].form
        assert form["modes"] == ",".join(NEEDED_MODES)
        assert (form["version"], form["active"], form["showOnUI"]) == ("2", "true", "true")
        assert json.loads(form["meta"]) == {"headers": {"X-Webhook-Secret": "s"}}
        assert service.set_subscription("https://e.fr/w", modes=["SENT"], subscription_id="1").ok
        assert server.requests[-1].line.startswith("PUT ")


def test_deleting_names_one_subscription_and_never_all():
    with serving(routes({f"DELETE /wa/app/{APP}/subscription/1": {"status": "success"}})) as server:
        service = client(server.url())
        assert service.delete_subscription("1").success
        assert not service.delete_subscription("").success
        assert not service.delete_subscription("../subscription").success
        assert [request.line.split(" ")[1] for request in server.requests] == [
            f"/wa/app/{APP}/subscription/1",
            f"/wa/app/{APP}/subscription/..%2Fsubscription",
        ]


def test_a_file_is_uploaded():
    table = {f"POST /wa/{APP}/wa/media/": {"status": "success", "mediaId": "123"}}
    with serving(routes(table)) as server:
        result = client(server.url()).upload_media(b"\x89PNG\r\n--x", 'i"\r\n.png', "image/png")
        request = server.requests[-1]
    assert result.value == "123"
    assert b'filename="i.png"' in request.body
    assert b"\x89PNG\r\n--x\r\n--" in request.body
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")


def test_a_message_is_marked_as_read():
    with serving(routes({f"PUT /wa/app/{APP}/msg/wamid.X%3D/read": ("202 Accepted", {"status": "success"})})) as server:
        assert client(server.url()).mark_read("wamid.X=").success


def test_an_answer_without_a_body_ends_a_call_but_holds_no_value():
    with serving(answering(reply(b"", "202 Accepted"))) as server:
        assert client(server.url()).mark_read("wamid.X=").success
        assert client(server.url()).delete_subscription("1").success
        assert client(server.url()).wallet().value is None
        assert client(server.url()).subscriptions().response.error_code == "bad_answer"

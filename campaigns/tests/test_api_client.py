"""A client that knows nothing but the contract of the old system drives everything it names, over real HTTP both ways.

It reads no code of ours: paths and field names below are copied from the contract, and each answer must have them all.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from accounts.models import User
from campaigns.tests.test_gupshup_integration import work
from conftest import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

CATEGORY = "id, name, color, created_by, created_at, updated_at"
CONTACT = "id, phone_number, country_code, full_number, first_name, last_name, created_by, created_at, updated_at"
CAMPAIGN = (
    "id, name, message_1, message_2, template_name, status, total_recipients, sent_count, delivered_count, read_count, "
    "failed_count, created_by, created_at, updated_at, scheduled_at, completed_at, success_rate, categories"
)
STATS = (
    "campaign_id, total_recipients, sent_count, delivered_count, read_count, failed_count, pending_count, success_rate"
)
MESSAGE = (
    "id, campaign_id, contact_id, message_type, content, status, whatsapp_message_id, error_message, retry_count, "
    "sent_at, delivered_at, read_at, created_at, updated_at"
)
USER = "id, email, role, is_active, created_at"

# People as the local Gupshup knows them by their last digits.
READS, RECEIVES, ANSWERS, UNREACHABLE, STOPS = (f"+33612995{n}" for n in ("001", "002", "003", "019", "014"))
CSV = f"first_name,last_name,phone_number\nAwa,Diop,{READS}\nLéo,Petit,{RECEIVES}\nMia,Roux,{ANSWERS}\nFaux,,12\n"


class Client:
    """JSON and a token: what any front end has."""

    def __init__(self, root: str) -> None:
        self.root, self.token = root, ""

    def __call__(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": kind} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        try:
            with urlopen(Request(f"{self.root}{path}", data, headers, method=method), timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except HTTPError as error:
            return error.code, json.loads(error.read())

    def ok(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        got, answer = self(method, path, body)
        assert got == status, (method, path, got, answer)
        return answer

    def refused(self, status: int, method: str, path: str, body: Any = None) -> Any:
        """An error says in a sentence what to do."""
        got, answer = self(method, path, body)
        assert got == status, (method, path, got, answer)
        assert len(str(answer["detail"])) > 10
        return answer

    def log_in(self, email: str, password: str) -> Any:
        self.token = ""
        tokens = self.ok("POST", "/api/auth/login", {"email": email, "password": password})
        self.token = tokens["access"]
        return tokens


def has(answer: dict[str, Any], names: str) -> dict[str, Any]:
    assert {name.strip() for name in names.split(",")} <= answer.keys()
    return answer


def file_of(text: str) -> tuple[bytes, str]:
    head = 'Content-Disposition: form-data; name="file"; filename="contacts.csv"\r\nContent-Type: text/csv'
    return f"--cut\r\n{head}\r\n\r\n{text}\r\n--cut--\r\n".encode(), "multipart/form-data; boundary=cut"


@pytest.fixture
def client(live_server) -> Client:
    User.objects.create_superuser("chef@example.com", "un mot de passe 42")
    return Client(live_server.url)


def test_logging_in_lasts_and_ends_as_the_contract_says(client):
    """Validates: 7: tokens, their refresh, who one is, and 401 for everybody else."""
    for path in ("categories", "contacts", "campaigns", "messages", "messages/stats", "users", "auth/me"):
        client.refused(401, "GET", f"/api/{path}")
    client.refused(401, "POST", "/api/auth/login", {"email": "chef@example.com", "password": "faux"})
    client.refused(400, "POST", "/api/auth/login", {"email": "chef@example.com"})
    tokens = client.log_in("chef@example.com", "un mot de passe 42")
    has(client.ok("GET", "/api/auth/me"), USER)
    client.token = tokens["refresh"]
    client.refused(401, "GET", "/api/auth/me")
    client.token = client.ok("POST", "/api/auth/refresh", {"refresh": tokens["refresh"]})["access"]
    assert client.ok("GET", "/api/auth/me")["role"] == "super_admin"
    client.refused(401, "POST", "/api/auth/refresh", {"refresh": "faux"})


def test_users_categories_and_contacts_are_kept_by_the_contract(client):
    """Validates: 7: every route of users, categories and contacts, with 403, 404, 409 and unprocessable details."""
    client.log_in("chef@example.com", "un mot de passe 42")
    new = {"email": "anne@example.com", "password": "Zanzibar-77-lune", "role": "admin"}
    anne = has(client.ok("POST", "/api/users", new, 201), USER)
    client.refused(409, "POST", "/api/users", new)
    client.refused(422, "POST", "/api/users", {**new, "email": "luc@example.com", "password": "12345678"})
    assert client.ok("GET", f"/api/users/{anne['id']}")["email"] == "anne@example.com"
    assert has(client.ok("GET", "/api/users")["results"][0], USER)
    assert client.ok("PUT", f"/api/users/{anne['id']}", {"role": "super_admin"})["role"] == "super_admin"
    assert client.ok("PUT", f"/api/users/{anne['id']}", {**anne, "role": "admin"})["role"] == "admin"
    client.refused(404, "GET", "/api/users/999999")

    mine = client.ok("POST", "/api/categories", {"name": "Du chef"}, 201)
    client.log_in("anne@example.com", "Zanzibar-77-lune")
    client.refused(403, "GET", "/api/users")
    client.refused(403, "POST", "/api/users", new)
    client.refused(404, "GET", f"/api/categories/{mine['id']}")
    client.refused(404, "DELETE", f"/api/categories/{mine['id']}")

    vip = has(client.ok("POST", "/api/categories", {"name": "VIP", "color": "#25d366"}, 201), CATEGORY)
    client.refused(400, "POST", "/api/categories", {"color": "#25d366"})
    client.refused(400, "POST", "/api/categories", {"name": "x", "color": "vert"})
    assert client.ok("PUT", f"/api/categories/{vip['id']}", {**vip, "name": "Fidèles"})["name"] == "Fidèles"
    assert has(client.ok("GET", f"/api/categories/{vip['id']}"), CATEGORY)["color"] == "#25d366"

    person = {"phone_number": "612345678", "country_code": "+33", "first_name": "Awa", "last_name": "Diop"}
    awa = has(client.ok("POST", "/api/contacts", person, 201), CONTACT)
    assert awa["full_number"] == "+33612345678"
    client.refused(409, "POST", "/api/contacts", person)
    client.refused(422, "POST", "/api/contacts", {**person, "phone_number": "12"})
    assert client.ok("PUT", f"/api/contacts/{awa['id']}", {**awa, "first_name": "Awah"})["first_name"] == "Awah"
    client.ok("POST", f"/api/categories/{vip['id']}/contacts", {"contact_ids": [awa["id"]]})
    client.ok("DELETE", f"/api/categories/{vip['id']}/contacts/{awa['id']}", status=204)
    client.refused(404, "DELETE", f"/api/categories/{vip['id']}/contacts/{awa['id']}")
    assert has(client.ok("GET", f"/api/contacts/{awa['id']}"), CONTACT)["first_name"] == "Awah"
    assert client.ok("GET", "/api/contacts?search=0612345678")["count"] == 1
    client.ok("DELETE", f"/api/contacts/{awa['id']}", status=204)
    client.refused(404, "GET", f"/api/contacts/{awa['id']}")
    client.ok("DELETE", f"/api/categories/{vip['id']}", status=204)

    client.log_in("chef@example.com", "un mot de passe 42")
    client.ok("PUT", f"/api/users/{anne['id']}", {"is_active": False})
    got, _ = client("POST", "/api/auth/login", {"email": "anne@example.com", "password": "Zanzibar-77-lune"})
    assert got == 401


def test_lists_come_in_pages_of_at_most_fifty(client):
    """Validates: 7: paging of at most 50, search."""
    client.log_in("chef@example.com", "un mot de passe 42")
    for n in range(60):
        client.ok("POST", "/api/categories", {"name": f"Liste {n:02d}"}, 201)
    first = client.ok("GET", "/api/categories?page_size=1000&ordering=name")
    second = client.ok("GET", first["next"].removeprefix(client.root))
    assert (first["count"], len(first["results"]), len(second["results"]), second["next"]) == (60, 50, 10, None)
    names = [row["name"] for row in first["results"] + second["results"]]
    assert names == sorted(set(names))
    assert client.ok("GET", "/api/categories?search=liste%2007")["count"] == 1
    client.refused(404, "GET", "/api/categories?page=3")


def test_a_whole_campaign(client, gupshup, live_server, sender, template):
    """Validates: 7, 7.5, 8.1: import, launch, figures, messages, retry."""
    hook = f"{live_server.url}/api/webhooks/gupshup/{sender.webhook_secret}"
    simulator = gupshup("--webhook", hook, "--speed", "200", "--seed", "7", "--behaviour", "reads")
    type(template).objects.filter(pk=template.pk).update(body="Bonjour {{1}}, une offre vous attend.")
    client.log_in("chef@example.com", "un mot de passe 42")
    category = client.ok("POST", "/api/categories", {"name": "Clients", "color": "#25d366"}, 201)

    status, report = client("POST", "/api/contacts/import", *file_of(CSV))
    assert (status, report["valid_rows"], report["rejected_rows"]) == (200, 3, 1)
    people = client.ok("GET", "/api/contacts")["results"]
    for number in (UNREACHABLE, STOPS):
        people.append(client.ok("POST", "/api/contacts", {"full_number": number, "first_name": "Zoé"}, 201))
    ids = [person["id"] for person in people]
    client.ok("POST", f"/api/categories/{category['id']}/contacts", {"contact_ids": ids})

    wish = {
        "name": "Rentrée",
        "message_1": "Bonjour {{first_name}}, une offre vous attend.",
        "message_2": "Merci !",
        "template_name": "offre",
        "category_ids": [category["id"]],
    }
    client.refused(404, "POST", "/api/campaigns", {**wish, "category_ids": [999_999]})
    client.refused(400, "POST", "/api/campaigns", {**wish, "category_ids": []})
    assert "candidates" in client.refused(
        422, "POST", "/api/campaigns", {**wish, "template_name": None, "message_1": "Un texte que personne n’approuva"}
    )
    launched = client.ok("POST", "/api/campaigns", wish, 202)
    has(launched, CAMPAIGN)
    has(launched["campaign"], CAMPAIGN)
    assert re.fullmatch("[0-9a-f-]{36}", launched["task_id"])
    assert (launched["status"], launched["total_recipients"]) == ("sending", 5)

    one = f"/api/campaigns/{launched['id']}"
    expected = {"pending_count": 0, "sent_count": 0, "delivered_count": 1, "read_count": 3, "failed_count": 1}

    def settled() -> bool:
        work(sender, simulator)
        return client.ok("GET", f"{one}/stats").items() >= expected.items()

    wait_for(settled, 60)
    shown, stats = has(client.ok("GET", one), CAMPAIGN), has(client.ok("GET", f"{one}/stats"), STATS)
    assert (shown["status"], shown["name"], shown["template_name"]) == ("completed", "Rentrée", "offre")
    assert shown["categories"] == [{"id": category["id"], "name": "Clients", "color": "#25d366"}]
    assert all(shown[name] == stats[name] for name in shown.keys() & stats.keys())
    assert stats["success_rate"] == 4 / 5 * 100

    sent = client.ok("GET", f"/api/messages?campaign_id={launched['id']}")
    rows = [has(row, MESSAGE) for row in sent["results"]]
    firsts = {row["contact_id"]: row for row in rows if row["message_type"] == "message_1"}
    assert sorted(row["status"] for row in firsts.values()) == ["delivered", "failed", "read", "read", "read"]
    seconds = [row for row in rows if row["message_type"] == "message_2"]
    assert [row["content"] for row in seconds] == ["Merci !"], "who said STOP gets nothing more"
    assert {row["content"] for row in firsts.values()} == {
        f"Bonjour {name}, une offre vous attend." for name in ("Awa", "Léo", "Mia", "Zoé")
    }
    assert all(row["whatsapp_message_id"] and row["sent_at"] for row in firsts.values() if row["status"] == "read")
    (failed,) = client.ok("GET", f"/api/messages?campaign_id={launched['id']}&status=failed")["results"]
    assert failed["error_message"]
    assert has(client.ok("GET", f"/api/messages/{failed['id']}"), MESSAGE) == failed
    assert client.ok("GET", f"/api/messages/stats?campaign_id={launched['id']}")["message_1"]["failed_count"] == 1
    listed = client.ok("GET", "/api/campaigns?status=completed&search=rentr")
    assert [has(row, CAMPAIGN)["id"] for row in listed["results"]] == [launched["id"]]

    retried = client.ok("POST", f"{one}/retry")
    assert (retried["campaign_id"], retried["retried_count"], bool(retried["message"])) == (launched["id"], 1, True)
    assert client.ok("GET", f"{one}/stats")["pending_count"] == 1
    wait_for(settled, 60)
    assert client.ok("GET", f"{one}/stats") == stats
    client.refused(409, "DELETE", one)
    client.refused(404, "GET", "/api/campaigns/999999/stats")
    client.refused(404, "POST", "/api/campaigns/999999/retry")

"""A client that knows the contract alone drives a campaign from its login to its figures, over real HTTP both ways."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from accounts.models import User
from campaigns.models import Message
from campaigns.status import Kind
from campaigns.tests.test_gupshup_integration import work

pytestmark = pytest.mark.django_db(transaction=True)
CSV = "prénom;téléphone\nAwa;06 12 34 56 01\nLéo;06 12 34 56 02\nMia;06 12 34 56 03\nfaux;12\n"


class OldFrontEnd:
    """Sends JSON and a token, reads the answer; nothing else."""

    def __init__(self, root: str) -> None:
        self.root, self.token = root, ""

    def send(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": kind} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        try:
            with urlopen(Request(f"{self.root}{path}", data, headers, method=method), timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except HTTPError as error:
            return error.code, json.loads(error.read())


def upload(text: str) -> tuple[bytes, str]:
    mark = "frontiere"
    part = (
        f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="c.csv"\r\nContent-Type: text/csv\r\n\r\n'
    )
    return f"{part}{text}\r\n--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}"


def test_the_old_front_end_drives_a_campaign(gupshup, live_server, sender, template):
    """Validates: 7, 8.1"""
    hook = f"{live_server.url}/api/webhooks/gupshup/{sender.webhook_secret}"
    simulator = gupshup("--webhook", hook, "--speed", "200", "--seed", "7", "--behaviour", "all-reply")
    type(template).objects.filter(pk=template.pk).update(body="Bonjour {{1}}, une offre vous attend.")
    User.objects.create_user("anne@example.com", "un mot de passe 42")
    client = OldFrontEnd(live_server.url)

    assert client.send("GET", "/api/campaigns")[0] == 401
    _, tokens = client.send("POST", "/api/auth/login", {"email": "anne@example.com", "password": "un mot de passe 42"})
    client.token = tokens["access"]
    _, category = client.send("POST", "/api/categories", {"name": "Clients", "color": "#25d366"})
    status, report = client.send("POST", "/api/contacts/import", *upload(CSV))
    assert (status, report["valid_rows"], report["rejected_rows"]) == (200, 3, 1)
    _, listed = client.send("GET", "/api/contacts")
    for contact in listed["results"]:
        client.send("POST", f"/api/categories/{category['id']}/contacts", {"contact_ids": [contact["id"]]})

    text = "Bonjour {{first_name}}, une offre vous attend."
    body = {"name": "Rentrée", "message_1": text, "message_2": "Merci !", "template_name": "offre"}
    status, campaign = client.send("POST", "/api/campaigns", body | {"category_ids": [category["id"]]})
    assert (status, campaign["status"], campaign["total_recipients"]) == (202, "sending", 3)
    assert campaign["task_id"]

    work(sender, simulator)

    _, shown = client.send("GET", f"/api/campaigns/{campaign['id']}")
    _, stats = client.send("GET", f"/api/campaigns/{campaign['id']}/stats")
    assert shown["status"] == "completed"
    assert stats["total_recipients"] == 3
    assert stats["delivered_count"] + stats["read_count"] == 3
    assert stats["success_rate"] == shown["success_rate"] == 100.0
    _, sent = client.send("GET", f"/api/messages?campaign_id={campaign['id']}")
    assert {row["message_type"] for row in sent["results"]} == {"message_1", "message_2"}
    assert {row["content"] for row in sent["results"] if row["message_type"] == "message_1"} == {
        f"Bonjour {name}, une offre vous attend." for name in ("Awa", "Léo", "Mia")
    }
    assert Message.objects.filter(message_type=Kind.MESSAGE_2).count() == 3
    status, retried = client.send("POST", f"/api/campaigns/{campaign['id']}/retry")
    assert (status, retried["retried_count"]) == (200, 0)
    _, interactions = client.send("GET", f"/api/interactions?campaign_id={campaign['id']}")
    assert interactions["count"] >= 3

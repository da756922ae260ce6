"""Templates, subscriptions, wallet and health."""

import json
from pathlib import Path

import pytest

from .conftest import KEY, wait_until

NUMBER = "33612345678"


@pytest.mark.parametrize(
    "path", ["/wa/app/{id}/template", "/partner/app/{id}/templates", "/sm/api/v1/template/list/TestApp"]
)
def test_templates_are_listed(start, path):
    simulator = start()
    templates = simulator.get(path.format(id=simulator.app_id)).json()["templates"]
    assert {(one["elementName"], one["languageCode"]) for one in templates} >= {
        ("bienvenue", "fr"),
        ("bienvenue", "en"),
    }
    offer = next(one for one in templates if one["elementName"] == "promo_rentree")
    assert offer["data"].endswith(" | [Oui, dites-m'en plus] | [Non merci]")
    assert json.loads(offer["containerMeta"])["buttons"][0]["type"] == "QUICK_REPLY"


def test_pages_and_filters_narrow_the_list(start):
    simulator = start()
    path = f"/wa/app/{simulator.app_id}/template"
    pages = [simulator.get(f"{path}?pageNo={page}&pageSize=4").json()["templates"] for page in range(4)]
    assert [len(page) for page in pages] == [4, 4, 1, 0]
    assert len({one["id"] for page in pages for one in page}) == 9
    paused = simulator.get(f"{path}?templateStatus=PAUSED").json()["templates"]
    assert [one["elementName"] for one in paused] == ["soldes_flash"]
    one = simulator.get(f"{path}/{paused[0]['id']}").json()["template"]
    assert one["status"] == "PAUSED"
    first = simulator.get(f"/partner/app/{simulator.app_id}/templates?pageNo=1&pageSize=4").json()["templates"]
    assert first == pages[0]


@pytest.mark.parametrize(("key", "app", "status"), [("wrong", None, 401), (KEY, "other", 400)])
def test_key_and_app_must_fit(start, key, app, status):
    simulator = start()
    path = f"/wa/app/{app or simulator.app_id}/template"
    assert simulator.call("GET", path, headers={"apikey": key}).status == status


def test_a_created_template_is_approved_with_an_event(fast, receiver):
    simulator = fast()
    path = f"/wa/app/{simulator.app_id}/template"
    form = {"elementName": "fete_des_meres", "languageCode": "fr", "content": "Bonjour {{1}}", "category": "MARKETING"}
    created = simulator.form(path, form).json()["template"]
    assert created["status"] == "PENDING"
    wait_until(receiver.requests.__len__, "the event")
    event = receiver.bodies()[0]["payload"]
    assert (event["status"], event["id"], event["elementName"]) == ("approved", created["id"], "fete_des_meres")
    assert simulator.get(f"{path}/{created['id']}").json()["template"]["status"] == "APPROVED"
    again = simulator.form(path, form)
    assert (again.status, "already exists" in again.json()["message"].lower()) == (400, True)
    assert simulator.form(path, form | {"elementName": "Été"}).status == 400


def test_a_template_can_be_rejected(fast, receiver):
    simulator = fast()
    form = {"elementName": "a_refuser", "languageCode": "fr", "content": "Bonjour", "category": "MARKETING"}
    simulator.form(f"/wa/app/{simulator.app_id}/template", form)
    wait_until(receiver.requests.__len__, "the event")
    assert receiver.bodies()[0]["payload"]["rejectedReason"] == "INVALID_FORMAT"


def subscribe(simulator, url, **fields):
    return simulator.form(f"/wa/app/{simulator.app_id}/subscription", {"url": url, "version": "2", "tag": "t"} | fields)


def test_setting_a_url_calls_it_at_once_and_needs_2xx(start, receiver):
    simulator = start()
    receiver.answers = [403]
    refused = subscribe(simulator, receiver.url)
    assert (refused.status, refused.json()["message"]) == (400, "Invalid URL Passed")
    assert subscribe(simulator, "http://127.0.0.1:1/").status == 400
    assert subscribe(simulator, "ftp://example.com/").status == 400
    kept = subscribe(simulator, receiver.url, modes="SENT,DELIVERED,READ,FAILED").json()["subscription"]
    assert kept["modes"] == ["DELIVERED", "FAILED", "READ", "SENT"]
    ping = receiver.bodies()[-1]
    assert ping["payload"] == {"phone": "callbackSetPhone", "type": "sandbox-start"}


def test_a_v3_ping_is_a_set_callback(start, receiver):
    simulator = start()
    assert subscribe(simulator, receiver.url, version="3").json()["subscription"]["version"] == 3
    value = receiver.bodies()[0]["entry"][0]["changes"][0]["value"]
    assert value["statuses"] == [{"type": "set-callback"}]


def test_modes_are_text_and_a_list_changes_nothing(start, receiver):
    simulator = start("--speed", "2000", "--behaviour", "quiet")
    kept = subscribe(simulator, receiver.url, modes='["SENT", "READ"]').json()["subscription"]
    assert kept["modes"] == ["ENQUEUED", "FAILED"]
    simulator.send(NUMBER)
    simulator.wait_for_quiet()
    assert [one["type"] for one in receiver.statuses()] == ["enqueued"]
    path = f"/wa/app/{simulator.app_id}/subscription/{kept['id']}"
    changed = simulator.form(path, {"modes": "READ"}, method="PUT").json()["subscription"]
    assert changed["modes"] == ["READ"]
    unchanged = simulator.form(path, {"modes": '["SENT"]'}, method="PUT").json()["subscription"]
    assert unchanged["modes"] == ["READ"]


def test_custom_headers_go_with_every_callback_but_the_ping(start, receiver):
    simulator = start("--speed", "2000", "--behaviour", "quiet")
    subscribe(simulator, receiver.url, modes="SENT", meta='{"headers":{"X-Secret":"s3cret"}}')
    simulator.send(NUMBER)
    simulator.wait_for_quiet()
    assert [headers.get("X-Secret") for _, headers, _ in receiver.requests] == [None, "s3cret"]


def test_there_are_five_subscriptions_at_most_and_they_can_be_deleted(start, receiver):
    simulator = start()
    ids = [subscribe(simulator, receiver.url).json()["subscription"]["id"] for _ in range(5)]
    assert subscribe(simulator, receiver.url).status == 500
    path = f"/wa/app/{simulator.app_id}/subscription"
    assert simulator.form(f"{path}/{ids[0]}", {}, method="DELETE").status == 200
    assert simulator.get(f"{path}/{ids[0]}").json()["message"] == "Subscription Does Not Exist"
    assert len(simulator.get(path).json()["subscriptions"]) == 4
    assert simulator.form(path, {}, method="DELETE").status == 200
    assert simulator.get(path).json()["subscriptions"] == []


def test_billing_comes_to_who_asks_for_it(start, receiver):
    simulator = start("--speed", "2000", "--behaviour", "quiet")
    subscribe(simulator, receiver.url, modes="BILLING")
    message_id = simulator.send(NUMBER).json()["messageId"]
    simulator.wait_for_quiet()
    bill = receiver.bodies()[-1]["payload"]
    assert bill["references"]["gsId"] == message_id
    assert bill["deductions"]["category"] == "marketing"


def test_wallet_health_and_quality_are_told(start):
    simulator = start("--wallet", "41.5")
    partner = f"/partner/app/{simulator.app_id}"
    assert simulator.get("/sm/api/v2/wallet/balance").json() == {"status": "success", "balance": 41.5}
    assert simulator.get(f"{partner}/wallet/balance").json()["walletResponse"]["currentBalance"] == 41.5
    assert simulator.get(f"{partner}/health").json() == {"status": "success", "healthy": "true"}
    assert simulator.get(f"{partner}/ratings").json()["ratings"]["currentLimit"] == "TIER_1K"
    simulator.steer(live=False, tier="TIER_10K")
    assert simulator.get(f"{partner}/health").json()["message"] == "App is not live."
    assert simulator.get(f"{partner}/ratings").json()["ratings"]["currentLimit"] == "TIER_10K"
    token = simulator.call("GET", f"{partner}/health", headers={"Authorization": f"Bearer {KEY}"})
    assert token.status == 400


def test_old_opt_in_calls_and_media_uploads_are_answered(start):
    simulator = start()
    assert simulator.form("/sm/api/v1/app/opt/out/TestApp", {"user": NUMBER}).status == 202
    assert simulator.get("/sm/api/v1/users/TestApp").json()["users"][0]["optinStatus"] == "OPT_OUT"
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nabc\r\n--x--\r\n'
    headers = {"apikey": KEY, "Content-Type": "multipart/form-data; boundary=x"}
    answer = simulator.call("POST", f"/wa/{simulator.app_id}/wa/media/", body, headers)
    assert answer.json()["mediaId"].isdecimal()


def test_a_second_app_has_its_own_key_and_number(start):
    simulator = start("--quiet-callbacks")
    app = simulator.steer("/control/apps", name="SecondApp", key="sk_two", source="33766666666")
    fields = {"source": "33766666666", "src.name": "SecondApp", "destination": NUMBER}
    fields["template"] = json.dumps({"id": app["templates"][0]["id"], "params": ["a"]})
    assert simulator.form("/wa/api/v1/template/msg", fields, key="sk_two").status in (200, 202)
    assert simulator.form("/wa/api/v1/template/msg", fields).status == 400
    assert simulator.ledger()["accepted"][0]["app"] == "SecondApp"


def test_wrong_steering_is_explained(start):
    simulator = start()
    for body in (b"{", b"[]", b'{"nothing": 1}', b'{"faults": "x=1"}', b'{"behaviour": {"weights": {"flies": 1}}}'):
        assert simulator.call("POST", "/control", body).status == 400
    assert simulator.call("POST", "/control/inbound", b"{}").status == 400


def test_a_profile_may_be_a_file(start, tmp_path: Path):
    profile = tmp_path / "people.json"
    profile.write_text('{"weights": {"replies": 1, "reads": 3}, "quoted": 1.0}')
    simulator = start("--behaviour", str(profile))
    assert simulator.get("/control").json()["behaviour"]["quoted"] == 1.0

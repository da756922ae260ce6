"""Webhooks: the id rules of each layout, delivery and its accidents."""

import json

import pytest

from .conftest import APP, SOURCE, wait_until

NUMBER = "33612345678"


def by_word(receiver):
    return {one["type"]: one for one in receiver.statuses()}


def test_v2_reports_follow_the_id_rules(fast, receiver):
    simulator = fast("--behaviour", "quiet")
    message_id = simulator.send(NUMBER).json()["messageId"]
    simulator.wait_for_quiet()
    assert len(receiver.statuses()) == 4
    words = by_word(receiver)
    assert words["enqueued"]["id"] == message_id
    assert "gsId" not in words["enqueued"]
    other = words["enqueued"]["payload"]["whatsappMessageId"]
    for word in ("sent", "delivered", "read"):
        assert (words[word]["gsId"], words[word]["id"]) == (message_id, other)
        assert isinstance(words[word]["payload"]["ts"], int)
    assert words["sent"]["pricing"]["category"] == "marketing"
    assert {one["app"] for one in receiver.bodies()} == {APP}
    assert receiver.requests[0][0] == "/hook?token=abc"


def test_a_failure_by_gupshup_bears_the_message_id_and_one_by_whatsapp_the_gs_id(fast, receiver):
    simulator = fast("--behaviour", "quiet")
    refused, failed = (simulator.send(f"33611{digits}").json()["messageId"] for digits in ("991002", "991026"))
    simulator.wait_for_quiet()
    first, second = sorted(
        (one for one in receiver.statuses() if one["type"] == "failed"), key=lambda one: "gsId" in one
    )
    assert (first["id"], first["payload"]["code"], "gsId" in first) == (refused, 1002, False)
    assert (second["gsId"], second["payload"]["code"]) == (failed, 131026)


def test_v3_reports_and_answers_name_gupshups_ids(fast, receiver):
    simulator = fast("--layout", "v3", "--behaviour", "all-reply")
    message_id = simulator.send(NUMBER).json()["messageId"]
    simulator.send("33611991002")
    simulator.send("33611991049")
    simulator.wait_for_quiet()
    values = [one["entry"][0]["changes"][0]["value"] for one in receiver.bodies()]
    assert {one["gs_app_id"] for one in receiver.bodies()} == {simulator.app_id}
    statuses = [status for value in values for status in value.get("statuses", [])]
    mine = {one["status"]: one for one in statuses if one["gs_id"] == message_id}
    assert set(mine) == {"enqueued", "sent", "delivered", "read"}
    assert isinstance(mine["enqueued"]["timestamp"], int)
    assert isinstance(mine["sent"]["timestamp"], str)
    assert mine["delivered"]["meta_msg_id"].startswith("wamid.")
    failed = {one["recipient_id"]: one for one in statuses if one["status"] == "failed"}
    assert failed["33611991002"]["code"] == 1002
    assert failed["33611991049"]["errors"][0]["code"] == 131049
    message = next(value["messages"][0] for value in values if "messages" in value)
    assert (message["from"], message["type"]) == (NUMBER, "text")


def test_v3_may_come_in_batches(fast, receiver):
    simulator = fast("--layout", "v3", "--behaviour", "quiet", "--faults", "callback.batched,callback.burst")
    simulator.send(NUMBER)
    simulator.wait_for_quiet()
    batch = next(one for one in receiver.bodies() if len(one["entry"][0]["changes"]) > 1)
    words = [change["value"]["statuses"][0]["status"] for change in batch["entry"][0]["changes"]]
    assert words == ["sent", "delivered", "read"]


def test_enterprise_reports_come_as_arrays_in_a_form(fast, receiver):
    simulator = fast("--layout", "enterprise", "--behaviour", "all-reply")
    message_id = simulator.send(NUMBER).json()["messageId"]
    assert all(part.isdecimal() for part in message_id.split("-"))
    simulator.wait_for_quiet()
    reports = [one for body in receiver.bodies() if "response" in body for one in json.loads(body["response"])]
    assert sorted(one["eventType"] for one in reports) == ["DELIVERED", "READ", "SENT"]
    assert {one["externalId"] for one in reports} == {message_id}
    answer = next(body for body in receiver.bodies() if "mobile" in body)
    assert (answer["mobile"], answer["waNumber"], answer["type"]) == (NUMBER, SOURCE, "text")


def test_a_refused_callback_comes_again_until_it_is_taken(fast, receiver):
    simulator = fast("--behaviour", "none")
    receiver.answers = [500, 503, 302]
    simulator.send(NUMBER)
    simulator.wait_for_quiet()
    callbacks = simulator.ledger()["callbacks"]
    assert sorted(attempt["answer"] for one in callbacks for attempt in one["attempts"]) == [
        200,
        200,
        200,
        302,
        500,
        503,
    ]
    assert {one["state"] for one in callbacks} == {"answered"}
    assert simulator.summary()["told"] == {"delivered": 1}


def test_a_callback_that_is_never_taken_is_dropped(fast, receiver):
    simulator = fast("--behaviour", "none", "--callback-retries", "2")
    receiver.answers = [500] * 100
    simulator.send(NUMBER)
    simulator.wait_for_quiet()
    callbacks = simulator.ledger()["callbacks"]
    assert {(one["state"], len(one["attempts"])) for one in callbacks} == {("dropped", 3)}
    assert simulator.summary()["told"] == {"submitted": 1}


def test_an_absent_receiver_is_written_down(start):
    simulator = start("--webhook", "http://127.0.0.1:1/", "--speed", "2000", "--callback-retries", "0")
    simulator.send(NUMBER)
    simulator.wait_for_quiet()
    assert "Refused" in simulator.ledger()["callbacks"][0]["attempts"][0]["answer"]


def test_duplicates_are_the_same_bytes(fast, receiver):
    simulator = fast("--behaviour", "none", "--faults", "callback.duplicate=1")
    simulator.send(NUMBER)
    simulator.wait_for_quiet()
    bodies = [body for _, _, body in receiver.requests]
    assert len(set(bodies)) == 3
    assert all(bodies.count(body) in (2, 3) for body in bodies)


def test_reports_may_be_lost_late_shuffled_and_without_gs_id(fast, receiver):
    simulator = fast(
        "--behaviour", "none", "--faults", "callback.no_gs_id,callback.text_ts,callback.shuffle", "--seed", "4"
    )
    for number in range(10):
        simulator.send(f"3361234560{number}")
    simulator.wait_for_quiet()
    delivered = [one for one in receiver.statuses() if one["type"] == "delivered"]
    assert len(delivered) == 10
    assert not any("gsId" in one for one in receiver.statuses())
    assert all(isinstance(one["payload"]["ts"], str) for one in delivered)
    orders = {tuple(entry["reports"]) for entry in simulator.ledger()["accepted"]}
    assert len(orders) > 1
    simulator.steer(faults="callback.lost=1")
    before = len(receiver.requests)
    simulator.send(NUMBER)
    simulator.wait_for_quiet()
    assert len(receiver.requests) == before
    assert simulator.summary()["callbacks_by_state"]["lost"] == 3


def test_enqueued_may_come_before_the_answer(fast, receiver):
    simulator = fast("--behaviour", "none", "--faults", "before_answer=1", "--callback-delay", "10000")
    message_id = simulator.send(NUMBER).json()["messageId"]
    assert by_word(receiver)["enqueued"]["id"] == message_id
    simulator.wait_for_quiet()
    assert sorted(one["type"] for one in receiver.statuses()) == ["delivered", "enqueued", "sent"]


def test_two_subscriptions_get_everything_twice(fast, receiver):
    simulator = fast("--behaviour", "none")
    fields = {"url": receiver.url, "version": "3", "modes": "SENT,DELIVERED,FAILED", "tag": "second"}
    assert simulator.form(f"/wa/app/{simulator.app_id}/subscription", fields).status == 200
    simulator.send(NUMBER)
    simulator.wait_for_quiet()
    assert [one["type"] for one in receiver.statuses()].count("delivered") == 1
    assert sum("entry" in one for one in receiver.bodies()) == 3  # the ping, sent, delivered


def test_any_report_can_be_made_again_by_hand(fast, receiver):
    simulator = fast("--behaviour", "quiet")
    message_id = simulator.send(NUMBER).json()["messageId"]
    simulator.wait_for_quiet()
    simulator.steer("/control/report", message_id=message_id, word="sent", quirks=["no_gs_id"])
    wait_until(lambda: len(receiver.statuses()) == 5, "the report")
    again = [one for one in receiver.statuses() if one["type"] == "sent"]
    assert {"gsId" in one for one in again} == {True, False}
    assert simulator.ledger()["accepted"][0]["state"] == "read"


def test_any_bytes_can_be_posted(fast, receiver):
    simulator = fast()
    simulator.steer("/control/callback", body="mobile=33&text=%C3%A9", content_type="application/x-www-form-urlencoded")
    wait_until(lambda: receiver.requests, "the callback")
    assert receiver.bodies() == [{"mobile": "33", "text": "é"}]


@pytest.mark.parametrize(
    ("path", "values", "kind"),
    [
        ("account-event", {"type": "tier-event", "payload": {"event": "upgrade"}}, "account-event"),
        ("user-event", {"from": NUMBER, "type": "opted-out"}, "user-event"),
        ("preference", {"from": NUMBER, "value": "stop"}, "preference-event"),
        ("template-event", {"template": "bienvenue", "status": "paused"}, "template-event"),
        ("template-event", {"template": "bienvenue", "quality": "red"}, "template-event"),
        ("template-event", {"template": "bienvenue", "category": "utility", "warning": True}, "template-event"),
    ],
)
def test_account_news_are_sent_on_demand(fast, receiver, path, values, kind):
    simulator = fast()
    simulator.steer(f"/control/{path}", **values)
    wait_until(lambda: receiver.requests, "the callback")
    assert receiver.bodies()[0]["type"] == kind

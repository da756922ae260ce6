"""Who answers, how, and whether they may be written to."""

import pytest

from .conftest import wait_until


def digits_of(behaviour):
    from gupshup.simulator.people import BY_NAME

    return f"3361299{BY_NAME[behaviour].digits}"


def test_the_same_seed_gives_the_same_people(start):
    states = []
    for _ in range(2):
        simulator = start(
            "--webhook", "http://127.0.0.1:1/", "--callback-retries", "0", "--speed", "2000", "--seed", "7"
        )
        for number in range(40):
            simulator.send(str(33612300000 + number))
        simulator.wait_for_quiet()
        people = simulator.ledger()["people"]
        states.append({number: (one["messages"][0]["state"], len(one["wrote"])) for number, one in people.items()})
    assert states[0] == states[1]
    assert len(set(states[0].values())) > 2


def test_a_text_outside_the_window_is_accepted_and_fails_with_131047(fast, receiver):
    simulator = fast("--behaviour", "quiet")
    assert simulator.text("33612345678").status in (200, 202)
    simulator.wait_for_quiet()
    assert simulator.summary()["failed_by_code"] == {"131047": 1}


def test_the_window_opens_with_an_answer_and_closes_after_24_simulated_hours(fast, receiver):
    simulator = fast("--speed", "100000", "--behaviour", "none")
    simulator.steer("/control/inbound", **{"from": "+33612345678", "text": "Allô"})
    message_id = simulator.text("33612345678").json()["messageId"]
    simulator.wait_for_quiet()
    states = {one["message_id"]: one["state"] for one in simulator.ledger()["accepted"]}
    assert states[message_id] in ("delivered", "read")

    def closed():
        late = simulator.text("33612345678").json()["messageId"]
        simulator.wait_for_quiet()
        return next(one["code"] for one in simulator.ledger()["accepted"] if one["message_id"] == late) == "131047"

    wait_until(closed, "the window to close")


def test_a_button_tap_comes_in_both_spellings_with_its_postback(fast, receiver):
    simulator = fast()
    template = simulator.template_id("promo_rentree")
    for number in range(12):
        postback = '[{"index":0,"text":"yes-7"},{"index":1,"text":"no-7"}]'
        destination = f"336{number:02}995005"
        simulator.send(destination, ["Zoé", "tout"], template_id=template, postbackTexts=postback)
    simulator.wait_for_quiet()
    taps = receiver.messages()
    assert {one["type"] for one in taps} == {"text", "quick_reply"}
    assert {one["payload"]["type"] for one in taps} == {"button"}
    assert {one["payload"]["postbackText"] for one in taps} <= {"yes-7", "no-7"}
    assert {"gsId" in one["context"] for one in taps} == {True, False}


@pytest.mark.parametrize(
    ("behaviour", "types"),
    [
        ("replies", ["text"]),
        ("replies_emoji", ["text"]),
        ("reacts", ["reaction"]),
        ("replies_image", ["image"]),
        ("replies_voice", ["audio"]),
        ("replies_list", ["list_reply"]),
        ("replies_location", ["location"]),
        ("replies_twice", ["text", "text"]),
        ("opens_chat", ["request_welcome"]),
        ("never_reads", []),
        ("reads", []),
    ],
)
def test_each_behaviour_answers_in_its_way(fast, receiver, behaviour, types):
    simulator = fast()
    simulator.send(digits_of(behaviour))
    simulator.wait_for_quiet()
    messages = receiver.messages()
    assert [one["type"] for one in messages] == types
    assert len({one["id"] for one in messages}) == len(types)
    read = [one for one in receiver.statuses() if one["type"] == "read"]
    assert bool(read) == (behaviour != "never_reads")


def test_two_answers_of_one_instant_overlap(fast, receiver):
    simulator = fast()
    simulator.send(digits_of("replies_twice"))
    simulator.wait_for_quiet()
    first, second = (one for one in simulator.ledger()["callbacks"] if one["event"] == "message")
    assert second["mono"] - first["mono"] < 0.1


def test_a_late_answer_comes_after_25_simulated_hours(fast, receiver):
    simulator = fast("--speed", "90000", "--timestamps", "simulated")
    simulator.send(digits_of("replies_late"))
    simulator.wait_for_quiet()
    delivered = next(one for one in receiver.bodies() if one["payload"]["type"] == "delivered")
    answer = next(one for one in receiver.bodies() if one["type"] == "message")
    assert answer["timestamp"] - delivered["timestamp"] > 20 * 3600 * 1000  # a busy machine adds to the delivery


def test_what_is_due_much_later_does_not_keep_the_queue_busy(start, receiver):
    simulator = start("--webhook", receiver.url)
    simulator.steer(behaviour={"weights": {"replies_late": 1}, "enqueued": [0, 0], "sent": [0, 0], "delivered": [0, 0]})
    simulator.send("33612345678")
    queue = wait_until(lambda: (one := simulator.get("/queue").json())["later"] and one, "the answer to be booked")
    assert queue["later"] == 1


def test_time_can_be_made_to_fly(start, receiver):
    """A person who answers after 25 hours is waited for at everyday speed, then made to hurry."""
    simulator = start("--webhook", receiver.url, "--timestamps", "simulated", "--behaviour", "replies_late")
    simulator.send("33612345678")
    simulator.steer("/control/inbound", **{"from": "33612345678"})
    simulator.steer(speed=360_000)
    simulator.wait_for_quiet()
    wait_until(lambda: len(receiver.messages()) == 2, "the late answer")
    times = sorted(one["timestamp"] for one in receiver.bodies() if one["type"] == "message")
    assert 24.9 < (times[1] - times[0]) / 3_600_000 < 60


def test_stop_is_written_and_an_opt_out_blocks_marketing(fast, receiver):
    simulator = fast()
    simulator.send(digits_of("stops"))
    simulator.send(digits_of("opts_out"))
    simulator.wait_for_quiet()
    assert receiver.messages()[0]["payload"]["text"].upper() in ("STOP", "ARRET", "ARRÊT")
    preference = next(one for one in receiver.bodies() if one["type"] == "preference-event")
    assert preference["payload"]["payload"]["user_preferences"][0]["value"] == "stop"
    simulator.send(digits_of("opts_out"))
    simulator.wait_for_quiet()
    assert simulator.summary()["failed_by_code"] == {"131050": 1}


def test_brazilian_mobiles_lose_their_nine(fast, receiver):
    simulator = fast("--behaviour", "replies")
    simulator.send("5511912345678")
    simulator.wait_for_quiet()
    mismatch = next(one for one in receiver.statuses() if one["type"] == "mismatch")
    assert mismatch["destination"] == "5511912345678"
    assert mismatch["payload"] == {"wa_id": "551112345678", "phone": "5511912345678"}
    assert receiver.messages()[0]["sender"]["phone"] == "551112345678"
    simulator.text("551112345678")
    simulator.wait_for_quiet()
    assert simulator.summary()["failed_by_code"] == {}


def test_people_without_a_phone_have_a_user_id(fast, receiver):
    simulator = fast()
    simulator.send(digits_of("no_phone"))
    simulator.wait_for_quiet()
    (message,) = receiver.messages()
    assert set(message["sender"]) == {"name", "userId"}
    assert "source" not in message
    delivered = next(one for one in receiver.statuses() if one["type"] == "delivered")
    assert delivered["userId"] == message["sender"]["userId"]


def test_a_person_writes_on_demand_and_quotes(fast, receiver):
    simulator = fast("--behaviour", "none")
    message_id = simulator.send("33612345678").json()["messageId"]
    simulator.wait_for_quiet()
    simulator.steer("/control/inbound", **{"from": "33612345678", "type": "quick", "text": "Oui", "quote": "last"})
    wait_until(receiver.messages, "the answer")
    assert receiver.messages()[0]["context"]["gsId"] == message_id
    assert receiver.messages()[0]["payload"]["title"] == "Oui"
    summary = simulator.summary()
    assert (summary["people_who_wrote"], summary["inbound_messages"]) == (1, 1)


def test_chatty_people_end_some_day(fast, receiver):
    simulator = fast()
    number = digits_of("chatty")
    for _ in range(8):
        simulator.send(number)
    simulator.wait_for_quiet()
    assert len(receiver.messages()) == 5


def test_a_131026_may_be_delivered_after_all(fast, receiver):
    simulator = fast()
    simulator.send(digits_of("delivered_late"))
    simulator.wait_for_quiet()
    entry = simulator.ledger()["accepted"][0]
    assert entry["reports"][:3] == ["enqueued", "failed", "delivered"]
    assert entry["state"] in ("delivered", "read")

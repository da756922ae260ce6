"""Every way in which a call goes wrong, and what the ledger says about it."""

import random
import socket

import pytest

from gupshup.simulator.faults import CALL_FAULTS, REPORT_FAULTS, Faults, FaultSpecError

from .conftest import APP, KEY, ROOT, SOURCE

SILENT = ("hang", "reset", "close")


def number_with(digits, mark="99"):
    return f"33612{mark}{digits}"


def exchange(port, destination, template_id, wait=0.4):
    """The raw bytes that a call to this destination gets, and how it ended: closed, reset or silent."""
    body = f'source={SOURCE}&src.name={APP}&destination={destination}&template={{"id":"{template_id}","params":["a"]}}'
    head = f"POST /wa/api/v1/template/msg HTTP/1.1\r\napikey: {KEY}\r\nContent-Length: {len(body)}\r\n"
    head += "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\r\n"
    data = b""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as connection:
        connection.sendall((head + body).encode())
        try:
            while piece := connection.recv(1 << 20):
                data += piece
        except TimeoutError:
            return data, "silent"
        except ConnectionResetError:
            return data, "reset"
    return data, "closed"


def test_each_call_fault_strikes_by_number_and_the_ledger_knows(start):
    simulator = start("--quiet-callbacks")
    template_id = simulator.template_id()
    simulator.send("33612345678")
    for fault in CALL_FAULTS:
        data, end = exchange(
            simulator.port, number_with(fault.digits), template_id, 5 if fault.manner == "plain" else 0.15
        )
        if fault.manner in SILENT:
            assert (data, end) == (b"", {"hang": "silent", "reset": "reset", "close": "closed"}[fault.manner]), fault
        elif fault.manner != "drip":
            assert int(data.split(b" ")[1]) in (fault.status, 200, 202), fault
    ledger = simulator.ledger()
    accepted = {one["destination"]: one["answer_fault"] for one in ledger["accepted"]}
    refused = {one["destination"]: one["fault"] for one in ledger["refused"]}
    for fault in CALL_FAULTS:
        assert (accepted if fault.accepts else refused).get(number_with(fault.digits)) == fault.name
        assert number_with(fault.digits) not in (refused if fault.accepts else accepted)


def test_with_plain_numbers_no_number_asks_for_a_fault(start):
    simulator = start("--quiet-callbacks", "--plain-numbers")
    for fault in CALL_FAULTS:
        simulator.send(number_with(fault.digits))
    ledger = simulator.ledger()
    assert len(ledger["accepted"]) == len(CALL_FAULTS)
    assert not ledger["refused"]
    simulator.steer(faults="http_500_before=1")
    simulator.send("33612345678")
    assert [one["fault"] for one in simulator.ledger()["refused"]] == ["http_500_before"]


@pytest.mark.parametrize(
    ("digits", "check"),
    [
        ("6502", lambda head, body: b"502" in head and b"<html>" in body),
        ("7007", lambda head, body: b"messageId" not in body and b"status" in body),
        ("7010", lambda head, body: b'"messageId": ["' in body),
        ("7011", lambda head, body: body == b""),
        ("7013", lambda head, body: not body.endswith(b"}")),
        ("7006", lambda head, body: len(body) > 10_000_000),
        ("7004", lambda head, body: body[0] == 0x80),
        ("6429", lambda head, body: b"Retry-After: 2" in head),
        ("6430", lambda head, body: b"Retry-After" not in head and b"429" in head),
        ("6449", lambda head, body: b'"code": 131049' in body),
        ("6302", lambda head, body: b"307" in head and b"Location: " in head),
        ("6200", lambda head, body: b" 200 " in head and b'"status": "error"' in body),
    ],
)
def test_spoiled_answers_look_as_documented(start, digits, check):
    simulator = start("--quiet-callbacks")
    data, _ = exchange(simulator.port, number_with(digits), simulator.template_id(), 1.0)
    head, _, body = data.partition(b"\r\n\r\n")
    assert check(head, body), data[:500]


def test_a_duplicate_id_is_that_of_the_message_before(start):
    simulator = start("--quiet-callbacks")
    first = simulator.send("33612345678").json()["messageId"]
    assert simulator.send(number_with("7009")).json()["messageId"] == first
    assert simulator.summary()["accepted"] == 2


def test_98_strikes_the_first_call_only(start):
    simulator = start("--quiet-callbacks")
    statuses = [simulator.send(number_with("6503", mark="98")).status for _ in range(2)]
    assert statuses[0] == 503
    assert statuses[1] in (200, 202)


def test_each_report_fault_is_reported(fast, receiver):
    simulator = fast("--behaviour", "quiet")
    for fault in REPORT_FAULTS:
        assert simulator.send(number_with(fault.digits)).status in (200, 202)
    simulator.wait_for_quiet()
    failed = {one["destination"]: one for one in receiver.statuses() if one["type"] == "failed"}
    for fault in REPORT_FAULTS:
        report = failed[number_with(fault.digits)]
        assert report["payload"]["code"] == fault.code
        assert ("gsId" in report) != fault.synchronous


@pytest.mark.parametrize(
    ("template", "params", "more", "code"),
    [
        ("bienvenue", ["a", "b"], {}, "132000"),
        ("bienvenue", ["a\nb"], {}, "132018"),
        ("bienvenue", ["a     b"], {}, "132018"),
        ("bienvenue", [" "], {}, "132018"),
        ("soldes_flash", ["a"], {}, "132015"),
        ("offre_refusee", ["a", "b", "c"], {}, "132001"),
        ("nouvelle_collection", ["a", "b"], {}, "132012"),
        ("nouvelle_collection", ["a", "b"], {"message": '{"type":"image","image":{"link":"https://x/y.jpg"}}'}, None),
        ("bienvenue", ["a    b"], {}, None),
    ],
)
def test_what_does_not_fit_the_template_fails_later(fast, receiver, template, params, more, code):
    simulator = fast("--behaviour", "quiet")
    simulator.send("33612345678", params, template_id=simulator.template_id(template), **more)
    simulator.wait_for_quiet()
    assert simulator.summary()["failed_by_code"] == ({code: 1} if code else {})


def test_an_unknown_template_fails_later(fast, receiver):
    simulator = fast("--behaviour", "quiet")
    simulator.send("33612345678", template_id="8e9d7c1e-0000-4000-8000-000000000000")
    simulator.wait_for_quiet()
    assert simulator.summary()["failed_by_code"] == {"132001": 1}


def test_an_empty_wallet_fails_templates_with_1003_until_it_is_filled(fast, receiver):
    simulator = fast("--behaviour", "quiet", "--wallet", "0.01", "--price", "0.01")
    for _ in range(2):
        simulator.send("33612345678")
    simulator.steer(wallet=5)
    simulator.send("33612345678")
    simulator.wait_for_quiet()
    assert [one["code"] for one in simulator.ledger()["accepted"]] == [None, "1003", None]


def test_chances_depend_on_seed_number_and_call_only():
    numbers = [str(33612000000 + n) for n in range(500)]
    faults = Faults.parse("reset_after=0.1,131026=0.2,callback.lost=0.5", seed=3)

    def drawn(order):
        return {number: faults.of_call(number, 1) for number in order}

    shuffled = random.Random(1).sample(numbers, len(numbers))
    assert drawn(numbers) == drawn(shuffled)
    names = [fault.name for fault in drawn(numbers).values() if fault]
    assert 25 < names.count("reset_after") < 80
    assert 65 < names.count("131026") < 140
    other = Faults.parse("reset_after=0.1,131026=0.2", seed=4)
    assert drawn(numbers) != {number: other.of_call(number, 1) for number in numbers}


@pytest.mark.parametrize("spec", ["nonsense=0.1", "reset_after=x", "reset_after=1.5", "callback.nothing=1"])
def test_a_wrong_spec_is_explained(spec):
    with pytest.raises(FaultSpecError):
        Faults.parse(spec)


def test_a_preset_can_be_changed():
    assert Faults.parse("storm,hang_after=0").chances["hang_after"] == 0


def test_the_documentation_names_every_fault_and_behaviour():
    from gupshup.simulator.faults import names
    from gupshup.simulator.people import BEHAVIOURS

    text = (ROOT / "docs" / "simulator.md").read_text("utf-8")
    assert [name for name in names() if f"`{name}`" not in text] == []
    for behaviour in BEHAVIOURS:
        assert f"| `{behaviour.name}` | {behaviour.digits} |" in text
    for fault in (*CALL_FAULTS, *REPORT_FAULTS):
        assert f"| `{fault.name}` | {fault.digits} |" in text

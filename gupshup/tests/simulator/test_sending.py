"""The two send calls, as a client meets them."""

import json
import socket

import pytest

from .conftest import APP, KEY, SOURCE

NUMBER = "33612345678"


def test_an_accepted_template_is_answered_in_both_spellings_and_statuses(start):
    simulator = start("--quiet-callbacks")
    answers = [simulator.send(NUMBER) for _ in range(30)]
    assert {answer.status for answer in answers} == {200, 202}
    assert {answer.json()["status"] for answer in answers} == {"submitted", "success"}
    assert {answer.headers["Content-Type"].split(";")[0] for answer in answers} == {"application/json", "text/html"}
    assert len({answer.json()["messageId"] for answer in answers}) == 30


@pytest.mark.parametrize("base", ["/wa/api/v1", "/sm/api/v1"])
def test_both_bases_accept_texts(start, base):
    simulator = start("--quiet-callbacks")
    answer = simulator.text(NUMBER, "Été 👍\nà bientôt", path=f"{base}/msg")
    entry = simulator.ledger()["accepted"][0]
    assert answer.json()["messageId"] == entry["message_id"]
    assert (entry["kind"], entry["message"]["text"]) == ("session", "Été 👍\nà bientôt")


def test_a_wrong_key_is_refused(start):
    simulator = start()
    answer = simulator.form("/wa/api/v1/template/msg", {}, key="wrong")
    assert (answer.status, answer.json()) == (401, {"status": "error", "message": "Authentication Failed"})
    assert simulator.ledger()["refused"][0]["reason"] == "Authentication Failed"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source": APP}, "Invalid App Details"),
        ({"source": f"+{SOURCE}"}, "Invalid App Details"),
        ({"src.name": "OtherApp"}, "Invalid App Details"),
        ({"destination": "+33612345678"}, "Invalid Destination"),
        ({"destination": "1234567"}, "Invalid Destination"),
        ({"destination": "1234567890123456"}, "Invalid Destination"),
        ({"destination": "٣٣٦١٢٣٤٥٦٧٨"}, "Invalid Destination"),
        ({"template": "not json"}, "Invalid template"),
        ({"template": '{"params": []}'}, "Invalid template"),
        ({"template": '{"id": "x", "params": [1]}'}, "Invalid template params"),
        ({"message": "["}, "Invalid message"),
        ({"channel": "sms"}, "Invalid Channel"),
    ],
)
def test_wrong_fields_are_refused_and_written_down(start, fields, message):
    simulator = start()
    answer = simulator.send(NUMBER, **fields)
    assert (answer.status, answer.json()["message"]) == (400, message)
    ledger = simulator.ledger()
    assert ledger["accepted"] == []
    assert ledger["refused"][0]["status"] == 400


def test_json_bodies_are_not_forms(start):
    simulator = start()
    headers = {"apikey": KEY, "Content-Type": "application/json"}
    answer = simulator.call("POST", "/wa/api/v1/msg", json.dumps({"source": SOURCE}), headers)
    assert answer.status == 400


def test_above_the_rate_calls_are_refused_with_and_without_retry_after(start):
    simulator = start("--rate", "3/h", "--quiet-callbacks")
    answers = [simulator.send(NUMBER) for _ in range(5)]
    assert [answer.status in (200, 202) for answer in answers] == [True] * 3 + [False] * 2
    assert [answer.status for answer in answers[3:]] == [429, 429]
    assert 3500 < int(answers[3].headers["Retry-After"]) <= 3600
    assert "Retry-After" not in answers[4].headers
    assert simulator.summary()["worst_window_accepted"] == 3


def test_latency_delays_the_answer_but_not_the_acceptance(start):
    simulator = start("--latency", "600", "--quiet-callbacks")
    first, second = (socket.create_connection(("127.0.0.1", simulator.port)) for _ in range(2))
    request = raw_request(simulator)
    for connection in (first, second):
        connection.sendall(request)
    assert b"messageId" in first.recv(4096)
    assert b"messageId" in second.recv(4096)
    arrivals = [entry["mono"] for entry in simulator.ledger()["accepted"]]
    assert arrivals[1] - arrivals[0] < 0.5
    first.close()
    second.close()


def raw_request(simulator, template_id="", chunked=False):
    template = json.dumps({"id": template_id or simulator.template_id(), "params": ["a"]})
    body = f"source={SOURCE}&src.name={APP}&destination={NUMBER}&template={template}".encode()
    head = f"POST /wa/api/v1/template/msg HTTP/1.1\r\nHost: x\r\napikey: {KEY}\r\n"
    head += "Content-Type: application/x-www-form-urlencoded\r\n"
    if chunked:
        pieces = b"".join(b"%x\r\n%b\r\n" % (len(body[i : i + 7]), body[i : i + 7]) for i in range(0, len(body), 7))
        return head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize("chunked", [False, True])
def test_requests_may_be_pipelined_and_arrive_byte_by_byte(start, chunked):
    simulator = start("--quiet-callbacks")
    template_id = simulator.template_id()
    data = (
        raw_request(simulator, template_id, chunked) + raw_request(simulator, template_id) + b"GET /queue HTTP/1.1\r\n"
    )
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start_at in range(0, len(data), 50):
            connection.sendall(data[start_at : start_at + 50])
        connection.sendall(b"Connection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.count(b"messageId") == 2
    assert answer.endswith(b'"next_in": null}')


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
        (b"GET / HTTP/1.1\r\n" + b"x" * 70_000, b"431"),
        (b"GET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n", b"404"),
    ],
)
def test_unreadable_requests_are_answered_and_closed(start, data, status):
    simulator = start()
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=5) as connection:
        connection.sendall(data)
        assert connection.recv(100).split(b" ")[1] == status


def test_idle_connections_are_closed(start):
    simulator = start("--keep-alive", "0.2")
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=5) as connection:
        assert connection.recv(1) == b""

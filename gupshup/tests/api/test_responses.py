"""What each answer of Gupshup means for the caller."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gupshup.api.errors import lookup
from gupshup.api.responses import GupshupResponse, Outcome, sort_answer

ID = "0c7f9b7e-3f0c-4f5c-9d3e-6a1b2c3d4e5f"
ACCEPTED, NOT_SENT, SLOW, REJECTED, HALT, UNCERTAIN = (
    Outcome.ACCEPTED,
    Outcome.NOT_SENT,
    Outcome.SLOW_DOWN,
    Outcome.REJECTED,
    Outcome.HALT,
    Outcome.UNCERTAIN,
)


def error(message: str | None = None, **fields: object) -> dict[str, object]:
    return {"status": "error"} | ({"message": message} if message else {}) | fields


TABLE = [
    # accepted, in every spelling
    (202, {"status": "submitted", "messageId": ID}, ACCEPTED, None, None),
    (200, {"messageId": ID, "status": "success"}, ACCEPTED, None, None),
    (201, {"messageId": ID}, ACCEPTED, None, None),
    (200, {"messages": [{"id": ID}], "messaging_product": "whatsapp"}, ACCEPTED, None, None),
    (200, {"response": {"id": ID, "phone": "33639980001", "details": "", "status": "success"}}, ACCEPTED, None, None),
    (200, f"success | 33639980001 | {ID}", ACCEPTED, None, None),
    (202, {"status": "submitted", "messageId": ID, "code": 200}, ACCEPTED, None, None),
    # accepted without what proves it
    (202, {"status": "submitted"}, UNCERTAIN, "no_message_id", None),
    (200, {"status": "success", "code": 200}, UNCERTAIN, "no_message_id", None),
    (202, {"status": "submitted", "messageId": ""}, UNCERTAIN, "no_message_id", None),
    (202, {"status": "submitted", "messageId": None}, UNCERTAIN, "no_message_id", None),
    (202, {"status": "submitted", "messageId": {"id": ID}}, UNCERTAIN, "no_message_id", None),
    (202, {"status": "submitted", "messageId": True}, UNCERTAIN, "no_message_id", None),
    (202, {"status": "submitted", "messageId": "x" * 129}, UNCERTAIN, "no_message_id", None),
    (200, "<html>ok</html>", UNCERTAIN, "bad_answer", None),
    (200, "", UNCERTAIN, "bad_answer", None),
    (204, "", UNCERTAIN, "bad_answer", None),
    (200, '{"status":"submitted","messageId":"0c7f', UNCERTAIN, "bad_answer", None),
    (200, "[]", UNCERTAIN, "bad_answer", None),
    (200, "null", UNCERTAIN, "bad_answer", None),
    (200, "[" * 9_000, UNCERTAIN, "bad_answer", None),
    (200, {"status": "error", "messageId": ID}, UNCERTAIN, "contradiction", None),
    # an error said with 2xx
    (200, error("Invalid App Details"), HALT, "invalid_app_details", "sender"),
    (200, error("Authentication Failed"), HALT, "authentication_failed", "sender"),
    (202, error("Something odd"), REJECTED, "refused", None),
    (200, error("x", code=131050), REJECTED, "131050", None),
    (200, error("x", code=4001), SLOW, "4001", None),
    (200, error("x", code=131000), UNCERTAIN, "131000", None),
    (200, error("x", code=987654), REJECTED, "987654", None),
    (200, {"code": 1012, "reason": "Number Opted Out"}, REJECTED, "1012", None),
    (200, {"response": {"id": "102", "details": "x", "status": "error"}}, HALT, "102", "sender"),
    (200, "error | 106 | Method not supported", HALT, "106", "sender"),
    (200, {"success": False, "message": "no"}, REJECTED, "refused", None),
    # refused
    (400, error("Invalid Destination"), REJECTED, "invalid_destination", None),
    (400, error("Invalid App Details"), HALT, "invalid_app_details", "sender"),
    (400, error("Callback Billing must be enabled for this API"), HALT, "callback_billing", "sender"),
    (400, error("healthy ecosystem", code=131049), REJECTED, "131049", None),
    (400, error("x", code="131049"), REJECTED, "131049", None),
    (400, error("x", code=1003), HALT, "1003", "sender"),
    (400, error("x", code=4005), HALT, "4005", "campaign"),
    (400, error("x", code=132015), HALT, "132015", "campaign"),
    (400, error("x", code=132000), HALT, "132000", "campaign"),
    (400, error("x", code=131031), HALT, "131031", "sender"),
    (400, error("x", code=4001), SLOW, "4001", None),
    (400, error("x", code=130429), SLOW, "130429", None),
    (400, error("x", code=131000), NOT_SENT, "131000", None),
    (400, error("x", code=131056), NOT_SENT, "131056", None),
    (400, {"error": {"code": 131026, "message": "Undeliverable"}}, REJECTED, "131026", None),
    (400, {"error": {"code": 190, "message": "Token"}}, HALT, "190", "sender"),
    (400, {"code": 1012, "reason": "Number Opted Out"}, REJECTED, "1012", None),
    (400, {"errors": [{"code": 132001, "title": "x"}]}, HALT, "132001", "campaign"),
    (400, error("Bad", code=400), REJECTED, "http_400", None),
    (400, error("Invalid Destination", code=400), REJECTED, "invalid_destination", None),
    (400, error("whatever"), REJECTED, "http_400", None),
    (400, error("x", code=555555), REJECTED, "555555", None),
    (400, error("x", code="read_timeout"), REJECTED, "read_timeout", None),
    # a wrong address answers everybody alike; Gupshup's own 404 is about this message
    (404, "<html>not found</html>", HALT, "wrong_address", "sender"),
    (404, "", HALT, "wrong_address", "sender"),
    (405, "", HALT, "wrong_address", "sender"),
    (404, {"timestamp": 1, "status": 404, "error": "Not Found", "path": "/x"}, HALT, "wrong_address", "sender"),
    (404, {"message": "no Route matched with those values"}, HALT, "wrong_address", "sender"),
    (404, error("Not Found"), HALT, "wrong_address", "sender"),
    (404, error("Invalid Destination"), REJECTED, "invalid_destination", None),
    (404, error("Contact is not known"), REJECTED, "http_404", None),
    (404, error("x", code=1002), REJECTED, "1002", None),
    (404, error("Template not found"), HALT, "132001", "campaign"),
    (400, error("Template Does not exists"), HALT, "132001", "campaign"),
    (422, error("x"), REJECTED, "http_422", None),
    (401, error("Authentication Failed"), HALT, "authentication_failed", "sender"),
    (401, error("Portal User Not Found With APIKey"), HALT, "authentication_failed", "sender"),
    (400, error("Portal User Not Found With APIKey"), HALT, "authentication_failed", "sender"),
    (401, "", HALT, "authentication_failed", "sender"),
    (403, "<html>", HALT, "forbidden", "sender"),
    (403, error("x", code=131050), REJECTED, "131050", None),
    (429, error("Too Many Requests"), SLOW, "too_many_requests", None),
    (429, "", SLOW, "too_many_requests", None),
    (429, "<html>slow</html>", SLOW, "too_many_requests", None),
    # theirs, or nobody's
    (500, error("Internal"), UNCERTAIN, "server_error", None),
    (500, {"status": "submitted", "messageId": ID}, UNCERTAIN, "server_error", None),
    (500, error("x", code=1003), UNCERTAIN, "server_error", None),
    (502, "<html><h1>502 Bad Gateway</h1></html>", UNCERTAIN, "server_error", None),
    (503, "", UNCERTAIN, "server_error", None),
    (504, "upstream timeout", UNCERTAIN, "server_error", None),
    (301, "", UNCERTAIN, "redirect", None),
    (307, {"status": "submitted", "messageId": ID}, UNCERTAIN, "redirect", None),
    (101, "", UNCERTAIN, "bad_answer", None),
]


def encoded(body: object) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


@pytest.mark.parametrize(("status", "body", "outcome", "code", "halts"), TABLE)
def test_each_answer_has_its_outcome(status, body, outcome, code, halts):
    """Validates: 2.5, 2.6"""
    for content in (encoded(body), b"\xef\xbb\xbf" + encoded(body)):
        response = sort_answer(status, {"Content-Type": "text/html"}, content)
        assert (response.outcome, response.error_code, response.halts) == (outcome, code, halts)
        assert response.success is (outcome is ACCEPTED)
        assert response.http_status == status
        if outcome is ACCEPTED:
            assert (response.message_id, response.error_message) == (ID, None)


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_every_answer_that_is_no_success_can_be_explained(row):
    status, body, outcome, _, _ = row
    response = sort_answer(status, {}, encoded(body))
    assert (response.entry is None) is (outcome is ACCEPTED)
    if response.entry:
        assert response.entry.advice.fr
        assert response.entry.advice.en


def test_the_providers_words_are_kept():
    response = sort_answer(400, {}, encoded(error("Invalid Destination")))
    assert response.error_message == "Invalid Destination"
    assert response.raw_response == {"status": "error", "message": "Invalid Destination"}
    html = sort_answer(502, {}, b"<html>Bad Gateway</html>")
    assert html.raw_response == "<html>Bad Gateway</html>"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"retry-after": " 7.2 "}, 8),
        ({"X-Rate-Limit-Retry-After-Seconds": "30"}, 30),
        ({"X-Rate-Limit-Retry-After-Seconds": "30", "Retry-After": "5"}, 30),
        ({"Retry-After": "Tue, 06 Oct 2026 00:01:00 GMT"}, 60),
        ({"Retry-After": "Mon, 05 Oct 2026 00:00:00 GMT"}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "9" * 400}, None),
        ({"Retry-After": "99999999"}, 86_400),
        ({"Retry-After": "NaN"}, None),
    ],
)
def test_how_long_to_wait_is_read_from_both_headers(headers, expected):
    response = sort_answer(429, headers, b"", now=datetime(2026, 10, 6, tzinfo=UTC))
    assert response.retry_after == expected


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Tue, 06 Oct 2026 00:01:00 GMT", datetime(2026, 10, 6, 0, 1, tzinfo=UTC)),
        ("Tue, 06 Oct 2026 00:01:00 -0000", datetime(2026, 10, 6, 0, 1, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
    ],
)
def test_the_providers_clock_is_read(date, expected):
    assert sort_answer(200, {"Date": date}, b"{}").answered_at == expected


def test_a_refusal_counts_even_when_its_body_broke_off():
    assert sort_answer(401, {}, b'{"mess', complete=False).outcome is HALT
    assert sort_answer(429, {}, b"", complete=False).outcome is SLOW
    assert sort_answer(202, {}, b"", complete=False).outcome is UNCERTAIN
    assert sort_answer(202, {}, encoded({"messageId": ID}), complete=False).outcome is ACCEPTED


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, {"status": "success", "balance": 41.9}, ACCEPTED),
        (200, {"status": "success", "templates": []}, ACCEPTED),
        (200, [], ACCEPTED),
        (204, "", ACCEPTED),
        (202, "", ACCEPTED),
        (200, {"message": "Success", "status": "error"}, REJECTED),
        (400, error("Template Already exists with same namespace and elementName and languageCode"), REJECTED),
        (400, error("Subscription Does Not Exist"), REJECTED),
        (403, error("Not Subscription Owner"), REJECTED),
        (400, error("App is not live."), HALT),
        (200, "<html>", UNCERTAIN),
        (500, error("Unable To Create Subscription"), UNCERTAIN),
    ],
)
def test_calls_that_send_nothing_need_no_id(status, body, outcome):
    assert sort_answer(status, {}, encoded(body), sends=False).outcome is outcome


@settings(max_examples=500, deadline=None)
@given(
    status=st.integers(0, 999),
    body=st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["status", "message", "messageId", "code", "error", "response", "messages", "id"]),
                inner,
            )
        ),
        max_leaves=10,
    ).map(lambda value: json.dumps(value).encode()),
    sends=st.booleans(),
    complete=st.booleans(),
)
def test_any_answer_is_sorted(status, body, sends, complete):
    """Never raises; success has an id; what must stop is named exactly when something must."""
    response = sort_answer(status, {"Retry-After": "x"}, body, sends=sends, complete=complete)
    assert response.success is (response.outcome is ACCEPTED)
    if sends and response.success:
        assert response.message_id
        assert 200 <= status < 300
    assert (response.halts is not None) is (response.outcome is HALT)
    assert (response.error_code is None) is response.success
    if status >= 500 or 300 <= status < 400:
        assert response.outcome is UNCERTAIN


def test_the_old_five_fields_make_a_response():
    accepted = GupshupResponse(True, ID, None, None, {"messageId": ID})
    assert accepted.outcome is ACCEPTED
    failed = GupshupResponse(success=False, message_id=None, error_code="1002", error_message="x", raw_response={})
    assert failed.outcome is UNCERTAIN
    assert failed.entry == lookup(1002)
    with pytest.raises(dataclasses.FrozenInstanceError):
        failed.success = True  # type: ignore[misc]


def test_nothing_personal_is_shown():
    response = sort_answer(400, {}, encoded(error("Number +33639980001 of Léa is bad")))
    for shown in (repr(response), str(response), f"{response}"):
        assert shown == "<GupshupResponse rejected http=400 code=http_400>"


# --- the sample answers beside the project, where they are -------------------------------------------------------

SAMPLES = Path(__file__).parents[4] / "shared" / "gupshup-payloads"
SENDS = {
    "api-send-template-ok-01.json": (202, ACCEPTED),
    "api-send-session-ok-01.json": (202, ACCEPTED),
    "api-send-v3-ok-01.json": (200, ACCEPTED),
    "api-send-v3-error-02.json": (400, REJECTED),
    "api-send-error-01-invalid-app.json": (400, HALT),
    "api-send-error-03-auth.json": (401, HALT),
    "api-send-error-04-rate.json": (429, SLOW),
    "api-send-error-06-portal-user.json": (400, HALT),
    "api-send-error-07-html.json": (502, UNCERTAIN),
    "api-enterprise-ok-01.json": (200, ACCEPTED),
    "api-enterprise-text-01.json": (200, ACCEPTED),
}


@pytest.mark.skipif(not SAMPLES.exists(), reason="no sample bodies beside the project")
@pytest.mark.parametrize("name", SENDS)
def test_the_sample_answers_are_sorted(name):
    status, outcome = SENDS[name]
    text = (SAMPLES / name).read_text()
    body = json.loads(text) if text.startswith('"') else text
    assert sort_answer(status, {}, body.encode()).outcome is outcome

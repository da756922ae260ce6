"""Every layout becomes events, and nothing that arrives can break the reading of it."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gupshup.api.client import GupshupService
from gupshup.api.events import (
    Consent,
    Echo,
    Event,
    Inbound,
    Kind,
    Layout,
    Ping,
    StatusReport,
    TemplateNews,
    Unrecognised,
    Word,
    interaction_of,
    parse,
)
from gupshup.api.reading import DEEPEST

PAYLOADS = Path(__file__).parent.parent / "payloads"
NOW = datetime(2026, 10, 6, tzinfo=UTC)
LONG_RUN = int(os.environ.get("ANY_BYTES_EXAMPLES", "500"))  # docs/provider.md: 50000 for the long run

CASES = {
    f"{path.stem}: {name}": case
    for path in sorted(PAYLOADS.glob("*.json"))
    for name, case in json.loads(path.read_text()).items()
}


def body_of(case: dict[str, Any]) -> tuple[bytes, str]:
    if "form" in case:
        return urlencode(case["form"]).encode(), "application/x-www-form-urlencoded"
    if "raw" in case:
        return case["raw"].encode(), "application/x-www-form-urlencoded"
    return json.dumps(case["body"], ensure_ascii=False).encode(), "application/json"


def plain(value: object) -> object:
    """A value as the payload files write it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


def seen(event: Event, wanted: dict[str, Any]) -> dict[str, Any]:
    """What the event has for each of the wanted names."""
    found: dict[str, Any] = {}
    for name, value in wanted.items():
        if name == "type":
            found[name] = type(event).__name__
        elif name in ("layout", "app", "app_id"):
            found[name] = getattr(event.source, name)
        elif name == "business":
            found[name] = event.source.phone
        elif isinstance(value, dict):
            inner = getattr(event, name)
            found[name] = {key: plain(getattr(inner, key)) for key in value}
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            found[name] = [
                {key: plain(getattr(item, key)) for key in one}
                for item, one in zip(getattr(event, name), value, strict=True)
            ]
        else:
            found[name] = plain(getattr(event, name))
    return found


@pytest.mark.parametrize("name", CASES)
def test_each_layout_gives_its_events(name):
    """Validates: 4.1, 5.1"""
    case = CASES[name]
    events = parse(*body_of(case), now=NOW)
    assert [seen(event, wanted) for event, wanted in zip(events, case["events"], strict=True)] == case["events"]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "body" in case])
def test_the_content_type_does_not_matter(name):
    body, _ = body_of(CASES[name])
    expected = parse(body, "application/json", now=NOW)
    for content_type in ("", "text/plain", "application/x-www-form-urlencoded", "APPLICATION/JSON; charset=latin-1"):
        assert parse(body, content_type, now=NOW) == expected


# --- the flat layouts of the requirements ------------------------------------------------------------------------

words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=80)
ids = st.from_regex(r"[A-Za-z0-9._=-]{1,60}", fullmatch=True).filter(lambda i: i.lower() not in ("null", "none", "nan"))
phones = st.from_regex(r"[1-9][0-9]{7,14}", fullmatch=True)
seconds = st.integers(min_value=1_500_000_000, max_value=int(NOW.timestamp()))


@settings(max_examples=200, deadline=None)
@given(mobile=phones, text=words.filter(str.strip), own_id=ids, second=seconds, name=words, as_form=st.booleans())
def test_the_five_fields_of_an_inbound_message_are_extracted(mobile, text, own_id, second, name, as_form):
    """Validates: 4.1 (P6)"""
    fields = {"mobile": f"+{mobile}", "text": text, "messageId": own_id, "timestamp": second * 1_000, "name": name}
    body = urlencode(fields).encode() if as_form else json.dumps(fields).encode()
    (event,) = parse(body, now=NOW)
    assert isinstance(event, Inbound)
    assert (event.phone, event.text, event.inbound_id) == (mobile, text, own_id)
    assert event.at == datetime.fromtimestamp(second, UTC)
    assert event.name == (name.strip() or None)
    interaction = GupshupService.parse_webhook_payload(fields)
    assert interaction is not None
    assert (interaction.contact_phone, interaction.content) == (f"+{mobile}", text)
    assert (interaction.gupshup_message_id, interaction.interaction_type) == (own_id, "text")
    assert interaction.timestamp == event.at


@settings(max_examples=200, deadline=None)
@given(
    word=st.sampled_from(["sent", "delivered", "read", "failed", "enqueued"]),
    case=st.sampled_from([str.lower, str.upper, str.title]),
    external=ids,
    own=ids,
    second=seconds,
    layout=st.sampled_from(["flat", "v2", "v3", "enterprise", "plan"]),
)
def test_a_status_is_known_in_every_layout(word, case, external, own, second, layout):
    """Validates: 5.1, 5.5 (P7)"""
    word_, destination = case(word), "33639980001"
    v3 = {"status": word_, "gs_id": external, "id": own, "recipient_id": destination, "timestamp": str(second)}
    body: dict[str, Any] = {
        "flat": {"type": "message-event", "eventType": word_, "externalId": external, "eventTs": second * 1_000},
        "plan": {"type": "message-event", "payload": {"eventType": word_, "externalId": external, "ts": second}},
        "v2": {
            "type": "message-event",
            "payload": {"type": word_, "gsId": external, "id": own, "payload": {"ts": str(second)}},
        },
        "v3": {
            "object": "whatsapp_business_account",
            "entry": [{"changes": [{"value": {"statuses": [v3]}}]}],
        },
        "enterprise": {"response": [{"externalId": external, "eventType": word_, "eventTs": second}]},
    }[layout]
    (event,) = parse(json.dumps(body).encode(), now=NOW)
    assert isinstance(event, StatusReport)
    assert (event.word, event.message_ids[0]) == (word, external)
    assert event.at == datetime.fromtimestamp(second, UTC)
    interaction = interaction_of(body)
    assert interaction is not None
    assert interaction.interaction_type == word


@pytest.mark.parametrize(
    ("code", "word"), [("000", Word.DELIVERED), ("025", Word.SENT), ("026", Word.READ), ("001", Word.OTHER)]
)
def test_the_gateways_code_tells_what_the_word_success_does_not(code, word):
    form = {"externalId": "1-2", "deliveredTS": "1791194400000", "status": "SUCCESS", "errCode": code}
    (event,) = parse(urlencode(form).encode(), now=NOW)
    assert isinstance(event, StatusReport)
    assert (event.word, event.code) == (word, None)


def test_what_is_neither_message_nor_status_is_no_interaction():
    assert GupshupService.parse_webhook_payload({"type": "user-event", "payload": {"type": "opted-out"}}) is None
    assert GupshupService.parse_webhook_payload({}) is None
    assert GupshupService.parse_webhook_payload(b"\xff\xfe") is None
    welcome = {"type": "message", "payload": {"id": "x", "type": "request_welcome", "sender": {"phone": "33639980001"}}}
    assert GupshupService.parse_webhook_payload(json.dumps(welcome)) is None


# --- the same thing told twice -----------------------------------------------------------------------------------


def test_one_message_has_one_key_in_both_versions():
    v2 = parse(*body_of(CASES["v2: text"]), now=NOW)[0]
    v3 = parse(*body_of(CASES["meta: text"]), now=NOW)[0]
    assert v2.key == v3.key


def test_one_report_has_one_key_in_both_versions():
    v2 = parse(*body_of(CASES["v2: delivered"]), now=NOW)[0]
    v3 = parse(*body_of(CASES["meta: delivered with three ids"]), now=NOW)[0]
    assert v2.key == v3.key != parse(*body_of(CASES["v2: sent"]), now=NOW)[0].key


def test_two_answers_to_one_enterprise_message_have_two_keys():
    case = CASES["enterprise: answer to a message"]
    later = copy.deepcopy(case)
    later["form"]["timestamp"] = "1791194401000"
    first, second = (parse(*body_of(one), now=NOW)[0] for one in (case, later))
    assert first.key != second.key
    assert first.key == parse(*body_of(case), now=NOW)[0].key


def test_a_key_gives_nothing_away():
    for case in CASES.values():
        for event in parse(*body_of(case), now=NOW):
            assert len(event.key) == 32
            assert "33639980001" not in event.key


# --- hostile bodies ----------------------------------------------------------------------------------------------


def report(**fields: object) -> bytes:
    payload = {"id": "w", "gsId": "m", "type": "delivered", "destination": "33639980001", "payload": {"ts": 1791194400}}
    return json.dumps({"type": "message-event", "timestamp": 1791194400000, "payload": payload | fields}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"null",
        b"7",
        b'"text"',
        b"[]",
        b"{}",
        b"[[[]]]",
        b"{",
        b'{"type":"message"',
        b"\xff\xfe\x00\x01",
        b"\x00",
        b"type=message",
        b"%%%=%",
        b"&&&&",
        json.dumps({"type": "message", "payload": {"id": "1"}}).encode("utf-16"),
        json.dumps({"type": "message", "payload": {"id": "1"}}).encode("utf-32"),
        b'{"type":"message","payload":{"text":"\xe9"}}',
        report().replace(b"1791194400}", b"NaN}"),
        report().replace(b"1791194400}", b"-Infinity}"),
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"payload":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1),
        b"&".join(b"f%d=1" % n for n in range(5_000)),
        b"<html><body>hi</body></html>",
        b'{"type":"message","payload":{}}',
        b'{"type":"message-event","payload":{"type":"delivered"}}',
        b'{"object":"whatsapp_business_account"}',
        b'{"entry":[{"changes":7}]}',
        b'{"response":"[oops"}',
        b'{"response":[]}',
        b'{"botname":"x","messageobj":"7"}',
    ],
    ids=lambda body: repr(body[:40]),
)
def test_what_cannot_be_read_is_kept_as_such(body):
    events = parse(body, "application/json", now=NOW)
    assert events
    assert all(type(event) is Unrecognised for event in events)


def test_nesting_within_reason_is_read():
    deep: object = 1
    for _ in range(DEEPEST - 3):
        deep = [deep]
    (event,) = parse(report(extra=deep), now=NOW)
    assert isinstance(event, StatusReport)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (1791194400, "2026-10-05T10:00:00+00:00"),
        ("1791194400", "2026-10-05T10:00:00+00:00"),
        (" 1791194400 ", "2026-10-05T10:00:00+00:00"),
        (1791194400.5, "2026-10-05T10:00:00.500000+00:00"),
        (1791194400000, "2026-10-05T10:00:00+00:00"),
        ("1791194400000", "2026-10-05T10:00:00+00:00"),
        ("2026-10-05T12:00:00+02:00", "2026-10-05T10:00:00+00:00"),
        ("2026-10-05T10:00:00Z", "2026-10-05T10:00:00+00:00"),
    ],
)
def test_units_of_time_are_told_apart(given, expected):
    (event,) = parse(report(payload={"ts": given}), now=NOW)
    assert event.at is not None
    assert event.at.isoformat() == expected


@pytest.mark.parametrize(
    "odd",
    [0, -1, 1, 10**15, 10**30, 1e308, "1e9", "soon", "", None, True, [], {}, "9" * 5_000, "٣", 946684800, 4102444800],
)
def test_a_time_that_cannot_be_is_none_and_the_news_stays(odd):
    body = json.dumps({"type": "message-event", "payload": {"gsId": "m", "type": "read", "payload": {"ts": odd}}})
    (event,) = parse(body.encode(), now=NOW)
    assert isinstance(event, StatusReport)
    assert (event.word, event.at) == (Word.READ, None)


def test_a_time_that_cannot_be_falls_back_on_the_envelope():
    (event,) = parse(report(payload={"ts": 10**15}), now=NOW)
    assert event.at == datetime(2026, 10, 5, 10, tzinfo=UTC)


def test_numbers_too_big_for_anything_do_no_harm():
    body = b'{"type":"message-event","payload":{"gsId":"m","type":"failed","payload":{"ts":1e999,"code":%s}}}'
    (event,) = parse(body % (b"9" * 5_000), now=NOW)
    assert isinstance(event, StatusReport)
    assert (event.word, event.at) == (Word.FAILED, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x00b", "ab"),
        ("a\ud800b", "a\ufffdb"),
        ("\udc00", "\ufffd"),
        ("👍🏽", "👍🏽"),
        ("\u202eabc\u2066", "\u202eabc\u2066"),
        ("é" * 100_000, "é" * 65_536),
        (12, "12"),
    ],
)
def test_texts_become_what_a_database_can_hold(text, expected):
    body = {
        "type": "message",
        "payload": {"id": "x", "type": "text", "payload": {"text": text}, "source": "33639980001"},
    }
    (event,) = parse(json.dumps(body).encode(), now=NOW)
    assert isinstance(event, Inbound)
    assert event.text == expected


def test_an_id_that_is_too_long_is_none_rather_than_cut():
    (event,) = parse(report(gsId="m" * 129), now=NOW)
    assert isinstance(event, StatusReport)
    assert (event.gs_id, event.message_ids) == (None, ("w",))


@pytest.mark.parametrize("value", [None, 7, [], {}, "x", True, 1e300, [{"a": 1}], {"b": []}])
@pytest.mark.parametrize("name", ["v2: text with context", "v2: failed later", "meta: reply to our message"])
def test_a_wrong_type_anywhere_breaks_nothing(name, value):
    body = CASES[name]["body"]
    for path in _paths(body):
        changed = copy.deepcopy(body)
        _put(changed, path, value)
        events = parse(json.dumps(changed).encode(), now=NOW)
        assert events
        for event in events:
            _assert_holdable(event)


def _paths(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [found for key, inner in items for found in _paths(inner, (*path, key))]


def _put(value: Any, path: tuple[Any, ...], new: object) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


def _assert_holdable(event: Event) -> None:
    """What the database and everybody after can rely on."""
    assert isinstance(event, Event)
    assert len(event.key) == 32
    for text in _texts(event):
        assert "\x00" not in text
        text.encode()
        assert len(text) <= 65_536
    for name in ("phone", "destination"):
        number = getattr(event, name, None)
        assert number is None or (number.isascii() and number.isdigit() and len(number) <= 15)
    assert event.at is None or (event.at.tzinfo is not None and event.at <= NOW + timedelta(days=1))
    for name in ("message_ids", "whatsapp_ids", "quoted_ids"):
        assert all(0 < len(one) <= 128 for one in getattr(event, name, ()))


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, tuple):
        return [text for item in value for text in _texts(item)]
    if dataclasses.is_dataclass(value):
        return [text for field in dataclasses.fields(value) for text in _texts(getattr(value, field.name))]
    return []


def test_events_cannot_be_changed():
    (event,) = parse(report(), now=NOW)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.word = Word.READ  # type: ignore[attr-defined]


# --- any bytes, and near misses ----------------------------------------------------------------------------------

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["text", "message", "message-event", "\ud800", "\x00", "33639980001", "1791194400", "{}", "[]"])
)
NAMES = sorted(
    {key for case in CASES.values() for path in _paths(case.get("body", {})) for key in path if isinstance(key, str)}
)
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), inner),
    max_leaves=25,
)


@st.composite
def near_misses(draw: st.DrawFn) -> bytes:
    """A documented body with one to three things wrong."""
    body = copy.deepcopy(draw(st.sampled_from([case["body"] for case in CASES.values() if "body" in case])))
    for _ in range(draw(st.integers(1, 3))):
        paths = _paths(body)
        if not paths:
            break
        path = draw(st.sampled_from(paths))
        try:
            _put(body, path, draw(trees))
        except (TypeError, KeyError, IndexError):
            continue
    data = json.dumps(body).encode()
    cut = draw(st.none() | st.integers(0, len(data)))
    return data if cut is None else data[:cut] + draw(st.binary(max_size=4)) + data[cut:]


any_bytes = (
    st.binary(max_size=400)
    | trees.map(lambda tree: json.dumps(tree).encode())
    | st.dictionaries(st.sampled_from(NAMES), st.text(st.characters(codec="utf-8"), max_size=40)).map(
        lambda fields: urlencode(fields).encode()
    )
    | near_misses()
)


@settings(max_examples=LONG_RUN, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=any_bytes, content_type=st.sampled_from(["", "application/json", "application/x-www-form-urlencoded", "x"]))
def test_any_bytes_become_events(body, content_type):
    """Validates: 4.1. Never raises, never answers nothing, and every event can be kept."""
    events = parse(body, content_type, now=NOW)
    assert events
    for event in events:
        _assert_holdable(event)
    assert parse(body, content_type, now=NOW) == events


def test_one_bad_item_costs_none_of_its_neighbours():
    statuses = [
        {"gs_id": f"m-{n}", "status": "read", "timestamp": "1791194400"} if n % 2 else trap
        for n, trap in enumerate([None, 0, [], 0, "x", 0, {"status": {}}, 0, {"id": []}, 0, True, 0])
    ]
    body = {"object": "whatsapp_business_account", "entry": [{"changes": [{"value": {"statuses": statuses}}]}]}
    events = parse(json.dumps(body).encode(), now=NOW)
    assert [event.message_ids[0] for event in events if isinstance(event, StatusReport)] == [
        f"m-{n}" for n in range(1, 12, 2)
    ]
    assert len(events) == 12


# --- the sample bodies beside the project, where they are --------------------------------------------------------

SAMPLES = Path(__file__).parents[4] / "shared" / "gupshup-payloads"
samples = pytest.mark.skipif(not (SAMPLES / "index.json").exists(), reason="no sample bodies beside the project")


def _samples(*formats: str) -> list[dict[str, Any]]:
    index = SAMPLES / "index.json"
    entries = json.loads(index.read_text())["payloads"] if index.exists() else []
    return [entry for entry in entries if entry["format"] in formats]


def _expected(entry: dict[str, Any]) -> tuple[type[Event], ...]:
    """The kind of event that the index's words imply."""
    kind, name = entry["type"].lower(), entry["file"]
    for part, event in (
        ("echo", Echo),
        ("ent-click", None),
        ("ent-opt", Consent),
        ("sandbox-start", Ping),
        ("user-event", Consent),
        ("user_preferences", Consent),
        ("mismatch", None),
        ("billing", None),
        ("message-event", StatusReport),
        ("statuses", StatusReport),
        ("dlr", StatusReport),
        ("template-event", TemplateNews),
        ("template_status", TemplateNews),
        ("template_category", TemplateNews),
        ("account", None),
        ("onboarding", None),
        ("message", Inbound),
    ):
        if part in kind or part in name:
            return (event,) if event else ()
    raise AssertionError(entry)


LAYOUTS = {"v2": Layout.V2, "v3": Layout.V3, "meta-cloud": Layout.META, "v1-legacy": Layout.V1}


@samples
@pytest.mark.parametrize(
    "entry", _samples("v2", "v3", "meta-cloud", "enterprise", "v1-legacy"), ids=lambda e: e["file"]
)
def test_the_sample_bodies_are_understood(entry):
    data = json.loads((SAMPLES / entry["file"]).read_text())
    is_json = "json" in entry["content_type"]
    body = json.dumps(data).encode() if is_json else urlencode(data).encode()
    events = parse(body, entry["content_type"], now=NOW + timedelta(days=365))
    assert events
    for event in events:
        assert not isinstance(event, Unrecognised), event
        assert event.at is not None or "timestamp" not in json.dumps(data)
        for kind in _expected(entry):
            assert isinstance(event, kind)
        if layout := LAYOUTS.get(entry["format"]):
            assert event.source.layout is layout
        if isinstance(event, Inbound):
            assert event.kind is not Kind.UNKNOWN
            assert event.is_interaction is ("request_welcome" not in entry["type"])
        if isinstance(event, StatusReport):
            assert event.word is not Word.OTHER
            assert bool(event.code) is (event.word is Word.FAILED)

"""The short way reads what is usual, and never otherwise than the long way."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gupshup.api.events import StatusReport, parse
from gupshup.api.layouts import quick
from gupshup.api.statuses import Word

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def body(**changes: Any) -> dict[str, Any]:
    """A usual report with invented values; a change of `inner` or `envelope` goes there, others into the payload."""
    inner, envelope = changes.pop("inner", {"ts": int(NOW.timestamp()) - 5}), changes.pop("envelope", {})
    payload = {
        "id": "b7f1c2d0-aaaa-4bbb-8ccc-000000000001",
        "gsId": "e1d2c3b4-1111-4222-8333-000000000002",
        "type": "delivered",
        "destination": "33655500011",
        "payload": inner,
        **changes,
    }
    return {
        "app": "DemoApp",
        "timestamp": 1_795_000_000_000,
        "version": 2,
        "type": "message-event",
        "payload": payload,
        **envelope,
    }


def same(raw: bytes) -> bool:
    """Whether the short way answered; what it says must be what the long way says."""
    told = quick.read(raw, NOW.timestamp())
    if told is None:
        return False
    (event,) = parse(raw, "application/json", now=NOW)
    assert isinstance(event, StatusReport)
    for name in ("word", "message_ids", "whatsapp_ids", "at", "destination", "code", "reason"):
        assert getattr(event, name) == getattr(told, name), name
    return True


@pytest.mark.parametrize("word", ["sent", "delivered", "read"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"conversation": {"id": "c1", "expiresAt": 1_795_000_000, "type": "marketing"}},
        {"pricing": {"policy": "PMP", "category": "marketing", "type": "regular"}, "userId": "FR.123456789"},
        {"id": "wamid.HBgLMzM2NTU1MDAwMTEVAgARGBI0"},
    ],
)
def test_what_is_usual_goes_the_short_way(word, more):
    assert same(json.dumps(body(type=word, **more)).encode())


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps(body(type="failed", inner={"code": 131026, "reason": "x"})),
        json.dumps(body(type="enqueued", inner={"whatsappMessageId": "a1b2c3d4e5", "type": "session"})),
        json.dumps(body(type="Delivered")),
        json.dumps(body(gsId=None)),
        json.dumps(body(gsId="undefined")),
        json.dumps(body(id="e1d2c3b4-1111-4222-8333-000000000002")),
        json.dumps(body(id="  b7f1c2d0-aaaa  ")),
        json.dumps(body(destination="+33655500011")),
        json.dumps(body(destination=33655500011)),
        json.dumps(body(inner={"ts": "1795000000"})),
        json.dumps(body(inner={"ts": int((NOW + timedelta(minutes=1)).timestamp())})),
        json.dumps(body(inner={"ts": True})),
        json.dumps(body(inner={"ts": 1_300_000_000})),
        json.dumps(body(envelope={"response": "[]"})),
        json.dumps(body(envelope={"entry": []})),
        json.dumps(body(conversation=[[[[[[[[[0]]]]]]]]])),
        json.dumps(body(pricing={"x": float("nan")})),
        json.dumps(body())[:-1],
        "\x0b" + json.dumps(body()),
        json.dumps(body(pricing={"text": "é"}), ensure_ascii=False),
        json.dumps(body(pricing={"text": "x" * 2_000})),
        json.dumps([body()]),
        '"message-event"',
        "",
    ],
)
def test_what_is_odd_goes_the_long_way(raw):
    assert not same(raw.encode())


odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["sent", "read", "READ", "null", "undefined", "e1d2c3b4-1111-4222-8333-000000000002", "00336", "{}"]
    ),
    st.integers(1_420_000_000, int(NOW.timestamp())),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.sampled_from(["ts", "id", "type", "code"]), st.integers(), max_size=3),
)
names = st.sampled_from(["id", "gsId", "type", "destination", "payload", "messageId", "eventType", "userId", "ts"])


@settings(max_examples=1_000, deadline=None)
@given(
    changes=st.dictionaries(names, odd, max_size=3),
    inner=st.dictionaries(st.sampled_from(["ts", "code", "reason", "destination"]), odd, max_size=2),
    envelope=st.dictionaries(
        st.sampled_from(["app", "type", "response", "botname", "object", "phone"]), odd, max_size=1
    ),
    cut=st.integers(0, 3),
)
def test_both_ways_say_the_same(changes, inner, envelope, cut):
    """Validates: 4.1"""
    given_ = body(envelope=envelope, **{"inner": inner, **changes} if inner else changes)
    raw = json.dumps(given_).encode("utf-8", "replace")
    same(raw[: len(raw) - cut])


def test_words_are_ours():
    told = quick.read(json.dumps(body()).encode(), NOW.timestamp())
    assert told is not None
    assert told.word is Word.DELIVERED

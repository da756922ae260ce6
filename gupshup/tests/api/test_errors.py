"""The catalogue is complete, consistent and speaks both languages."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gupshup.api.errors import CATALOGUE, Action, Fault, by_text, lookup

_CODES = """
500 503 1001 1002 1003 1004 1005 1006 1007 1008 1009 1010 1011 1012 1013 4001 4002 4003 4004 4005
400 407 408 410 480 470 471 472 1026 2000 2001 2005 2017
0 3 10 190 200 299 131005 1 2 4 80007 130429 33 100 131008 131009 135000 368 130472 130497 131000 131016 133004
131057 2494100 131021 131026 131031 131037 131042 131045 131047 131048 131049 131050 131051 131052 131053 131055
131063 134100 134101 134102 131056 131064 132000 132001 132005 132007 132012 132015 132016 132018 132068 132069
133000 133005 133006 133008 133009 133010 133015 133016 134011
2388019 2388040 2388047 2388072 2388073 2388293 2388299
001 002 003 004 005 006 007 008 009 00a 00b 00c 00d 00e 010 011 012 013 038
"""
EVERY_DOCUMENTED_CODE = _CODES.split()


@pytest.mark.parametrize("code", EVERY_DOCUMENTED_CODE)
def test_every_documented_code_is_known(code):
    assert lookup(code).known
    assert lookup(code).code == code


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_entry_says_what_happened_and_what_to_do_in_both_languages(code):
    entry = CATALOGUE[code]
    for words in (entry.what, entry.advice):
        assert words.fr != words.en
        for text in words:
            assert 4 < len(text) <= 160
            assert text.endswith(".")
            assert text[0].isupper()
            assert not re.search(r"\s{2}|\d{8}", text)
    assert entry.fault is not Fault.UNKNOWN or code == "00a"


@pytest.mark.parametrize(
    ("code", "action"),
    [
        (1002, Action.INVALID_NUMBER),
        (1012, Action.SUPPRESS),
        ("131050", Action.SUPPRESS_MARKETING),
        (131049, Action.WAIT_24H),
        (131026, Action.FAIL),
        (131047, Action.FAIL),
        (470, Action.FAIL),
        (130472, Action.FAIL),
        (131000, Action.RETRY),
        (500, Action.RETRY),
        (131056, Action.RETRY),
        (4001, Action.SLOW_DOWN),
        (130429, Action.SLOW_DOWN),
        (1003, Action.HALT_SENDER),
        (131031, Action.HALT_SENDER),
        (131048, Action.HALT_SENDER),
        (133010, Action.HALT_SENDER),
        (132000, Action.PAUSE_CAMPAIGN),
        (132015, Action.PAUSE_CAMPAIGN),
        (4005, Action.PAUSE_CAMPAIGN),
        ("038", Action.PAUSE_CAMPAIGN),
        ("003", Action.INVALID_NUMBER),
        ("007", Action.SUPPRESS),
        ("012", Action.RETRY),
        ("read_timeout", Action.HOLD),
    ],
)
def test_the_action_follows_from_the_code(code, action):
    assert lookup(code).action is action


def test_what_is_personal_stops_nobody_else():
    for code in (131026, 131047, 131049, 130472, 1002, 131050, 131056):
        assert lookup(code).halts is None


def test_what_concerns_everybody_stops_everybody():
    for code in (1003, 4003, 4005, 131031, 131042, 131048, 368, 132000, 132001, 132007, 132015, 132016, 133010):
        assert lookup(code).halts in ("sender", "campaign")


@pytest.mark.parametrize("code", [1002, "1002", " 1002 ", 1002.0])
def test_a_code_is_found_however_it_is_written(code):
    assert lookup(code) == CATALOGUE["1002"]


@pytest.mark.parametrize("code", [None, "", "999999", 999999, -1, True, 1.5, [], "x" * 900, "\ud800"])
def test_an_unknown_code_is_final_for_its_message_only(code):
    entry = lookup(code)
    assert (entry.action, entry.known, entry.retries, entry.halts) == (Action.FAIL, False, False, None)


@given(st.none() | st.integers() | st.floats() | st.text() | st.binary())
def test_any_code_has_an_entry(code):
    assert lookup(code).advice.fr


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Invalid App Details", "invalid_app_details"),
        ("authentication  failed", "authentication_failed"),
        ("Portal User Not Found With APIKey", "authentication_failed"),
        ("Invalid Destination", "invalid_destination"),
        ("Too Many Requests", "too_many_requests"),
        ("Number Opted Out", "1012"),
        ("Callback Billing must be enabled for this API", "callback_billing"),
        ("App is not live.", "app_not_live"),
        ("Waba id not found for the given App", "app_not_live"),
        ("Template Already exists with same namespace and elementName and languageCode", "template_exists"),
        ("Invalid URL Passed", "invalid_url"),
        ("Subscription Does Not Exist", "subscription_missing"),
        ("Not Subscription Owner", "not_subscription_owner"),
        ("Unable To Create Subscription", "subscription_failed"),
        ("Not enough credits in the wallet", "1003"),
        ("The template is paused", "132015"),
        ("hello", None),
        ("", None),
    ],
)
def test_a_text_without_a_code_is_known_too(text, code):
    entry = by_text(text)
    assert (entry.code if entry else None) == code


@pytest.mark.parametrize(
    ("code", "expected"), [("\x00", ""), ("1\x0002", "102"), ("\ud800", "\ufffd"), (" 1002\n", "1002")]
)
def test_a_code_is_what_a_database_can_hold(code, expected):
    assert lookup(code).code == expected

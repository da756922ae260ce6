"""What an answer of Gupshup means for whoever made the call.

``sort_answer`` is the one place where an HTTP answer becomes an Outcome:

=====================================================  ===========================================================
answer                                                 outcome
=====================================================  ===========================================================
2xx with an id, and no word of error                   ACCEPTED
2xx, ``status: error``, known code or text             by the catalogue; a passing trouble (retry) is UNCERTAIN,
                                                       since only a 4xx proves that nothing was begun
2xx, ``status: error``, unknown                        REJECTED: an express refusal, and REJECTED never sends again
2xx without an id, HTML, cut off, unreadable           UNCERTAIN
2xx, ``status: error`` *and* an id                     UNCERTAIN, with the id, so that a later report can settle it
3xx                                                    UNCERTAIN (never followed)
429, or code 4001 and its like                         SLOW_DOWN
401, 403; wallet, template, account (by code or text)  HALT, with what must stop in ``halts``
404, 405 that are not in Gupshup's words               HALT: the API address is wrong, for everyone
4xx with a passing trouble's code                      NOT_SENT: refused for sure, may be tried again later
any other 4xx                                          REJECTED
5xx, whatever the body says                            UNCERTAIN: a gateway can fail after the backend accepted
=====================================================  ===========================================================

Calls that send nothing (lists, wallet, subscriptions) are sorted alike, but need no id to succeed, nor a body: those
that ask for a value find none in it.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from gupshup.api import errors
from gupshup.api.errors import Action, ErrorEntry
from gupshup.api.reading import LINE, UnreadableError, id_of, line_of, load_json, number_of, object_of, text_of

_RAW: Final = 8_192  # characters kept of an answer that is not JSON
_LONGEST_WAIT: Final = 86_400
_ERROR_WORDS: Final = frozenset({"error", "failed", "failure", "rejected"})
_GOOD_WORDS: Final = frozenset({"success", "submitted", "accepted", "ok", "queued"})
_CODE: Final = re.compile(r"\d{1,10}|0\d[0-9a-e]")  # what the provider's catalogues hold; never one of our own words
_ID: Final = 128  # characters; Gupshup's ids have 36
_NO_SUCH_PAGE: Final = re.compile(
    r"(?:page |path |url |resource |route )?not found|no (?:route|handler|mapping)\b.*", re.I
)


class Outcome(StrEnum):
    """What the caller can do next."""

    ACCEPTED = "accepted"  # Gupshup has it
    NOT_SENT = "not_sent"  # it surely did not go, and may be tried again after a delay
    SLOW_DOWN = "slow_down"  # it surely did not go: too fast; again, more slowly
    REJECTED = "rejected"  # refused, for this person; not again
    HALT = "halt"  # refused, and everyone's next message would be too
    UNCERTAIN = "uncertain"  # it may have gone: sending again could pay and disturb twice


@dataclass(frozen=True, kw_only=False)
class GupshupResponse:
    """One call's answer. ``error_code`` is always one that ``errors.lookup`` knows how to explain.

    ``retry_after`` is in seconds; ``halts`` is ``"sender"`` or ``"campaign"`` for HALT. ``raw_response`` is the JSON
    value of the answer, or the beginning of its text. Neither ``repr`` nor ``str`` shows texts, numbers or keys.
    """

    success: bool
    message_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    raw_response: Any = None
    outcome: Outcome = None  # type: ignore[assignment]  # from ``success`` when not given
    http_status: int | None = None
    retry_after: float | None = None
    halts: str | None = None
    answered_at: datetime | None = None  # by the provider's clock

    def __post_init__(self) -> None:
        if self.outcome is None:
            object.__setattr__(self, "outcome", Outcome.ACCEPTED if self.success else Outcome.UNCERTAIN)

    def __repr__(self) -> str:
        return f"<GupshupResponse {self.outcome} http={self.http_status} code={self.error_code}>"

    @property
    def entry(self) -> ErrorEntry | None:
        """What the catalogue says about the error; None when there is none."""
        return errors.lookup(self.error_code) if self.error_code else None


Value = TypeVar("Value")


@dataclass(frozen=True)
class Reply(Generic[Value]):
    """The answer to a management call, and what was asked for (None unless it was understood).

    ``partial``: some of what was listed could not be read, so that what is missing in ``value`` may exist all the same.
    """

    response: GupshupResponse
    value: Value | None = None
    partial: bool = False

    @property
    def ok(self) -> bool:
        return self.value is not None


def failure(
    outcome: Outcome,
    code: str,
    message: str | None = None,
    *,
    status: int | None = None,
    raw: Any = None,
    halts: str | None = None,
) -> GupshupResponse:
    """An answer that is not a success, said in our own words."""
    return GupshupResponse(False, None, code, message, raw, outcome, http_status=status, halts=halts)


def sort_answer(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    sends: bool = True,
    complete: bool = True,
    now: datetime | None = None,
) -> GupshupResponse:
    """What an HTTP answer means; never raises. ``complete`` is False when the body was cut off or too long.

    ``sends`` is False for calls that send no message: they succeed without an id. The Content-Type is not looked at:
    Gupshup sends JSON as ``text/html`` now and then.
    """
    data = _decode(body)
    fields = object_of(data)
    facts = _Facts(status, data, fields, _retry_after(headers, now), _moment(headers.get("Date")))
    if 200 <= status < 300:
        return _sort_success(facts, sends, complete)
    if 400 <= status < 500:
        return _sort_refusal(facts)
    code = "redirect" if 300 <= status < 400 else "server_error" if status >= 500 else "bad_answer"
    return facts.answer(Outcome.UNCERTAIN, code)


@dataclass(frozen=True)
class _Facts:
    status: int
    data: Any
    fields: Mapping[str, Any]
    retry_after: float | None
    answered_at: datetime | None

    @property
    def code(self) -> str | None:
        """The provider's own code, wherever the layout has it: flat, Meta's ``error``, the enterprise ``response``.

        One that only repeats the HTTP status is none.
        """
        inner, first = object_of(self.fields.get("error")), _first(self.fields.get("errors"))
        for value in (self.fields.get("code"), inner.get("code"), first.get("code"), self.fields.get("errorCode")):
            code = errors.normalise(value)
            if code and code != str(self.status):
                return code
        enterprise = object_of(self.fields.get("response"))
        return errors.normalise(enterprise.get("id")) or None if self.refuses and enterprise else None

    @property
    def message(self) -> str | None:
        inner, enterprise = object_of(self.fields.get("error")), object_of(self.fields.get("response"))
        for value in (
            self.fields.get("message"),
            self.fields.get("reason"),
            inner.get("message"),
            self.fields.get("error"),
            enterprise.get("details"),
            self.fields.get("details"),
            self.fields.get("errorMessage"),
            object_of(self.fields.get("message")).get("message"),
        ):
            if text := line_of(value, LINE):
                return text
        return line_of(self.data, LINE) if isinstance(self.data, str) else None

    @property
    def words(self) -> frozenset[str]:
        told = (self.fields.get("status"), object_of(self.fields.get("response")).get("status"))
        return frozenset(word.strip().lower() for word in told if isinstance(word, str))

    @property
    def refuses(self) -> bool:
        """Is an error said outright?"""
        return bool(self.words & _ERROR_WORDS or self.fields.get("error") or self.fields.get("success") is False)

    @property
    def is_nowhere(self) -> bool:
        """404 or 405 of whoever answers at a wrong address, not of Gupshup about one message."""
        if self.status not in (404, 405):
            return False
        in_their_words = bool(self.words & _ERROR_WORDS or self.code)
        return not in_their_words or bool(_NO_SUCH_PAGE.fullmatch(self.message or ""))

    @property
    def hints_at_error(self) -> bool:
        """A code in place of an id, as v3 writes ``{"code": 1012, "reason": ...}``; 0 and 2xx are no errors."""
        code = self.code
        if not code or self.message_id or self.words & _GOOD_WORDS:
            return False
        return code != "0" and not (len(code) == 3 and code.startswith("2"))

    @property
    def entry(self) -> ErrorEntry | None:
        """The catalogue's entry: by code; only when there is no number, by text."""
        code = self.code
        if code and _CODE.fullmatch(code):
            return errors.lookup(code)
        found = errors.by_text(self.message) if self.message else None
        return found or (replace(errors.lookup(""), code=code) if code else None)

    @property
    def message_id(self) -> str | None:
        """The id of an accepted message: self-serve, v3 (``messages[0].id``), enterprise (``response.id``)."""
        for value in (
            self.fields.get("messageId"),
            _first(self.fields.get("messages")).get("id"),
            object_of(self.fields.get("response")).get("id"),
        ):
            if (found := id_of(value)) and len(found) <= _ID:
                return found
        return None

    def answer(self, outcome: Outcome, code: str | None, halts: str | None = None) -> GupshupResponse:
        return GupshupResponse(
            success=outcome is Outcome.ACCEPTED,
            message_id=self.message_id if outcome in (Outcome.ACCEPTED, Outcome.UNCERTAIN) else None,
            error_code=code,
            error_message=None if outcome is Outcome.ACCEPTED else self.message,
            raw_response=self.data,
            outcome=outcome,
            http_status=self.status,
            retry_after=self.retry_after,
            halts=halts,
            answered_at=self.answered_at,
        )


def _first(value: Any) -> Mapping[str, Any]:
    return object_of(value[0]) if isinstance(value, list) and value else {}


def _sort_success(facts: _Facts, sends: bool, complete: bool) -> GupshupResponse:
    if not sends and complete and not facts.data and not facts.fields:  # 204, or 202 with nothing to say: it is done
        return facts.answer(Outcome.ACCEPTED, None)
    if not facts.fields and (sends or not isinstance(facts.data, list)):
        return facts.answer(Outcome.UNCERTAIN, "bad_answer")
    if facts.refuses or facts.hints_at_error:
        return _sort_denial(facts, sends)
    if facts.message_id or (not sends and complete):
        return facts.answer(Outcome.ACCEPTED, None)
    return facts.answer(Outcome.UNCERTAIN, "no_message_id")


def _sort_denial(facts: _Facts, sends: bool) -> GupshupResponse:
    """2xx, and yet an error: said outright, it is believed; half said, it stays open."""
    entry = facts.entry
    if sends and facts.message_id and facts.message_id != facts.code:
        return facts.answer(Outcome.UNCERTAIN, "contradiction")
    if entry is None or not entry.known:
        return facts.answer(Outcome.REJECTED, entry.code if entry else "refused")
    outcome = _OUTCOMES.get(entry.action, Outcome.REJECTED)
    if outcome is Outcome.NOT_SENT:
        outcome = Outcome.UNCERTAIN
    return facts.answer(outcome, entry.code, entry.halts)


def _sort_refusal(facts: _Facts) -> GupshupResponse:
    """4xx: surely not accepted; the code, then the text, then the status say what that means."""
    entry = facts.entry
    known = entry if entry and entry.known else None
    if facts.status == 429:
        return facts.answer(Outcome.SLOW_DOWN, facts.code or "too_many_requests")
    if facts.status == 401:
        code = known.code if known and known.halts else "authentication_failed"
        return facts.answer(Outcome.HALT, code, "sender")
    if known:
        return facts.answer(_OUTCOMES.get(known.action, Outcome.REJECTED), known.code, known.halts)
    if facts.status == 403:
        return facts.answer(Outcome.HALT, facts.code or "forbidden", "sender")
    if facts.is_nowhere:
        return facts.answer(Outcome.HALT, "wrong_address", "sender")
    return facts.answer(Outcome.REJECTED, facts.code or f"http_{facts.status}")


_OUTCOMES: Final = {
    Action.RETRY: Outcome.NOT_SENT,
    Action.SLOW_DOWN: Outcome.SLOW_DOWN,
    Action.PAUSE_CAMPAIGN: Outcome.HALT,
    Action.HALT_SENDER: Outcome.HALT,
    Action.HOLD: Outcome.UNCERTAIN,
}


def _decode(body: bytes) -> Any:
    """The JSON value of an answer, else the beginning of its text; the enterprise text answer as its JSON twin."""
    text = body.decode("utf-8-sig", "replace")
    try:
        return load_json(text)
    except UnreadableError:
        return _enterprise_text(text) or text_of(text.strip(), _RAW)


def _enterprise_text(text: str) -> dict[str, Any] | None:
    """``success | <phone> | <id>``, or ``error | <code> | <details>`` (the gateway with format=text)."""
    parts = [part.strip() for part in text.split("|")]
    if len(parts) != 3 or parts[0].lower() not in ("success", "error") or len(text) > LINE:
        return None
    word, second, third = parts
    if word.lower() == "success":
        return {"response": {"status": "success", "phone": second, "id": third}}
    return {"response": {"status": "error", "id": second, "details": third}}


def _retry_after(headers: Mapping[str, str], now: datetime | None) -> float | None:
    """Seconds to wait, from both headers that are known; the longer one, at most a day."""
    given = {name.lower(): value for name, value in headers.items()}
    waits = (
        _seconds(given.get("x-rate-limit-retry-after-seconds"), now),
        _seconds(given.get("retry-after"), now),
    )
    found = [wait for wait in waits if wait is not None]
    return min(max(found), _LONGEST_WAIT) if found else None


def _seconds(value: str | None, now: datetime | None) -> float | None:
    if not value:
        return None
    number = number_of(value)
    if number is None:
        moment = _moment(value)
        if moment is None:
            return None
        number = max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
    return float(math.ceil(number)) if number >= 0 else None


def _moment(value: str | None) -> datetime | None:
    """The moment in a header, None when it holds none."""
    try:
        moment = parsedate_to_datetime(value) if value else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)

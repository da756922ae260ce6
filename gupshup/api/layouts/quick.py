"""The usual report, read by a short way: of all callbacks most are one of Gupshup's own layout with nothing odd in it.

Whatever is unusual in the least is left to ``events.parse``, and where both answer, both say the same: here only values
are accepted of which nothing has to be cleaned, guessed or refused.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from gupshup.api.statuses import Word


class Told(NamedTuple):
    """The part of a ``StatusReport`` that moves messages, in the same words; a failure is never one."""

    word: Word
    gs_id: str
    other_id: str
    seconds: int  # Unix time
    destination: str

    @property
    def message_ids(self) -> tuple[str, ...]:
        return (self.gs_id, self.other_id)

    @property
    def whatsapp_ids(self) -> tuple[str, ...]:
        return (self.other_id,)

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    @property
    def code(self) -> None:
        return None

    @property
    def reason(self) -> None:
        return None


_LONGEST: Final = 2_000  # bytes; the documented ones have under 500
_DEEPEST: Final = 8  # openings of objects and arrays
_ENVELOPE: Final = frozenset({"app", "timestamp", "version", "type", "payload"})
_REPORT: Final = frozenset(
    {"id", "gsId", "type", "destination", "payload", "conversation", "pricing", "userId", "user_id"}
)
_WORDS: Final = {word.value: word for word in (Word.SENT, Word.DELIVERED, Word.READ)}
# Longer than the words for nothing ("undefined").
_is_id: Final[Callable[[str], Any]] = re.compile(r"[\w.:=+/-]{10,128}", re.ASCII).fullmatch
_is_phone: Final[Callable[[str], Any]] = re.compile(r"[1-9]\d{5,14}", re.ASCII).fullmatch
_EARLIEST: Final = int(datetime(2015, 1, 1, tzinfo=UTC).timestamp())
_read: Final[Callable[[str], tuple[Any, int]]] = json.JSONDecoder().raw_decode


def read(body: bytes, now: float) -> Told | None:
    """``sent``, ``delivered`` or ``read`` with both ids, a number and a time up to ``now`` (Unix time), else None.

    Never raises.
    """
    if len(body) > _LONGEST or b'"message-event"' not in body or not body.isascii():
        return None
    # Read otherwise by the long way: too deep, and the words that are not JSON.
    if body.count(b"{") + body.count(b"[") > _DEEPEST or b"NaN" in body or b"Infinity" in body:
        return None
    try:
        value, end = _read(body.decode("ascii"))
    except ValueError:
        return None
    if (
        end != len(body)
        or type(value) is not dict
        or value.get("type") != "message-event"
        or not _ENVELOPE.issuperset(value)
    ):
        return None
    report = value.get("payload")
    if type(report) is not dict or not _REPORT.issuperset(report):
        return None
    return _told(report, now)


def _told(report: dict[str, Any], now: float) -> Told | None:
    get = report.get
    own_id, gs_id, kind, destination, inner = get("id"), get("gsId"), get("type"), get("destination"), get("payload")
    if not (type(own_id) is type(gs_id) is type(kind) is type(destination) is str and type(inner) is dict):
        return None
    word, at = _WORDS.get(kind), inner.get("ts")
    if word is None or len(inner) != 1 or type(at) is not int or not _EARLIEST <= at <= now:
        return None
    if own_id == gs_id or not (_is_id(own_id) and _is_id(gs_id) and _is_phone(destination)):
        return None
    return Told(word, gs_id, own_id, at, destination)

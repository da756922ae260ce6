"""Foreign bytes and values made safe to hold: what arrives may be broken, hostile or merely odd.

Every function here is total: it answers a clean value or None, and never raises.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

DEEPEST: Final = 32  # levels of nesting; Gupshup's deepest documented body has 12
ID: Final = 128  # characters; a UUID has 36, a wamid about 60. What keeps ids has columns of this width
NAME: Final = 256
LINE: Final = 1_024
URL: Final = 4_096
TEXT: Final = 65_536  # the longest text a person can send on WhatsApp

_EARLIEST: Final = datetime(2015, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"\d{1,17}(?:\.\d{1,9})?", re.ASCII)
_PHONE: Final = re.compile(r"\+?[\d\s().\-\u00a0\u202f]+", re.ASCII)
_WORDLESS: Final = frozenset({"none", "null", "undefined", "nan"})


class UnreadableError(ValueError):
    """The bytes are not what we take; the text says why, in words fit for a log (no foreign data)."""


def _constant(word: str) -> Any:
    raise UnreadableError("not JSON: NaN or Infinity")


def _integer(digits: str) -> int | str:
    """64 bits at most; what is longer stays text. (Python refuses 4 300 digits, PostgreSQL twenty.)"""
    return int(digits) if len(digits) <= 18 else digits


def load_json(text: str) -> Any:
    """The value of a JSON text. Raises UnreadableError for anything else, NaN and more than 32 levels included."""
    try:
        value = json.loads(text, parse_constant=_constant, parse_int=_integer)
    except UnreadableError:
        raise
    except RecursionError:
        raise UnreadableError("nested too deep") from None
    except ValueError:
        raise UnreadableError("not JSON") from None
    if not _shallow(value):
        raise UnreadableError("nested too deep")
    return value


def _shallow(value: Any) -> bool:
    """Level by level, with no recursion: at most DEEPEST containers inside one another."""
    level: list[Any] = [value]
    for _ in range(DEEPEST + 1):
        below: list[Any] = []
        for outer in level:
            kind = type(outer)  # json.loads makes these two and no subclass
            if kind is dict:
                below += outer.values()
            elif kind is list:
                below += outer
        if not below:
            return True
        level = below
    return not any(isinstance(inner, dict | list) for inner in level)


def clean(text: str, limit: int) -> str:
    """NUL and lone surrogates are what PostgreSQL cannot hold; everything else, bidi controls included, stays."""
    text = text[: limit * 2].replace("\x00", "")
    if text.isascii():
        return text[:limit]
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text[:limit]


def text_of(value: object, limit: int = TEXT) -> str | None:
    """A text or number as text, at most ``limit`` characters; None for anything else and for nothing."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        value = str(value)
    return clean(value, limit) or None if isinstance(value, str) else None


def line_of(value: object, limit: int = LINE) -> str | None:
    """As text_of, without blanks around it; None when nothing is left."""
    text = text_of(value, limit)
    return text.strip() or None if text else None


def id_of(value: object) -> str | None:
    """An id as text. One that is too long is none at all: cut off, it could name another message."""
    if value is None or isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = clean(str(value), ID + 1).strip()
    return text if text and len(text) <= ID and text.lower() not in _WORDLESS else None


def ids_of(*values: object) -> tuple[str, ...]:
    """The ids among the values, in their order, each once."""
    return tuple(dict.fromkeys(filter(None, map(id_of, values))))


def url_of(value: object) -> str | None:
    """An http(s) address, else None: a page may come to show it as a link."""
    text = line_of(value, URL + 1)
    return text if text and len(text) <= URL and text.lower().startswith(("http://", "https://")) else None


def phone_of(value: object) -> str | None:
    """The digits of a telephone number written in full, else None. Never part of something else.

    ``+91 99000-00001`` and ``whatsapp:919900000001`` are numbers; ``9876543210_1`` and ``callbackSetPhone`` are not.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        value = int(value) if value.is_integer() else None
    if isinstance(value, int):
        value = str(value)
    if not isinstance(value, str) or len(value) > 64:
        return None
    text = value.strip().removeprefix("whatsapp:")
    if not _PHONE.fullmatch(text):
        return None
    digits = re.sub(r"\D", "", text, flags=re.ASCII).removeprefix("00")
    return digits if 6 <= len(digits) <= 15 else None


def number_of(value: object) -> float | None:
    """A finite number, from a number or its text; None otherwise."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = value.strip()
        if not re.fullmatch(r"[+-]?\d{1,17}(?:\.\d{1,17})?", value, re.ASCII):
            return None
    elif not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return None
    return number if number == number and abs(number) < 1e18 else None


def integer_of(value: object) -> int | None:
    """A whole number of at most 64 bits, from a number or its text; None otherwise."""
    number = number_of(value)
    return int(number) if number is not None and number.is_integer() else None


def truth_of(value: object) -> bool | None:
    """True and False, also as the texts and numbers that providers write; None otherwise."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(word)


def moment_of(value: object, now: datetime) -> datetime | None:
    """The moment of a Unix time in seconds or milliseconds, told apart by size, or of an ISO text.

    None for what is not a time between 2015 and a day after ``now``. (Gupshup writes both units, as number or text.)
    """
    try:
        if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
            moment = datetime.fromisoformat(value.strip()[:40])
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        else:
            number = number_of(value)
            if number is None:
                return None
            moment = datetime.fromtimestamp(number / 1_000 if number > 1e11 else number, UTC)
        return moment if _EARLIEST <= moment <= now + timedelta(days=1) else None
    except (ValueError, OverflowError, OSError):
        return None


def first_moment(values: Iterable[object], now: datetime) -> datetime | None:
    """The first of the values that is a moment."""
    for value in values:
        if value is not None and (moment := moment_of(value, now)):
            return moment
    return None


def object_of(value: object) -> Mapping[str, Any]:
    """A JSON object, also when it travels as JSON text in a form field; an empty one for anything else."""
    if isinstance(value, str) and value.lstrip("\ufeff \t\r\n").startswith("{"):
        try:
            value = load_json(value)
        except UnreadableError:
            return {}
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[Any]:
    """A JSON array, also as JSON text; a single object counts as an array of one; anything else is empty."""
    if isinstance(value, str) and value.lstrip("\ufeff \t\r\n").startswith(("[", "{")):
        try:
            value = load_json(value)
        except UnreadableError:
            return []
    if isinstance(value, dict):
        return [value]
    return value if isinstance(value, list) else []


def first(fields: Mapping[str, Any], *names: str) -> Any:
    """The first of the fields that holds something."""
    for name in names:
        value = fields.get(name)
        if value is not None and value != "" and value != "null":  # `present`, without the call
            return value
    return None


def present(value: object) -> bool:
    """Something, and not merely the word for nothing that forms carry."""
    return value is not None and value != "" and value != "null"


def capitals(word: object) -> str | None:
    """A status or category as the provider's lists write it."""
    text = line_of(word, 64)
    return text.upper().replace("-", "_").replace(" ", "_") if text else None


def tier_of(value: object) -> tuple[int | None, bool]:
    """People in 24 h, and whether there is no limit: ``TIER_250``, ``TIER_10K``, ``TIER_UNLIMITED``, or a number."""
    number = integer_of(value)
    if number is not None:
        return (number, False) if number >= 0 else (None, number == -1)
    word = capitals(value) or ""
    if match := re.fullmatch(r"(?:TIER_)?(\d{1,9})(K|M)?", word, re.ASCII):
        return int(match[1]) * {"K": 1_000, "M": 1_000_000}.get(match[2], 1), False
    return None, word in ("TIER_UNLIMITED", "UNLIMITED")

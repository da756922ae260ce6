"""What a look found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gupshup import words
from gupshup.api.responses import GupshupResponse


class Level(StrEnum):
    OK = "ok"
    ATTENTION = "attention"  # it works, but less well, or it could not be seen
    ERROR = "error"  # messages or reports will be lost


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, in the reader's language. `code` is a stable name for programs."""

    level: Level
    code: str
    text: str
    advice: str = ""


def ok(code: str, text: str) -> Finding:
    return Finding(Level.OK, code, text)


def attention(code: str, text: str, advice: str = "") -> Finding:
    return Finding(Level.ATTENTION, code, text, advice)


def error(code: str, text: str, advice: str = "") -> Finding:
    return Finding(Level.ERROR, code, text, advice)


def why(response: GupshupResponse) -> str:
    """What an answer says is wrong. A place that is not found says nothing of the API address when others are, and one
    that is not ours says nothing of name and number, which have been tried.
    """
    return "" if response.error_code in ("wrong_address", "invalid_app_details") else words.why(response)

"""Words: what opts out, what triggers Message 2, and Message 2 with a person's own words in it. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Protocol

# The whole message must be one of these, in any case, with or without accents, punctuation and emoji around it.
STOP_WORDS = frozenset(
    {
        *("stop", "stopper", "arret", "arreter", "arretez", "desabonner", "desabonnement", "desabonnez", "desinscrire"),
        *("desinscription", "desinscrivez", "unsubscribe", "unsub", "cancel", "end", "quit", "optout", "stoppub"),
        *("stopall", "stop pub", "stop sms", "stop all", "stop whatsapp", "opt out", "me desabonner", "se desabonner"),
        *("desabonnez moi", "desinscrivez moi", "me desinscrire", "se desinscrire", "arretez tout", "plus de message"),
        *("plus de messages", "ne plus recevoir", "stop promotions"),
    }
)
START_WORDS = frozenset({"start", "unstop", "reprendre", "reabonner", "me reabonner", "reabonnez moi", "subscribe"})

VARIABLE = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")


class Person(Protocol):
    first_name: str
    last_name: str
    number: str | None
    attributes: dict[str, object]


class Said(Protocol):
    @property
    def text(self) -> str | None: ...
    @property
    def postback(self) -> str | None: ...
    @property
    def kind(self) -> str: ...


def plain(text: str) -> str:
    """Lower case, no accents, no punctuation, no emoji, single spaces."""
    decomposed = unicodedata.normalize("NFKD", text)
    letters = "".join(one if one.isalnum() else " " for one in decomposed if not unicodedata.combining(one))
    return " ".join(letters.casefold().split())


def says_stop(text: str) -> bool:
    return plain(text) in STOP_WORDS


def says_start(text: str) -> bool:
    return plain(text) in START_WORDS


def triggers(rule: str, words: str, said: Said) -> bool:
    """Whether an answer brings Message 2: any does, or only given buttons, or only texts that hold a given word."""
    if rule == "any":
        return True
    wanted = {plain(line) for line in words.splitlines() if plain(line)}
    spoken = {plain(part) for part in (said.text, said.postback) if part}
    if rule == "button":
        return said.kind in ("button", "button_reply", "list_reply") and bool(wanted & spoken)
    return any(f" {word} " in f" {text} " for word in wanted for text in spoken)


def fill(text: str, params: Sequence[str], person: Person) -> str:
    """Message 2 with `{{1}}` (the variables of Message 1) and `{{first_name}}` and the like put in."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name.isdigit():
            return params[int(name) - 1] if 0 < int(name) <= len(params) else ""
        known = {"first_name": person.first_name, "last_name": person.last_name, "number": person.number or ""}
        return str(known.get(name, person.attributes.get(name.removeprefix("attributes."), "")))

    return VARIABLE.sub(value, text)[:4096]

"""One record of a file to one person, or the reason why not. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from contacts import countries, phones
from contacts.layouts import CATEGORIES, COUNTRY, FIRST_NAME, FULL_NAME, LAST_NAME, Layout
from contacts.phones import Problem
from contacts.reasons import Reason

NAME_LENGTH = 120
VALUE_LENGTH = 1_000
_CONTROL = dict.fromkeys([*range(32), 127], " ")
_ESCAPED = ("'=", "'+", "'-", "'@")  # as our own and other careful exports write a cell


@dataclass(slots=True)
class Person:
    """What one row says. Empty means "says nothing", never "erase"."""

    number: str
    first_name: str = ""
    last_name: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    reason: Reason
    detail: str = ""


class Understanding:
    """Reads the cells of one file's rows."""

    def __init__(self, layout: Layout, region: str) -> None:
        self._region = region
        self._width = layout.width
        self._numbers = layout.numbers
        self._country = layout.column(COUNTRY)
        self._categories = layout.column(CATEGORIES)
        self._first = layout.column(FIRST_NAME)
        self._last = layout.column(LAST_NAME)
        self._full = layout.column(FULL_NAME)
        self._attributes = layout.attributes()

    def person(self, cells: list[str]) -> Person | Refusal:
        missing = self._width - len(cells)
        if missing > 0:
            cells = cells + [""] * missing
        elif missing < 0 and any(map(str.strip, cells[self._width :])):
            return self._empty(cells) or Refusal(Reason.TOO_MANY_CELLS)
        number = self._number(cells)
        if isinstance(number, Refusal):
            return self._empty(cells) or number
        person = Person(number, clean(cells, self._first), clean(cells, self._last))
        if self._full is not None:
            person.first_name, person.last_name = split_name(clean(cells, self._full))
        person.attributes = {key: value for i, key in self._attributes if (value := clean(cells, i))}
        person.categories = tuple(split_list(cells[self._categories])) if self._categories is not None else ()
        return self._too_long(person) or person

    def _number(self, cells: list[str]) -> str | Refusal:
        """The first usable number of the row; else what is wrong with the first one given."""
        region = self._region
        if self._country is not None and cells[self._country].strip():
            region = countries.find(cells[self._country])
        refusal = None
        for column in self._numbers:
            found = phones.normalise(cells[column], region)
            if isinstance(found, str):
                return found
            if refusal is None or refusal.reason == Reason.NUMBER_MISSING:
                refusal = self._refused(cells, column, found)
        return refusal or Refusal(Reason.NUMBER_MISSING)

    def _refused(self, cells: list[str], column: int, problem: Problem) -> Refusal:
        at_fault = column
        if problem is Problem.UNKNOWN_COUNTRY and self._country is not None and "+" not in cells[column]:
            at_fault = self._country
        return Refusal(Reason(problem.value), clean(cells, at_fault)[:200])

    def _empty(self, cells: list[str]) -> Refusal | None:
        return None if any(map(str.strip, cells)) else Refusal(Reason.EMPTY_ROW)

    def _too_long(self, person: Person) -> Refusal | None:
        names = (person.first_name, person.last_name, *person.categories)
        longest = max(map(len, person.attributes.values()), default=0)
        if max(map(len, names)) > NAME_LENGTH or longest > VALUE_LENGTH:
            return Refusal(Reason.CELL_TOO_LONG)
        return None


def clean(cells: list[str], column: int | None) -> str:
    """A cell without control characters, needless spaces and a careful export's apostrophe."""
    if column is None:
        return ""
    text = cells[column]
    if not text.isprintable():
        text = " ".join(text.translate(_CONTROL).split())
    text = text.strip()
    return text[1:] if text.startswith(_ESCAPED) else text


def split_name(name: str) -> tuple[str, str]:
    """("Anne", "Le Goff") from "Anne Le Goff" and from "LE GOFF Anne"."""
    words = name.split()
    capitals = 0
    while capitals < len(words) and len(words[capitals]) > 1 and words[capitals].isupper():
        capitals += 1
    if 0 < capitals < len(words):
        return " ".join(words[capitals:]), " ".join(words[:capitals])
    return " ".join(words[:1]), " ".join(words[1:])


def split_list(text: str) -> list[str]:
    """The names in a cell, parted by | ; , or a new line."""
    names = (" ".join(name.translate(_CONTROL).split()) for name in re.split(r"[|;,\n]", text))
    return list(dict.fromkeys(name for name in names if name))

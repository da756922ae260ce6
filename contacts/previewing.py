"""An import before it begins: its columns, its first rows as they are understood, and what a person may correct."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice

from contacts import importing
from contacts.layouts import ATTRIBUTE, IGNORE, NUMBER, Layout, key_of
from contacts.models import Import
from contacts.reasons import Reason
from contacts.rows import Person, Refusal, Understanding

SHOWN = 6
LOOKED_AT = 1_000


@dataclass(frozen=True)
class Column:
    """One column of the file, with what it means and some of its cells."""

    position: int
    name: str
    role: str
    key: str
    cells: list[str]

    @property
    def is_number(self) -> bool:
        return self.role == NUMBER

    @property
    def is_attribute(self) -> bool:
        return self.role.startswith(ATTRIBUTE)

    @property
    def is_ignored(self) -> bool:
        return self.role == IGNORE


@dataclass(frozen=True)
class Row:
    """One row as it is understood: a person, or the reason why not."""

    line: int
    cells: list[str]
    person: Person | None
    refusal: Refusal | None


@dataclass(frozen=True)
class Preview:
    """The beginning of a file. `rows` are the first ones, `refused` counts those among the first `looked_at`."""

    columns: list[Column]
    rows: list[Row]
    looked_at: int
    good: int
    refused: list[tuple[str, int]]
    total: int
    is_exact: bool

    @property
    def bad(self) -> int:
        return self.looked_at - self.good


def preview(job: Import, layout: Layout, region: str) -> Preview:
    records = importing.records_of(job, layout, layout.start, layout.line)
    understanding = Understanding(layout, region)
    rows = []
    for record in islice(records, LOOKED_AT):
        found = Refusal(record.reason) if record.reason else understanding.person(record.cells)
        person, refusal = (found, None) if isinstance(found, Person) else (None, found)
        rows.append(Row(record.line, record.cells or [record.raw], person, refusal))
    refused = Counter(str(Reason(row.refusal.reason).label) for row in rows if row.refusal)
    exact = len(rows) < LOOKED_AT
    read = max(records.position - layout.start, 1)
    total = len(rows) if exact else len(rows) * (job.size - layout.start) // read
    good = sum(1 for row in rows if row.person)
    return Preview(_columns(layout, rows), _shown(rows), len(rows), good, refused.most_common(), total, exact)


def _shown(rows: list[Row]) -> list[Row]:
    """The first rows, and the first refused one if it is not among them."""
    shown = rows[:SHOWN]
    if all(row.person for row in shown):
        shown += [row for row in rows[SHOWN:] if row.refusal][:1]
    return shown


def _columns(layout: Layout, rows: list[Row]) -> list[Column]:
    return [
        Column(
            i,
            name,
            layout.roles[i],
            key_of(layout.names, i),
            [row.cells[i] for row in rows[:SHOWN] if i < len(row.cells)],
        )
        for i, name in enumerate(layout.names)
    ]

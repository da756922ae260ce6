"""Contacts and refused rows as CSV that a spreadsheet opens as text.

Names come from strangers: a cell never begins as a formula would. Phone numbers stand as digits without their plus
sign for the same reason; the importer reads both back.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Func, Prefetch, QuerySet
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from contacts import phones
from contacts.layouts import NUMBER, Layout
from contacts.models import Category, Import
from contacts.records import Records, read_bytes

STEP = 2_000  # rows read at a time, by id: no cursor stays open while a slow reader downloads
MOST_ATTRIBUTES = 200
_FORMULA = re.compile(r"[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n\0]")


def safe(value: object) -> str:
    """The value as text that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if _FORMULA.match(text) else text


def lines(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """CSV with a byte-order mark, and the separator that Excel expects in the reader's language."""
    writer: Any = csv.writer(_Echo(), delimiter=";" if (get_language() or "").startswith("fr") else ",")
    yield "\ufeff"
    for row in rows:
        yield writer.writerow([safe(cell) for cell in row])


class _Echo:
    def write(self, text: str) -> str:
        return text


def rejected_rows(job: Import) -> Iterator[list[str]]:
    """The refused rows with the columns of their file, their line and the reason; to correct and import again."""
    layout = Layout.from_json(job.layout)
    yield [*_headings(layout), _("Line in the file"), _("Reason for rejection")]
    done = 0
    while step := list(job.rejected_rows.order_by("line", "pk")[done : done + STEP]):
        for row in step:
            cells = _cells(row.raw, layout)
            yield [*cells, *[""] * (layout.width - len(cells)), str(row.line), row.sentence]
        done += len(step)


def _headings(layout: Layout) -> list[str]:
    """The header of the file; where it had none, words that the importer understands."""
    if any(layout.names):
        return layout.names
    return [_("Phone number") if role == NUMBER else f"column {i}" for i, role in enumerate(layout.roles, 1)]


def _cells(raw: str, layout: Layout) -> list[str]:
    """A refused row in its columns; as one cell when its quotation marks do not allow more."""
    found = next(iter(Records(read_bytes(raw.encode()), "utf-8", layout.delimiter)), None)
    cells = found.cells if found and not found.reason else [raw]
    return [*cells[: layout.width - 1], layout.delimiter.join(cells[layout.width - 1 :])]


def contacts(people: QuerySet, categories: QuerySet[Category]) -> Iterator[list[Any]]:
    """Everybody of a query with their attributes and those of their categories that the reader may see."""
    keys = _attribute_keys(people)
    yield [
        _("Phone number"), _("Country"), _("First name"), _("Last name"), _("Categories"), _("Opted out"), *keys
    ]  # fmt: skip
    listed = Prefetch("categories", categories, to_attr="listed")
    last = 0
    while step := list(people.order_by("pk").filter(pk__gt=last).prefetch_related(listed)[:STEP]):
        for contact in step:
            yield [
                (contact.number or "").removeprefix("+"),
                phones.region_of(contact.number or ""),
                contact.first_name,
                contact.last_name,
                " | ".join(category.name for category in contact.listed),
                timezone.localtime(contact.opted_out_at).strftime("%Y-%m-%d %H:%M") if contact.opted_out_at else "",
                *(contact.attributes.get(key, "") for key in keys),
            ]
        last = step[-1].pk


def _attribute_keys(people: QuerySet) -> list[str]:
    keys = (
        people.order_by().annotate(key=Func("attributes", function="jsonb_object_keys")).values_list("key", flat=True)
    )
    return sorted(keys.distinct()[:MOST_ATTRIBUTES])

"""What we write for spreadsheets opens as text, and our importer reads it back."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from contacts import exporting, importing
from contacts.models import Category, Contact

hostile = st.sampled_from(["=1+1", "+33", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "＋1", " =1", "\ufeff=1"])


@given(st.text() | st.builds(str.__add__, hostile, st.text(max_size=5)))
def test_no_cell_is_a_formula_and_none_is_lost(text: str) -> None:
    cell = exporting.safe(text)
    assert cell.lstrip("\ufeff \u00a0")[:1] not in ("=", "+", "-", "@", "＝", "＋", "－", "＠")
    assert cell in (text, "'" + text)


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1), max_size=4))
def test_rows_are_written_as_spreadsheets_read_them(rows: list[list[str]]) -> None:
    with translation.override("fr"):
        text = "".join(exporting.lines(rows)).removeprefix("\ufeff")
    read = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    assert read == [[exporting.safe(cell) for cell in row] for row in rows]


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["fr", "en"])
def test_exported_contacts_are_imported_again_without_a_change(language: str, user: Any) -> None:
    category = Category.objects.create(name="Été 2026", created_by=user)
    file = "prénom;nom;tel;ville\n=Zoé;O'Hara;0612345678;Nice; bord de mer\n;Noël;+447400123456;\n".replace(
        "Nice; bord", "Nice - bord"
    )
    job = importing.start_import(file.encode(), "a.csv", "FR", category, user)
    assert importing.import_file(job.pk)
    before = list(Contact.objects.order_by("id").values("number", "first_name", "last_name", "attributes"))
    with translation.override(language):
        text = "".join(exporting.lines(exporting.contacts(Contact.objects.all(), Category.objects.all())))
    again = importing.start_import(text.encode(), "b.csv", "FR", None, user)
    assert importing.import_file(again.pk)
    again.refresh_from_db()
    assert (again.rows, again.created, again.rejected) == (2, 0, 0)
    assert list(Category.objects.values_list("name", flat=True)) == ["Été 2026"]
    after = list(Contact.objects.order_by("id").values("number", "first_name", "last_name"))
    assert after == [{k: v for k, v in row.items() if k != "attributes"} for row in before]

"""A file to contacts: as if its rows were taken one after the other, and the figures add up."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from contacts import importing
from contacts.models import Category, Contact, Import
from contacts.reasons import FileError, FileReason, Reason

pytestmark = pytest.mark.django_db

HEADER = "Prénom;Nom;Téléphone;Ville;Catégories\n"


def run(text: str | bytes, region: str = "FR", category: Category | None = None, user: Any = None) -> Import:
    content = text if isinstance(text, bytes) else text.encode()
    job = importing.start_import(content, "clients.csv", region, category, user)
    assert importing.import_file(job.pk)
    job = Import.objects.get(pk=job.pk)
    assert job.rows == job.created + job.updated + job.unchanged + job.rejected
    assert job.rejected == job.rejected_rows.count()
    return job


def figures(job: Import) -> tuple[int, int, int, int]:
    return job.created, job.updated, job.unchanged, job.rejected


def test_a_file_becomes_contacts_with_their_columns_and_categories(user: Any) -> None:
    category = Category.objects.create(name="Salon", created_by=user)
    job = run(HEADER + "Zoé;Lefèvre;06 12 34 56 78;Nice;VIP, Nord\nLéo;;+32470123456;;vip\n", "FR", category, user)
    assert figures(job) == (2, 0, 0, 0)
    assert (job.state, job.percent, job.content, job.problem) == (Import.State.FINISHED, 100, None, "")
    zoe, leo = Contact.objects.order_by("number")[::-1]
    assert (zoe.number, zoe.country_code, zoe.first_name, zoe.last_name) == ("+33612345678", "+33", "Zoé", "Lefèvre")
    assert (zoe.attributes, leo.attributes, zoe.created_by) == ({"ville": "Nice"}, {}, user)
    assert sorted(zoe.categories.values_list("name", flat=True)) == ["Nord", "Salon", "VIP"]
    assert sorted(leo.categories.values_list("name", flat=True)) == ["Salon", "VIP"]
    assert set(Category.objects.values_list("created_by", flat=True)) == {user.pk}


def test_the_same_file_again_changes_nothing() -> None:
    category = Category.objects.create(name="Salon")
    text = HEADER + "Zoé;Lefèvre;0612345678;Nice;VIP\nLéo;;+32470123456;;\n"
    run(text, "FR", category)
    before = list(Contact.objects.order_by("id").values())
    assert figures(run(text, "FR", category)) == (0, 0, 2, 0)
    assert list(Contact.objects.order_by("id").values()) == before


def test_empty_cells_erase_nothing_and_new_values_replace_old_ones() -> None:
    run(HEADER + "Zoé;Lefèvre;0612345678;Nice;\n")
    job = run("Téléphone;Prénom;Nom;Ville;Âge\n0612345678;;Roux;;34\n")
    assert figures(job) == (0, 1, 0, 0)
    contact = Contact.objects.get()
    assert (contact.first_name, contact.last_name, contact.attributes) == (
        "Zoé",
        "Roux",
        {"ville": "Nice", "age": "34"},
    )


def test_what_a_person_decided_is_left_alone() -> None:
    run("tel\n0612345678\n")
    Contact.objects.all().opt_out("reply", "STOP")
    assert figures(run("tel;nom\n0612345678;Roux\n")) == (0, 1, 0, 0)
    assert Contact.objects.get().opted_out_at is not None


def test_a_contact_that_only_joins_a_category_is_updated() -> None:
    run("tel\n0612345678\n")
    category = Category.objects.create(name="Salon")
    assert figures(run("tel\n0612345678\n", "FR", category)) == (0, 1, 0, 0)
    assert figures(run("tel\n0612345678\n", "FR", category)) == (0, 0, 1, 0)


def test_each_refused_row_stands_with_its_line_its_text_and_its_reason() -> None:
    text = (
        HEADER
        + 'Zoé;"Le\nfèvre";0612345678;;\n\nLéo;;06 12;;\n;;;;\nAnna;;;Nice;\n"Jo;;0612345679;;\nA;b;0612345670;;;;x\n'
    )
    job = run(text)
    assert figures(job) == (1, 0, 0, 5)
    assert list(job.rejected_rows.order_by("line").values_list("line", "reason", "raw", "detail")) == [
        (5, "too_short", "Léo;;06 12;;", "06 12"),
        (6, "empty_row", ";;;;", ""),
        (7, "number_missing", "Anna;;;Nice;", ""),
        (8, "quotes", '"Jo;;0612345679;;', ""),
        (9, "too_many_cells", "A;b;0612345670;;;;x", ""),
    ]
    assert all(row.sentence == Reason(row.reason).label for row in job.rejected_rows.all())


numbers = ["0612345670", "+33612345671", "06 12 34 56 72", "0033612345673", "inconnu", "06"]
cell = st.sampled_from(["", "", "a", "b"])
file_row = st.tuples(st.sampled_from(numbers), cell, cell, cell, st.sampled_from(["", "", "Nord", "Sud|Nord"]))


class Reference:
    """The rows taken one after the other, in a dictionary."""

    def __init__(self) -> None:
        self.contacts: dict[str, tuple[str, str, dict[str, str], set[str]]] = {}
        self.figures = [0, 0, 0, 0]

    def take(self, row: tuple[str, ...], always: str) -> None:
        number, first, last, town, lists = row
        if number in ("inconnu", "06"):
            self.figures[3] += 1
            return
        key = "+33" + "".join(filter(str.isdigit, number))[-9:]
        old = self.contacts.get(key)
        first_, last_, attributes, categories = old or ("", "", {}, set())
        new = (
            first or first_,
            last or last_,
            attributes | ({"ville": town} if town else {}),
            categories | {always} | {name for name in lists.split("|") if name},
        )
        self.contacts[key] = new
        self.figures[0 if old is None else 1 if new != old else 2] += 1


def stored() -> dict[str, tuple[str, str, dict[str, str], set[str]]]:
    return {
        contact.number: (
            contact.first_name,
            contact.last_name,
            contact.attributes,
            {category.name for category in contact.categories.all()},
        )
        for contact in Contact.objects.prefetch_related("categories")
    }


@given(st.lists(file_row, min_size=1, max_size=7), st.lists(file_row, min_size=1, max_size=5), st.integers(2, 5))
def test_rows_count_and_act_as_if_taken_one_by_one(
    first: list[tuple[str, ...]], second: list[tuple[str, ...]], chunk: int
) -> None:
    """Duplicates, repeated imports and the borders of chunks make no difference."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing, "CHUNK_ROWS", chunk)
        Contact.objects.all().delete()
        Category.objects.all().delete()
        category = Category.objects.create(name="Salon")
        reference = Reference()
        for rows in (first, second):
            reference.figures = [0, 0, 0, 0]
            for row in rows:
                reference.take(row, "Salon")
            text = "Téléphone;Prénom;Nom;Ville;Catégories\n" + "".join(";".join(row) + "\n" for row in rows)
            assert figures(run(text, "FR", category)) == tuple(reference.figures)
            assert stored() == reference.contacts


@given(
    st.binary(max_size=300)
    | st.text('0612345678+;,"\n\t éà\0', max_size=300).map(str.encode)
    | st.text('0612345678+;,"\n\t éà', max_size=300).map(
        lambda text: ("tel;nom\n0612345678;x\n" + text).encode("cp1252")
    )
)
def test_no_file_stops_the_importer(content: bytes) -> None:
    Contact.objects.all().delete()
    Category.objects.all().delete()
    try:
        job = run(content)
    except FileError as refused:
        assert refused.reason in FileReason.values  # noqa: PT017
        return
    assert job.state == Import.State.FINISHED
    assert Contact.objects.count() == job.created


def test_a_spreadsheet_is_imported_with_its_row_numbers() -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for row in (["Prénom", "Portable"], ["Zoé", 33612345678], ["Léo", "abc"]):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    job = run(out.getvalue())
    assert figures(job) == (1, 0, 0, 1)
    assert job.rejected_rows.get().line == 3


def test_a_column_with_hundreds_of_names_is_not_one_of_categories() -> None:
    rows = "".join(f"06123{i:05};client {i}\n" for i in range(300))
    job = run("tel;groupe\n0612345678;\n" + rows)
    assert (job.created, job.rejected) == (1, 300)
    assert set(job.rejected_rows.values_list("reason", flat=True)) == {Reason.TOO_MANY_CATEGORIES}
    assert not Category.objects.exists()


def test_a_name_too_many_times_in_categories_is_the_importers_own(user: Any) -> None:
    from accounts.models import User

    other = User.objects.create_user("autre@example.com", "un mot de passe 43")
    Category.objects.create(name="VIP", created_by=user)
    run("tel;groupe\n0612345678;vip\n", user=other)
    assert sorted(Category.objects.values_list("name", "created_by")) == [("VIP", user.pk), ("vip", other.pk)]


def test_who_imports_a_contact_of_somebody_else_sees_it_from_then_on(user: Any) -> None:
    from accounts.models import User

    other = User.objects.create_user("autre@example.com", "un mot de passe 43")
    run("tel\n0612345678\n", user=user)
    assert not Contact.objects.of(other).exists()
    assert figures(run("tel\n0612345678\n0612345679\n", user=other)) == (1, 0, 1, 0)
    assert Contact.objects.of(other).count() == 2
    assert figures(run("tel\n0612345678\n", user=other)) == (0, 0, 1, 0)


def test_an_import_without_a_layout_finds_it_or_says_why_not() -> None:
    good = Import.objects.create(filename="a.csv", content=b"tel\n0612345678\n", region="FR")
    bad = Import.objects.create(filename="b.csv", content=b"nom\nRoux\n", region="FR")
    assert importing.import_file(good.pk)
    assert importing.import_file(bad.pk)
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.state, good.created) == (Import.State.FINISHED, 1)
    assert (bad.state, bad.problem) == (Import.State.FAILED, FileReason.NO_NUMBERS)
    assert bad.problem_text == FileReason.NO_NUMBERS.label


def test_a_finished_import_is_not_done_again() -> None:
    job = run("tel\n0612345678\n")
    assert not importing.import_file(job.pk)
    assert not importing.import_file(job.pk + 1)


def test_a_draft_waits_for_its_confirmation() -> None:
    job = importing.draft_import(b"tel\n0612345678\n", "a.csv", "FR")
    assert not importing.import_file(job.pk)
    assert importing.confirm(job)
    assert not importing.confirm(job)
    assert importing.import_file(job.pk)


def test_a_file_is_read_in_slices_without_reading_all_of_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attstorage::text FROM pg_attribute WHERE attrelid = 'contacts_import'::regclass"
            " AND attname = 'content'"
        )
        assert cursor.fetchone() == ("e",)


def test_memory_does_not_grow_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file, one chunk and one slice are held at a time."""
    monkeypatch.setattr(importing, "CHUNK_ROWS", 100)
    sizes: list[int] = []
    kept = importing._read

    def counted(*args: Any) -> Any:
        chunk = kept(*args)
        sizes.append(len(chunk.persons) + len(chunk.refusals))
        return chunk

    monkeypatch.setattr(importing, "_read", counted)
    job = run("tel\n" + "".join(f"06123{i:05}\n" for i in range(1_050)))
    assert (job.created, max(sizes), len(sizes)) == (1_050, 100, 11)

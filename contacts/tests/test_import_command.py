"""`manage.py import_contacts`, and the sample file that the demo imports."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from contacts.models import Category, Contact, Import, RejectedRow
from contacts.reasons import Reason

pytestmark = pytest.mark.django_db

SAMPLE = Path(__file__).resolve().parents[1] / "sample" / "contacts.csv"


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("import_contacts", *arguments, stdout=out)
    return out.getvalue()


def test_the_sample_has_two_hundred_people_in_many_countries_and_rows_to_refuse(user: Any) -> None:
    said = run(str(SAMPLE), "--region", "FR", "--category", "Démo", "--user", user.email, "--wait")
    assert "216 rows = 200 created + 2 updated + 4 unchanged + 10 rejected" in said
    category = Category.objects.get(name="Démo", created_by=user)
    assert category.contacts.count() == 200
    assert Contact.objects.values("country_code").distinct().count() >= 8
    assert RejectedRow.objects.values("reason").distinct().count() >= 6
    run(str(SAMPLE), "--category", "démo", "--user", user.email, "--wait")
    assert Category.objects.count() == 1


def test_without_waiting_the_import_is_left_to_a_worker() -> None:
    assert "waits for a worker" in run(str(SAMPLE))
    assert Import.objects.get().state == Import.State.WAITING


@pytest.mark.parametrize(
    "arguments",
    [
        ["/no/such/file.csv"],
        [str(SAMPLE), "--region", "XX"],
        [str(SAMPLE), "--user", "nobody@example.com"],
        [__file__, "--wait", "--category", "Démo"],
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)
    assert not Import.objects.exists()
    assert not Category.objects.exists()


def test_the_report_names_each_reason(tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_text("tel\n0612345678\nabc\n")
    said = run(str(file), "--wait")
    assert f"not_a_number: {Reason.NOT_A_NUMBER.label}" in said

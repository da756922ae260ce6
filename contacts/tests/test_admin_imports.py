"""The admin of imports: a file, a look at it, its progress, its report."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.models import User
from contacts import importing
from contacts.models import Category, Contact, Import

pytestmark = pytest.mark.django_db

FILE = "Prénom;Téléphone;Ville\nZoé;0612345678;Nice\nLéo;06 12;Lyon\nAnna;02 512 34 56;Bruxelles\n"


@pytest.fixture
def marketer(db: None) -> User:
    return User.objects.create_user("marie@example.com", "un mot de passe 43")


@pytest.fixture
def page(marketer: User) -> Client:
    client = Client(headers={"accept-language": "fr"})
    client.force_login(marketer, "django.contrib.auth.backends.ModelBackend")
    return client


def upload(page: Client, content: str | bytes, name: str = "clients salon.csv", region: str = "FR") -> Any:
    data = content if isinstance(content, bytes) else content.encode()
    return page.post("/admin/contacts/import/add/", {"file": SimpleUploadedFile(name, data), "region": region})


def at(job: Import, what: str) -> str:
    return reverse(f"admin:contacts_import_{what}", args=(job.pk,))


def corrections(**changed: Any) -> dict[str, Any]:
    usual = {"region": "FR", "category": "", "new_category": "Salon", "delimiter": ";", "encoding": "utf-8"}
    return {**usual, "header": "1", **changed}


def test_the_whole_way_from_a_file_to_its_report(page: Client, marketer: User) -> None:
    answer = upload(page, FILE)
    job = Import.objects.get()
    assert answer.headers["Location"] == at(job, "change")
    text = page.get(at(job, "change")).content.decode()
    assert "+33612345678" in text
    assert "Le numéro a trop peu de chiffres." in text
    assert "clients salon" in text  # the name proposed for the category
    assert not Contact.objects.exists()

    page.post(at(job, "start"), corrections())
    text = page.get(at(job, "change")).content.decode()
    assert at(job, "progress") in text
    assert "L’import va commencer" in text
    assert importing.import_file(job.pk)

    assert page.get(at(job, "progress")).headers["HX-Refresh"] == "true"
    text = page.get(at(job, "change")).content.decode()
    assert "06 12" in text
    category = Category.objects.get()
    assert (category.name, category.created_by) == ("Salon", marketer)
    assert [c.first_name for c in category.contacts.all()] == ["Zoé"]
    assert "1 créés, 0 mis à jour" in page.get("/admin/contacts/import/").content.decode()


def test_a_person_may_correct_what_the_columns_mean(page: Client) -> None:
    upload(page, FILE)
    job = Import.objects.get()
    sent = corrections(region="BE", role_0="last_name", role_1="number", role_2="ignore")
    text = page.post(at(job, "preview"), sent).content.decode()
    assert "+3225123456" in text
    job.refresh_from_db()
    assert (job.region, job.layout["roles"]) == ("BE", ["last_name", "number", "ignore"])
    page.post(at(job, "start"), sent)
    assert importing.import_file(job.pk)
    anna = Contact.objects.get(number="+3225123456")
    assert (anna.first_name, anna.last_name, anna.attributes) == ("", "Anna", {})


def test_two_columns_of_numbers_are_refused_in_words(page: Client) -> None:
    upload(page, FILE)
    job = Import.objects.get()
    text = page.post(at(job, "start"), corrections(role_0="number", role_1="number")).content.decode()
    assert "et une seule" in text
    job.refresh_from_db()
    assert job.state == Import.State.DRAFT


def test_another_separator_or_character_set_reads_the_columns_anew(page: Client) -> None:
    upload(page, FILE.encode("cp1252"))
    job = Import.objects.get()
    assert job.layout["encoding"] == "cp1252"
    page.post(at(job, "preview"), corrections(encoding="cp1252", header="0"))
    job.refresh_from_db()
    assert (job.line, job.layout["names"]) == (1, ["", "", ""])
    text = page.post(at(job, "preview"), corrections(encoding="cp1252", delimiter="|", header="0")).content.decode()
    assert "3 seront rejetées" in text.replace("\n", "")
    assert "disabled" in text  # nothing to import


def test_starting_twice_starts_once(page: Client) -> None:
    upload(page, FILE)
    job = Import.objects.get()
    page.post(at(job, "start"), corrections())
    page.post(at(job, "start"), corrections(new_category="Autre"))
    assert [category.name for category in Category.objects.all()] == ["Salon"]
    assert importing.import_file(job.pk)
    assert Contact.objects.count() == 1


def test_an_own_category_of_that_name_is_used(page: Client, marketer: User) -> None:
    own = Category.objects.create(name="SALON", created_by=marketer)
    Category.objects.create(name="salon")
    upload(page, FILE)
    page.post(at(Import.objects.get(), "start"), corrections())
    assert Import.objects.get().category == own


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "Le fichier est vide."),
        (b"\n\n", "Le fichier est vide."),
        (b"nom;ville\nRoux;Paris\n", "Aucune colonne de numéros"),
        (b"telephone;nom\n", "ne contient aucune ligne"),
        (b"%PDF-1.4", "Ce n’est ni un fichier CSV ni un tableur"),
        (bytes(range(256)) * 100, "Ce n’est ni un fichier CSV ni un tableur"),
    ],
)
def test_a_file_that_cannot_be_imported_says_why(page: Client, content: bytes, says: str) -> None:
    assert says in upload(page, content).content.decode()
    assert not Import.objects.exists()


def test_rejected_rows_come_back_corrected(page: Client) -> None:
    """Downloaded, corrected and sent again, without a change to the file's columns."""
    upload(page, 'Prénom;Tél\n=cmd();06 12\n"Léo;0612345670\nZoé;+33 6 1;x\nAnna;0612345678\n')
    job = Import.objects.get()
    page.post(at(job, "start"), corrections())
    assert importing.import_file(job.pk)
    answer = page.get(at(job, "rejected"))
    assert "attachment" in answer.headers["Content-Disposition"]
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = list(csv.reader(io.StringIO(text), delimiter=";"))
    assert rows[0] == ["Prénom", "Tél", "Ligne du fichier", "Motif du rejet"]
    assert [row[:3] for row in rows[1:]] == [
        ["'=cmd()", "06 12", "2"],
        ['"Léo;0612345670', "", "3"],
        ["Zoé", "'+33 6 1;x", "4"],
    ]
    upload(page, text.replace("06 12;", "06 12 34 56 79;"), "corrigé.csv")
    again = Import.objects.latest("id")
    page.post(at(again, "start"), corrections())
    assert importing.import_file(again.pk)
    corrected = Contact.objects.get(number="+33612345679")
    assert (corrected.first_name, corrected.attributes) == ("=cmd()", {})


def test_imports_are_ones_own_and_read_only(page: Client, marketer: User) -> None:
    foreign = importing.draft_import(FILE.encode(), "secret.csv", "FR")
    assert "secret" not in page.get("/admin/contacts/import/").content.decode()
    for what in ("change", "preview", "start", "progress", "rejected", "retry", "delete"):
        assert page.get(at(foreign, what)).status_code in (302, 403, 404), what
        assert page.post(at(foreign, what), corrections()).status_code in (302, 403, 404), what
    foreign.refresh_from_db()
    assert foreign.state == Import.State.DRAFT

    upload(page, FILE)
    job = Import.objects.get(created_by=marketer)
    page.post(at(job, "start"), corrections())
    assert importing.import_file(job.pk)
    assert page.post(at(job, "delete"), {"post": "yes"}).status_code == 403
    assert page.post(at(job, "change"), {"state": "waiting"}).status_code == 200
    job.refresh_from_db()
    assert job.state == Import.State.FINISHED


def test_a_draft_is_discarded(page: Client) -> None:
    upload(page, FILE)
    assert page.post(at(Import.objects.get(), "delete"), {"post": "yes"}).status_code == 302
    assert not Import.objects.exists()


def test_a_long_report_has_pages(page: Client, marketer: User) -> None:
    content = "tel\n0612345678\n" + "abc\n" * 120
    job = importing.start_import(content.encode(), "a.csv", "FR", created_by=marketer)
    assert importing.import_file(job.pk)
    assert "page 1 sur 3" in page.get(at(job, "change")).content.decode()
    assert "page 3 sur 3" in page.get(at(job, "change"), {"p": "3"}).content.decode()


def test_a_failed_import_says_why_and_is_tried_again(page: Client, marketer: User) -> None:
    job = importing.start_import(FILE.encode(), "a.csv", "FR", created_by=marketer)
    Import.objects.filter(pk=job.pk).update(tries=importing.MOST_TRIES)
    assert importing.import_file(job.pk)
    text = page.get(at(job, "change")).content.decode()
    assert "arrêté plusieurs fois" in text
    assert at(job, "retry") in text
    page.post(at(job, "retry"))
    assert importing.import_file(job.pk)
    job.refresh_from_db()
    assert job.state == Import.State.FINISHED

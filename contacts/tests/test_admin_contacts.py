"""The admin of contacts and categories: what its pages promise."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from accounts.models import User
from contacts.models import Category, Contact

pytestmark = pytest.mark.django_db

LIST = "/admin/contacts/contact/"
PASSWORD = "un mot de passe 43"


@pytest.fixture
def marketer(db: None) -> User:
    return User.objects.create_user("marie@example.com", PASSWORD)


@pytest.fixture
def page(marketer: User) -> Client:
    client = Client(headers={"accept-language": "fr"})
    client.force_login(marketer, "django.contrib.auth.backends.ModelBackend")
    return client


def contact(number: str = "+33612345678", **fields: Any) -> Contact:
    return Contact.objects.create(number=number, country_code="+33", **fields)


def form(**fields: Any) -> dict[str, Any]:
    empty = {"number": "06 12 34 56 78", "region": "FR", "first_name": "", "last_name": "", "attributes-key": []}
    return {**empty, "attributes-value": [], **fields}


def address(person: Contact, page: str = "change") -> str:
    return reverse(f"admin:contacts_contact_{page}", args=(person.pk,))


# -- the list


def test_an_admin_sees_their_own_and_their_categories_contacts_only(page: Client, marketer: User) -> None:
    mine = contact("+33612345671", first_name="Amélie", created_by=marketer)
    listed = contact("+33612345672", first_name="Béatrice")
    foreign = contact("+33612345673", first_name="Chloé")
    Category.objects.create(name="Salon", created_by=marketer).contacts.add(listed)
    Category.objects.create(name="Secret").contacts.add(mine, foreign)
    text = page.get(LIST).content.decode()
    assert "Amélie" in text
    assert "Béatrice" in text
    assert "Chloé" not in text
    assert "Secret" not in text
    assert page.get(address(foreign)).status_code == 302


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("06 12 34 56 71", "Amélie"),
        ("+33 (0)6.12.34.56.71", "Amélie"),
        ("5671", "Amélie"),
        ("amé", "Amélie"),
        ("roux amé", "Amélie"),
        ("petit", "Béatrice"),
        ("06 99 99 99 99", ""),
    ],
)
def test_a_contact_is_found_by_name_and_by_its_number_in_any_spelling(
    page: Client, marketer: User, words: str, found: str
) -> None:
    contact("+33612345671", first_name="Amélie", last_name="Roux", created_by=marketer)
    contact("+33612345682", first_name="Béatrice", last_name="Petit", created_by=marketer)
    text = page.get(LIST, {"q": words}).content.decode()
    assert [name for name in ("Amélie", "Béatrice") if name in text] == ([found] if found else [])


def test_the_filters_show_who_can_be_written_to(page: Client, marketer: User) -> None:
    category = Category.objects.create(name="Salon", created_by=marketer)
    contact("+33612345671", first_name="Amélie", created_by=marketer)
    category.contacts.add(contact("+33612345672", first_name="Béatrice", created_by=marketer))
    Contact.objects.filter(first_name="Amélie").opt_out("word", "STOP")
    Contact.objects.filter(first_name="Béatrice").mark_invalid("131026")
    for query, names in (
        ("state=reachable", []),
        ("state=opted_out", ["Amélie"]),
        ("state=invalid", ["Béatrice"]),
        (f"category={category.pk}", ["Béatrice"]),
        ("code=33", ["Amélie", "Béatrice"]),
        ("code=32", []),
    ):
        text = page.get(f"{LIST}?{query}").content.decode()
        assert [name for name in ("Amélie", "Béatrice") if name in text] == names, query
    assert page.get(f"{LIST}?category=x").status_code == 302


# -- one contact


def test_adding_takes_any_spelling_and_says_what_is_wrong(page: Client, marketer: User) -> None:
    category = Category.objects.create(name="Salon", created_by=marketer)
    answer = page.post(f"{LIST}add/", form(number="06 12", first_name="Zoé"))
    assert "Le numéro a trop peu de chiffres." in answer.content.decode()
    sent = form(
        number="0470 12 34 56",
        region="BE",
        first_name="Zoé",
        categories=[category.pk],
        **{"attributes-key": ["Date d'achat", "vide"], "attributes-value": ["3 mars", ""]},
    )
    assert page.post(f"{LIST}add/", sent).status_code == 302
    zoe = Contact.objects.get()
    assert (zoe.number, zoe.country_code, zoe.created_by) == ("+32470123456", "+32", marketer)
    assert zoe.attributes == {"date_d_achat": "3 mars"}
    assert list(zoe.categories.all()) == [category]


def test_a_number_that_is_known_leads_to_its_contact(page: Client, marketer: User) -> None:
    known = contact(first_name="Zoé", created_by=marketer)
    text = page.post(f"{LIST}add/", form()).content.decode()
    assert "Vous avez déjà ce numéro" in text
    assert address(known) in text


def test_a_number_that_somebody_else_has_is_shared_and_keeps_what_they_wrote(page: Client, marketer: User) -> None:
    theirs = contact(first_name="Zoé", attributes={"ville": "Nice"})
    sent = form(first_name="Léa", last_name="Roux", **{"attributes-key": ["ville"], "attributes-value": ["Lyon"]})
    assert page.post(f"{LIST}add/", sent).status_code == 302
    theirs.refresh_from_db()
    assert (theirs.first_name, theirs.last_name, theirs.attributes) == ("Zoé", "Roux", {"ville": "Nice"})
    assert Contact.objects.of(marketer).get() == theirs


def test_a_number_cannot_become_that_of_a_contact_one_does_not_see(page: Client, marketer: User) -> None:
    contact("+33612345679", first_name="Secret")
    mine = contact(created_by=marketer)
    text = page.post(address(mine), form(number="06 12 34 56 79")).content.decode()
    assert "Un autre contact a ce numéro." in text
    assert "Secret" not in text


def test_editing_keeps_other_peoples_categories_and_the_type_of_values(page: Client, marketer: User) -> None:
    person = contact(created_by=marketer, attributes={"points": 12, "ville": "Nice"})
    secret, own = Category.objects.create(name="Secret"), Category.objects.create(name="Salon", created_by=marketer)
    person.categories.add(secret)
    sent = form(
        number=person.number,
        categories=[own.pk],
        **{"attributes-key": ["points", "ville"], "attributes-value": ["12", "Lyon"]},
    )
    assert page.post(address(person), sent).status_code == 302
    person.refresh_from_db()
    assert set(person.categories.all()) == {secret, own}
    assert person.attributes == {"points": 12, "ville": "Lyon"}


def test_a_corrected_number_is_tried_again(page: Client, marketer: User) -> None:
    person = contact(created_by=marketer, whatsapp_number="33612345678")
    Contact.objects.all().mark_invalid("131026")
    assert page.post(address(person), form(number="06 12 34 56 79")).status_code == 302
    person.refresh_from_db()
    assert (person.number, person.whatsapp_number, person.invalid_at) == ("+33612345679", "", None)


def test_the_page_shows_the_consent_and_escapes_what_strangers_wrote(page: Client, marketer: User) -> None:
    evil = "<script>alert(1)</script>"
    person = contact(first_name=evil, attributes={"x": evil}, created_by=marketer)
    Contact.objects.filter(pk=person.pk).opt_out("word", f"STOP {evil}")
    text = page.get(address(person)).content.decode()
    assert "un message de la personne" in text
    assert "STOP &lt;script&gt;" in text
    assert evil not in text
    assert evil not in page.get(LIST).content.decode()


def test_opting_out_asks_for_the_reason_and_keeps_it_with_the_name(page: Client, marketer: User) -> None:
    person = contact(created_by=marketer)
    stop, undo = f"{LIST}{person.pk}/opt-out/", f"{LIST}{person.pk}/opt-in/"
    assert "Motif" in page.get(stop).content.decode()
    assert page.post(stop, {"confirmed": "1", "evidence": ""}).status_code == 200
    assert not person.consents.exists()
    page.post(stop, {"confirmed": "1", "evidence": "Par téléphone"})
    page.post(undo, {"confirmed": "1", "evidence": "Par lettre"})
    events = person.consents.order_by("id").values_list("kind", "source", "evidence", "actor")
    assert list(events) == [("out", "admin", "Par téléphone", marketer.pk), ("in", "admin", "Par lettre", marketer.pk)]
    person.refresh_from_db()
    assert person.opted_out_at is None


# -- many contacts


def test_actions_ask_then_do_for_the_chosen_ones_only(page: Client, marketer: User) -> None:
    category = Category.objects.create(name="Salon", created_by=marketer)
    first, second, third = (contact(f"+3361234567{i}", created_by=marketer) for i in range(3))
    foreign = contact("+33612345679")
    chosen = {"_selected_action": [first.pk, second.pk, foreign.pk]}
    asked = page.post(LIST, {"action": "put_in_category", **chosen}).content.decode()
    assert "2 contacts" in asked
    assert not category.contacts.exists()
    page.post(LIST, {"action": "put_in_category", "confirmed": "1", "category": category.pk, **chosen})
    assert set(category.contacts.all()) == {first, second}
    assert LogEntry.objects.filter(object_id=str(category.pk), user=marketer).count() == 1
    sent = {"action": "take_out_of_category", "confirmed": "1", "category": category.pk}
    page.post(LIST, {**sent, "_selected_action": [first.pk]})
    assert set(category.contacts.all()) == {second}
    page.post(LIST, {"action": "opt_out", "confirmed": "1", "evidence": "Salon annulé", **chosen})
    assert set(Contact.objects.filter(opted_out_at__isnull=False)) == {first, second}
    assert third.consents.count() == foreign.consents.count() == 0


def test_another_admins_category_cannot_be_chosen(page: Client, marketer: User) -> None:
    secret = Category.objects.create(name="Secret")
    person = contact(created_by=marketer)
    sent = {"action": "put_in_category", "confirmed": "1", "category": secret.pk, "_selected_action": [person.pk]}
    page.post(LIST, sent)
    assert not secret.contacts.exists()


def test_chosen_contacts_are_downloaded_without_formulas(page: Client, marketer: User) -> None:
    person = contact(first_name="=HYPERLINK(1)", created_by=marketer, attributes={"ville": "Nice"})
    answer = page.post(LIST, {"action": "export", "_selected_action": [person.pk]})
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert text.splitlines()[0] == "Téléphone;Pays;Prénom;Nom;Catégories;Désinscrit;ville"
    assert text.splitlines()[1] == "33612345678;FR;'=HYPERLINK(1);;;;Nice"


# -- deleting


def test_deleting_takes_a_contact_off_ones_lists_and_tells_why_not(page: Client, marketer: User) -> None:
    mine, stopped = contact("+33612345671", created_by=marketer), contact("+33612345672", created_by=marketer)
    Contact.objects.filter(pk=stopped.pk).opt_out("word", "STOP")
    assert "Les messages envoyés restent" in page.get(address(mine, "delete")).content.decode()
    page.post(address(mine, "delete"), {"post": "yes"})
    page.post(address(stopped, "delete"), {"post": "yes"})
    assert list(Contact.objects.all()) == [stopped]
    assert not Contact.objects.of(marketer).exists()


def test_a_super_admin_is_told_that_an_opt_out_is_kept(user: User) -> None:
    client = Client(headers={"accept-language": "fr"})
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    stopped, other = contact("+33612345671"), contact("+33612345672")
    Contact.objects.filter(pk=stopped.pk).opt_out("word", "STOP")
    answer = client.post(address(stopped, "delete"), {"post": "yes"}, follow=True)
    assert "Cette personne s’est désinscrite" in answer.content.decode()
    sent = {"action": "delete_selected", "post": "yes", "_selected_action": [stopped.pk, other.pk]}
    answer = client.post(LIST, sent, follow=True)
    assert "1 contact a été conservé" in answer.content.decode()
    assert list(Contact.objects.all()) == [stopped]


# -- categories


def test_categories_are_ones_own_with_their_counts(page: Client, marketer: User) -> None:
    page.post("/admin/contacts/category/add/", {"name": "Salon", "color": "#2563eb"})
    own = Category.objects.get()
    assert own.created_by == marketer
    own.contacts.add(contact("+33612345671"), contact("+33612345672"))
    foreign = Category.objects.create(name="Secret")
    text = page.get("/admin/contacts/category/").content.decode()
    assert "2 contacts" in text
    assert f"?category={own.pk}" in text
    assert "Secret" not in text
    assert page.get(f"/admin/contacts/category/{foreign.pk}/change/").status_code == 302
    assert page.get(f"/admin/contacts/category/{foreign.pk}/export/").status_code == 302
    export = page.get(f"/admin/contacts/category/{own.pk}/export/")
    assert b"".join(export.streaming_content).count(b"\r\n") == 3  # type: ignore[attr-defined]


def test_a_category_is_deleted_without_its_contacts(page: Client, marketer: User) -> None:
    own = Category.objects.create(name="Salon", created_by=marketer)
    own.contacts.add(contact())
    page.post(f"/admin/contacts/category/{own.pk}/delete/", {"post": "yes"})
    assert (Category.objects.count(), Contact.objects.count()) == (0, 1)


def test_a_colour_is_a_colour(page: Client) -> None:
    page.post("/admin/contacts/category/add/", {"name": "Salon", "color": "red;x:"})
    assert not Category.objects.exists()

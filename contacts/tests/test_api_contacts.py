"""Contacts and lists over HTTP, as people and old clients write them."""

from __future__ import annotations

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import User
from contacts.models import Category, Contact

pytestmark = pytest.mark.django_db
CONTACTS = "/api/contacts"


@pytest.fixture
def ann():
    return User.objects.create(email="ann@example.com")


@pytest.fixture
def bob():
    return User.objects.create(email="bob@example.com")


def as_user(user: User) -> APIClient:
    client = APIClient(headers={"Accept-Language": "en"})
    client.force_authenticate(user)
    return client


@pytest.mark.parametrize(
    "written",
    [
        {"full_number": "+33612345678"},
        {"full_number": "06 12 34 56 78"},
        {"full_number": "0033 6.12.34.56.78"},
        {"phone_number": "612345678", "country_code": "+33"},
        {"phone_number": "0612345678", "country_code": "33"},
        {"phone_number": "06-12-34-56-78", "country_code": "FR"},
        {"phone_number": "612345678", "country_code": "+33", "full_number": "+33612345678"},
        {"phone_number": "0612345678", "country_code": None, "full_number": None, "first_name": None},
    ],
)
def test_a_number_may_be_written_as_people_write_it(ann, written):
    made = as_user(ann).post(CONTACTS, written, format="json")
    assert made.status_code == 201, made.content
    assert {name: made.json()[name] for name in ("full_number", "country_code", "phone_number")} == {
        "full_number": "+33612345678",
        "country_code": "+33",
        "phone_number": "612345678",
    }


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ({"full_number": "12"}, "full_number"),
        ({"phone_number": "\t", "country_code": "FR"}, "phone_number"),
        ({"phone_number": "abc", "country_code": "FR"}, "phone_number"),
        ({"phone_number": "612345678", "country_code": "Atlantis"}, "country_code"),
        ({"full_number": "+33612345678", "phone_number": "612345679", "country_code": "+33"}, "phone_number"),
    ],
)
def test_a_number_that_cannot_be_is_refused_with_its_reason(ann, written, field):
    answer = as_user(ann).post(CONTACTS, written, format="json")
    assert (answer.status_code, answer.json()["code"], list(answer.json()["errors"])) == (422, "bad_number", [field])


def test_an_old_client_may_send_everything_back_and_change_one_field(ann):
    client = as_user(ann)
    contact = client.post(CONTACTS, {"full_number": "+33612345678", "first_name": "Zoé"}, format="json").json()
    url = reverse("api:contact", args=(contact["id"],))
    assert client.put(url, {**contact, "last_name": "Petit"}, format="json").json()["last_name"] == "Petit"
    moved = client.put(url, {**contact, "phone_number": "612345679"}, format="json").json()
    assert moved["full_number"] == "+33612345679"
    there = client.put(url, {**moved, "country_code": "+32", "phone_number": "470123456"}, format="json").json()
    assert (there["full_number"], there["country_code"]) == ("+32470123456", "+32")


def test_a_contact_without_a_number_can_be_renamed(ann):
    contact = Contact.objects.create(whatsapp_user_id="FR.1", created_by=ann)
    url = reverse("api:contact", args=(contact.pk,))
    shown = as_user(ann).get(url).json()
    assert (shown["full_number"], shown["phone_number"]) == ("", "")
    assert as_user(ann).put(url, {**shown, "first_name": "Zoé"}, format="json").json()["first_name"] == "Zoé"


def test_a_new_number_forgets_what_was_learned_of_the_old_one(ann):
    contact = Contact.objects.create(number="+33612345678", country_code="+33", created_by=ann)
    Contact.objects.filter(pk=contact.pk).mark_invalid("1002")
    Contact.objects.filter(pk=contact.pk).opt_out("test")
    url = reverse("api:contact", args=(contact.pk,))
    assert as_user(ann).patch(url, {"full_number": "+33612345679"}, format="json").status_code == 200
    contact.refresh_from_db()
    assert contact.invalid_at is None
    assert contact.opted_out_at is not None


def test_somebody_elses_number_is_linked_and_its_gaps_are_filled(ann, bob):
    mine = as_user(ann).post(CONTACTS, {"full_number": "+33612345678", "first_name": "Zoé"}, format="json").json()
    body = {"full_number": "+33612345678", "first_name": "Autre", "last_name": "Petit"}
    his = as_user(bob).post(CONTACTS, body, format="json")
    assert (his.status_code, his.json()["id"]) == (200, mine["id"])
    assert (his.json()["first_name"], his.json()["last_name"]) == ("Zoé", "Petit")
    assert as_user(bob).get(CONTACTS).json()["count"] == 1
    again = as_user(bob).post(CONTACTS, body, format="json")
    assert (again.status_code, again.json()["contact_id"]) == (409, mine["id"])


def test_deleting_takes_a_contact_from_ones_own_lists_only(ann, bob):
    contact = as_user(ann).post(CONTACTS, {"full_number": "+33612345678"}, format="json").json()
    as_user(bob).post(CONTACTS, {"full_number": "+33612345678"}, format="json")
    url = reverse("api:contact", args=(contact["id"],))
    assert as_user(ann).delete(url).status_code == 204
    assert as_user(ann).get(url).status_code == 404
    assert as_user(bob).get(url).status_code == 200
    assert as_user(bob).delete(url).status_code == 204
    assert not Contact.objects.exists()


def test_who_opted_out_is_kept_unseen(ann):
    contact = as_user(ann).post(CONTACTS, {"full_number": "+33612345678"}, format="json").json()
    url = reverse("api:contact", args=(contact["id"],))
    as_user(ann).post(reverse("api:contact-opt-out", args=(contact["id"],)), {"evidence": "appel"}, format="json")
    assert as_user(ann).delete(url).status_code == 204
    assert as_user(ann).get(url).status_code == 404
    back = as_user(ann).post(CONTACTS, {"full_number": "+33612345678"}, format="json")
    assert (back.status_code, back.json()["id"]) == (200, contact["id"])
    profile = as_user(ann).get(reverse("api:contact-profile", args=(contact["id"],))).json()
    assert (profile["opt_out_source"], profile["consents"][0]["evidence"]) == ("api", "appel")


def test_a_stranger_cannot_be_put_into_a_list_and_so_be_seen(ann, bob):
    hers = Contact.objects.create(number="+33612345678", country_code="+33", created_by=ann)
    his = Category.objects.create(name="VIP", created_by=bob)
    url = reverse("api:category-contacts", args=(his.pk,))
    answer = as_user(bob).post(url, {"contact_ids": [hers.pk]}, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (404, ["contact_ids"])
    assert his.contacts.count() == 0


def test_contacts_go_into_a_list_once_and_out_again(ann):
    people = [Contact.objects.create(number=f"+3361234567{n}", country_code="+33", created_by=ann) for n in range(3)]
    category = Category.objects.create(name="VIP", created_by=ann)
    url, client = reverse("api:category-contacts", args=(category.pk,)), as_user(ann)
    first = client.post(url, {"contact_ids": [people[0].pk, people[0].pk, people[1].pk]}, format="json").json()
    assert (first["added_count"], first["total_count"]) == (2, 2)
    again = client.post(url, {"contact_id": people[1].pk}, format="json").json()
    assert (again["added_count"], again["total_count"]) == (0, 2)
    one = reverse("api:category-contact", args=(category.pk, people[0].pk))
    assert client.delete(one).status_code == 204
    assert client.delete(one).status_code == 404
    assert client.get(url).json()["count"] == 1


def test_a_category_takes_a_colour_and_keeps_it(ann):
    client = as_user(ann)
    made = client.post("/api/categories", {"name": "VIP", "color": None}, format="json").json()
    assert made["color"] == "#25d366"
    url = reverse("api:category", args=(made["id"],))
    assert client.put(url, {"name": "VIP", "color": "#abc"}, format="json").json()["color"] == "#abc"
    assert client.put(url, {"name": "Or"}, format="json").json() | {"updated_at": ""} == {
        **made, "name": "Or", "color": "#abc", "updated_at": "",
    }  # fmt: skip
    assert client.put(url, {"color": "red"}, format="json").status_code == 400

"""What fills a template's variables is always something that WhatsApp takes (132018), or the person is skipped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import audience
from campaigns.status import Reason
from contacts.models import Contact
from gupshup.api.templates import check_params

pytestmark = pytest.mark.django_db

ODD = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x20\x85\xa0\u1680\u2000\u2007\u200b\u2028\u2029\u202f\u205f\u3000\ufeffaé👍"
values = st.text(st.sampled_from(ODD), max_size=30) | st.text(
    st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60
)


@pytest.fixture
def campaign(make_campaign):
    made = make_campaign(people=1)
    made.params = [{"field": "attributes.ville", "text": ""}]
    made.save()
    return made


def rendered(campaign) -> tuple[list[str], str]:
    (person,) = audience.audience(campaign)
    return person.rendered, person.skip_reason


@given(value=values)
def test_any_value_is_cleaned_or_its_owner_skipped(campaign, value):
    """Validates: 2.4"""
    Contact.objects.update(attributes={"ville": value})
    params, reason = rendered(campaign)
    if reason:
        assert reason == Reason.MISSING_VARIABLE
        assert not "".join(value.split()).strip("\u200b\ufeff")  # there was nothing to see
    else:
        assert check_params(params, 1) == []
        assert "".join(params[0].split()) in "".join(value.split())  # nothing but white space is lost


@given(value=values, text=values)
def test_an_empty_value_takes_its_stand_in(campaign, value, text):
    Contact.objects.update(attributes={"ville": " \n"})
    campaign.params = [{"field": "attributes.ville", "text": text}]
    params, reason = rendered(campaign)
    assert reason == Reason.MISSING_VARIABLE if not params[0] else check_params(params, 1) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Saint\n Denis", "Saint Denis"),
        ("20\u202f%", "20\u202f%"),
        ("\xa0Paris\xa0", "Paris"),
        (7, "7"),
        (True, "true"),
    ],
)
def test_what_a_person_means_stays(campaign, value, expected):
    Contact.objects.update(attributes={"ville": value})
    assert rendered(campaign)[0] == [expected]


@pytest.mark.parametrize("attributes", [{}, {"ville": None}, {"ville": ""}, {"ville": " \t"}, {"ville": "\u200b"}])
def test_without_a_value_and_a_stand_in_nobody_is_written_to(campaign, attributes):
    Contact.objects.update(attributes=attributes)
    assert rendered(campaign)[1] == Reason.MISSING_VARIABLE


def test_every_place_of_a_template_is_filled_in_order(campaign, template):
    """Header text, text, then the variables of buttons: as many as the template is due."""
    template.header_type, template.header_text, template.params_count = "TEXT", "Pour {{1}}", 3
    template.buttons = [{"kind": "URL", "text": "Voir", "url": "https://e.fr/{{1}}", "variables": 1}]
    template.save()
    Contact.objects.update(first_name="Léa", attributes={"ville": "Lyon", "panier": "p-9"})
    campaign.params = [
        {"field": "first_name", "text": ""},
        {"field": "attributes.ville", "text": ""},
        {"field": "attributes.panier", "text": ""},
    ]
    assert rendered(campaign) == (["Léa", "Lyon", "p-9"], "")

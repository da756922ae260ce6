"""Names and codes of countries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts import countries, phones


def test_every_region_with_numbers_has_a_name_and_a_place_in_the_list() -> None:
    listed = [region for region, _ in countries.choices("fr")]
    assert sorted(listed) == sorted(phones.regions())
    assert countries.choices("fr")[0] == ("FR", "France (+33)")
    assert dict(countries.choices("en"))["DE"] == "Germany (+49)"


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("FR", "FR"),
        ("fra", "FR"),
        (" France ", "FR"),
        ("+33", "FR"),
        ("0033", "FR"),
        ("33.0", "FR"),
        ("Etats-Unis", "US"),
        ("États-Unis", "US"),
        ("1", "US"),
        ("SENEGAL", "SN"),
        ("Côte d'Ivoire", "CI"),
        ("Cote d’Ivoire", "CI"),
        ("UK", "GB"),
        ("la Réunion", "RE"),
        ("Atlantide", ""),
        ("999", ""),
        ("", ""),
    ],
)
def test_a_country_is_found_by_what_people_write(text: str, region: str) -> None:
    assert countries.find(text) == region


@given(st.text())
def test_any_text_is_a_region_or_none(text: str) -> None:
    assert countries.find(text) in phones.regions() | {""}


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_name_finds_its_country_again(language: str) -> None:
    assert {r: countries.find(countries.name(r, language)) for r in phones.regions()} == {
        r: r for r in phones.regions()
    }

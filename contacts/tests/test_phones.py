"""Any text to an E.164 number."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts import phones
from contacts.phones import E164, Problem, normalise, normalise_by_library

REGIONS = sorted(phones.regions())
EXAMPLES = [
    (region, number)
    for region in REGIONS
    for kind in range(11)
    if (number := phonenumbers.example_number_for_type(region, kind)) is not None
]


@st.composite
def written_numbers(draw: st.DrawFn) -> tuple[str, str]:
    """A number of some country as somebody may type it, right or slightly wrong, and a region to read it in."""
    region, number = draw(st.sampled_from(EXAMPLES))
    national = phonenumbers.national_significant_number(number)
    kept = draw(st.integers(0, len(national)))
    national = national[:kept] + "".join(
        draw(st.lists(st.sampled_from("0123456789"), min_size=len(national) - kept, max_size=len(national) - kept + 1))
    )
    code = str(number.country_code)
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    trunk = (metadata.national_prefix or "") if metadata else ""
    forms = ["+{code}{national}", "00{code}{national}", "{trunk}{national}", "{national}", "{code}{national}"]
    odd_forms = ["+{code}{trunk}{national}", "+{code} ({trunk}) {national}", "{national}.0"]
    text = draw(st.sampled_from(forms + odd_forms)).format(code=code, trunk=trunk, national=national)
    space = draw(st.sampled_from(["", " ", ".", "-", "\u00a0", " - "]))
    text = space.join(text[i : i + 2] for i in range(0, len(text), 2))
    return text, draw(st.sampled_from([region, region, region, "FR", "US", "MA"]))


@given(written_numbers())
def test_the_fast_path_and_the_library_agree(written: tuple[str, str]) -> None:
    """Validates: 2.3"""
    text, region = written
    assert normalise(text, region) == normalise_by_library(text, region)


@given(written_numbers(), st.sampled_from(REGIONS))
def test_a_normal_number_is_its_own_normal_form_in_every_region(written: tuple[str, str], region: str) -> None:
    found = normalise(*written)
    if isinstance(found, str):
        assert E164.fullmatch(found)
        assert normalise(found, region) == found
        assert phones.country_code(found) == f"+{phonenumbers.parse(found).country_code}"


@given(st.text() | st.text("+0123456789 .-()eE,/'=", max_size=30), st.text(max_size=3) | st.sampled_from(REGIONS))
def test_any_text_is_a_number_or_a_problem(text: str, region: str) -> None:
    found = normalise(text, region)
    assert isinstance(found, Problem) or E164.fullmatch(found)
    assert phones.country_code(text) in ("", *(f"+{code}" for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
    assert isinstance(phones.region_of(text), str)


@pytest.mark.parametrize(
    "text",
    [
        "0612345678",
        "06 12 34 56 78",
        "06\u00a012\u202f34 56 78",
        "06.12.34.56.78",
        "06-12-34-56-78",
        "06–12–34–56–78",
        "06/12/34/56/78",
        "612345678",
        "612345678.0",
        "33612345678",
        "33612345678,0",
        "0033 6 12 34 56 78",
        "+33612345678",
        "+33 (0)6 12 34 56 78",
        "(+33) 6 12 34 56 78",
        "＋33 6 12 34 56 78",
        "tel:+33-6-12-34-56-78",
        "Tél. : 06 12 34 56 78",
        "'0612345678",
        '="0612345678"',
        "\u202a+33 6 12 34 56 78\u202c",
        "\u200e0612345678\ufeff",
        "０６１２３４５６７８",
        "٠٦١٢٣٤٥٦٧٨",
        "3.3612345678E+10",
        "3,3612345678e10",
        "https://wa.me/33612345678",
        "  0612345678\t\r\n",
    ],
)
def test_every_spelling_of_one_number_is_one_number(text: str) -> None:
    assert normalise(text, "FR") == "+33612345678"


@pytest.mark.parametrize(
    ("text", "region", "problem"),
    [
        ("", "FR", Problem.EMPTY),
        (" ' ", "FR", Problem.EMPTY),
        ("inconnu", "FR", Problem.NOT_A_NUMBER),
        ("1-800-FLOWERS", "US", Problem.NOT_A_NUMBER),
        ("jean@example.com", "FR", Problem.NOT_A_NUMBER),
        ("3.36123E+10", "FR", Problem.DIGITS_LOST),
        ("3,36E+10", "FR", Problem.DIGITS_LOST),
        ("06 12 34 56 78 / 07 68 76 54 32", "FR", Problem.SEVERAL),
        ("0612345678 ou 0612345679", "FR", Problem.SEVERAL),
        ("+33 6 12 34 56 78 ::: +33 6 12 34 56 79", "FR", Problem.SEVERAL),
        ("0612345678 0612345679", "FR", Problem.SEVERAL),
        ("06 12", "FR", Problem.TOO_SHORT),
        ("06 12 34 56 7", "FR", Problem.TOO_SHORT),
        ("06 12 34 56 78 9", "FR", Problem.TOO_LONG),
        ("1" * 60, "FR", Problem.TOO_LONG),
        ("+999 12 34 56 78", "FR", Problem.UNKNOWN_COUNTRY),
        ("0612345678", "", Problem.UNKNOWN_COUNTRY),
        ("0639 12 34 56", "FR", Problem.INVALID),
        ("0899 12 34 56", "FR", Problem.UNREACHABLE),
        ("0884 01 23 45", "FR", Problem.UNREACHABLE),
    ],
)
def test_what_cannot_be_written_to_says_why(text: str, region: str, problem: Problem) -> None:
    assert normalise(text, region) is problem


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("0470 12 34 56", "BE", "+32470123456"),
        ("079 123 45 67", "CH", "+41791234567"),
        ("0661-234567", "MA", "+212661234567"),
        ("77 123 45 67", "SN", "+221771234567"),
        ("07 12 34 56 78", "CI", "+2250712345678"),
        ("(514) 555-0123", "CA", "+15145550123"),
        ("011 33 6 12 34 56 78", "US", "+33612345678"),
        ("0033 6 12 34 56 78", "US", "+33612345678"),
        ("212661234567", "FR", "+212661234567"),
        ("+52 1 55 1234 5678", "FR", "+525512345678"),
        ("06 12345678", "IT", "+390612345678"),
        ("0692 12 34 56", "RE", "+262692123456"),
        ("0692 12 34 56", "FR", "+262692123456"),
        ("0690 12 34 56", "FR", "+590690123456"),
        ("0696 12 34 56", "FR", "+596696123456"),
        ("0694 12 34 56", "FR", "+594694123456"),
        ("01 23 45 67 89", "FR", "+33123456789"),
        ("0800 12 34 56", "FR", "+33800123456"),
    ],
)
def test_numbers_of_many_countries(text: str, region: str, number: str) -> None:
    assert normalise(text, region) == number

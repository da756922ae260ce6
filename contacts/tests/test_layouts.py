"""What a file looks like: encoding, separator, header, columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts.layouts import Layout, key_of, slug, sniff
from contacts.reasons import FileError, FileReason
from contacts.rows import Person, Refusal, Understanding, split_list, split_name

ROWS = ["Zoé;Lefèvre;06 12 34 56 78;Orléans", "Théo;Noël;06 12 34 56 79;Évreux", "Anaïs;Roux;+32470123456;Liège"]


def content(*lines: str, delimiter: str = ";", encoding: str = "utf-8", end: str = "\n") -> bytes:
    return end.join(line.replace(";", delimiter) for line in lines).encode(encoding)


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "mac_roman"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separator_and_encoding_are_recognised(delimiter: str, encoding: str, end: str) -> None:
    file = content("Prénom;Nom;Téléphone;Ville", *ROWS, delimiter=delimiter, encoding=encoding, end=end)
    layout = sniff(file, "FR")
    assert layout.roles == ["first_name", "last_name", "number", "attributes.ville"]
    assert (layout.delimiter, layout.encoding) == (delimiter, encoding.removesuffix("-sig"))
    assert layout.line == 2


@pytest.mark.parametrize(
    ("header", "roles"),
    [
        ("téléphone;prénom;nom", "number first_name last_name"),
        ("TELEPHONE;PRENOM;NOM", "number first_name last_name"),
        ("Numéro de téléphone;Prénom;Nom de famille", "number first_name last_name"),
        ("N° portable;First name;Last name", "number first_name last_name"),
        ("phone_number;first_name;last_name", "number first_name last_name"),
        ("Mobile Phone;Given Name;Family Name", "number first_name last_name"),
        ("Phone 1 - Value;Name;Notes", "number full_name attributes.notes"),
        ("WhatsApp;Nom complet;E-mail", "number full_name attributes.e_mail"),
        ("GSM;Nom;Date d'achat", "number last_name attributes.date_d_achat"),
        ("Numéro;;Ville", "number attributes.column_2 attributes.ville"),
        ("Handynummer;Vorname;Nachname", "number first_name last_name"),
        ("Rufnr.;Vorname;Nachname", "number first_name last_name"),
        ("Tél. mobile;Pays/Région (domicile);Pays de naissance", "number country attributes.pays_de_naissance"),
        ("Tel;Ville;ville", "number attributes.ville attributes.ville_2"),
    ],
)
def test_headers_are_recognised_in_french_and_english_with_or_without_accents(header: str, roles: str) -> None:
    assert sniff(content(header, "0612345678;Zoé;x", "0612345679;Léo;y"), "FR").roles == roles.split()


def test_a_country_and_categories_are_recognised() -> None:
    layout = sniff(content("country_code;phone_number;Catégorie", "+33;612345678;VIP"), "FR")
    assert layout.roles == ["country", "number", "categories"]


def test_without_a_header_the_column_of_numbers_is_found_and_no_row_lost() -> None:
    layout = sniff(content(*ROWS), "FR")
    assert layout.roles == ["attributes.column_1", "attributes.column_2", "number", "attributes.column_4"]
    assert (layout.start, layout.line) == (0, 1)


def test_a_list_of_numbers_alone_is_a_file() -> None:
    layout = sniff(b"0612345678\n0612345679\n", "FR")
    assert (layout.roles, layout.line) == (["number"], 1)


def test_a_first_row_with_a_bad_number_is_no_header() -> None:
    assert sniff(content("Zoé;06 12", *["Léo;0612345679"] * 5), "FR").line == 1


def test_titles_above_the_header_are_passed_over() -> None:
    layout = sniff(content("Export du 3 mars", "", "Prénom;Téléphone", "Zoé;0612345678", "Léo;0612345679"), "FR")
    assert (layout.roles, layout.line) == (["first_name", "number"], 4)


def test_excels_separator_line_is_obeyed() -> None:
    layout = sniff(b"sep=|\r\nnom|mobile\r\nRoux; fils|0612345678\r\n", "FR")
    assert (layout.delimiter, layout.roles, layout.line) == ("|", ["last_name", "number"], 3)


def test_the_mobile_column_is_preferred_and_the_other_helps_out() -> None:
    file = content("Nom;Téléphone fixe;Portable", "Roux;0123456789;0612345678", "Petit;0123456780;")
    layout = sniff(file, "FR")
    assert layout.roles == ["last_name", "other_number", "number"]
    understanding = Understanding(layout, "FR")
    person = understanding.person(["Petit", "0123456780", ""])
    assert person == Person("+33123456780", "", "Petit", {"telephone_fixe": "0123456780"})


def test_a_column_called_phone_without_numbers_gives_way_to_the_one_that_has_them() -> None:
    layout = sniff(content("Phone;Contact", "iPhone 12;0612345678", "Galaxy;0612345679"), "FR")
    assert layout.numbers[0] == 1


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"", FileReason.NO_ROWS),
        (b"\n\n\n", FileReason.NO_ROWS),
        (b"telephone;nom\n", FileReason.NO_ROWS),
        (b"nom;ville\nRoux;Paris\n", FileReason.NO_NUMBERS),
        (";".join(["x"] * 300).encode() + b"\n0612345678", FileReason.TOO_MANY_COLUMNS),
    ],
)
def test_a_file_without_contacts_says_so(file: bytes, reason: FileReason) -> None:
    with pytest.raises(FileError) as refused:
        sniff(file, "FR")
    assert refused.value.reason == reason


def test_an_enormous_cell_does_not_hide_the_rows_after_it() -> None:
    file = b"tel,nom\n0612345678," + b"x" * 2_000_000 + b"\n0612345679,Roux\n"
    layout = sniff(file, "FR")
    assert (layout.delimiter, layout.roles) == (",", ["number", "last_name"])


@given(st.binary(max_size=400) | st.text('0612345678;,"\n\t é', max_size=200).map(str.encode))
def test_any_bytes_have_a_layout_or_are_refused(file: bytes) -> None:
    try:
        layout = sniff(file, "FR")
    except FileError:
        return
    assert Layout.from_json(layout.as_json()) == layout
    assert layout.numbers
    assert 0 <= layout.start <= len(file)


@given(st.lists(st.text(max_size=10), min_size=1, max_size=6))
def test_attribute_keys_are_unique_and_simple(names: list[str]) -> None:
    keys = [key_of(names, i) for i in range(len(names))]
    assert len(set(keys)) == len(keys) or any("_" in slug(name) for name in names)
    assert all(slug(key) == key for key in keys)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Anne Le Goff", ("Anne", "Le Goff")),
        ("LE GOFF Anne", ("Anne", "LE GOFF")),
        ("ANNE", ("ANNE", "")),
        ("Anne", ("Anne", "")),
        ("", ("", "")),
    ],
)
def test_a_full_name_is_parted(name: str, parts: tuple[str, str]) -> None:
    assert split_name(name) == parts


def test_a_list_of_categories_is_parted() -> None:
    assert split_list("VIP | Nord;  VIP , Été 2026 ,") == ["VIP", "Nord", "Été 2026"]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["Zoé", "0612345678", "", "trop"], "too_many_cells"),
        (["", " ", ""], "empty_row"),
        (["Zoé"], "number_missing"),
        (["Zoé", "0612345678", "Atlantide"], "unknown_country"),
        (["Z" * 121, "0612345678", ""], "cell_too_long"),
        (["Zoé", "abc", ""], "not_a_number"),
    ],
)
def test_a_row_that_cannot_be_taken_says_why(cells: list[str], reason: str) -> None:
    layout = sniff(content("Prénom;Téléphone;Pays", "Léo;0612345678;France"), "FR")
    found = Understanding(layout, "FR").person(cells)
    assert isinstance(found, Refusal)
    assert found.reason == reason


def test_the_country_of_the_row_is_the_country_of_its_number() -> None:
    understanding = Understanding(sniff(content("Tél;Pays", "77 123 45 67;Sénégal"), "FR"), "FR")
    numbers = [
        person.number
        for row in (["77 123 45 67", "Sénégal"], ["0612345678", ""], ["+32470123456", "FR"], ["612345678", "+33"])
        if isinstance(person := understanding.person(row), Person)
    ]
    assert numbers == ["+221771234567", "+33612345678", "+32470123456", "+33612345678"]


def test_extra_cells_that_are_empty_do_no_harm_and_short_rows_are_filled_up() -> None:
    understanding = Understanding(sniff(content("Tél;Prénom;Ville", "0612345678;Zoé;Nice"), "FR"), "FR")
    assert understanding.person(["0612345678", "Zoé", "", "", " "]) == Person("+33612345678", "Zoé")
    assert understanding.person(["0612345678"]) == Person("+33612345678")

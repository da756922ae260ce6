"""What people upload: text of any width, spreadsheets, and what is neither."""

from __future__ import annotations

import io
import os
import resource
import zipfile
from time import monotonic

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts import arrival, layouts
from contacts.reasons import FileError, FileReason
from contacts.records import Records, read_bytes

TEXT = "Prénom;Téléphone\nZoé;0612345678\n"


def workbook(*rows: list[object], top: int = 1, left: int = 1) -> bytes:
    book = openpyxl.Workbook()
    book.create_sheet("vide", 0)
    for y, row in enumerate(rows, top):
        for x, value in enumerate(row, left):
            book["Sheet"].cell(y, x, value)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def archive(**entries: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in {"[Content_Types].xml": b"<Types/>", **entries}.items():
            file.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_text_stays_as_it_is(encoding: str) -> None:
    assert arrival.to_text(TEXT.encode(encoding)) == TEXT.encode(encoding)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_text_becomes_utf_8(encoding: str) -> None:
    assert arrival.to_text(TEXT.encode(encoding)) == TEXT.encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", FileReason.EMPTY),
        (b" \r\n\t", FileReason.EMPTY),
        (b"%PDF-1.7 ...", FileReason.NOT_TEXT),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), FileReason.NOT_TEXT),
        (bytes(range(256)) * 50, FileReason.NOT_TEXT),
        (b"\x1f\x8b\x08" + bytes(50), FileReason.NOT_TEXT),
        (b"PK\x03\x04 not really", FileReason.BAD_SHEET),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 not really", FileReason.BAD_SHEET),
        (archive(**{"photo.jpg": b"x"})[:-10], FileReason.BAD_SHEET),
    ],
)
def test_what_is_no_contacts_file_is_refused_with_its_reason(content: bytes, reason: FileReason) -> None:
    with pytest.raises(FileError) as refused:
        arrival.to_text(content)
    assert refused.value.reason == reason


def test_an_archive_that_is_no_spreadsheet_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("contacts.csv", TEXT)
    with pytest.raises(FileError) as refused:
        arrival.to_text(out.getvalue())
    assert refused.value.reason == FileReason.NOT_TEXT


def test_a_spreadsheet_keeps_its_row_numbers_and_its_long_numbers() -> None:
    sheet = workbook(
        ["Prénom", "Téléphone", "Ville"],
        ["Zoé", 33612345678, "Aix\nen Provence"],
        [None, None, None],
        ["Léo", "06 12 34 56 79", None],
        ["Anna", 612345670.0, "Nice; bord de mer"],
        top=3,
        left=2,
    )
    text = arrival.to_text(sheet)
    layout = layouts.sniff(text, "FR")
    reader = Records(read_bytes(text), layout.encoding, layout.delimiter, layout.start, layout.line, layout.width)
    assert [(record.line, record.cells[:3]) for record in reader] == [
        (4, ["Zoé", "33612345678", "Aix en Provence"]),
        (6, ["Léo", "06 12 34 56 79", ""]),
        (7, ["Anna", "612345670", "Nice; bord de mer"]),
    ]


@pytest.mark.parametrize(
    "bomb",
    [
        archive(**{"xl/worksheets/sheet1.xml": b" " * (30 * 1024 * 1024)}),
        archive(**{f"xl/{i}.xml": b"" for i in range(1_100)}),
        archive(**{"../../etc/passwd": b"x"}),
        workbook(["x"], top=1_048_576, left=16_384),
    ],
    ids=["ratio", "entries", "path", "far corner"],
)
def test_a_bomb_is_refused_quickly(bomb: bytes) -> None:
    begun = monotonic()
    with pytest.raises(FileError):
        arrival.to_text(bomb)
    assert monotonic() - begun < 5


def test_billions_of_laughs_do_not_fill_the_memory() -> None:
    entities = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    sheet = zipfile.ZipFile(io.BytesIO(workbook(["x"])))
    names = {name: sheet.read(name) for name in sheet.namelist()}
    cell = '<row r="1"><c r="A1" t="inlineStr"><is><t>&a9;</t></is></c></row>'
    evil = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{entities}]>'
    evil += f"<worksheet><sheetData>{cell}</sheetData></worksheet>"
    names["xl/worksheets/sheet2.xml"] = names["xl/worksheets/sheet1.xml"] = evil.encode()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    try:
        text = arrival.to_text(archive(**names))
    except FileError:
        text = b""
    assert len(text) < 1_000
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert after <= max(before, 300 * 1024)


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xfe", b"\xef\xbb\xbf", b"\x00a\x00b"]))
def test_any_bytes_are_text_or_refused(content: bytes, start: bytes) -> None:
    try:
        text = arrival.to_text(start + content)
    except FileError:
        return
    assert isinstance(text, bytes)


def test_a_file_beyond_the_bound_is_refused() -> None:
    with pytest.raises(FileError) as refused:
        arrival.to_text(b"x" * (arrival.MAX_TEXT + 1))
    assert refused.value.reason == FileReason.TOO_BIG
    with pytest.raises(FileError) as refused:
        arrival.to_text(arrival.ZIP + os.urandom(arrival.MAX_SHEET))
    assert refused.value.reason == FileReason.TOO_BIG

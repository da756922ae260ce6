"""Bytes to records: nothing lost, nothing twice, whatever the quotation marks do."""

from __future__ import annotations

import csv
import io
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from contacts.reasons import Reason
from contacts.records import KEPT, LONGEST_LINE, Record, Records, read_bytes


def records(content: bytes, delimiter: str = ";", width: int = 0, **start: int) -> Records:
    return Records(read_bytes(content), "utf-8", delimiter, width=width, **start)


nasty = st.text(st.sampled_from('ab;", é\n\r\0'), max_size=60)
cells = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), max_size=8)
multiline = st.lists(cells, min_size=1, max_size=3).map("\n".join)


@given(nasty)
def test_every_line_that_is_not_blank_is_in_exactly_one_record(text: str) -> None:
    content = text.encode()
    lines = [line.decode().replace("\0", "") for line in content.splitlines()]
    seen = [line for record in records(content) for line in record.raw.splitlines()]
    assert sorted(line for line in seen if line) == sorted(line for line in lines if line)


@given(nasty, st.integers(0, 6))
def test_reading_goes_on_where_it_stopped(text: str, done: int) -> None:
    content = text.encode()
    reader = records(content)
    first = list(islice(reader, done))
    if len(first) == done:
        reader = records(content, position=reader.position, line=reader.line)
    assert first + list(reader) == list(records(content))


@given(st.lists(st.lists(multiline, min_size=2, max_size=4), max_size=5))
def test_what_a_proper_writer_wrote_is_read_as_it_was(rows: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="\r\n", quoting=csv.QUOTE_ALL).writerows(rows)
    read = list(records(out.getvalue().encode()))
    assert [record.cells for record in read] == rows
    assert [record.line for record in read] == [
        1 + sum(cell.count("\n") for row in rows[:i] for cell in row) + i for i in range(len(rows))
    ]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_to_their_end(content: bytes) -> None:
    reader = records(content)
    list(reader)
    assert reader.position == len(content)


def test_an_open_quotation_mark_costs_its_line_only() -> None:
    content = b'Zoe;0612345678\n"Leo;0612345679\nAnna;0612345670\nPaul;0612345671\n'
    assert [(r.line, r.reason) for r in records(content, width=2)] == [
        (1, None),
        (2, Reason.QUOTES),
        (3, None),
        (4, None),
    ]


def test_two_open_quotation_marks_do_not_marry_their_lines() -> None:
    content = b'"Zoe;0612345678\n"Leo;0612345679\nAnna;0612345670\n'
    assert [(r.line, r.reason) for r in records(content, width=2)] == [
        (1, Reason.QUOTES),
        (2, Reason.QUOTES),
        (3, None),
    ]


def test_stray_quotation_marks_inside_a_line_are_forgiven() -> None:
    assert [r.cells for r in records(b'"Jo "le Grand" Dupont";0612345678\n', width=2)] == [
        ['Jo le Grand" Dupont"', "0612345678"]
    ]


def test_every_end_of_line_is_understood() -> None:
    assert [(r.line, r.cells) for r in records(b"a;1\rb;2\r\nc;3\n\n\nd;4")] == [
        (1, ["a", "1"]),
        (2, ["b", "2"]),
        (3, ["c", "3"]),
        (6, ["d", "4"]),
    ]


def test_a_line_beyond_the_longest_is_refused_and_the_next_one_read() -> None:
    content = b"a;1\n" + b"x" * (10 * LONGEST_LINE) + b"\r\nb;2\n" + b'"' + b"y" * (2 * LONGEST_LINE) + b"\nc;3"
    read = list(records(content))
    assert [(r.line, r.cells, r.reason) for r in read] == [
        (1, ["a", "1"], None),
        (2, [], Reason.ROW_TOO_LONG),
        (3, ["b", "2"], None),
        (4, [], Reason.ROW_TOO_LONG),
        (5, ["c", "3"], None),
    ]
    assert max(len(r.raw) for r in read) == KEPT


def test_an_enormous_cell_of_many_lines_is_one_refused_row() -> None:
    enormous = b'x;"' + b'y ""z""\n' * 400_000 + b'";"a\nb"\n'
    read = list(records(b"a;1\n" + enormous + b"c;3\n", width=2))
    assert [(r.line, r.cells, r.reason) for r in read] == [
        (1, ["a", "1"], None),
        (2, [], Reason.ROW_TOO_LONG),
        (400_004, ["c", "3"], None),
    ]


def test_an_open_quotation_mark_far_from_the_next_one_costs_its_line_only() -> None:
    rows = [f"a;{i}" for i in range(5_000)]
    content = "\n".join(['"a;0', *rows, '"b";1', '"c;2', *rows]).encode()
    read = list(records(content, width=2))
    assert [r.line for r in read if r.reason] == [1, 5_003]
    assert len(read) == 10_003


def test_a_cell_that_the_csv_module_refuses_is_refused_alone() -> None:
    assert [r.reason for r in records(b'"' + b"x" * 200_000 + b'";1\na;2\n')] == [Reason.CELL_TOO_LONG, None]


def test_a_read_in_slices_is_the_read_in_one() -> None:
    content = "".join(f'"Zoé {i}";06{i:08}\r\n' for i in range(60_000)).encode()
    assert len(content) > LONGEST_LINE
    read = list(records(content))
    assert len(read) == 60_000
    assert read[-1] == Record(60_000, '"Zoé 59999";0600059999', ["Zoé 59999", "0600059999"])

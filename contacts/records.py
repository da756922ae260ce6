"""The bytes of a text file to records, each with the line it starts on. Pure.

Never raises for what a file contains. A quotation mark that is opened and not closed costs its own line, not the rest
of the file; every record tells where it ended, so that reading can begin again there.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from contacts.reasons import Reason

SLICE = 1 << 20
LONGEST_LINE = 1 << 20  # bytes
MOST_LINES = 100  # of one record: beyond, its quotation mark was a mistake
_EASY = 100_000  # characters: the csv module refuses fields beyond 131 072
KEPT = 4_000  # characters of a refused row

Read = Callable[[int, int], bytes]  # (offset, length): like a file's seek and read


class Record(NamedTuple):
    """One row of the file: its cells, or the reason why it has none."""

    line: int
    raw: str
    cells: list[str]
    reason: Reason | None = None


_Line = tuple[str, int, bool]  # (text with its end, position after it, whether it was cut)


class _UnfitError(Exception):
    """The record that is being put together cannot be one."""


def read_bytes(content: bytes) -> Read:
    return lambda offset, length: content[offset : offset + length]


class Records(Iterable[Record]):
    """Records from a position on. `position` and `line` say where the next one begins."""

    def __init__(self, read: Read, encoding: str, delimiter: str, position: int = 0, line: int = 1, width: int = 0):
        self.position = position
        self.line = line
        self._read = read
        self._encoding = encoding
        self._width = width
        self._lines = _lines(read, position, encoding)
        self._again: deque[_Line] = deque()
        self._taken: list[_Line] = []
        self._size = 0
        self._delimiter = delimiter
        self._reader = self._csv(_Feed(self._next_line), strict=True)

    def __iter__(self) -> Iterator[Record]:
        while (line := self._again.popleft() if self._again else next(self._lines, None)) is not None:
            text, end, cut = line
            if '"' in text or cut or len(text) > _EASY:
                self._again.appendleft(line)
                record = self._quoted()
                if record is not None:
                    yield record
                continue
            self.position = end
            self.line += 1
            text = text.rstrip("\r\n")
            if text:  # a blank line is no row
                yield Record(self.line - 1, text[:KEPT], text.split(self._delimiter))

    def _quoted(self) -> Record | None:
        """The next record by the rules of quotation marks; None for a blank line."""
        self._taken.clear()
        self._size = 0
        try:
            cells = next(self._reader)
        except (csv.Error, _UnfitError):
            return self._enormous() or self._first_line_alone()
        line = self._passed(self._taken)
        return Record(line, self._raw(), cells) if cells else None

    def _csv(self, lines: Iterator[str], strict: bool) -> Iterator[list[str]]:
        return csv.reader(lines, delimiter=self._delimiter, strict=strict, skipinitialspace=True)

    def _next_line(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self._taken.append(line)
        text, _end, cut = line
        self._size += len(text)
        if cut or len(self._taken) > MOST_LINES or self._size > LONGEST_LINE:
            raise _UnfitError
        return text

    def _enormous(self) -> Record | None:
        """A record that is well formed and beyond every bound is refused as one; None for any other."""
        first, *rest = self._taken
        if first[2] or not rest:
            return None
        lines = _lines(self._read, self.position, self._encoding)
        found = _end_of_record(lines, self._delimiter)
        if found is None:
            return None
        count, end = found
        self._lines, self._taken = lines, [first]
        self._again.clear()
        start, self.line, self.position = self.line, self.line + count, end
        return Record(start, self._raw(), [], Reason.ROW_TOO_LONG)

    def _first_line_alone(self) -> Record:
        """The record failed: its first line is judged by itself, the others are read again."""
        first, rest = self._taken[0], self._taken[1:]
        self._again.extendleft(reversed(rest))
        self._taken = [first]
        line = self._passed([first])
        if first[2]:
            return Record(line, self._raw(), [], Reason.ROW_TOO_LONG)
        try:
            cells = self._leniently(first[0])
        except csv.Error:
            return Record(line, self._raw(), [], Reason.CELL_TOO_LONG)
        if cells and (len(cells) == self._width or not self._width):
            return Record(line, self._raw(), cells)
        return Record(line, self._raw(), [], Reason.QUOTES)

    def _leniently(self, text: str) -> list[str]:
        """The cells of one line with stray quotation marks; none when one stays open."""
        rows = list(self._csv(iter([text, "next"]), strict=False))
        return rows[0] if len(rows) == 2 else []

    def _passed(self, lines: list[_Line]) -> int:
        start, self.line, self.position = self.line, self.line + len(lines), lines[-1][1]
        return start

    def _raw(self) -> str:
        return "".join(line[0] for line in self._taken).rstrip("\r\n")[:KEPT]


class _Feed(Iterator[str]):
    """An iterator that goes on after an exception, which a generator does not."""

    def __init__(self, following: Callable[[], str]) -> None:
        self._following = following

    def __next__(self) -> str:
        return self._following()


def _end_of_record(lines: Iterator[_Line], delimiter: str) -> tuple[int, int] | None:
    """(lines, end position) of a record, however long; None if its quotation marks are wrong. Keeps nothing of it."""
    opening = re.compile(rf'(?:^|{re.escape(delimiter)}) *"')
    inside = False
    for count, (text, end, cut) in enumerate(lines, 1):
        inside, right = _after_line(text, delimiter, opening, inside)
        if cut or not right:
            return None
        if not inside:
            return count, end
    return None


def _after_line(text: str, delimiter: str, opening: re.Pattern[str], inside: bool) -> tuple[bool, bool]:
    """(whether a cell goes on beyond this line, whether all quotation marks stand right)."""
    at = 0
    while True:
        if not inside:
            opened = opening.search(text, at)
            if opened is None:
                return False, True
            at, inside = opened.end(), True
        closed = text.find('"', at)
        if closed < 0:
            return True, True
        at = closed + 1
        if text[at : at + 1] == '"':
            at += 1
            continue
        inside = False
        if text[at : at + 1] not in ("", "\r", "\n", delimiter):
            return False, False


def _lines(read: Read, position: int, encoding: str) -> Iterator[_Line]:
    """Lines with their end position. Of a line beyond the longest only the beginning is kept."""
    rest, skipped, offset = b"", 0, position
    while True:
        piece = read(offset, SLICE)
        offset += len(piece)
        data = rest + piece
        lines = data.splitlines(keepends=True)
        # The last one may go on in the next slice, if only by the second half of \r\n.
        rest = lines.pop() if piece and lines else b""
        has_nul = b"\0" in data
        for line in lines:
            position += len(line) + skipped
            cut = skipped > 0 or len(line) > LONGEST_LINE
            text = (line[:KEPT] if cut else line).decode(encoding, "replace")
            yield (text.replace("\0", "") if has_nul else text), position, cut
            skipped = 0
        if not piece:
            return
        if len(rest) > LONGEST_LINE and not rest.endswith((b"\r", b"\n")):
            skipped += len(rest) - LONGEST_LINE
            rest = rest[:LONGEST_LINE]

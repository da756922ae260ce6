"""Prints of the old rows, taken as they pass: equal prints, equal rows, at which a repeated import need not look."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from campaigns.legacy.sources import Staged
from campaigns.legacy.tables import MESSAGES, Table


class Prints:
    """One print of all tables but the messages, and one of the messages after every `chunk` of them."""

    def __init__(self, chunk: int, *given: object) -> None:
        """`given` is what the import depends on besides the rows."""
        self._chunk = chunk
        self._others = hashlib.blake2b(repr(given).encode(), digest_size=32)
        self._messages = hashlib.blake2b(digest_size=32)
        self._passed = 0
        self._after: dict[int, bytes] = {}  # rows passed -> print so far

    def of(self, table: Table, columns: list[str], into: Staged) -> Staged:
        """`into`, with what is written there noted."""
        self._others.update(repr((table.name, columns)).encode())
        return _Noting(into, self._message if table is MESSAGES else self._other)

    def after(self, last: int) -> bytes:
        """The print of the first `last` messages (or all, when there are fewer) and of every other table."""
        both = hashlib.blake2b(self._others.digest(), digest_size=32)
        both.update(self._after.get(last) or self._messages.digest())
        return both.digest()

    def _other(self, row: bytes) -> None:
        self._others.update(row)

    def _message(self, row: bytes) -> None:
        self._messages.update(row)
        self._passed += 1
        if self._passed % self._chunk == 0:
            self._after[self._passed] = self._messages.digest()


class _Noting:
    """Passes rows on. Both kinds of source hand over one row at a time."""

    def __init__(self, into: Staged, note: Any) -> None:
        self._into, self._note = into, note

    def write(self, buffer: Any) -> None:
        self._note(bytes(buffer))
        self._into.write(buffer)

    def write_row(self, row: Sequence[Any]) -> None:
        self._note(("\x1f".join([cell or "" for cell in row]) + "\n").encode("utf-8", "replace"))
        self._into.write_row(row)

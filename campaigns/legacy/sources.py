"""Where the old rows come from: a PostgreSQL server, read in one snapshot, or a folder with a CSV file a table."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from campaigns.legacy.tables import Table

LONGEST_CELL = 16 * 1024 * 1024


class SourceError(Exception):
    """The source cannot be read; the text says why."""


class Staged(Protocol):
    """How rows go into our temporary copy: psycopg's Copy."""

    def write(self, buffer: Any) -> None: ...
    def write_row(self, row: Sequence[Any]) -> None: ...


class Source(Protocol):
    def columns(self, table: Table) -> list[str] | None:
        """Those of the table's columns that the source has; None when it has no such table."""

    def copy(self, table: Table, columns: list[str], into: Staged) -> list[tuple[int, str]]:
        """Write every row's columns; answers the lines that are no rows, each with why."""

    def let_go(self) -> None:
        """Everything has been read."""


def _check(table: Table, found: Sequence[str]) -> list[str]:
    missing = [name for name in table.required if name not in found]
    if missing:
        raise SourceError(f"table {table.name} has no column {', '.join(missing)}")
    return [name for name in table.columns if name in found]


class Server:
    """Tables on a PostgreSQL server."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def at(cls, url: str) -> Iterator[Server]:
        """Read-only, and everything as of one moment. Raises SourceError."""
        try:
            asked = conninfo_to_dict(url)
            options = f"{asked.get('options') or ''} -c TimeZone=UTC -c DateStyle=ISO".strip()
            connection = psycopg.connect(make_conninfo(url, options=options, client_encoding="UTF8"))
        except psycopg.Error as error:
            raise SourceError(f"the old database does not answer: {error}") from error
        with connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield cls(connection)

    def columns(self, table: Table) -> list[str] | None:
        found = [
            name
            for (name,) in self._connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
                [table.name],
            )
        ]
        return _check(table, found) if found else None

    def copy(self, table: Table, columns: list[str], into: Staged) -> list[tuple[int, str]]:
        chosen = sql.SQL(", ").join(sql.SQL("NULLIF({}::text, '')").format(sql.Identifier(name)) for name in columns)
        first = sql.Identifier(columns[0])
        query = sql.SQL("COPY (SELECT {} FROM {} ORDER BY {}) TO STDOUT").format(
            chosen, sql.Identifier(table.name), first
        )
        with self._connection.cursor() as cursor, cursor.copy(query) as rows:
            for data in rows:
                into.write(data)
        return []

    def let_go(self) -> None:
        self._connection.rollback()


class Folder:
    """Files <table>.csv (or .csv.gz) with a header line, in UTF-8, separated by commas or semicolons."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise SourceError(f"{path} is no folder")
        self._path = path

    def columns(self, table: Table) -> list[str] | None:
        with self._open(table) as file:
            return None if file is None else _check(table, self._header(file)[0])

    def copy(self, table: Table, columns: list[str], into: Staged) -> list[tuple[int, str]]:
        with self._open(table) as file:
            assert file is not None
            header, delimiter = self._header(file)
            places = [header.index(name) for name in columns]
            before = csv.field_size_limit(LONGEST_CELL)  # the limit is the whole process's: imports rely on it
            try:
                return list(self._rows(csv.reader(file, delimiter=delimiter), len(header), places, into))
            finally:
                csv.field_size_limit(before)

    def let_go(self) -> None:
        """Files are closed already."""

    def _rows(self, reader: Any, width: int, places: list[int], into: Staged) -> Iterator[tuple[int, str]]:
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield reader.line_num + 1, str(error)
                continue
            if len(row) == width:
                into.write_row([row[place].replace("\0", "") or None for place in places])
            elif row:
                yield reader.line_num + 1, f"{len(row)} cells instead of {width}"

    @staticmethod
    def _header(file: IO[str]) -> tuple[list[str], str]:
        line = file.readline()
        delimiter = ";" if line.count(";") > line.count(",") else ","
        names = next(csv.reader([line], delimiter=delimiter), [])
        return [name.strip().lower() for name in names], delimiter

    @contextmanager
    def _open(self, table: Table) -> Iterator[IO[str] | None]:
        plain, packed = self._path / f"{table.name}.csv", self._path / f"{table.name}.csv.gz"
        if not plain.exists() and not packed.exists():
            yield None
            return
        reading: dict[str, Any] = {"encoding": "utf-8-sig", "errors": "replace", "newline": ""}
        with plain.open(**reading) if plain.exists() else gzip.open(packed, "rt", **reading) as file:
            yield file

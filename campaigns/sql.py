"""Running the statements that no ORM call says: set-wise, with rows back. Values are always parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

Values = Mapping[str, Any]


def array(values: Iterable[str | float | datetime | None]) -> str:
    """PostgreSQL's text of an array, for a parameter with a cast; several times faster than adapting a list."""
    return "{" + ",".join(map(_element, values)) + "}"


def texts(values: Sequence[str]) -> str:
    """As `array`, for texts alone and many of them."""
    joined = '","'.join(values)
    if "\\" in joined or joined.count('"') != 2 * len(values) - 2:  # one of them holds what must be escaped, or none
        return array(values)
    return f'{{"{joined}"}}'


def _element(value: str | float | datetime | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime):
        return f'"{value.isoformat()}"'
    if value.isalnum() and value.isascii() and value.lower() != "null":
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def rows(statement: str, values: Values) -> list[tuple[Any, ...]]:
    """Run a statement and answer its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def row(statement: str, values: Values) -> tuple[Any, ...] | None:
    """Run a statement and answer its first row."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found = cursor.fetchone()
        return None if found is None else tuple(found)


def run(statement: str, values: Values) -> int:
    """Run a statement and answer how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def commit_durably() -> None:
    """The surrounding transaction must be on disk before its commit returns, whatever the server's default is.

    An asynchronous wire mark can be lost when one backend is killed, and a message would be sent again.
    """
    run("SET LOCAL synchronous_commit = on", {})


def run_list(statement: str, values: list[Any]) -> int:
    """As `run`, with values by position (a query that the ORM wrote stands inside the statement)."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)

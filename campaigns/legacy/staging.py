"""The old rows in temporary tables of our own session, as text: what they mean is decided by set-wise statements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.db.utils import DataError

from campaigns import sql
from campaigns.legacy.prints import Prints
from campaigns.legacy.sources import Source
from campaigns.legacy.tables import Table

MOST_REFUSALS = 200_000  # that are told one by one
_MOMENT = """
    CREATE OR REPLACE FUNCTION pg_temp.moment(v text) RETURNS timestamptz LANGUAGE plpgsql STRICT AS $$
    DECLARE found timestamptz;
    BEGIN
        found := v::timestamptz;
        RETURN CASE WHEN found BETWEEN '1990-01-01' AND '2100-01-01' THEN found END;
    EXCEPTION WHEN others THEN RETURN NULL;
    END $$"""


@dataclass
class Tally:
    """What became of one table's rows."""

    read: int = 0
    created: int = 0
    known: int = 0  # brought over by an earlier run, or here already
    changed: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def as_line(self) -> str:
        parts = [f"{self.read} read", f"{self.created} created", f"{self.known} here already"]
        parts += [f"{self.changed} changed"] * bool(self.changed)
        parts += [f"{n} {reason}" for reason, n in sorted(self.refused.items())]
        return ", ".join(parts)


@dataclass
class Report:
    """What an import did, and what it could not take."""

    tables: dict[str, Tally] = field(default_factory=dict)
    missing_templates: Counter[str] = field(default_factory=Counter)
    differing: list[str] = field(default_factory=list)  # campaigns whose figures are not the old ones
    notes: list[str] = field(default_factory=list)
    campaigns_checked: int = 0
    refusals: list[tuple[str, ...]] = field(default_factory=list)  # (table, old id, reason, detail)

    def of(self, table: Table) -> Tally:
        return self.tables.setdefault(table.name, Tally())


Say = Callable[[str], None]


def prepare() -> None:
    """Make this session ready: memory for sorting, times without an offset are UTC."""
    for statement in (
        "SET work_mem = '256MB'",
        "SET TIME ZONE 'UTC'",
        "SET random_page_cost = 1.1",  # what is looked up was written a moment ago: it is in memory
        _MOMENT,
        "DROP TABLE IF EXISTS pg_temp.refused",
        "CREATE TEMP TABLE refused (tab text, old_id text, reason text, detail text)",
    ):
        sql.run(statement, {})


def load(source: Source, table: Table, report: Report, prints: Prints) -> None:
    """Copy one old table as it is now. One that the source lacks is empty, and noted."""
    names = ", ".join(f"{name} text" for name in table.columns)
    sql.run(f"DROP TABLE IF EXISTS pg_temp.{table.stage}", {})
    sql.run(f"CREATE TEMP TABLE {table.stage} (n bigserial, {names})", {})
    columns = source.columns(table)
    if columns is None:
        report.notes.append(f"the source has no table {table.name}")
    else:
        _copy(source, table, columns, report, prints)
    sql.run(f"CREATE UNIQUE INDEX ON {table.stage} (n)", {})
    if "id" in table.columns:
        sql.run(f"CREATE INDEX ON {table.stage} (id)", {})
    sql.run(f"ANALYZE {table.stage}", {})
    report.of(table).read = count(f"SELECT count(*) FROM {table.stage}")


def _copy(source: Source, table: Table, columns: list[str], report: Report, prints: Prints) -> None:
    into = f"COPY {table.stage} ({', '.join(columns)}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(into) as rows:
        bad = source.copy(table, columns, prints.of(table, columns, rows))
    for line, why in bad:
        refuse_one(table, f"line {line}", "not_a_row", why)
    if bad:
        report.of(table).refused["not_a_row"] += len(bad)


def refuse_one(table: Table, old_id: str, reason: str, detail: str = "") -> None:
    values = {"tab": table.name, "id": old_id, "reason": reason, "detail": detail[:200]}
    sql.run("INSERT INTO refused VALUES (%(tab)s, %(id)s, %(reason)s, %(detail)s)", values)


def refuse(report: Report, table: Table, reason: str, rows: str, values: dict[str, Any] | None = None) -> int:
    """Note the rows that `rows` (SELECT id, detail …) finds as not taken; answers how many."""
    done = sql.run(
        f"INSERT INTO refused SELECT %(tab)s, found.id, %(reason)s, left(found.detail, 200) FROM ({rows}) AS found "
        "(id, detail)",
        {"tab": table.name, "reason": reason, **(values or {})},
    )
    if done:
        report.of(table).refused[reason] += done
    return done


def read_refusals() -> list[tuple[str, ...]]:
    return sql.rows(f"SELECT tab, old_id, reason, detail FROM refused ORDER BY 1, 3, 2 LIMIT {MOST_REFUSALS}", {})


def count(query: str, values: dict[str, Any] | None = None) -> int:
    found = sql.row(query, values or {})
    return int(found[0]) if found else 0


def last(table: Table) -> int:
    return count(f"SELECT COALESCE(max(n), 0) FROM {table.stage}")


def chunks(table: Table, size: int) -> Iterator[dict[str, int]]:
    """Ranges of n that cover the table."""
    end = last(table)
    for start in range(1, end + 1, size):
        yield {"first": start, "last": start + size - 1}


def moments(table: Table) -> Callable[[str], str]:
    """How to read the table's times: a plain cast when all of them allow it, else one that answers NULL for others."""
    names = [name for name in table.columns if name.endswith("_at")]
    asked = ", ".join(f"min({name}::timestamptz), max({name}::timestamptz)" for name in names)
    try:
        with transaction.atomic():
            found = sql.row(f"SELECT {asked} FROM {table.stage}", {}) or ()
        plain = all(1990 <= moment.year < 2100 for moment in found if moment is not None)
    except (DataError, ValueError, OverflowError):
        plain = False
    return (lambda name: f"{name}::timestamptz") if plain else (lambda name: f"pg_temp.moment({name})")

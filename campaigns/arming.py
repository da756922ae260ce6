"""May this database send? It remembers where it lives; one that was restored or copied finds itself elsewhere, and then
nothing leaves until an operator has said what to do about what it cannot know (`manage.py arm`).

A copy of the very files that is put back in their place looks like the original from within: docs/operations.md.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from time import monotonic
from typing import Any, cast

from django.db import connection, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campaigns import sql

log = logging.getLogger("campaigns.arming")

AGAIN = 5.0  # seconds after which a drain that goes on looks again


@dataclass(frozen=True)
class Place:
    """Where a database lives, as PostgreSQL says it. What this role may not ask is None."""

    cluster: int | None  # pg_control_system().system_identifier: another server has another
    timeline: int | None  # grows when a standby is promoted, and at a recovery to a point in time
    database: int | None  # oid: a copy within the server has another
    home: int | None  # oid of the memory's own table: pg_restore makes it anew


@dataclass(frozen=True)
class Memory:
    """A row of the memory. `written_here`: by us, not by a restore (its xmin is the one that it was born with)."""

    place: Place
    written_here: bool = True
    holding_since: datetime | None = None


SIGNS: dict[str, str | Promise] = {
    "cluster": _("It is on another PostgreSQL server than before, or that server was set up anew."),
    "timeline": _("Its server was restored to a point in time, or a standby took over."),
    "database": _("It is another database of the same server: a copy."),
    "home": _("Its tables were made anew: it was restored from a dump."),
    "rows": _("Its rows were written by a restore."),
    "memory": _("It does not remember where it was: it comes from an older version of the program."),
    "hold": _("“manage.py arm --hold” was begun and has not ended: start it again."),
}


def differences(memories: Sequence[Memory], here: Place) -> list[str]:
    """What speaks against sending, by names of SIGNS; empty when this is the database that was armed. Pure.

    A sign that could be asked then and cannot now, or the other way round, differs too.
    """
    if not memories:
        return ["memory"]
    found = {
        sign.name
        for memory in memories
        for sign in fields(Place)
        if getattr(memory.place, sign.name) != getattr(here, sign.name)
    }
    if len(memories) > 1 or any(not (one.written_here or one.holding_since) for one in memories):
        found.add("rows")
    if any(one.holding_since for one in memories):
        found.add("hold")
    return [sign for sign in SIGNS if sign in found]


_LOOK = """
    SELECT p.cluster, p.timeline, p.database, p.home,
           a.born IS NOT NULL, a.cluster, a.timeline, a.database, a.home, a.xmin = a.born, a.holding_since
      FROM campaigns_place() p LEFT JOIN campaigns_arming a ON true"""


def trouble() -> list[str]:
    """Ask the database: `differences` between what it remembers and where it is. One small statement."""
    found = sql.rows(_LOOK, {})
    here = Place(*found[0][:4])
    return differences([Memory(Place(*row[5:9]), row[9], row[10]) for row in found if row[4]], here)


_told: list[str] = []  # the last trouble that this process has logged


def armed() -> bool:
    """Whether anything may leave. What speaks against it is logged once in a process."""
    found = trouble()
    if found != _told:
        _told[:] = found
        if found:
            log.error("disarmed (%s): nothing is sent until manage.py arm is run", ", ".join(found))
        else:
            log.info("armed again")
    return not found


@dataclass
class Guard:
    """A drain's: asks at its beginning, on each new connection, and now and then; not for each message."""

    seen: Any = None  # the connection that was asked
    at: float = 0.0

    def lets_pass(self) -> bool:
        current = connection.connection
        if current is not None and current is self.seen and monotonic() - self.at < AGAIN:
            return True
        if not armed():
            self.seen = None
            return False
        self.seen, self.at = connection.connection, monotonic()
        return True


def arm() -> bool:
    """Make here the place where this database lives; answers whether it was needed.

    Within the caller's transaction, which must not be nested: else the row would bear another xmin than it was born
    with, and stay disarmed.
    """
    lock()
    if not trouble():
        return False
    sql.run("DELETE FROM campaigns_arming", {})
    sql.run("INSERT INTO campaigns_arming (cluster, timeline, database, home) SELECT p.* FROM campaigns_place() p", {})
    return True


def lock() -> None:
    """One arms or begins to hold at a time, until the transaction ends; those who ask are not kept waiting."""
    sql.run("LOCK TABLE campaigns_arming IN SHARE ROW EXCLUSIVE MODE", {})


def begin_hold(although_armed: bool = False) -> datetime | None:
    """Disarm while a hold is under way; answers since when: an interrupted one goes on as it began.

    None when the database is armed, perhaps by a rival's hold that has just ended.
    """
    with transaction.atomic(durable=True):
        lock()
        if not although_armed and not trouble():
            return None
        # The row is changed and not written anew: it stays disarmed whatever becomes of the hold.
        if not sql.run("UPDATE campaigns_arming SET holding_since = COALESCE(holding_since, clock_timestamp())", {}):
            sql.run("INSERT INTO campaigns_arming (holding_since) VALUES (clock_timestamp())", {})
        found = sql.row("SELECT min(holding_since) FROM campaigns_arming", {})
        assert found is not None
        return cast("datetime", found[0])

"""The named crash points: around which function a process dies, freezes, or never hears that its commit stood.

The product knows nothing of them: a trap is wrapped around a function in a forked process. The codes are those of the
table in docs/chaos.md.
"""

from __future__ import annotations

import importlib
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from campaigns.chaos.journal import Journal

WORKER, WEB, LAUNCHER = "worker", "web", "launcher"


@dataclass(frozen=True)
class Point:
    """A moment in the life of a process of kind `role`: just `before` or `after` a function."""

    code: str
    role: str
    function: str  # module:name
    after: bool


def _both(code_before: str, code_after: str, role: str, name: str, function: str) -> dict[str, Point]:
    return {
        f"{name}.before": Point(code_before, role, function, after=False),
        f"{name}.after": Point(code_after, role, function, after=True),
    }


POINTS: dict[str, Point] = {
    "launch.inside": Point("C0", LAUNCHER, "campaigns.launching:_frozen", after=True),
    "launch.after": Point("C1", LAUNCHER, "campaigns.launching:launch", after=True),
    **_both("C1", "C1", WORKER, "prepare.range", "campaigns.launching:_write_range"),
    "prepare.after": Point("C1", WORKER, "campaigns.launching:prepare", after=True),
    **_both("C2", "C3", WORKER, "claim", "campaigns.outbox:claim"),
    "begin.before": Point("C3", WORKER, "campaigns.outbox:begin", after=False),
    "begin.slots.before": Point("C4", WORKER, "campaigns.pacing:take", after=False),
    "begin.slots.after": Point("C4", WORKER, "campaigns.pacing:take", after=True),
    "begin.after": Point("C6", WORKER, "campaigns.outbox:begin", after=True),
    "mark.before": Point("C6", WORKER, "campaigns.outbox:mark", after=False),
    "mark.after": Point("C8", WORKER, "campaigns.outbox:mark", after=True),
    "call.before": Point("C8", WORKER, "campaigns.sending:call", after=False),
    "call.wire": Point("C9", WORKER, "gupshup.api.transport:_Timed.send", after=True),
    "call.after": Point("C10", WORKER, "campaigns.sending:call", after=True),
    "record.before": Point("C10", WORKER, "campaigns.outcomes:record", after=False),
    "record.inside": Point("C10", WORKER, "campaigns.outcomes:_tell_breaker", after=True),
    "record.after": Point("C12", WORKER, "campaigns.outcomes:record", after=True),
    "webhook.before": Point("C14", WEB, "gupshup.webhooks:keep", after=False),
    "webhook.after": Point("C15", WEB, "gupshup.webhooks:keep", after=True),
    "ingest.apply.before": Point("C16", WORKER, "campaigns.ingest:_apply", after=False),
    "ingest.mark.before": Point("C16", WORKER, "campaigns.ingest:_mark", after=False),
    "ingest.mark.after": Point("C16", WORKER, "campaigns.ingest:_mark", after=True),
    "ingest.after": Point("C16", WORKER, "campaigns.ingest:_batch", after=True),
    "reply.queued": Point("C16", WORKER, "campaigns.replies:queue_second", after=True),
    "reap.inside": Point("C17", WORKER, "campaigns.reconciling:_end", after=True),
    "reap.after": Point("C17", WORKER, "campaigns.reconciling:reap", after=True),
    **_both("C17", "C17", WORKER, "fold", "campaigns.reports:fold"),
    **_both("C17", "C17", WORKER, "finish", "campaigns.launching:finish_done"),
}
# Where a commit has just been made whose answer may be lost: C5, C8, C11, and their like.
LOSABLE = ("claim.after", "begin.after", "mark.after", "record.after", "ingest.after")

KILL, STOP, LOSE = "kill", "stop", "lose"


@dataclass(frozen=True)
class Trap:
    """At the `passing`-th time that this process comes by `point` it is killed, stopped, or its call fails."""

    point: str
    passing: int
    deed: str = KILL

    @property
    def name(self) -> str:
        return self.point if self.deed == KILL else f"{self.point}+{self.deed}"


def of_role(role: str) -> list[str]:
    return [name for name, point in POINTS.items() if point.role == role]


def arm(traps: Sequence[Trap], journal: Journal) -> None:
    """Set these traps in this process. Traps on one function share its wrapper."""
    by_function: dict[str, list[Trap]] = defaultdict(list)
    for trap in traps:
        by_function[POINTS[trap.point].function].append(trap)
    for function, here in by_function.items():
        holder, name = _locate(function)
        setattr(holder, name, _trapped(getattr(holder, name), here, journal))


def _locate(function: str) -> tuple[Any, str]:
    module, _, path = function.partition(":")
    *outer, name = path.split(".")
    holder: Any = importlib.import_module(module)
    for part in outer:
        holder = getattr(holder, part)
    return holder, name


def _trapped(function: Any, traps: Sequence[Trap], journal: Journal) -> Any:
    before = _Springs([trap for trap in traps if not POINTS[trap.point].after], journal)
    after = _Springs([trap for trap in traps if POINTS[trap.point].after], journal)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        before.pass_by()
        result = function(*args, **kwargs)
        after.pass_by()
        return result

    return wrapped


class _Springs:
    """Counts the passings of one spot, from any thread, and springs the traps whose turn it is."""

    def __init__(self, traps: Sequence[Trap], journal: Journal) -> None:
        self._traps = {trap.passing: trap for trap in traps}
        self._journal = journal
        self._passed = 0
        self._lock = Lock()

    def pass_by(self) -> None:
        if not self._traps:
            return
        with self._lock:
            self._passed += 1
            trap = self._traps.get(self._passed)
        if trap is not None:
            self._journal.note("trap", point=trap.name)
            DEEDS[trap.deed]()


def _lose() -> None:
    from django.db import OperationalError

    raise OperationalError("chaos: the answer to this commit was lost")


DEEDS: dict[str, Callable[[], None]] = {
    KILL: lambda: os.kill(os.getpid(), signal.SIGKILL),
    STOP: lambda: os.kill(os.getpid(), signal.SIGSTOP),
    LOSE: _lose,
}

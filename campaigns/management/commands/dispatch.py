"""`manage.py dispatch`: everything the workers do, in one plain process without a broker."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from time import monotonic
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from campaigns import ingest, outbox, sending, sweeping
from gupshup import senders
from gupshup.models import Sender

log = logging.getLogger("campaigns.dispatch")

SWEEP = 2.0  # seconds between sweeps
PULSE = 0.25  # seconds between looks at the inbox
LONGEST_REST = 10.0  # seconds


class Command(BaseCommand):
    help = "Send, read the inbox and sweep, without a broker, until stopped (or, with --seconds, for a while)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seconds", type=float, default=None, help="stop after this time")

    def handle(self, *args: Any, **options: Any) -> None:
        senders.start()
        stop = Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
        self.stdout.write("dispatching; stop with Ctrl-C")
        run(stop, options["seconds"])


@dataclass
class Endurance:
    """Work that is done again and again, whatever happens to it: what fails is logged, and rests longer each time."""

    what: str
    failures: int = 0
    rested: float = 0.0  # on the monotonic clock: not again before

    def do(self, work: Callable[[], object]) -> None:
        """Once. No exception passes: people wait for their messages, and the database comes back."""
        try:
            work()
        except Exception:
            self.failures += 1
            rest = min(LONGEST_REST, PULSE * 2 ** min(10, self.failures))
            self.rested = monotonic() + rest
            log.exception("%s failed; again in %.1f s", self.what, rest)
            connection.close()  # it may be what is broken
        else:
            self.failures = 0

    @property
    def may(self) -> bool:
        return monotonic() >= self.rested


@dataclass
class Drains:
    """The drains beside each other, at most one for each sender."""

    pool: Executor
    senders: dict[int, tuple[Endurance, Future[None]]] = field(default_factory=dict)

    def start(self, sender: Sender) -> None:
        """Begin one, unless one is at work or rests."""
        known = self.senders.get(sender.pk)
        if known is not None and not (known[1].done() and known[0].may):
            return
        endurance = known[0] if known else Endurance(f"sending for {sender}")
        self.senders[sender.pk] = endurance, self.pool.submit(_drain, endurance, sender)


def run(stop: Event, seconds: float | None = None) -> None:
    """Dispatch until `stop` is set. Nothing that goes wrong ends it."""
    until = None if seconds is None else monotonic() + seconds
    swept = 0.0
    turns = Endurance("a turn of dispatch")
    with ThreadPoolExecutor(16, thread_name_prefix="drain") as pool:
        drains = Drains(pool)
        while not stop.is_set() and (until is None or monotonic() < until):
            sweeps = monotonic() - swept >= SWEEP
            turns.do(partial(_turn, drains, sweeps))
            swept = monotonic() if sweeps else swept
            stop.wait(max(PULSE, turns.rested - monotonic()))
    connection.close()


def _turn(drains: Drains, sweeps: bool) -> None:
    if sweeps:
        sweeping.sweep()
    else:
        ingest.run(seconds=2)
    for sender in outbox.due_senders():
        drains.start(sender)


def _drain(endurance: Endurance, sender: Sender) -> None:
    endurance.do(partial(sending.drain, sender, seconds=10))
    connection.close()

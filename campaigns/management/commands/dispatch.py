"""`manage.py dispatch`: everything the workers do, in one plain process without a broker."""

from __future__ import annotations

import signal
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from time import monotonic
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from campaigns import ingest, outbox, sending, sweeping
from gupshup import senders
from gupshup.models import Sender
from hooks import delivering

SWEEP = 2.0  # seconds between sweeps
PULSE = 0.25  # seconds between looks at the inbox


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


def run(stop: Event, seconds: float | None = None) -> None:
    """Dispatch until `stop` is set. Drains run beside each other, one for each sender with due work."""
    until = None if seconds is None else monotonic() + seconds
    swept = 0.0
    drains: dict[int, Future[None]] = {}
    telling: Future[None] | None = None
    with ThreadPoolExecutor(16, thread_name_prefix="drain") as pool:
        while not stop.is_set() and (until is None or monotonic() < until):
            if monotonic() - swept >= SWEEP:
                sweeping.sweep()
                swept = monotonic()
                if telling is None or telling.done():
                    telling = pool.submit(_tell)
            else:
                ingest.run(seconds=2)
            for sender in outbox.due_senders():
                if sender.pk not in drains or drains[sender.pk].done():
                    drains[sender.pk] = pool.submit(_drain, sender)
            stop.wait(PULSE)
    connection.close()


def _drain(sender: Sender) -> None:
    try:
        sending.drain(sender, seconds=10)
    finally:
        connection.close()


def _tell() -> None:
    """What other programs are to be told; those that hang hold up nothing here."""
    try:
        delivering.run(seconds=10)
    finally:
        connection.close()

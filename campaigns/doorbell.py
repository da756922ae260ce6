"""Nudging the workers. The rows are the truth: a nudge may be lost, and a broker that is down costs nothing but time.

A web request must not wait for the broker: `ring` returns at once, a thread of the process publishes, at most a few
nudges a second of one kind.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from threading import Event, Lock, Thread
from time import sleep
from typing import Any

from celery import Task
from django.db import transaction

log = logging.getLogger("campaigns.doorbell")
REST = 0.2  # seconds between two publications

_waiting: dict[tuple[Any, ...], Callable[[], Any]] = {}
_lock = Lock()
_rung = Event()
_thread: list[tuple[int, Thread]] = []


def ring(task: Task, *args: int) -> None:
    """Ask for a task soon, from any thread, without waiting. Equal nudges that wait are one."""
    with _lock:
        _waiting[(task.name, *args)] = partial(task.delay, *args)
        if not _thread or _thread[0][0] != os.getpid() or not _thread[0][1].is_alive():
            thread = Thread(target=_publish, name="doorbell", daemon=True)
            _thread[:] = [(os.getpid(), thread)]
            thread.start()
    _rung.set()


def ring_on_commit(task: Task, *args: int) -> None:
    """As `ring`, once the surrounding transaction stands."""
    transaction.on_commit(partial(ring, task, *args))


def _publish() -> None:
    while True:
        _rung.wait()
        _rung.clear()
        with _lock:
            calls = list(_waiting.values())
            _waiting.clear()
        for call in calls:
            try:
                call()
            except Exception as error:  # no broker: the sweep will find the row
                log.info("a nudge was lost: %s", type(error).__name__)
        sleep(REST)

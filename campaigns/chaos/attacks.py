"""What the machine room suffers: processes killed and frozen, the database restarted, locked, its backends killed.

Each attack answers whether there was something to strike.
"""

from __future__ import annotations

import contextlib
import math
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic, time
from typing import TYPE_CHECKING, Any

import psycopg

from campaigns.chaos import brokers

if TYPE_CHECKING:
    from campaigns.chaos.plan import Action
    from campaigns.chaos.play import Run


@dataclass
class Outage:
    """The database was away, wall time; `until` is infinite while it is."""

    since: float
    until: float = math.inf


def kill(run: Run, action: Action) -> bool:
    child = run.workers.get(action.target)
    if child is not None:
        child.signal(signal.SIGKILL)
    return child is not None


def stop(run: Run, action: Action) -> bool:
    child = run.workers.get(action.target)
    if child is None or run.is_frozen(child):
        return False
    child.signal(signal.SIGSTOP)
    run.freeze(child, until=monotonic() + action.seconds)
    return True


def kill_web(run: Run, action: Action) -> bool:
    run.others["web"].signal(signal.SIGKILL)
    return True


def restart_postgres(run: Run, action: Action) -> bool:
    _beside(run, "restart", run.world.restart_postgres, outage=True)
    return True


def kill_backend(run: Run, action: Action) -> bool:
    _beside(run, "backend", partial(_quietly, lambda: run.world.kill_backend(action.target)), outage=True)
    return True


def terminate_backends(run: Run, action: Action) -> bool:
    _beside(run, "terminate", partial(_quietly, run.world.terminate_backends), outage=True)
    return True


def lock_sender(run: Run, action: Action) -> bool:
    _beside(run, "lock", partial(_quietly, lambda: run.world.lock_sender(action.seconds)), outage=False)
    return True


def flush_broker(run: Run, action: Action) -> bool:
    brokers.flush(run.world.broker)
    return True


def stop_broker(run: Run, action: Action) -> bool:
    if (stopping := run.others.get("broker")) is not None and run.lives(stopping):
        return False
    _beside(run, "broker", lambda: brokers.stop_for(run.world.broker, action.seconds), outage=False)
    return True


ATTACKS: dict[str, Callable[[Run, Action], bool]] = {
    one.__name__: one
    for one in (
        kill,
        stop,
        kill_web,
        restart_postgres,
        kill_backend,
        terminate_backends,
        lock_sender,
        flush_broker,
        stop_broker,
    )
}


def _beside(run: Run, name: str, deed: Callable[[], Any], outage: bool) -> None:
    """In a process of its own: the other attacks go on meanwhile. An outage lasts until the database answers again."""
    if outage:
        run.outages.append(Outage(time()))
    run.others[name] = run.fork(name, lambda _: deed())


def _quietly(deed: Callable[[], Any]) -> None:
    with contextlib.suppress(psycopg.OperationalError):
        deed()

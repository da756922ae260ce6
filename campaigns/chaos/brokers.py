"""Runs with real Celery workers over a Valkey that is emptied, stopped and started, while nudges come thrice.

The workers' tasks are the product's; what befalls the broker must cost nothing but time.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Sequence
from random import choice
from time import sleep
from typing import Any
from urllib.parse import urlsplit

from campaigns.chaos import points, timing
from campaigns.chaos.journal import Journal, watch_sending
from whatsapp_campaigns.local.valkey import Valkey

NOWHERE = "redis://127.0.0.1:9/0"  # nobody listens: for runs in which the broker is away from beginning to end
THREADS = 6
BEATS = 2
PULSE = 0.3  # seconds between two nudges of one beat


def use(url: str) -> None:
    """This process, and what it forks, publishes to and reads from the broker at `url`."""
    from whatsapp_campaigns.celery import app

    options = {"socket_timeout": 2, "socket_connect_timeout": 1} if url.startswith("redis") else {}
    app.conf.update(broker_url=url, broker_read_url=url, broker_write_url=url, broker_transport_options=options)


def worker(journal: Journal, traps: Sequence[points.Trap], lost_calls: float, harm: Callable[[float], None]) -> None:
    """One Celery worker, as `celery worker -P threads` starts it; `harm` sees to the calls that get lost."""
    from celery.signals import worker_init

    from whatsapp_campaigns.celery import app, require_settings

    timing.shorten()
    watch_sending(journal)
    harm(lost_calls)
    points.arm(traps, journal)
    worker_init.disconnect(require_settings)  # the sender of these runs is no environment's
    options: dict[str, Any] = {"pool": "threads", "concurrency": THREADS, "loglevel": "ERROR", "beat": False}
    options |= {"without_gossip": True, "without_mingle": True, "without_heartbeat": True, "optimization": "fair"}
    app.Worker(hostname=f"chaos-{id(journal)}@localhost", **options).start()


def beat(journal: Journal) -> None:
    """One of two beats: each nudge once, twice or three times, and none while the broker is away."""
    from campaigns import tasks

    while True:
        for task in (tasks.sweep_task, tasks.ingest_task):
            for _ in range(choice((1, 1, 2, 3))):
                with contextlib.suppress(Exception):
                    task.apply_async(retry=False)
        sleep(PULSE)


def flush(server: Valkey) -> None:
    """FLUSHALL. A server that is away has nothing to lose."""
    parts = urlsplit(server.url())
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", parts.port or 0), timeout=5) as connection,
    ):
        connection.sendall(f"AUTH {parts.password}\r\nFLUSHALL\r\nQUIT\r\n".encode())
        with connection.makefile("rb") as answer:
            answer.read()


def stop_for(server: Valkey, seconds: float) -> None:
    server.stop()
    sleep(seconds)
    server.start()

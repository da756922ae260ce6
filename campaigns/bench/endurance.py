"""`bin/bench inbound --only soak|hostile|answers`: the whole inbound way under production's processes, for a while.

Web server, Celery worker and beat run as `whatsapp_campaigns.local.programs` starts them; memory, and what waits in the
inbox, are looked at every few seconds.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import psutil

from campaigns.bench.inbound import OURS, gunicorn, load
from campaigns.bench.rig import Rig, Simulator, note
from campaigns.bench.table import Report
from whatsapp_campaigns.local.bootstrap import ROOT
from whatsapp_campaigns.local.processes import free_port, spawn_tied
from whatsapp_campaigns.local.programs import beat, worker
from whatsapp_campaigns.local.supervisor import end_group

LOOK = 3.0  # seconds between two looks
BURST = 20_000
UNREAD = "SELECT count(*) FROM gupshup_arrival"


@dataclass
class Watch:
    """What was seen while it ran: (seconds since the start, unread callbacks), and memory by program in MiB."""

    rig: Rig
    programs: dict[str, int]  # by name: process id
    unread: list[tuple[float, int]] = field(default_factory=list)
    memory: dict[str, list[float]] = field(default_factory=dict)
    _end: Event = field(default_factory=Event)

    def run(self) -> None:
        began = time.monotonic()
        with self.rig.connect() as connection:
            while not self._end.wait(LOOK):
                found = connection.execute(UNREAD).fetchone()
                self.unread.append((time.monotonic() - began, found[0] if found else 0))
                for name, pid in self.programs.items():
                    self.memory.setdefault(name, []).append(megabytes(pid))

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        thread = Thread(target=self.run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join()

    def growth(self, name: str) -> float:
        """MiB between the first third of the looks and the last: the most that each third saw."""
        seen = self.memory[name]
        third = max(1, len(seen) // 3)
        return max(seen[-third:]) - max(seen[:third])


def megabytes(pid: int) -> float:
    """Memory of a process and those that it started."""
    found = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                found += one.memory_info().rss
    return found / 1024**2


@contextlib.contextmanager
def production(rig: Rig) -> Iterator[tuple[int, Watch]]:
    """Web, worker and beat; answers the port and what watches them."""
    port = free_port()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(rig.serve(gunicorn("whatsapp_campaigns.wsgi", port, 2, 16), port, "/healthz"))
        programs = {"web": server.pid}
        for child in (worker(), beat()):
            log = rig.folder / f"{child.name}.log"
            process = spawn_tied(child.command, environment=rig.environment(), folder=ROOT, log=log)
            stack.callback(end_group, process, 10)
            programs[child.name] = process.pid
        time.sleep(5)  # until the worker has connected
        yield port, Watch(rig, programs)


def drained(rig: Rig, seconds: float) -> float:
    """Seconds until nothing is unread; as many as were given when that never came."""
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        if not rig.sql(UNREAD)[0][0]:
            break
        time.sleep(0.2)
    return time.monotonic() - began


def soak(rig: Rig, report: Report, quick: bool) -> None:
    """240/s for half an hour, with a burst in the middle."""
    minutes = 1.0 if quick else rig.minutes
    burst = BURST // 10 if quick else BURST
    known = int((240 * 60 * minutes + burst) / 3) + 1
    note(f"{known:,} accepted messages")
    rig.role("fill_accepted", messages=known)
    with production(rig) as (port, watch):
        note(f"240/s for {minutes:g} minutes, {burst:,} more at once in the middle")
        with watch.watching():
            found = load(rig, port, OURS, seconds=60 * minutes, rate=240, burst=burst, known=known)
            rest = drained(rig, 180)
    at = 30 * minutes
    backlog = [(seconds, count) for seconds, count in watch.unread if seconds >= at]
    read = next((seconds - at for seconds, count in backlog[3:] if count < 1200), 999.0)
    done = max(read, (found["slowest"] or 0) / 1000)
    steady = [count for seconds, count in watch.unread if seconds < at]
    report.add("soak: posted", "soak_posted", found["answered"] + found["refused"])
    report.add("soak: p50 before the burst", "soak_p50", found["p50_before_burst"], "ms")
    report.add("soak: p99 before the burst", "soak_p99", found["p99_before_burst"], "ms")
    report.add("soak: slowest answer, in the burst", "soak_slowest", found["slowest"], "ms")
    report.add("soak: most unread before the burst", "soak_unread", max(steady, default=0))
    report.add("soak: most unread after it", "soak_unread_burst", max((count for _, count in backlog), default=0))
    report.add("soak: seconds to the last callback read", "soak_rest", rest, "s")
    for name in watch.memory:
        report.add(f"soak: memory of {name}, at the end", f"soak_{name}_mb", watch.memory[name][-1], "MiB")
        report.add(f"soak: memory of {name} grew by", f"soak_{name}_grew_mb", watch.growth(name), "MiB")
    report.goal("soak: not 2xx", "soak_refused", found["refused"], "<=", 0)
    report.goal("soak: burst answered and read in (s)", "soak_drained", done, "<=", 120)
    states = dict(rig.sql("SELECT status, count(*) FROM campaigns_message GROUP BY 1"))
    report.add("soak: messages read in the end", "soak_read", states.get(50, 0))
    report.goal("soak: messages still without news", "soak_behind", states.get(20, 0), "<=", 0)


def hostile(rig: Rig, report: Report, quick: bool) -> None:
    """Hostile bodies by the thousand, honest reports beside them."""
    count = 5_000 if quick else 100_000
    honest = 20_000
    rig.role("fill_accepted", messages=honest)
    with production(rig) as (port, watch):
        note(f"{count:,} hostile bodies, and honest ones beside them")
        warm = {"port": port, "path": OURS, "count": count // 20, "seed": 9}
        rig.run([sys.executable, "-m", "campaigns.bench.hostile", json.dumps(warm)])
        with watch.watching():
            beside: dict[str, Any] = {}
            thread = Thread(target=_beside, args=(rig, port, honest, count / 1500, beside), daemon=True)
            thread.start()
            asked = {"port": port, "path": OURS, "count": count}
            command = [sys.executable, "-m", "campaigns.bench.hostile", json.dumps(asked)]
            found = json.loads(rig.run(command))
            thread.join()
            rest = drained(rig, 180)
    statuses = found["statuses"]
    failed = rig.sql("SELECT state, count(*) FROM gupshup_callback GROUP BY 1 ORDER BY 1")
    report.add("hostile: posted", "hostile_posted", found["posted"])
    report.add("hostile: posted a second", "hostile_speed", found["per_second"])
    for status, n in sorted(statuses.items()):
        report.add(f"hostile: answered {status}", f"hostile_{status}", n)
    for state, n in failed:
        report.add(f"hostile: inbox, {state}", f"hostile_state_{state}", n)
    report.add("hostile: honest reports beside them, p99", "hostile_honest_p99", beside["p99"], "ms")
    report.goal("hostile: honest reports refused", "hostile_honest_refused", beside["refused"], "<=", 0)
    report.goal("hostile: answers 5xx", "hostile_5xx", _count(statuses, lambda one: one.startswith("5")), "<=", 0)
    report.goal("hostile: set aside with an error", "hostile_failed", dict(failed).get("failed", 0), "<=", 0)
    report.goal("hostile: inbox read in (s)", "hostile_rest", rest, "<=", 120)
    for name in watch.memory:
        report.goal(f"hostile: memory of {name} grew by (MiB)", f"hostile_{name}_mb", watch.growth(name), "<=", 20)


def _count(statuses: dict[str, int], wanted: Callable[[str], bool]) -> int:
    return sum(n for status, n in statuses.items() if wanted(status))


def _beside(rig: Rig, port: int, known: int, seconds: float, found: dict[str, Any]) -> None:
    found.update(load(rig, port, OURS, seconds=max(5.0, seconds), rate=20, known=known))


_LATENCY = """
    SELECT count(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY took),
           percentile_disc(0.99) WITHIN GROUP (ORDER BY took), max(took)
      FROM (SELECT extract(epoch FROM a.wire_at - c.received_at)::float8 AS took
              FROM campaigns_message m
              JOIN campaigns_attempt a ON a.message_id = m.id
              JOIN campaigns_interaction i ON i.campaign_id = m.campaign_id AND i.triggered
              JOIN campaigns_message f ON f.id = i.message_id AND f.destination = m.destination
              JOIN gupshup_callback c ON c.id = i.callback_id
             WHERE m.message_type = 'message_2' AND a.wire_at IS NOT NULL) AS t"""


def answers(rig: Rig, report: Report, quick: bool) -> None:
    """From the webhook to the first byte of Message 2, when the pace is free: answers at 5/s."""
    people = 50 if quick else 300
    simulator = Simulator(rig, "--latency", "300ms")
    try:
        rig.role("fill_answerable", people=people, api_url=simulator.api_url)
        with production(rig) as (port, _):
            note(f"{people} answers, 5 a second")
            asked = {"port": port, "path": OURS, "people": people}
            rig.run([sys.executable, "-m", "campaigns.bench.answering", json.dumps(asked)])
            wanted, until = people, time.monotonic() + 30
            while rig.sql(_LATENCY)[0][0] < wanted and time.monotonic() < until:
                time.sleep(0.5)
    finally:
        simulator.stop()
    count, middle, p99, longest = rig.sql(_LATENCY)[0]
    report.add("answers: Messages 2 that left", "answers_left", count)
    report.add("answers: callback kept to first byte of Message 2, median", "answers_p50", 1000 * (middle or 0), "ms")
    report.add("answers: the same, longest", "answers_max", 1000 * (longest or 0), "ms")
    report.goal("answers: callback to Message 2, p99 (s)", "answers_p99", p99 or 999, "<=", 2)
    report.goal("answers: without Message 2", "answers_missing", people - count, "<=", 0)


PARTS: dict[str, Callable[[Rig, Report, bool], None]] = {"soak": soak, "hostile": hostile, "answers": answers}

"""One run: start, attack, end the faults, wait until all is quiet, and hand the evidence to the oracle."""

from __future__ import annotations

import contextlib
import math
import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from socket import socket
from time import monotonic, sleep, time
from typing import Any

import psycopg
from django.core.handlers.wsgi import WSGIHandler

from campaigns.chaos import brokers, children, roles, timing
from campaigns.chaos.attacks import ATTACKS, Outage
from campaigns.chaos.children import Child
from campaigns.chaos.journal import Journal
from campaigns.chaos.plan import CELERY, EXPECTED, NO_BROKER, SPEED, WORKERS, Action, Plan
from campaigns.chaos.points import Trap
from campaigns.chaos.progress import Calls, Progress
from campaigns.chaos.world import PATIENCE, Provider, World, listen, webhook_at

WAKING = 1.0  # seconds in which one who was frozen may take up his work
STILL_SECONDS = 60.0  # with the faults off something must move within this time, until all is quiet
LONGEST = 900.0  # and be quiet within this time, however slow the machine
RESTART_PAUSE = 0.05  # seconds before a dead process is started again
LOOK_PAUSE = 0.2  # seconds between two looks at how fast the provider answers
PEOPLES = ("opt_out", "pause", "resume", "launch", "cancel")  # actions of people, not of the machine room


class NotQuietError(Exception):
    """The faults are over, and still something moves or waits."""


@dataclass
class Frozen:
    """Who is stopped, and until when."""

    child: Child
    since: float
    until: float


@dataclass
class Run:
    """The processes of one run and what befell them. `fired` counts what really happened, by name."""

    world: World
    plan: Plan
    folder: Path
    handler: WSGIHandler
    listener: socket = field(default_factory=listen)
    progress: Progress = field(default_factory=lambda: Progress(EXPECTED))
    fired: Counter[str] = field(default_factory=Counter)
    outages: list[Outage] = field(default_factory=list)
    deaths: dict[int, float] = field(default_factory=dict)  # pid -> when
    freezes: list[tuple[int, float, float]] = field(default_factory=list)  # pid, from, to
    lag: float = 0.0  # seconds that the provider once took to answer: so exact is its clock
    workers: dict[int, Child] = field(default_factory=dict)
    others: dict[str, Child] = field(default_factory=dict)
    started: Counter[str] = field(default_factory=Counter)
    _frozen: list[Frozen] = field(default_factory=list)
    _last_thaw: float = 0.0
    _due: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _looked: float = 0.0
    _ending: bool = False

    def play(self) -> Provider:
        """Everything up to quiet; answers the provider, still alive. Raises NotQuietError."""
        self._use_broker()
        flags = ("--seed", str(self.plan.seed), "--speed", str(SPEED), "--faults", self.plan.fault_spec)
        provider = Provider(self.folder, webhook_at(self.listener), *flags)
        try:
            provider.switch(behaviour=self.plan.behaviour, hang_seconds=1.6, drip_seconds=0.2)
            self._stage(provider)
            self._attack(provider)
            self._end_faults(provider)
            self._wait_until_quiet(provider)
        except BaseException:
            provider.stop()
            raise
        finally:
            self._end_everybody()
        return provider

    # -- setting up
    def _use_broker(self) -> None:
        """Before anything is forked: every process of the run publishes there."""
        if self.plan.broker == CELERY:
            brokers.use(self.world.broker.start())
            brokers.flush(self.world.broker)
        else:
            brokers.use("memory://" if self.plan.broker == NO_BROKER else brokers.NOWHERE)

    def _stage(self, provider: Provider) -> None:
        chosen = [next(one for one in provider.templates() if one["params_due"] == due) for due in (1, 0)]
        child = self.fork("prepare", lambda _: roles.prepare(provider.api_url, chosen, self.plan.rate))
        if children.wait(child, PATIENCE) != 0:
            raise RuntimeError(f"the rows could not be prepared: {self.folder / 'prepare.log'}")

    def _attack(self, provider: Provider) -> None:
        mine = [action for action in self.plan.actions if action.what not in PEOPLES]
        theirs = [action for action in self.plan.actions if action.what in PEOPLES]
        for slot in range(WORKERS):
            self._start_worker(slot)
        self._start_web()
        for name, role in (("sampler", roles.sampler), ("operator", roles.operator)):
            self.others[name] = self.fork(name, role)
        for n in range(brokers.BEATS if self.plan.broker == CELERY else 0):
            self.others[f"beat-{n}"] = self.fork(f"beat-{n}", brokers.beat)
        for n in range(roles.LAUNCHERS):
            traps = self.plan.launcher_traps if n == 0 else ()
            self.others[f"rivals-{n}"] = self.fork(f"rivals-{n}", partial(roles.rivals, traps=traps))
        self.others["marketer"] = self.fork("marketer", partial(roles.marketer, actions=theirs, progress=self.progress))
        calls = Calls(provider.ledger_file)

        def over() -> bool:
            self.progress.note(calls.count(), monotonic())
            while mine and mine[0].at <= self.progress.share:
                self._strike(mine.pop(0))
            self._measure_lag(provider)
            return self.progress.share >= 1

        self._watch(over)

    def _measure_lag(self, provider: Provider) -> None:
        if monotonic() - self._looked > LOOK_PAUSE:
            self._looked = monotonic()
            provider.get("/queue")
            self.lag = max(self.lag, monotonic() - self._looked)

    def fork(self, name: str, body: Callable[[Journal], None]) -> Child:
        """`body` gets a journal of its own, opened in the new process."""
        journal = self.folder / f"{name}.journal"
        return children.fork(name, self.folder / f"{name}.log", lambda: body(Journal(journal)))

    def _start_worker(self, slot: int) -> None:
        name, traps = self._next("worker", self.plan.traps)
        lost = 0.0 if self._ending else self.plan.lost_calls
        body = partial(roles.worker, traps=traps, lost_calls=lost)
        if self.plan.broker == CELERY:
            body = partial(brokers.worker, traps=traps, lost_calls=lost, harm=roles.lose_calls)
        self.workers[slot] = self.fork(name, body)

    def _start_web(self) -> None:
        name, traps = self._next("web", self.plan.web_traps)
        body = partial(roles.web, listener=self.listener, handler=self.handler, traps=traps)
        self.others["web"] = self.fork(name, body)

    def _next(self, kind: str, sets: tuple[tuple[Trap, ...], ...]) -> tuple[str, tuple[Trap, ...]]:
        """The name and the traps of the next process of a kind; no traps when the faults are over."""
        number = self.started[kind]
        self.started[kind] += 1
        if not self._ending:
            self.fired[f"{kind}s trapped"] = self.started[kind]
        return f"{kind}-{number}", sets[number] if number < len(sets) and not self._ending else ()

    # -- the parent's loop
    def _watch(self, over: Callable[[], bool]) -> None:
        """Do what is due, bury the dead, wake the frozen, until `over`."""
        while not over():
            now = monotonic()
            for moment, deed in [one for one in self._due if one[0] <= now]:
                self._due.remove((moment, deed))
                deed()
            self._bury()
            self._thaw(now)
            self._look_for_the_database()
            sleep(0.01)

    def _bury(self) -> None:
        """Take note of who died, or stopped in a trap, and start again what must run."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if not pid:
                return
            if os.WIFSTOPPED(status):
                self._stopped_in_trap(pid)
            else:
                self._died(pid, os.waitstatus_to_exitcode(status))

    def _stopped_in_trap(self, pid: int) -> None:
        child = next((one for one in self.workers.values() if one.pid == pid), None)
        if child is not None and not self.is_frozen(child):
            length = timing.DEADLINE + 0.4 if self.fired["trap stops"] % 2 else timing.LEASE * 1.2
            self.fired["trap stops"] += 1
            self.freeze(child, until=monotonic() + length)

    def _died(self, pid: int, code: int) -> None:
        self.deaths[pid] = time()
        if code == -signal.SIGKILL:
            self.fired["deaths by SIGKILL"] += 1
        self._frozen = [frozen for frozen in self._frozen if frozen.child.pid != pid]
        for slot, child in list(self.workers.items()):
            if child.pid == pid:
                del self.workers[slot]
                self._due.append((monotonic() + RESTART_PAUSE, partial(self._start_worker, slot)))
        if (web := self.others.get("web")) is not None and web.pid == pid:
            self._due.append((monotonic() + RESTART_PAUSE, self._start_web))

    @staticmethod
    def lives(child: Child) -> bool:
        """Our own child: it is there until it is buried."""
        try:
            os.kill(child.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def is_frozen(self, child: Child) -> bool:
        return any(frozen.child.pid == child.pid for frozen in self._frozen)

    def freeze(self, child: Child, until: float) -> None:
        """Take note of who is stopped; woken at `until` (monotonic)."""
        self._frozen.append(Frozen(child, time(), until))

    def _thaw(self, now: float, everybody: bool = False) -> None:
        for frozen in [one for one in self._frozen if everybody or one.until <= now]:
            frozen.child.signal(signal.SIGCONT)
            self.freezes.append((frozen.child.pid, frozen.since, time()))
            self._frozen.remove(frozen)
            self._last_thaw = now

    def _strike(self, action: Action) -> None:
        if ATTACKS[action.what](self, action):
            self.fired[action.what] += 1

    def _look_for_the_database(self) -> None:
        """An outage ends when the one that struck is gone and the database answers."""
        striking = any(
            name in self.others and self.lives(self.others[name]) for name in ("restart", "backend", "terminate")
        )
        if striking or not any(outage.until == math.inf for outage in self.outages):
            return
        with contextlib.suppress(psycopg.OperationalError):
            self.world.ask("SELECT 1 AS one")
            for outage in self.outages:
                outage.until = min(outage.until, time() + 0.5)

    # -- the end
    def _end_faults(self, provider: Provider) -> None:
        """Everything awake, no more traps in new processes, the provider well again; what it booked comes at once."""
        self._ending = True
        self._thaw(monotonic(), everybody=True)
        provider.switch(faults="", speed=SPEED * 10)
        self.others["settler"] = self.fork("settler", roles.settler)

    def _wait_until_quiet(self, provider: Provider) -> None:
        """Raises NotQuietError when nothing moves any more, and yet not all is done."""
        began = moved = monotonic()
        last: dict[str, Any] | None = None
        while True:
            now = self._restless(provider)
            if now is not None and now == last and not now["moving"]:
                if not now["held"]:
                    return
                self._let_a_day_pass()
            if now is not None and now != last:
                moved = monotonic()
            if monotonic() - moved > STILL_SECONDS or monotonic() - began > LONGEST:
                for child in (*self.workers.values(), *self.others.values()):
                    child.signal(signal.SIGUSR1)  # to its log: where it is
                raise NotQuietError(str(now))
            last = now
            pause = monotonic() + 0.1
            self._watch(lambda pause=pause: monotonic() > pause)  # type: ignore[misc]

    def _restless(self, provider: Provider) -> dict[str, Any] | None:
        """What moves, what waits for another message's unknown outcome only; None while nobody answers."""
        with contextlib.suppress(psycopg.OperationalError):
            (found,) = self.world.ask(_RESTLESS)
            queue = provider.get("/queue")
            done = {name: found.pop(name) for name in ("callbacks", "attempts")}
            moving = {name: n for name, n in found.items() if n and name != "held"}
            if queue["pending_callbacks"]:
                moving["provider"] = queue["pending_callbacks"]
            # A trap may stop somebody after the faults are over: what he holds looks settled until he wakes.
            if self._frozen or monotonic() < self._last_thaw + WAKING:
                moving["asleep"] = len(self._frozen) or 1
            held = found["held"] if moving.get("pending", 0) == found["held"] else 0
            if held:
                moving = {name: n for name, n in moving.items() if name not in ("pending", "campaigns")}
            return {"moving": moving, "held": held, "done": done}
        return None

    def _let_a_day_pass(self) -> None:
        """For the calls whose outcome nobody knows: after a day their destinations are free for other messages."""
        self.fired["a day passes"] += 1
        with contextlib.suppress(psycopg.OperationalError):
            self.world.run(
                """UPDATE campaigns_attempt SET started_at = started_at - %(day)s
                    WHERE state = 'uncertain' AND released_at IS NULL""",
                day=timing.DAY,
            )

    def _end_everybody(self) -> None:
        for frozen in self._frozen:
            frozen.child.signal(signal.SIGCONT)
        for child in (*self.workers.values(), *self.others.values()):
            children.end(child)
        self.listener.close()


_RESTLESS = """
    SELECT (SELECT count(*) FROM campaigns_campaign WHERE status NOT IN ('finished', 'cancelled')) AS campaigns,
           (SELECT count(*) FROM campaigns_message WHERE status = 0) AS pending,
           (SELECT count(*) FROM campaigns_message WHERE status = 10) AS sending,
           (SELECT count(*) FROM campaigns_attempt WHERE state = 'intent') AS intents,
           (SELECT count(*) FROM gupshup_arrival)
               + (SELECT count(*) FROM gupshup_callback WHERE due_at IS NOT NULL) AS unread,
           (SELECT count(*) FROM gupshup_callback) AS callbacks,
           (SELECT count(*) FROM campaigns_attempt) AS attempts,
           (SELECT count(*) FROM campaigns_message m WHERE m.status = 0 AND EXISTS (
                SELECT 1 FROM campaigns_attempt a WHERE a.destination = m.destination AND a.sender_id = m.sender_id
                   AND a.state = 'uncertain' AND a.released_at IS NULL)) AS held"""

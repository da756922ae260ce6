"""One run: start, attack, end the faults, wait until all is quiet, and hand the evidence to the oracle."""

from __future__ import annotations

import contextlib
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

from campaigns.chaos import children, roles, timing
from campaigns.chaos.children import Child
from campaigns.chaos.journal import Journal
from campaigns.chaos.plan import SPEED, WORKERS, Action, Plan
from campaigns.chaos.points import Trap
from campaigns.chaos.world import Provider, World, listen, webhook_at

STILL_SECONDS = 25.0  # with the faults off something must move within this time, until all is quiet
LONGEST = 600.0  # and be quiet within this time, however slow the machine
RESTART_PAUSE = 0.05  # seconds before a dead process is started again
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
    fired: Counter[str] = field(default_factory=Counter)
    outages: list[tuple[float, float]] = field(default_factory=list)  # of the database, wall time
    deaths: dict[int, float] = field(default_factory=dict)  # pid -> when
    freezes: list[tuple[int, float, float]] = field(default_factory=list)  # pid, from, to
    workers: dict[int, Child] = field(default_factory=dict)
    others: dict[str, Child] = field(default_factory=dict)
    _frozen: list[Frozen] = field(default_factory=list)
    _due: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _generation: int = 0
    _web_generation: int = 0
    _ending: bool = False

    def play(self) -> Provider:
        """Everything up to quiet; answers the provider, still alive. Raises NotQuietError."""
        flags = ("--seed", str(self.plan.seed), "--speed", str(SPEED), "--faults", self.plan.fault_spec)
        provider = Provider(self.folder, webhook_at(self.listener), *flags)
        try:
            provider.switch(behaviour=self.plan.behaviour, hang_seconds=3, drip_seconds=0.2)
            self._stage(provider)
            self._attack()
            self._end_faults(provider)
            self._wait_until_quiet(provider)
        except BaseException:
            provider.stop()
            raise
        finally:
            self._end_everybody()
        return provider

    # -- setting up
    def _stage(self, provider: Provider) -> None:
        chosen = [next(one for one in provider.templates() if one["params_due"] == due) for due in (1, 0)]
        child = self._fork("prepare", lambda _: roles.prepare(provider.api_url, chosen, self.plan.rate))
        if children.wait(child, 30) != 0:
            raise RuntimeError(f"the rows could not be prepared: {self.folder / 'prepare.log'}")

    def _attack(self) -> None:
        began = monotonic()
        mine = [action for action in self.plan.actions if action.what not in PEOPLES]
        theirs = [action for action in self.plan.actions if action.what in PEOPLES]
        for slot in range(WORKERS):
            self._start_worker(slot)
        self._start_web()
        self.others["sampler"] = self._fork("sampler", roles.sampler)
        for n in range(roles.LAUNCHERS):
            traps = self.plan.launcher_traps if n == 0 else ()
            self.others[f"rivals-{n}"] = self._fork(f"rivals-{n}", partial(roles.rivals, traps=traps))
        self.others["marketer"] = self._fork("marketer", partial(roles.marketer, actions=theirs, began=began))
        self._due += [(began + action.at, partial(self._strike, action)) for action in mine]
        self._watch(lambda: monotonic() > began + self.plan.seconds and not self._due)

    def _fork(self, name: str, body: Callable[[Journal], None]) -> Child:
        """`body` gets a journal of its own, opened in the new process."""
        journal = self.folder / f"{name}.journal"
        return children.fork(name, self.folder / f"{name}.log", lambda: body(Journal(journal)))

    def _start_worker(self, slot: int) -> None:
        traps: tuple[Trap, ...] = ()
        if not self._ending and self._generation < len(self.plan.traps):
            traps = self.plan.traps[self._generation]
        name = f"worker-{self._generation}"
        self._generation += 1
        lost = 0.0 if self._ending else self.plan.lost_calls
        self.workers[slot] = self._fork(name, partial(roles.worker, traps=traps, lost_calls=lost))

    def _start_web(self) -> None:
        traps: tuple[Trap, ...] = ()
        if not self._ending and self._web_generation < len(self.plan.web_traps):
            traps = self.plan.web_traps[self._web_generation]
        name = f"web-{self._web_generation}"
        self._web_generation += 1
        body = partial(roles.web, listener=self.listener, handler=self.handler, traps=traps)
        self.others["web"] = self._fork(name, body)

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
            sleep(0.005)

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
                self._died(pid)

    def _stopped_in_trap(self, pid: int) -> None:
        child = next((one for one in self.workers.values() if one.pid == pid), None)
        if child is not None and all(frozen.child.pid != pid for frozen in self._frozen):
            length = timing.DEADLINE + 0.6 if self.fired["trap stops"] % 2 else timing.LEASE * 1.2
            self.fired["trap stops"] += 1
            self._frozen.append(Frozen(child, time(), monotonic() + length))

    def _died(self, pid: int) -> None:
        self.deaths[pid] = time()
        self._frozen = [frozen for frozen in self._frozen if frozen.child.pid != pid]
        for slot, child in list(self.workers.items()):
            if child.pid == pid:
                del self.workers[slot]
                self._due.append((monotonic() + RESTART_PAUSE, partial(self._start_worker, slot)))
        if (web := self.others.get("web")) is not None and web.pid == pid:
            self._due.append((monotonic() + RESTART_PAUSE, self._start_web))

    def _thaw(self, now: float, everybody: bool = False) -> None:
        for frozen in [one for one in self._frozen if everybody or one.until <= now]:
            frozen.child.signal(signal.SIGCONT)
            self.freezes.append((frozen.child.pid, frozen.since, time()))
            self._frozen.remove(frozen)

    # -- attacks
    def _strike(self, action: Action) -> None:
        attack = getattr(self, f"_strike_{action.what}")
        if attack(action) is not False:
            self.fired[action.what] += 1

    def _strike_kill(self, action: Action) -> bool:
        child = self.workers.get(action.target)
        if child is not None:
            child.signal(signal.SIGKILL)
        return child is not None

    def _strike_stop(self, action: Action) -> bool:
        child = self.workers.get(action.target)
        if child is None or any(frozen.child is child for frozen in self._frozen):
            return False
        child.signal(signal.SIGSTOP)
        self._frozen.append(Frozen(child, time(), monotonic() + action.seconds))
        return True

    def _strike_kill_web(self, action: Action) -> bool:
        self.others["web"].signal(signal.SIGKILL)
        return True

    def _strike_restart_postgres(self, action: Action) -> bool:
        self._beside("restart", self.world.restart_postgres, outage=3.0)
        return True

    def _strike_kill_backend(self, action: Action) -> bool:
        which = int(action.at * 1e6)
        self._beside("backend", partial(self._quietly, lambda: self.world.kill_backend(which)), outage=3.0)
        return True

    def _strike_terminate_backends(self, action: Action) -> bool:
        self._beside("terminate", partial(self._quietly, self.world.terminate_backends), outage=1.5)
        return True

    def _strike_lock_sender(self, action: Action) -> bool:
        self._beside("lock", partial(self._quietly, lambda: self.world.lock_sender(action.seconds)), outage=0.0)
        return True

    def _beside(self, name: str, deed: Callable[[], Any], outage: float) -> None:
        """In a process of its own: the other attacks go on meanwhile."""
        if outage:
            self.outages.append((time(), time() + outage))
        self.others[name] = self._fork(name, lambda _: deed())

    @staticmethod
    def _quietly(deed: Callable[[], Any]) -> None:
        with contextlib.suppress(psycopg.OperationalError):
            deed()

    # -- the end
    def _end_faults(self, provider: Provider) -> None:
        """Everything awake, no more traps in new processes, the provider well again; what it booked comes sooner."""
        self._ending = True
        self._thaw(monotonic(), everybody=True)
        provider.switch(faults="", speed=SPEED * 4)
        self.others["settler"] = self._fork("settler", roles.settler)

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
            pause = monotonic() + 0.08
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
           (SELECT count(*) FROM gupshup_callback WHERE due_at IS NOT NULL) AS unread,
           (SELECT count(*) FROM gupshup_callback) AS callbacks,
           (SELECT count(*) FROM campaigns_attempt) AS attempts,
           (SELECT count(*) FROM campaigns_message m WHERE m.status = 0 AND EXISTS (
                SELECT 1 FROM campaigns_attempt a WHERE a.destination = m.destination AND a.sender_id = m.sender_id
                   AND a.state = 'uncertain' AND a.released_at IS NULL)) AS held"""

"""Starts the processes, watches them, restarts what ends, and stops all in order."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

import psutil

from whatsapp_campaigns.local.bootstrap import Problem, say
from whatsapp_campaigns.local.processes import make_folder, spawn_tied, wait_until

REGISTER = "children"  # in the folder: which processes a killed supervisor may have left
BIG_LOG = 10 * 1024**2
LONGEST_PAUSE = 30.0
STABLE_AFTER = 60.0  # seconds of life after which an end counts as the first again


class Server(Protocol):
    def is_alive(self) -> bool: ...
    def start(self) -> str: ...


class Stopped(BaseException):
    """SIGTERM or SIGHUP, as an exception wherever we are; a sibling of KeyboardInterrupt."""


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(number)


def stop_on_signals() -> None:
    """From now on SIGTERM raises Stopped, SIGHUP too (not under nohup), and SIGINT raises KeyboardInterrupt.

    A shell starts what it puts in the background with SIGINT ignored; we obey it there too.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _stop)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Tidying up is not interrupted by the second Ctrl-C."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@dataclass
class Child:
    """A process to keep alive. `patience`: seconds to finish its work when asked to leave."""

    name: str
    command: list[str]
    patience: float = 10.0
    sockets: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    ends: int = 0
    due: float = 0.0


@dataclass
class Supervisor:
    """Children run in `root` with exactly this environment. Call `watch_once` often."""

    folder: Path
    logs: Path
    root: Path
    environment: dict[str, str]
    servers: tuple[Server, ...] = ()
    children: list[Child] = field(default_factory=list)
    servers_seen: float = 0.0

    def log_of(self, child: Child) -> Path:
        return self.logs / f"{child.name}.log"

    def start(self, child: Child) -> None:
        make_folder(self.logs)
        log = self.log_of(child)
        if log.exists() and log.stat().st_size > BIG_LOG:
            log.replace(log.with_suffix(".log.1"))
        child.process = spawn_tied(
            child.command, environment=self.environment, folder=self.root, log=log, sockets=child.sockets
        )
        child.started = time.monotonic()
        if child not in self.children:
            self.children.append(child)
        self._register()

    def watch_once(self) -> None:
        """Restart what has ended and is due."""
        now = time.monotonic()
        for child in self.children:
            if child.process is None:
                if now >= child.due:
                    self.start(child)
            elif (code := child.process.poll()) is not None:
                self._ended(child, code, now)
        if now - self.servers_seen > 2:
            self.servers_seen = now
            for server in self.servers:
                if not server.is_alive():
                    name = type(server).__name__
                    say(f"{name} s'est arrêté, on le redémarre.", f"{name} has ended, starting it again.")
                    if server.start() not in self.environment.values():
                        raise Problem(
                            f"{name} a dû changer de port : relancez bin/demo.",
                            f"{name} had to move to another port: start bin/demo again.",
                        )

    def _ended(self, child: Child, code: int, now: float) -> None:
        child.ends = 1 if now - child.started > STABLE_AFTER else child.ends + 1
        pause = min(2.0 ** (child.ends - 1), LONGEST_PAUSE)
        child.process, child.due = None, now + pause
        log = self.log_of(child)
        say(
            f"{child.name} s'est arrêté ({code}), redémarrage dans {pause:.0f} s (journal : {log})",
            f"{child.name} has ended ({code}), restarting in {pause:.0f} s (log: {log})",
        )

    def wait_until(self, holds: Callable[[], bool], seconds: float = float("inf")) -> bool:
        """Watch until it holds (True) or the seconds are over (False); KeyboardInterrupt and Stopped pass through."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                return False
            self.watch_once()
            time.sleep(0.1)
        return True

    def stop(self) -> None:
        """In the order in which they were started, the last first; each may finish what it does."""
        for child in reversed(self.children):
            if child.process is not None:
                end_group(child.process, child.patience)
                child.process = None
        self.children.clear()
        self._register()

    def _register(self) -> None:
        lines = []
        for child in self.children:
            if child.process is not None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    born = psutil.Process(child.process.pid).create_time()
                    lines.append({"name": child.name, "pid": child.process.pid, "born": born})
        file = self.folder / REGISTER
        half = file.with_suffix(".new")
        half.write_text(json.dumps(lines))
        half.replace(file)


def end_group(process: subprocess.Popen[bytes], patience: float) -> None:
    """SIGTERM, patience, SIGKILL for it and what it started (each child leads a group of its own)."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(patience)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end_leftovers(folder: Path) -> None:
    """End the children of a supervisor that was killed in this folder, if they still live. Recycled pids are spared."""
    try:
        lines = json.loads((folder / REGISTER).read_text())
        left = [found for line in lines if (found := _same_process(**line))]
    except (OSError, ValueError, TypeError):  # none, or one that was cut short
        return
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in left:
        wait_until(lambda process=process: not _lives(process), 10)  # type: ignore[misc]
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    (folder / REGISTER).unlink()


def _same_process(pid: int, born: float, name: str) -> psutil.Process | None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if abs(process.create_time() - born) < 0.05 and _lives(process):
            return process
    return None


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

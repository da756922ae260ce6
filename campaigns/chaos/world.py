"""What a run stands on: a throw-away PostgreSQL that survives crashes, the simulator, the web's listening socket."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.request import Request, urlopen

import psycopg
from psycopg.rows import dict_row

from whatsapp_campaigns.local.bootstrap import ROOT
from whatsapp_campaigns.local.postgres import Postgres
from whatsapp_campaigns.local.processes import read_pid
from whatsapp_campaigns.local.valkey import Valkey

SECRET = "a-secret-for-chaos"  # noqa: S105 - of a webhook that only the simulator knows
PATIENCE = 120  # seconds for a server that lives to answer, however slow the machine
APP, KEY, SOURCE = "DemoCampagnes", "sk_simulator", "33700000000"


class World:
    """The servers that all runs of one command share. `folder` is removed by whoever made it.

    PostgreSQL runs without fsync: processes crash here, not the machine, and what a process wrote the system keeps.
    """

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.postgres = Postgres(folder / "postgres", home=home, throwaway=True)
        self.url = self.postgres.start()
        self.broker = Valkey(folder / "valkey")  # started by the first run that wants it

    def connect(self) -> psycopg.Connection[dict[str, Any]]:
        """A plain connection. Raises psycopg.OperationalError while the server is away."""
        return psycopg.connect(self.url, autocommit=True, connect_timeout=PATIENCE, row_factory=dict_row)

    def ask(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        with self.connect() as connection:
            return connection.execute(statement, values).fetchall()

    def run(self, statement: str, **values: Any) -> int:
        with self.connect() as connection:
            return connection.execute(statement, values).rowcount

    # -- attacks on the database
    def restart_postgres(self) -> None:
        """`pg_ctl -m immediate`: no checkpoint, every connection drops, the log is replayed. Raises RuntimeError."""
        pid = read_pid(self.postgres.data / "postmaster.pid")
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
        until = monotonic() + PATIENCE
        while self.postgres.is_alive() or _lives(pid):
            if monotonic() > until:
                raise RuntimeError("PostgreSQL does not stop")
            sleep(0.01)
        if self.postgres.start() != self.url:
            raise RuntimeError("PostgreSQL came back elsewhere")

    def backends(self) -> list[int]:
        rows = self.ask(
            "SELECT pid FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid() ORDER BY pid"
        )
        return [row["pid"] for row in rows]

    def kill_backend(self, which: int) -> bool:
        """SIGKILL one backend, as the kernel does when memory ends: PostgreSQL recovers without restarting."""
        found = self.backends()
        if found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(found[which % len(found)], signal.SIGKILL)
        return bool(found)

    def terminate_backends(self) -> int:
        return len(
            self.ask(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE usename = current_user AND pid <> pg_backend_pid()"""
            )
        )

    def lock_sender(self, seconds: float) -> None:
        """Hold the row that grants the slots."""
        with self.connect() as connection, connection.transaction():
            connection.execute("SELECT 1 FROM gupshup_sender FOR UPDATE")
            sleep(seconds)


def listen() -> socket.socket:
    """The web's socket of one run: the parent holds it, so that it outlives every web process."""
    return socket.create_server(("127.0.0.1", 0), backlog=256)


def webhook_at(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}/api/webhooks/gupshup/{SECRET}"


def _lives(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


class Provider:
    """The simulator of one run: its own process, its own ledger."""

    def __init__(self, folder: Path, webhook: str, *flags: str) -> None:
        self.ledger_file = folder / "ledger.jsonl"
        port_file = folder / "simulator.port"
        command = [sys.executable, "-m", "gupshup.simulator", "--port", "0", "--port-file", str(port_file)]
        command += ["--app", APP, "--api-key", KEY, "--source", SOURCE, "--ledger-file", str(self.ledger_file)]
        retries = [
            "--callback-timeout",
            "2",
            "--callback-retries",
            "9",
            "--callback-pause",
            "0.1",
            "--callback-concurrency",
            "12",
        ]
        command += ["--webhook", webhook, *retries]
        with (folder / "simulator.log").open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *flags], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=log, stderr=log
            )
        self._port_file = port_file
        self._port = ""

    @property
    def url(self) -> str:
        """Waits until it listens. Raises RuntimeError."""
        until = monotonic() + PATIENCE
        while not self._port:
            if self.process.poll() is not None or monotonic() > until:
                raise RuntimeError("the simulator did not start")
            with contextlib.suppress(OSError):
                self._port = self._port_file.read_text().strip()
            sleep(0.005)
        return f"http://127.0.0.1:{self._port}"

    @property
    def api_url(self) -> str:
        return f"{self.url}/wa/api/v1"

    def get(self, path: str) -> Any:
        with urlopen(f"{self.url}{path}", timeout=PATIENCE) as answer:
            return json.load(answer)

    def switch(self, **switches: Any) -> None:
        data = json.dumps(switches).encode()
        with urlopen(
            Request(f"{self.url}/control", data, {"Content-Type": "application/json"}), timeout=PATIENCE
        ) as answer:
            answer.read()

    def templates(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/control")["apps"][0]["templates"]
        return [one for one in found if one["status"] == "APPROVED" and one["templateType"] == "TEXT"]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

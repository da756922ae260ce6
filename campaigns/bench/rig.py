"""What a measurement stands on: a throw-away PostgreSQL that keeps every commit, a broker, the simulator, and roles:
programs of their own, so that one measurement's memory and locks never weigh on another's.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psycopg

from whatsapp_campaigns.local import environment
from whatsapp_campaigns.local.bootstrap import ROOT, Problem
from whatsapp_campaigns.local.processes import free_port, spawn_tied, tail, wait_until
from whatsapp_campaigns.local.programs import answers, manage
from whatsapp_campaigns.local.stack import Servers, new_settings
from whatsapp_campaigns.local.supervisor import end_group

APP, KEY, SOURCE = "DemoCampagnes", "sk_simulator", "33700000000"
SECRET = "a-secret-for-the-benchmark"  # noqa: S105 - of a webhook that only this run knows
# What a server of its own would be given; durability stays as it comes (fsync and synchronous_commit on).
TUNING = """
shared_buffers = '1GB'
max_wal_size = '16GB'
checkpoint_timeout = '30min'
"""


def note(text: str) -> None:
    """Where we are, for the person who waits. On standard error: standard output belongs to results."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Rig:
    """The servers of one run; `folder` is removed by whoever made it."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.minutes = 30.0  # of the soak
        self.servers = Servers(folder, home=home)
        self.settings = {
            **new_settings(),
            "LOG_LEVEL": "WARNING",
            "GUPSHUP_APP_NAME": APP,
            "GUPSHUP_API_KEY": KEY,
            "GUPSHUP_PHONE_NUMBER": SOURCE,
            "GUPSHUP_WEBHOOK_SECRET": SECRET,
        }

    def start(self) -> None:
        """Both servers, and the product's tables."""
        note("PostgreSQL, with fsync and synchronous_commit on")
        postgres = self.servers.postgres
        postgres.start()
        postgres.stop()
        with open(postgres.data / "postgresql.conf", "a") as configuration:
            configuration.write(TUNING)
        self.settings |= self.servers.start()
        self.url = self.settings["DATABASE_URL"]
        self.run(manage("migrate", "--verbosity", "0"))

    # -- the database
    def connect(self, url: str = "") -> psycopg.Connection[Any]:
        return psycopg.connect(url or self.url, autocommit=True)

    def sql(self, statement: str, url: str = "") -> list[Any]:
        """Run one statement; answers its rows, if it has any."""
        with self.connect(url) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def database_seconds(self) -> float:
        """How long statements have run in this database so far, those of sessions that have ended."""
        found = self.sql("SELECT active_time FROM pg_stat_database WHERE datname = current_database()")
        return float(found[0][0]) / 1000

    def copy_database(self, name: str) -> str:
        """A copy of the database as it is now, which nobody may be using; answers its URL."""
        self.sql(f"CREATE DATABASE {name} TEMPLATE app", self.url.rpartition("/")[0] + "/postgres")
        return f"{self.url.rpartition('/')[0]}/{name}"

    # -- programs
    def environment(self, **more: str) -> dict[str, str]:
        return {**environment.for_programs(self.settings), "PYTHONPATH": str(ROOT), **more}

    def run(self, command: list[str], **more: str) -> str:
        """Run a program of ours to its end; answers what it printed. Raises Problem when it fails."""
        log = self.folder / "programs.log"
        with log.open("ab") as errors:
            done = subprocess.run(
                command, env=self.environment(**more), cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, check=False
            )
        if done.returncode:
            what = " ".join(command[1:4])
            raise Problem(f"« {what} » a échoué.\n{tail(log)}", f'"{what}" failed.')
        return done.stdout.decode()

    def role(self, name: str, url: str = "", settings: str = "campaigns.bench.settings", **options: Any) -> Any:
        """Run one of `campaigns.bench.roles` in a process of its own; answers what it measured."""
        command = [sys.executable, "-m", "campaigns.bench.roles", name, json.dumps(options)]
        said = self.run(command, DATABASE_URL=url or self.url, DJANGO_SETTINGS_MODULE=settings)
        return json.loads(said.splitlines()[-1])

    @contextlib.contextmanager
    def serve(self, command: list[str], port: int, path: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        """A server that answers at `path`, until the block ends. Raises Problem when it never does."""
        log = self.folder / f"server-{port}.log"
        process = spawn_tied(command, environment=self.environment(**more), folder=ROOT, log=log)
        try:
            if not wait_until(lambda: process.poll() is not None or answers(port, path), 60) or process.poll():
                raise Problem(f"« {command[2]} » ne répond pas.\n{tail(log)}", f'"{command[2]}" does not answer.')
            yield process
        finally:
            end_group(process, patience=10)


class Simulator:
    """The bundled provider, in a process of its own."""

    def __init__(self, rig: Rig, *flags: str) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "gupshup.simulator", "--port", str(self.port), "--quiet-callbacks"]
        command += ["--app", APP, "--api-key", KEY, "--source", SOURCE, *flags]
        log = rig.folder / f"simulator-{self.port}.log"
        self.process = spawn_tied(command, environment=rig.environment(), folder=ROOT, log=log)
        if not wait_until(lambda: answers(self.port, "/queue"), 30):
            raise Problem(f"Le simulateur ne démarre pas.\n{tail(log)}", "The simulator does not start.")

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/wa/api/v1"

    def switch(self, **switches: Any) -> None:
        data = json.dumps(switches).encode()
        address = f"http://127.0.0.1:{self.port}/control"
        with urlopen(Request(address, data, {"Content-Type": "application/json"}), timeout=20) as answer:
            answer.read()

    def get(self, path: str) -> Any:
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return json.load(answer)

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.process.pid)

    def stop(self) -> None:
        end_group(self.process, patience=5)


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and its living children have used."""
    import psutil

    found = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                found += times.user + times.system
    return found


def machine() -> str:
    """One line: what this was measured on."""
    import platform

    import psutil

    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    memory = psutil.virtual_memory().total / 1024**3
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"Python {platform.python_version()}, load {load}"
    )

"""bin/demo for real, in a copy of the clone: what a newcomer types, with everything hostile around it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from whatsapp_campaigns.local import environment
from whatsapp_campaigns.local.bootstrap import ROOT
from whatsapp_campaigns.local.demo import main
from whatsapp_campaigns.local.postgres import outside
from whatsapp_campaigns.local.processes import read_pid, wait_until, works_in
from whatsapp_campaigns.local.stack import HOLDER
from whatsapp_campaigns.local.supervisor import REGISTER

slow = pytest.mark.slow


@pytest.fixture
def clone() -> Iterator[Path]:
    """The working tree without its data; the installed packages are shared with it."""
    around = Path(tempfile.mkdtemp(prefix="demo-"))
    around.chmod(0o711)
    clone = around / "clone"
    shutil.copytree(ROOT, clone, ignore=shutil.ignore_patterns(".venv", ".data", ".git", ".*_cache", "__pycache__"))
    (clone / ".venv").symlink_to(ROOT / ".venv")
    yield clone
    subprocess.run([clone / "bin" / "demo", "--reset"], capture_output=True, check=True, timeout=120)
    assert not (clone / ".data").exists()
    assert not outside(clone / ".data").exists()
    shutil.rmtree(around)


@contextlib.contextmanager
def trap() -> Iterator[tuple[int, list[tuple[str, int]]]]:
    """A port of this machine, and who has ever connected to it."""
    seen: list[tuple[str, int]] = []

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, peer = listener.accept()
                seen.append(peer)
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1], seen
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def hostile(port: int) -> dict[str, str]:
    at = f"127.0.0.1:{port}"
    return {
        "DATABASE_URL": f"postgresql://app:app@{at}/real",
        "CELERY_BROKER_URL": f"redis://{at}/0",
        "SECRET_KEY": "real",
        "GUPSHUP_API_KEY": "real",
        "GUPSHUP_APP_NAME": "Real",
        "GUPSHUP_PHONE_NUMBER": "33612345678",
        "GUPSHUP_API_URL": f"http://{at}/wa/api/v1",
        "GUPSHUP_WEBHOOK_SECRET": "real",
        "SIMULATOR_URL": f"http://{at}",
        "HTTP_PROXY": f"http://{at}",
        "http_proxy": f"http://{at}",
        "ALL_PROXY": f"http://{at}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(port),
        "PGSERVICE": "real",
        "DJANGO_SETTINGS_MODULE": "real.settings",
        "WHATSAPP_CAMPAIGNS_LOCAL": "0",
    }


@slow
def test_hostile_values_lead_nowhere(clone):
    with trap() as (port, seen):
        real = hostile(port)
        (clone / ".env").write_text("".join(f"{name}={value}\n" for name, value in real.items()))
        done = subprocess.run(
            [clone / "bin" / "demo", "--once", "--json", "--rate", "20/s", "--seed", "7"],
            env={**os.environ, **real},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["ok"] is True
    assert seen == []
    assert not list((clone / ".data").glob("once-*"))


@slow
def test_the_demo_outlives_its_killed_supervisor(clone):
    with running_demo(clone) as first:
        known = environment.load(clone)
        children = registered(clone)
        first.kill()
        first.wait()
        assert wait_until(lambda: not any(map(psutil.pid_exists, children)), 20)
        postmaster = read_pid(clone / ".data" / "postgres" / "data" / "postmaster.pid")
        with psycopg.connect(known["DATABASE_URL"]) as connection:
            campaigns = connection.execute("SELECT count(*) FROM campaigns_campaign").fetchone()
    with running_demo(clone) as second:
        assert read_pid(clone / ".data" / "postgres" / "data" / "postmaster.pid") == postmaster
        assert environment.load(clone)["DEMO_PASSWORD"] == known["DEMO_PASSWORD"]
        with psycopg.connect(environment.load(clone)["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT count(*) FROM campaigns_campaign").fetchone() == campaigns
        again = subprocess.run([clone / "bin" / "demo"], capture_output=True, text=True, timeout=30, check=False)
        assert again.returncode == 0
        assert environment.load(clone)["PUBLIC_URL"] in again.stderr
        second.send_signal(signal.SIGINT)
        assert second.wait(60) == 0
    assert not works_in(postmaster, clone / ".data" / "postgres" / "data")


def registered(clone: Path) -> list[int]:
    return [line["pid"] for line in json.loads((clone / ".data" / REGISTER).read_text())]


@contextlib.contextmanager
def running_demo(clone: Path) -> Iterator[subprocess.Popen[bytes]]:
    """bin/demo, once it has printed its address."""
    said = clone / "said.txt"
    with open(said, "wb") as output:
        process = subprocess.Popen([clone / "bin" / "demo"], stderr=output)
    try:
        ready = wait_until(lambda: "Ctrl-C" in said.read_text() or process.poll() is not None, 170)
        assert ready, said.read_text()
        assert process.poll() is None, said.read_text()
        assert re.search(r"http://127\.0\.0\.1:\d+/", said.read_text())
        assert read_pid(clone / ".data" / HOLDER) == process.pid
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def test_a_taken_port_is_explained(capsys, monkeypatch, home):
    monkeypatch.setattr("whatsapp_campaigns.local.demo.ROOT", home.parent)
    monkeypatch.setattr("whatsapp_campaigns.local.demo.stop_on_signals", lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["--port", str(taken.getsockname()[1])]) == 1
    assert "--port N" in capsys.readouterr().err


def test_a_missing_contacts_file_is_explained(capsys, monkeypatch, home):
    monkeypatch.setattr("whatsapp_campaigns.local.demo.ROOT", home.parent)
    monkeypatch.setattr("whatsapp_campaigns.local.demo.stop_on_signals", lambda: None)
    assert main(["--once", "--contacts", "nowhere.csv"]) == 1
    assert "nowhere.csv" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--once", "--reset"], ["--port", "x"]])
def test_nonsense_is_refused_before_anything_starts(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2

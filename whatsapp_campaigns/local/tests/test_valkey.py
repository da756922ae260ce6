from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
import redis

from whatsapp_campaigns.local import valkey as launcher
from whatsapp_campaigns.local.bootstrap import Problem
from whatsapp_campaigns.local.processes import read_pid
from whatsapp_campaigns.local.valkey import Valkey, find_server


@pytest.fixture
def valkey(home) -> Iterator[Valkey]:
    server = Valkey(home / "valkey")
    server.start()
    yield server
    server.remove()


def test_a_running_server_is_adopted(valkey):
    pid = read_pid(valkey.base / "valkey.pid")
    assert Valkey(valkey.base).start() == valkey.url()
    assert read_pid(valkey.base / "valkey.pid") == pid


def test_it_asks_for_the_password(valkey):
    assert redis.Redis.from_url(valkey.url()).ping()
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(valkey.url().replace("://:", "://:x")).ping()
    assert valkey.configuration.stat().st_mode & 0o077 == 0


def test_a_killed_server_comes_back_at_the_same_address(valkey):
    address = valkey.url()
    os.kill(read_pid(valkey.base / "valkey.pid"), signal.SIGKILL)
    assert valkey.start() == address
    assert valkey.is_alive()


def test_a_recycled_pid_is_neither_believed_nor_killed(valkey, innocent):
    valkey.stop()
    (valkey.base / "valkey.pid").write_text(str(innocent.pid))
    assert not valkey.is_alive()
    valkey.stop()
    assert valkey.start()
    assert innocent.poll() is None


def test_an_installed_redis_will_do(monkeypatch, tmp_path):
    redis_server = tmp_path / "redis-server"
    redis_server.write_text("#!/bin/sh\n")
    redis_server.chmod(0o755)
    monkeypatch.setattr(launcher.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(launcher, "INSTALLED", ())
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert find_server().endswith("-server")


def test_no_server_at_all_is_explained(monkeypatch, tmp_path):
    monkeypatch.setattr(launcher.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(launcher, "INSTALLED", (tmp_path,))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Problem, match="apt-get install"):
        find_server()

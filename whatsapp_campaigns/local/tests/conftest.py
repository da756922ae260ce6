"""Folders that the unprivileged account of the embedded PostgreSQL can reach when the tests run as root."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from whatsapp_campaigns.local.postgres import Postgres, outside
from whatsapp_campaigns.local.processes import make_folder


def _home() -> Iterator[Path]:
    around = Path(tempfile.mkdtemp(prefix="local-"))
    around.chmod(0o711)
    home = around / ".data"
    make_folder(home)
    yield home
    shutil.rmtree(around)
    shutil.rmtree(outside(home), ignore_errors=True)


home = pytest.fixture(_home)
shared_home = pytest.fixture(_home, scope="module")


@pytest.fixture(scope="module")
def running(shared_home: Path) -> Iterator[Postgres]:
    """A cluster that the tests of a module share; each leaves it running."""
    postgres = Postgres(shared_home / "postgres", home=shared_home, throwaway=True)
    postgres.start()
    yield postgres
    postgres.remove()


@pytest.fixture
def innocent() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with us."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()
    assert process.stdin
    process.stdin.close()

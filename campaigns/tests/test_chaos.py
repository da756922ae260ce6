"""Whole campaigns while everything dies: a part of them at each run of the tests (docs/chaos.md).

Nothing here waits by the clock: what befalls a run is tied to its progress, and it ends when all is quiet.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from whatsapp_campaigns.local import environment
from whatsapp_campaigns.local.bootstrap import ROOT
from whatsapp_campaigns.local.processes import spawn_tied, tail

SECONDS = "40"  # after which no further run begins
WITHOUT_GIT = 20_261_123
SIXTY = 33_001  # the same plans each time: a failure speaks of the change. bin/chaos plays others


def seed() -> int:
    """Another one for each commit, the same for everybody who has it."""
    try:
        asked = subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return WITHOUT_GIT
    return int(asked.stdout[:7], 16)


def play(folder: Path, *arguments: str) -> str:
    """`bin/chaos` with these arguments, behind the other tests; answers what it said. A failure tells how to replay."""
    log = folder / "chaos.log"
    command = ["nice", "-n", "5", sys.executable, "-m", "campaigns.chaos", *arguments]
    code = spawn_tied(command, environment=environment.for_programs({}), folder=ROOT, log=log).wait()
    assert code == 0, tail(log, 6000)
    return log.read_text()


def test_nobody_is_missed_and_nobody_gets_two_while_processes_die(tmp_path):
    """Validates: 5.6, 6.1, 6.2, 6.5, 7.4"""
    said = play(tmp_path, "--seconds", SECONDS, "--seed", str(seed()))
    assert "ok   0" in said


@pytest.mark.slow
def test_sixty_runs_are_clean_and_everything_enabled_was_seen(tmp_path):
    """Validates: 5.6, 6.1, 6.2, 6.5, 7.4"""
    said = play(tmp_path, "--runs", "60", "--seed", str(SIXTY))
    assert "60 runs, 0 failed" in said

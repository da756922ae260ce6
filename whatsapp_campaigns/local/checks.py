"""What bin/test runs: every check, then the tests, on a throw-away PostgreSQL and Valkey of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

from whatsapp_campaigns.local import environment
from whatsapp_campaigns.local.bootstrap import ROOT, Problem, say
from whatsapp_campaigns.local.processes import spawn_tied
from whatsapp_campaigns.local.programs import manage
from whatsapp_campaigns.local.stack import Servers, new_settings, open_home, throwaway_folder
from whatsapp_campaigns.local.supervisor import Stopped, end_group, stop_on_signals

INTERRUPTED = 130
# `check --deploy` judges what a production would set.
PRODUCTION = {
    "HTTPS": "1",
    "ALLOWED_HOSTS": "campaigns.example.com",
    "PUBLIC_URL": "https://campaigns.example.com",
    "CSRF_TRUSTED_ORIGINS": "https://campaigns.example.com",
}


@dataclass(frozen=True)
class Step:
    name: str
    command: list[str]
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Tally:
    passed: int
    failed: int
    skipped: int

    def __str__(self) -> str:
        words = [f"{self.passed} passed", f"{self.failed} failed"]
        return ", ".join([*words, f"{self.skipped} skipped"] if self.skipped else words)


def python(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *arguments]


CHECKS = (
    Step("ruff check", python("ruff", "check", ".")),
    Step("ruff format", python("ruff", "format", "--check", ".")),
    Step("mypy", python("mypy", ".")),
    Step("migrations", manage("makemigrations", "--check", "--dry-run")),
    Step("check --deploy", manage("check", "--deploy", "--fail-level", "WARNING"), {**new_settings(), **PRODUCTION}),
)
# What only `bin/test --full` runs after the checks and before the tests: the long parts, each with its command.
LONG: tuple[Step, ...] = ()


def main(arguments: list[str]) -> int:
    """The exit code: 0 only when every check and every test passes."""
    full = "--full" in arguments
    asked = [each for each in arguments if each != "--full"]
    stop_on_signals()
    try:
        home = open_home(ROOT)
        with throwaway_folder(home, "test") as folder:
            settings = {"SECRET_KEY": new_settings()["SECRET_KEY"]}
            settings.update(Servers(folder, home=home, throwaway=True).start())
            if full:
                settings["HYPOTHESIS_PROFILE"] = "full"
            return _run(folder, settings, asked, full=full)
    except Problem as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Stopped):
        return INTERRUPTED


def _run(folder: Path, settings: dict[str, str], asked: list[str], *, full: bool) -> int:
    broken = [step.name for step in (*CHECKS, *(LONG if full else ())) if not _passes(step, folder, settings)]
    results = folder / "results.xml"
    selection = ["-m", "slow or not slow"] if full else []
    options = ["-n", "2", f"--basetemp={folder / 'tmp'}", f"--junit-xml={results}"]
    command = python("pytest", *options, *selection, *_from_here(asked))
    code = _wait(spawn_tied(command, environment=environment.for_programs(settings), folder=ROOT))
    tests = read_results(results)
    if code and not tests.failed:
        broken.append(f"pytest ({code})")
    for name in broken:
        say(f"ÉCHEC : {name}", f"FAILED: {name}")
    print(Tally(tests.passed, tests.failed + len(broken), tests.skipped), flush=True)
    return 1 if code or broken else 0


def _passes(step: Step, folder: Path, settings: dict[str, str]) -> bool:
    """Run it; show what it said only when it fails."""
    started = time.monotonic()
    log = folder / f"{step.name.replace(' ', '-')}.log"
    given = environment.for_programs({**step.settings, **settings})
    code = _wait(spawn_tied(step.command, environment=given, folder=ROOT, log=log))
    print(f"{step.name}: {'ok' if code == 0 else 'FAILED'} ({time.monotonic() - started:.1f} s)", flush=True)
    if code:
        print(log.read_text(errors="replace"), flush=True)
    return code == 0


def _wait(process: subprocess.Popen[bytes]) -> int:
    """The exit code. Interrupted ourselves, we take it and what it started with us."""
    try:
        return process.wait()
    except (KeyboardInterrupt, Stopped):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, signal.SIGINT)  # as a terminal would: pytest then says how far it came
            process.wait(10)
        end_group(process, patience=2)
        raise


def _from_here(asked: list[str]) -> list[str]:
    """Paths are given from the caller's folder; pytest runs in the clone's."""
    here = Path.cwd()
    if here == ROOT or not here.is_relative_to(ROOT):
        return asked
    return [os.path.relpath(here / each, ROOT) if (here / each.partition("::")[0]).exists() else each for each in asked]


def read_results(file: Path) -> Tally:
    """What pytest's JUnit file counts; nothing when pytest did not get so far. An error counts as failed."""
    try:
        suites = list(ElementTree.parse(file).getroot().iter("testsuite"))  # noqa: S314 - our own pytest wrote it
    except (OSError, ElementTree.ParseError):
        return Tally(0, 0, 0)
    total, failures, errors, skipped = (
        sum(int(suite.get(name, "0")) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    return Tally(total - failures - errors - skipped, failures + errors, skipped)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`bin/chaos`: runs of chaos, each from its seed; exit code 0 only when every run is clean."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from pathlib import Path
from secrets import token_urlsafe
from time import monotonic
from typing import TYPE_CHECKING

from campaigns.chaos import timing
from campaigns.chaos.results import Result, load, never_fired, summary, table
from campaigns.chaos.world import World
from whatsapp_campaigns.local import environment
from whatsapp_campaigns.local.bootstrap import ROOT, Problem
from whatsapp_campaigns.local.stack import open_home, throwaway_folder
from whatsapp_campaigns.local.supervisor import Stopped, stop_on_signals

if TYPE_CHECKING:
    from campaigns.chaos.plan import Plan

ENOUGH_TO_JUDGE = 60  # runs after which everything that can happen must have happened


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    stop_on_signals()
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # a group of its own: what ends one run ends nothing else
    try:
        home = open_home(ROOT)
        with throwaway_folder(home, "test") as folder:
            return _run_all(options, World(folder, home), home / "chaos")
    except Problem as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Stopped):
        return 130


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=None, metavar="N", help="how many runs (default 20)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="seed of the first run; the next has S + 1")
    parser.add_argument("--seconds", type=float, default=None, metavar="T", help="begin no run after so many seconds")
    parser.add_argument("--resume", type=Path, default=None, metavar="FILE", help="go on with the runs of this file")
    parser.add_argument("--points", default="", metavar="NAMES", help="directed runs: 'all', or names with commas")
    parser.add_argument(
        "--broker", action="store_true", help="Celery workers, and a broker that is emptied and stopped"
    )
    parser.add_argument("--keep", action="store_true", help="keep the folders of clean runs too")
    parser.add_argument("--stop-at-failure", action="store_true", help="end with the first run that is not clean")
    return parser.parse_args(arguments)


def _set_up(world: World) -> None:
    """Settings first, then Django and everything that the children need, then the tables."""
    os.environ.clear()
    given = {"DATABASE_URL": world.url, "SECRET_KEY": token_urlsafe(48), **timing.environment()}
    os.environ.update(environment.for_programs(given))
    import django

    django.setup()
    from campaigns.chaos import children, roles

    timing.shorten_pool()
    child = children.fork("migrate", world.folder / "migrate.log", roles.migrate)
    if children.wait(child, 300) != 0:
        raise Problem("migrate a échoué", (world.folder / "migrate.log").read_text())


def _run_all(options: argparse.Namespace, world: World, kept: Path) -> int:
    _set_up(world)
    from campaigns.chaos import one

    done = load(options.resume)
    began, handler = monotonic(), one.preload()
    gc.freeze()
    wanted = options.runs if options.runs is not None else (10**9 if options.seconds else 20)
    for index in range(len(done), wanted):
        if options.seconds is not None and monotonic() - began > options.seconds:
            break
        result = one.run(world, _plan(options, index), handler, kept, keep=options.keep)
        done.append(result)
        _tell(result, index, options)
        if options.resume:
            with options.resume.open("a") as file:
                file.write(result.line() + "\n")
        if options.stop_at_failure and not result.ok:
            break
    return _conclude(done)


def _plan(options: argparse.Namespace, index: int) -> Plan:
    from campaigns.chaos import plan, points

    seed = options.seed + index
    if options.broker:
        return plan.with_broker(seed)
    if not options.points:
        return plan.draw(seed)
    cells = plan.cells(list(points.POINTS) if options.points == "all" else options.points.split(","))
    return plan.directed(seed, *cells[index % len(cells)])


def _tell(result: Result, index: int, options: argparse.Namespace) -> None:
    word = "ok  " if result.ok else "FAIL"
    facts = " ".join(f"{name}={n}" for name, n in result.facts.items())
    print(f"{word} {index} seed={result.seed} {result.seconds:.1f} s {facts}", flush=True)
    print(f"     {' '.join(f'{name}={n}' for name, n in result.fired.items())}", flush=True)
    for name, wrong in result.wrong.items():
        for line in wrong[:5]:
            print(f"     {name}: {line}")
    if not result.ok:
        print(f"     again: bin/chaos --runs 1 --seed {result.seed}{result.replay}", flush=True)


def _conclude(done: list[Result]) -> int:
    found = summary(done)
    print(table(done))
    print(f"{found['runs']} runs, {found['failed']} failed, {found['seconds_per_run']} s a run")
    if found["bound"]:
        print(f"no failure: at 95 % less than {found['bound']:.2%} of runs would fail (3/N)")
    # Of the traps many a spot is passed seldom: `--points all` sees to each of them.
    silent = [name for name in never_fired(done) if not name.startswith("trap:")]
    if silent and len(done) >= ENOUGH_TO_JUDGE:
        print(f"enabled and never seen: {', '.join(silent)}")
        return 1
    return 1 if found["failed"] or not done else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

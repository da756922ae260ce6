"""`.data/env`: the settings of the embedded default, as KEY=VALUE lines that only the owner can read."""

from __future__ import annotations

import os
from pathlib import Path

from whatsapp_campaigns.local.bootstrap import Problem, clean_environment, owner_of


def file_of(base_dir: Path) -> Path:
    return base_dir / ".data" / "env"


def load(base_dir: Path) -> dict[str, str]:
    """What `.data/env` of this clone says; empty when there is none. Raises Problem when it is another user's."""
    return read(file_of(base_dir))


def read(file: Path) -> dict[str, str]:
    """The pairs of such a file; lines without `=` and comments are passed over."""
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        return {}
    except PermissionError as error:
        owner = owner_of(file)
        raise Problem(
            f"{file} appartient à « {owner} », qui a démarré ce clone le premier : lancez la commande en tant que "
            f"« {owner} », ou clonez le projet dans un dossier à vous.",
            f'{file} belongs to "{owner}", who ran this clone first: run the command as "{owner}", or clone the '
            "project into a folder of yours.",
        ) from error
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def write(file: Path, values: dict[str, str]) -> None:
    """Replace the file in one step. Values are ours: no quotes, `$` or line ends, which readers interpret."""
    half = file.with_name(f"{file.name}.{os.getpid()}")
    with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write("# Made by bin/demo; bin/demo --reset removes it.\n")
        handle.writelines(f"{name}={value}\n" for name, value in values.items())
    half.replace(file)


def for_programs(values: dict[str, str]) -> dict[str, str]:
    """The whole environment of a program of ours: these values, and of the caller's only what leads nowhere.

    `.env` is not read; DATABASE_URL, CELERY_BROKER_URL, GUPSHUP_*, SECRET_KEY, proxies, PG*, PYTHON* are not passed on.
    """
    return {
        **clean_environment(),
        **values,
        "WHATSAPP_CAMPAIGNS_LOCAL": "1",
        "DJANGO_SETTINGS_MODULE": "whatsapp_campaigns.settings",
        "PYTHONUNBUFFERED": "1",
    }

"""Real copies and restores of the test database, and living in them for a while."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql

from whatsapp_campaigns.local.bootstrap import Problem
from whatsapp_campaigns.local.postgres import INSTALLED, find_binaries


@contextmanager
def living_in(name: str) -> Iterator[None]:
    """The default connection leads to this database; then back to where it led."""
    before = connection.settings_dict["NAME"]
    _move_to(name)
    try:
        yield
    finally:
        _move_to(before)


def _move_to(name: str) -> None:
    connection.close()
    connection.close_pool()
    connection.settings_dict["NAME"] = name


def _maintain(*statements: sql.Composed) -> None:
    """In the server's own database: nobody may be connected to one that is copied."""
    with psycopg.connect(**_server(), dbname="postgres", autocommit=True) as other:
        for statement in statements:
            other.execute(statement)


def _server() -> dict[str, Any]:
    given = connection.settings_dict
    return {"host": given["HOST"], "port": given["PORT"], "user": given["USER"], "password": given["PASSWORD"]}


@contextmanager
def another(template: str | None = None) -> Iterator[str]:
    """A new database, empty or a copy of this one; dropped at the end."""
    name = f"{connection.settings_dict['NAME']}_other"[-60:]
    _move_to(connection.settings_dict["NAME"])
    source = sql.Identifier(template or "template1")
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    _maintain(drop, sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), source))
    try:
        yield name
    finally:
        _maintain(drop)


def programs() -> Path | None:
    """The folder of pg_dump and pg_restore of the server's own version; None where there are none."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        major = int(cursor.fetchone()[0]) // 10_000
    folders = [INSTALLED / str(major) / "bin"]
    if found := shutil.which("pg_dump"):
        folders.append(Path(found).parent)
    with suppress(Problem):
        folders.append(find_binaries())
    return next((folder for folder in folders if _major(folder / "pg_dump") == major), None)


def is_superuser() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        return bool(cursor.fetchone()[0])


def _major(program: Path) -> int:
    if not program.exists() or not program.with_name("pg_restore").exists():
        return 0
    said = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r" (\d+)", said)
    return int(found[1]) if found else 0


def run(program: Path, *arguments: str) -> None:
    """pg_dump or pg_restore, on our server."""
    given = _server()
    place = {"PGHOST": given["host"], "PGPORT": given["port"], "PGUSER": given["user"], "PGPASSWORD": given["password"]}
    environment = {**os.environ, **{name: str(value) for name, value in place.items()}}
    done = subprocess.run([str(program), *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

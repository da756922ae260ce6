"""The embedded default: a private PostgreSQL and Valkey in `.data/`, and what bin/demo and bin/test run on them."""

from __future__ import annotations

from pathlib import Path


def ensure_running(base_dir: Path) -> None:
    """For manage.py: with no DATABASE_URL and a `.data/`, start or adopt the embedded servers.

    Does nothing where a database is configured or bin/demo has never run. Ends the process with a message
    when the servers cannot be had.
    """
    from whatsapp_campaigns.local.stack import ensure_running as ensure

    ensure(base_dir)

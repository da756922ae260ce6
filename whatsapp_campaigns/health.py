"""Is this process up (`/healthz`), and can it work (`/readyz`)? Both answer JSON without secrets or personal data.

An app adds its own question with `register(name, check)`, in `AppConfig.ready`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

import psycopg
from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse

from metrics.views import metrics

# Answers "" when all is well, else the trouble in a few words that a stranger may read. It takes milliseconds.
Check: TypeAlias = Callable[[], str]

CONNECT_SECONDS = 2
STATEMENT_MS = 2000

logger = logging.getLogger(__name__)
_checks: dict[str, Check] = {}


def register(name: str, check: Check) -> None:
    """Ask `check` at each `/readyz`. A name that is taken gets the new check."""
    _checks[name] = check


def _own_connection() -> BaseDatabaseWrapper:
    """One connection beside the pool: a pool that is full or starting would keep the probe waiting for 20 s."""
    own = connection.copy()
    options = {key: value for key, value in own.settings_dict["OPTIONS"].items() if key != "pool"}
    timeouts = {"connect_timeout": CONNECT_SECONDS, "options": f"-c statement_timeout={STATEMENT_MS}"}
    own.settings_dict["OPTIONS"] = {**options, **timeouts}
    return own


def _unapplied(own: BaseDatabaseWrapper) -> str:
    loader = MigrationLoader(own)
    missing = set(loader.graph.nodes) - set(loader.applied_migrations)
    return f"{len(missing)} to apply" if missing else ""


def _database() -> dict[str, str]:
    own = _own_connection()
    try:
        return {"database": "", "migrations": _unapplied(own)}
    except (DatabaseError, psycopg.Error) as error:
        logger.warning("not ready: %s", type(error).__name__)
        return {"database": "no answer"}
    finally:
        own.close()


def _asked(name: str, check: Check) -> str:
    try:
        return check()
    except Exception as error:  # whatever it is, the probe has an answer
        logger.exception("the readiness check %s failed", name)
        return type(error).__name__


def readiness() -> dict[str, str]:
    """The trouble by name; "" where there is none. Without a database nothing else is asked."""
    found = _database()
    if any(found.values()):
        return found
    return found | {name: _asked(name, check) for name, check in _checks.items()}


def alive(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> HttpResponse:
    troubles = readiness()
    well = not any(troubles.values())
    answer = {
        "status": "ok" if well else "not ready",
        "checks": {name: trouble or "ok" for name, trouble in troubles.items()},
    }
    return JsonResponse(answer, status=200 if well else 503)


PROBES = {"/healthz": alive, "/readyz": ready, "/metrics": metrics}


class ProbeMiddleware:
    """Answers the probes before the host name and HTTPS are looked at: they come from inside, by address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = PROBES.get(request.path_info)
        if probe is None or request.method not in ("GET", "HEAD"):
            return self.get_response(request)
        response = probe(request)
        response.headers["Cache-Control"] = "no-store"
        return response

"""`GET /metrics`: figures for Prometheus, for those who have METRICS_TOKEN or a super-admin's API key."""

from __future__ import annotations

import hmac
import logging

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse

from accounts.programs import ApiKey
from metrics.models import SelfCheck
from metrics.registry import Gauge, collectors, text

log = logging.getLogger("metrics")

KIND = "text/plain; version=0.0.4; charset=utf-8"
STATEMENT_MS = 3000


def metrics(request: HttpRequest) -> HttpResponse:
    """200 with what can be told; a collector that fails is named by `collector_up` and hides no other."""
    if not _may(request):
        return HttpResponse("METRICS_TOKEN or an API key is needed\n", "text/plain", 401, headers=_CHALLENGE)
    up: list[tuple[dict[str, str], float]] = []
    found: list[Gauge] = []
    for name, collect in {"self_check": _self_check, **collectors()}.items():
        try:
            with transaction.atomic():
                _bounded()
                found += collect()
            up.append(({"collector": name}, 1))
        except Exception:
            log.exception("the figures of %s could not be read", name)
            up.append(({"collector": name}, 0))
    told = Gauge("collector_up", "Whether this part of the figures could be read.", up)
    return HttpResponse(text([told, *found]), KIND)


_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="metrics"'}


def _may(request: HttpRequest) -> bool:
    word, _space, given = request.headers.get("Authorization", "").partition(" ")
    if word.lower() == "bearer" and settings.METRICS_TOKEN:
        return hmac.compare_digest(given.strip().encode(), settings.METRICS_TOKEN.encode())
    if word.lower() != "api-key":
        return False
    try:
        key = ApiKey.objects.of_key(given.strip())
    except DatabaseError:
        return False
    if key is None or not key.user.is_super_admin:
        return False
    key.note_use()
    return True


def _bounded() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {STATEMENT_MS}")


def _self_check() -> list[Gauge]:
    checks = SelfCheck.objects.order_by("name")
    offences = [({"invariant": check.name}, check.offences) for check in checks]
    at = [({"invariant": check.name}, check.at.timestamp()) for check in checks]
    return [
        Gauge("invariant_offences", "Rows that break a promise, when the beat last looked. Always 0.", offences),
        Gauge("self_check_timestamp_seconds", "When the beat last looked at this promise.", at),
    ]

"""Writing down what is to be told, in the transaction of what it tells: both stand, or neither."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from rest_framework.utils.encoders import JSONEncoder

from hooks.models import Delivery, Endpoint, Kind

STEP = 1_000  # rows in one statement


@dataclass(frozen=True)
class Happening:
    """Something to be told. `key` names it among those of its kind: the same key is told once."""

    key: str
    at: datetime
    data: dict[str, Any]


def tell(kind: Kind, happened: Callable[[], Iterable[Happening]]) -> int:
    """Write a delivery for everybody who listens; answers how many. Nobody listens: one small query, nothing else."""
    listening = list(Endpoint.objects.listening(kind).values_list("pk", flat=True))
    if not listening:
        return 0
    rows = [
        Delivery(endpoint_id=pk, event_id=_id(kind, each.key), kind=kind, body=_body(kind, each))
        for each in happened()
        for pk in listening
    ]
    Delivery.objects.bulk_create(rows, batch_size=STEP, ignore_conflicts=True)
    return len(rows)


def trial(endpoint: Endpoint) -> Delivery:
    """An event that says nothing, for this endpoint alone."""
    said = Happening(secrets.token_hex(16), timezone.now(), {"endpoint_id": endpoint.pk, "name": endpoint.name})
    return Delivery.objects.create(
        endpoint=endpoint, event_id=_id(Kind.TRIAL, said.key), kind=Kind.TRIAL, body=_body(Kind.TRIAL, said)
    )


def _id(kind: str, key: str) -> str:
    return f"msg_{hashlib.sha256(f'{kind} {key}'.encode()).hexdigest()[:32]}"


def _body(kind: str, happening: Happening) -> str:
    at = happening.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    said = {"type": str(kind), "timestamp": at, "data": happening.data}
    return json.dumps(said, cls=JSONEncoder, ensure_ascii=False, separators=(",", ":"))

"""Signatures by the Standard Webhooks scheme (standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`. Pure.

The library of the same name would bring fewer lines than its pinning does; tests compute the signatures by other means.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
BYTES = 32  # of a new secret; the scheme allows 24 to 64


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(BYTES)).decode()


def signature(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """`v1,<base64>`. Raises ValueError for a secret that is none."""
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def headers(secrets_: Iterable[str], event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """What goes with the body: one signature for each secret, so that a receiver may change over in its own time."""
    signatures = " ".join(signature(secret, event_id, timestamp, body) for secret in secrets_)
    return {"webhook-id": event_id, "webhook-timestamp": str(timestamp), "webhook-signature": signatures}

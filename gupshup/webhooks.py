"""The webhook: check the secret, keep the bytes, answer 200 with an empty body. Nothing else happens in the request.

Gupshup signs nothing (gupshup-api 0.8), so a long secret in the address is the check; a header or a query parameter may
carry it instead. Slow answers delay all later events of the app, and anything but 2xx is sent again or lost.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from gupshup.models import Sender
from gupshup.signals import callback_kept

log = logging.getLogger("gupshup.webhooks")

MAX_BODY = 1024 * 1024  # bytes; the largest documented body, 20 enterprise reports, is under 20 kB
MEMORY = 5.0  # seconds that the senders' secrets are kept, so that a request reads only one table

_KEEP = """
    INSERT INTO gupshup_callback (sender_id, raw, content_type, digest, due_at)
    VALUES (%s, %s, %s, %s, clock_timestamp())
    ON CONFLICT (sender_id, digest) DO UPDATE SET copies = gupshup_callback.copies + 1
    RETURNING copies"""


class GupshupWebhook(APIView):
    """POST: a callback. GET: 200, for people and monitors that look whether the address lives."""

    authentication_classes = ()
    permission_classes = ()
    parser_classes = ()
    schema = None

    def get(self, request: Request, secret: str = "") -> HttpResponse:
        return HttpResponse()

    def post(self, request: Request, secret: str = "") -> HttpResponse:
        return receive(request._request, secret)


def receive(request: HttpRequest, secret: str = "") -> HttpResponse:
    """401 without a valid secret (and no row), 413 for too much, 503 when the row did not commit, else 200."""
    given = secret or request.headers.get("X-Webhook-Secret", "") or request.GET.get("token", "")
    try:
        sender_id = owner(given)
        if sender_id is None or not welcome(request):
            return HttpResponse(status=401)
        body = _body(request)
        if body is None:
            return HttpResponse(status=413)
        keep(sender_id, body, request.content_type or "")
    except DatabaseError:
        log.exception("a callback was not kept; the provider is asked to send it again")
        return HttpResponse(status=503)
    return HttpResponse()


def keep(sender_id: int, body: bytes, content_type: str) -> None:
    """One committed inbox row; the same bytes again only raise its count."""
    digest = hashlib.sha256(body).digest()
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, (sender_id, body, content_type[:100].replace("\0", ""), digest))
    callback_kept.send(sender=None)


def _body(request: HttpRequest) -> bytes | None:
    """The bytes as they came; None when they are too many. Reads at most one byte over the cap."""
    body = request.read(MAX_BODY + 1)
    return None if len(body) > MAX_BODY else body


_known: list[tuple[float, list[tuple[int, bytes]]]] = []


def owner(given: str) -> int | None:
    """The sender that this secret belongs to; compared in constant time. Two may be valid while one is replaced."""
    if not given:
        return None
    found = None
    for sender_id, secret in _secrets():
        if hmac.compare_digest(secret, given.encode("utf-8", "replace")):
            found = sender_id
    return found


def _secrets() -> list[tuple[int, bytes]]:
    if not _known or _known[0][0] < monotonic():
        rows = [(sender.pk, secret.encode()) for sender in Sender.objects.all() for secret in sender.secrets]
        _known[:] = [(monotonic() + MEMORY, rows)]
    return _known[0][1]


@receiver((post_save, post_delete), sender=Sender)
def forget_secrets(**_: Any) -> None:
    """Read the secrets again at the next request (a sender was saved)."""
    _known.clear()


def welcome(request: HttpRequest) -> bool:
    """Whether the source address is on the optional list (GUPSHUP_ALLOWED_ADDRESSES; empty: all are)."""
    allowed = settings.GUPSHUP_ALLOWED_ADDRESSES
    if not allowed:
        return True
    address = request.META.get("REMOTE_ADDR", "")
    if settings.SECURE_PROXY_SSL_HEADER:  # behind one proxy: it appends the address it saw
        address = request.headers.get("X-Forwarded-For", address).rsplit(",", 1)[-1].strip()
    try:
        return any(ipaddress.ip_address(address) in ipaddress.ip_network(net, strict=False) for net in allowed)
    except ValueError:
        return False

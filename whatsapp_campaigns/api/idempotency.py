"""`Idempotency-Key`: a POST that is repeated with the same key does its work once and gets the same answer."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.programs import IdempotencyKey
from whatsapp_campaigns.api.errors import Unprocessable

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEPT = timedelta(days=3)
MAX_LENGTH = 255
PARAMETER = OpenApiParameter(
    HEADER,
    {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="The same key again does nothing again and gets the same answer, for three days.",
)

Handler = TypeVar("Handler", bound=Callable[..., Response])

_TAKE = """
    INSERT INTO accounts_idempotencykey (user_id, key, request, status, body, created_at)
    VALUES (%s, %s, %s, 0, '', %s) ON CONFLICT (user_id, key) DO NOTHING"""


def idempotent(handler: Handler) -> Handler:
    """For a view's `post`: work and answer are one transaction, so that a crash leaves neither.

    A rival with the same key waits for that transaction at the unique index. Errors are not kept: the caller may put
    the request right and send it again under the same key. What is shown only once is not kept: a response that has
    `kept` is repeated with that in place of its data.
    """

    @wraps(handler)
    def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER)
        if key is None:
            return handler(view, request, *args, **kwargs)
        if not re.fullmatch(r"[!-~]{1,255}", key):
            raise ValidationError({HEADER: [_("Give 1 to 255 printable ASCII characters without spaces.")]})
        asked = _fingerprint(request)
        with transaction.atomic():
            kept = _take(request, key, asked)
            if kept is not None:
                return _replay(kept, asked)
            response = handler(view, request, *args, **kwargs)
            body = JSONRenderer().render(getattr(response, "kept", response.data)).decode()
            own = IdempotencyKey.objects.filter(user_id=_caller(request), key=key)
            own.update(status=response.status_code, body=body)
        return response

    return extend_schema(parameters=[PARAMETER])(once)  # type: ignore[return-value]


def _take(request: Request, key: str, asked: bytes) -> IdempotencyKey | None:
    """None when the key is ours to use, else the row of the request that had it first."""
    now = timezone.now()
    IdempotencyKey.objects.filter(user_id=_caller(request), created_at__lt=now - KEPT).delete()
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [_caller(request), key, asked, now])
        if cursor.rowcount:
            return None
    return IdempotencyKey.objects.get(user_id=_caller(request), key=key)


def _caller(request: Request) -> int:
    return int(request.user.pk or 0)


def _replay(kept: IdempotencyKey, asked: bytes) -> Response:
    if bytes(kept.request) != asked:
        raise Unprocessable(
            _("This Idempotency-Key belongs to another request. Use a new one."), "idempotency_key_reused"
        )
    return Response(json.loads(kept.body), status=kept.status, headers={REPLAYED: "true"})


def _fingerprint(request: Request) -> bytes:
    said = json.dumps([request.method, request.path.rstrip("/"), request.data], sort_keys=True)
    return hashlib.sha256(said.encode()).digest()

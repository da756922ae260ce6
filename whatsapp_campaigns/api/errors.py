"""One shape for every error: `detail` (a sentence that says what to do), `code` (stable), `errors` (by field)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import OperationalError
from django.http import Http404
from django.utils.encoding import force_str
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, status
from rest_framework.response import Response

log = logging.getLogger("whatsapp_campaigns.api")

GENERAL = "non_field_errors"


class Told(exceptions.APIException):
    """An error whose answer carries more than a sentence: `extra` stands beside `detail` and `code`."""

    def __init__(self, detail: Any = None, code: str | None = None, **extra: Any) -> None:
        super().__init__(detail, code)
        self.extra = extra


class Missing(Told):
    """What a body names does not exist, or is not the caller's."""

    status_code = status.HTTP_404_NOT_FOUND
    default_detail = _("Something that this names does not exist, or is not yours.")
    default_code = "not_found"

    def __init__(self, field: str, message: Any) -> None:
        super().__init__(message, errors={field: [force_str(message)]})


class Conflict(Told):
    status_code = status.HTTP_409_CONFLICT
    default_detail = _("The present state does not allow this. Read it again and decide.")
    default_code = "conflict"


class Unprocessable(Told):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = _("This was understood but cannot be done.")
    default_code = "unprocessable"


class Unfit(Unprocessable):
    """A field is well formed, and still cannot be: an unassigned number, a weak password, an unreadable file."""

    default_code = "unfit"

    def __init__(self, field: str, *messages: Any, code: str | None = None) -> None:
        texts = [force_str(message) for message in messages]
        super().__init__(" ".join(texts), code, errors={field: texts})


class TooLarge(Told):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The request is too large. Send less at once.")
    default_code = "too_large"


class Unavailable(Told):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = _("The database did not answer. Try again in a moment.")
    default_code = "unavailable"


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler. None leaves an error of the program to Django (500, logged)."""
    from rest_framework.views import set_rollback  # which loads the parsers, which need the errors above

    known = _known(error)
    if known is None:
        return None
    set_rollback()
    body = _body(known)
    headers = {}
    if wait := getattr(known, "wait", None):
        headers["Retry-After"] = str(int(wait) + 1)
    if challenge := getattr(known, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    return Response(body, status=known.status_code, headers=headers)


def _known(error: Exception) -> exceptions.APIException | None:
    match error:
        case exceptions.APIException():
            return error
        case Http404():
            return exceptions.NotFound(_("There is nothing at this address, or it is not yours."))
        case DjangoPermissionDenied():
            return exceptions.PermissionDenied()
        case RequestDataTooBig():
            return TooLarge()
        case SuspiciousOperation():
            return exceptions.ParseError()
        case DjangoValidationError():
            return exceptions.ValidationError(error.messages)
        case OperationalError():
            log.warning("the database did not answer: %s", type(error.__cause__ or error).__name__)
            return Unavailable()
        case _:
            return None


def _body(error: exceptions.APIException) -> dict[str, Any]:
    extra = getattr(error, "extra", {})
    if not isinstance(error, exceptions.ValidationError):
        detail = error.detail
        if isinstance(detail, Mapping):  # the token library's own shape
            return {"detail": force_str(detail.get("detail", error.default_detail)), "code": _code(detail), **extra}
        return {"detail": force_str(detail), "code": getattr(detail, "code", error.default_code), **extra}
    fields: dict[str, list[str]] = {}
    for path, message in _leaves(error.detail):
        fields.setdefault(path, []).append(message)
    general = fields.pop(GENERAL, [])
    parts = [*general]
    if fields:
        parts.append(_("Correct these fields: %(fields)s.") % {"fields": ", ".join(fields)})
    body = {"detail": " ".join(parts) or force_str(error.default_detail), "code": "invalid"}
    return {**body, **({"errors": fields} if fields else {}), **extra}


def _code(detail: Mapping[str, Any]) -> str:
    return force_str(detail.get("code", "error"))


def _leaves(detail: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The messages of a nested error with their places as dotted paths: `params.0.text`."""
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            yield from _leaves(value, _join(path, force_str(key)))
    elif isinstance(detail, list):
        for n, value in enumerate(detail):
            if isinstance(value, Mapping | list):
                yield from _leaves(value, _join(path, str(n)))
            else:
                yield path or GENERAL, force_str(value)
    else:
        yield path or GENERAL, force_str(detail)


def _join(path: str, key: str) -> str:
    return path if key == GENERAL and path else f"{path}.{key}" if path else key

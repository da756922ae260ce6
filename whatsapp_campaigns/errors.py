"""What a person sees when a page cannot be shown, in their language; programs (/api/, /webhooks/) get JSON.

These pages need no database and no user: they must work when nothing else does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Trouble:
    """What happened, and what the person can do."""

    status: int
    title: str | Promise
    advice: str | Promise
    code: str = ""  # for programs


BAD_REQUEST = Trouble(
    400,
    _("This request cannot be understood"),
    _("Check the address, or start again from the home page."),
    code="bad_request",
)
FORBIDDEN = Trouble(
    403,
    _("You may not see this page"),
    _("Ask a super-admin for access if you need it."),
    code="permission_denied",
)
STALE_FORM = Trouble(
    403,
    _("This form has expired"),
    _("Go back, reload the page and send the form again. Cookies must be allowed for this site."),
    code="stale_form",
)
NOT_FOUND = Trouble(
    404,
    _("This page does not exist"),
    _("It may have been moved or removed. Start again from the home page."),
    code="not_found",
)
LOCKED_OUT = Trouble(
    429,
    _("Too many failed logins"),
    _("Wait a quarter of an hour, or ask a super-admin to let you in."),
    code="too_many_logins",
)
SERVER_ERROR = Trouble(
    500,
    _("Something went wrong on our side"),
    _("Try again in a moment. If it goes on, tell the person who runs this site."),
    code="server_error",
)


def _page(request: HttpRequest, trouble: Trouble) -> HttpResponse:
    """The language is asked again: the error may have come before the middleware that sets it."""
    with translation.override(translation.get_language_from_request(request)):
        if request.path.startswith(("/api/", "/webhooks/")):
            return JsonResponse({"detail": str(trouble.title), "code": trouble.code}, status=trouble.status)
        context = {"trouble": trouble, "LANGUAGE_CODE": translation.get_language()}
        return HttpResponse(render_to_string("error.html", context), status=trouble.status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, BAD_REQUEST)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, FORBIDDEN)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _page(request, STALE_FORM)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    return _page(request, SERVER_ERROR)


def locked_out(request: HttpRequest, *_: Any) -> HttpResponse:
    return _page(request, LOCKED_OUT)

"""Where a request comes from, for the login guard."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def address(request: HttpRequest) -> str:
    """The client's address. Behind our proxy it is the last hop of X-Forwarded-For: the proxy wrote that one,
    the ones before it are the client's own words."""
    if settings.BEHIND_PROXY:
        hops = request.headers.get("X-Forwarded-For", "").split(",")
        if hops[-1].strip():
            return hops[-1].strip()
    return request.META.get("REMOTE_ADDR", "")

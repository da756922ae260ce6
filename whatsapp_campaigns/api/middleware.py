"""Addresses under /api/ with and without a final slash, and pages of other origins that may call them."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import is_valid_path

ROOT = "/api/"
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
HEADERS = "Authorization, Content-Type, Accept-Language, Idempotency-Key"
REMEMBERED = "600"  # seconds that a browser keeps the answer to its question


class ApiMiddleware:
    """`/api/x/` is `/api/x`: a redirect would lose the body of a POST.

    Origins in API_ALLOWED_ORIGINS may call from a browser. There are no cookies here: the token is the permission.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(ROOT):
            return self.get_response(request)
        if request.path_info.endswith("/") and not is_valid_path(request.path_info):
            request.path_info = request.path_info.rstrip("/")
        origin = request.headers.get("Origin", "")
        if origin not in settings.API_ALLOWED_ORIGINS:
            return self.get_response(request)
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return _allow(HttpResponse(status=204) if asks else self.get_response(request), origin)


def _allow(response: HttpResponse, origin: str) -> HttpResponse:
    response["Access-Control-Allow-Origin"] = origin
    response["Access-Control-Allow-Methods"] = METHODS
    response["Access-Control-Allow-Headers"] = HEADERS
    response["Access-Control-Expose-Headers"] = "Idempotent-Replayed, Retry-After, Location"
    response["Access-Control-Max-Age"] = REMEMBERED
    response["Vary"] = ", ".join(filter(None, (response.get("Vary", ""), "Origin")))
    return response

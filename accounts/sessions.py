"""How long a login lasts: SESSION_IDLE_SECONDS without a click, SESSION_COOKIE_AGE in any case."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import SessionBase
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse

from accounts import guarding

SINCE, SEEN = "login_since", "login_seen"
NOTED_EVERY = 60  # seconds; so that reading pages does not write a row each time


@receiver(user_logged_in)
def _begin(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    request.session[SINCE] = request.session[SEEN] = time.time()
    guarding.welcome(request, user.get_username())


def is_over(session: SessionBase, now: float) -> bool:
    """A session without times is one that this module did not begin: over."""
    since, seen = session.get(SINCE, 0), session.get(SEEN, 0)
    return now - since > settings.SESSION_COOKIE_AGE or now - seen > settings.SESSION_IDLE_SECONDS


class SessionLimits:
    """Logs out who is over the limits. A page that refreshes itself (htmx) is no click, and is told to reload."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if SESSION_KEY not in request.session:
            return self.get_response(request)
        by_itself = request.headers.get("HX-Request") == "true" and request.method == "GET"
        now = time.time()
        if is_over(request.session, now):
            logout(request)
            if by_itself:
                return HttpResponse(headers={"HX-Refresh": "true"})
        elif not by_itself and now - request.session[SEEN] > NOTED_EVERY:
            request.session[SEEN] = now
        return self.get_response(request)

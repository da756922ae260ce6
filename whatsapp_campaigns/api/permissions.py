"""Who may call a route: the role's permissions (`accounts.policy`), and for a program what its key allows."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.programs import ApiKey

VERBS = {"GET": "view", "HEAD": "view", "POST": "add", "PUT": "change", "PATCH": "change", "DELETE": "delete"}


class Guarded(BasePermission):
    """Asks for the permission on `view.subject` ("app.model") that the method needs.

    `view.verb` replaces the method's verb; `view.scopes` names, by method, the scope that a program's key needs when
    it is not "read" for GET and "write" for the rest. Rows are the querysets' business.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        method = str(request.method)
        if not request.user.is_authenticated or method not in VERBS:
            return False
        app, _, model = view.subject.partition(".")
        verb = getattr(view, "verb", None) or VERBS[method]
        if not request.user.has_perm(f"{app}.{verb}_{model}"):
            return False
        if not isinstance(request.auth, ApiKey):
            return True
        wanted = getattr(view, "scopes", {}).get(method, "read" if VERBS[method] == "view" else "write")
        return app != "accounts" and request.auth.allows(wanted)


class LoggedIn(BasePermission):
    """Anybody with a valid token or key."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user.is_authenticated)

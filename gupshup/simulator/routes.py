"""Which address is answered by what. Control addresses need no key; all others are Gupshup's."""

import re
from collections.abc import Callable
from typing import Any

from gupshup.simulator.account import App
from gupshup.simulator.control import Control, handle_errors
from gupshup.simulator.management import Management
from gupshup.simulator.sending import RefusalError, Sending
from gupshup.simulator.server import Reply, Request, json_reply

NAMES = {"id": r"(?P<app_id>[^/]+)", "name": r"(?P<app_name>[^/]+)", "one": r"(?P<one>[^/]+)"}


def pattern(text: str) -> re.Pattern[str]:
    """`/wa/app/{id}/template/{one}`: {id} and {name} are the app's, {one} is handed to the handler."""
    return re.compile(re.sub(r"\{(\w+)\}", lambda match: NAMES[match[1]], text) + "/?")


class Router:
    """The one handler of the server."""

    def __init__(self, apps: dict[str, App], sending: Sending, management: Management, control: Control) -> None:
        self.apps = apps
        self.management = management
        self.sends: dict[str, Callable[[Request], Reply]] = {}
        for base in ("/wa/api/v1", "/sm/api/v1"):
            self.sends[f"{base}/template/msg"] = sending.template
            self.sends[f"{base}/msg"] = sending.session
        self.steering = steering(control)
        self.rules = [(method, pattern(text), handler) for method, text, handler in rules(management, sending)]

    def __call__(self, request: Request) -> Reply:
        send = self.sends.get(request.path)
        if send is not None:
            return send(request)
        steer = self.steering.get((request.method, request.path.rstrip("/") or "/"))
        if steer is not None:
            return handle_errors(steer, request)
        try:
            return self._manage(request)
        except RefusalError as refusal:
            return refusal.reply()

    def _manage(self, request: Request) -> Reply:
        fitting = False
        for method, path, handler in self.rules:
            found = path.fullmatch(request.path)
            if found is None:
                continue
            fitting = True
            if method == request.method:
                groups = found.groupdict()
                app = self._app(request, groups.pop("app_id", None), groups.pop("app_name", None))
                reply: Reply = handler(request, app, *groups.values())
                return reply
        raise RefusalError(405 if fitting else 404, "Method Not Allowed" if fitting else "Not Found")

    def _app(self, request: Request, app_id: str | None, app_name: str | None) -> App:
        """The app that a path names, if the key is its own."""
        key = request.headers.get("apikey") or request.headers.get("token", "")
        key = key or request.headers.get("authorization", "").removeprefix("Bearer ")
        mine = [app for app in self.apps.values() if app.key == key]
        if not mine:
            raise RefusalError(401, "Authentication Failed")
        if app_id is None and app_name is None:
            return mine[0]
        for app in mine:
            if app.id == app_id or app.name == app_name:
                return app
        raise RefusalError(400, "Invalid App Details")


def steering(control: Control) -> dict[tuple[str, str], Callable[[Request], Reply]]:
    return {
        ("GET", "/"): lambda request: json_reply({"simulator": "gupshup", "status": "ready"}),
        ("GET", "/ledger"): control.show_ledger,
        ("GET", "/ledger/summary"): control.show_summary,
        ("GET", "/queue"): control.show_queue,
        ("GET", "/control"): control.show,
        ("POST", "/control"): control.change,
        ("POST", "/control/apps"): control.add_app,
        ("POST", "/control/reset"): control.reset,
        ("POST", "/control/inbound"): control.inbound,
        ("POST", "/control/template-event"): control.template_event,
        ("POST", "/control/account-event"): control.account_event,
        ("POST", "/control/user-event"): control.user_event,
        ("POST", "/control/preference"): control.preference,
        ("POST", "/control/callback"): control.raw_callback,
        ("POST", "/control/report"): control.repeat,
    }


def rules(management: Management, sending: Sending) -> list[tuple[str, str, Callable[..., Reply]]]:
    """(method, path, handler) of everything that is managed, self-serve first, then the partner's twins."""

    def partner_send(send: Callable[[Request], Reply]) -> Callable[[Request, App], Reply]:
        def handler(request: Request, app: App) -> Reply:
            request.headers["apikey"] = app.key
            return send(request)

        return handler

    found: list[tuple[str, str, Any]] = [
        ("GET", "/wa/app/{id}/template", management.list_templates),
        ("POST", "/wa/app/{id}/template", management.create_template),
        ("GET", "/wa/app/{id}/template/{one}", management.one_template),
        ("PUT", "/wa/app/{id}/template/{one}", management.edit_template),
        ("DELETE", "/wa/app/{id}/template/{one}", management.delete_template),
        ("PUT", "/wa/app/{id}/msg/{one}/read", management.mark_read),
        ("POST", "/wa/{id}/wa/media", management.upload),
        ("GET", "/sm/api/v1/template/list/{name}", management.list_templates),
        ("GET", "/sm/api/v2/wallet/balance", management.old_wallet),
        ("GET", "/sm/api/v1/users/{name}", management.users),
        ("POST", "/sm/api/v1/app/opt/{one}/{name}", management.opt),
        ("GET", "/partner/app/{id}/templates", management.list_templates),
        ("POST", "/partner/app/{id}/templates", management.create_template),
        ("GET", "/partner/app/{id}/templates/{one}", management.one_template),
        ("PUT", "/partner/app/{id}/templates/{one}", management.edit_template),
        ("DELETE", "/partner/app/{id}/template/{one}", management.delete_template),
        ("POST", "/partner/app/{id}/upload/media", management.upload),
        ("POST", "/partner/app/{id}/template/msg", partner_send(sending.template)),
        ("POST", "/partner/app/{id}/msg", partner_send(sending.session)),
    ]
    for base in ("/wa/app/{id}", "/partner/app/{id}"):
        found += [
            ("GET", f"{base}/subscription", management.list_subscriptions),
            ("POST", f"{base}/subscription", management.create_subscription),
            ("DELETE", f"{base}/subscription", management.delete_subscriptions),
            ("GET", f"{base}/subscription/{{one}}", management.one_subscription),
            ("PUT", f"{base}/subscription/{{one}}", management.change_subscription),
            ("DELETE", f"{base}/subscription/{{one}}", management.delete_subscription),
            ("GET", f"{base}/wallet/balance", management.wallet),
            ("GET", f"{base}/health", management.health),
            ("GET", f"{base}/ratings", management.ratings),
            ("GET", f"{base}/waba/info", management.waba),
            ("GET", f"{base}/usage", management.usage),
        ]
    return found

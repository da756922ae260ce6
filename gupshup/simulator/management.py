"""The account's other addresses: templates, subscriptions, wallet, health, opt-in lists, media."""

import json
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from gupshup.simulator.account import DASHBOARD_MODES, EVERYTHING, App, Subscription
from gupshup.simulator.catalogue import Template
from gupshup.simulator.happenings import Event
from gupshup.simulator.layouts import render
from gupshup.simulator.sending import RefusalError
from gupshup.simulator.server import Reply, Request, json_reply
from gupshup.simulator.story import Story

MOST_SUBSCRIPTIONS = 5
REVIEW_SECONDS = 5.0  # simulated, until a created template is approved
CATEGORIES = ("MARKETING", "UTILITY", "AUTHENTICATION")


class Management:
    """Handlers take the request, the app of its path, and what else the path names."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.review_seconds = REVIEW_SECONDS

    # templates

    def list_templates(self, request: Request, app: App) -> Reply:
        """Pages of self-serve count from 0, those of `/partner` from 1 when `pageNo` is given there."""
        query = request.query()
        entries = sorted(app.templates.values(), key=lambda one: -one.modified)
        for name, attribute in (("templateStatus", "status"), ("templateCategory", "category")):
            if query.get(name):
                entries = [one for one in entries if getattr(one, attribute) == query[name].upper()]
        for name, attribute in (("languageCode", "language"), ("elementName", "name")):
            if query.get(name):
                entries = [one for one in entries if getattr(one, attribute) == query[name]]
        size = number(query.get("pageSize", ""), 100 if "pageNo" in query else len(entries) or 1)
        page = number(query.get("pageNo", ""), 0)
        if request.path.startswith("/partner") and "pageNo" in query:
            page -= 1
        start = max(page, 0) * max(size, 1)
        return json_reply({"status": "success", "templates": [one.listed() for one in entries[start : start + size]]})

    def one_template(self, request: Request, app: App, template_id: str) -> Reply:
        template = app.templates.get(template_id)
        if template is None:
            raise RefusalError(400, "Template Does not exists")
        return json_reply({"status": "success", "template": template.listed()})

    def create_template(self, request: Request, app: App) -> Reply:
        """The created template is PENDING, and approved some simulated seconds later, with a template-event."""
        form = request.form()
        template = drafted(form, app)
        app.templates[template.id] = template
        answer = json_reply({"status": "success", "template": template.listed()})
        self.story.courier.later(self.review_seconds, lambda: self._review(app, template))
        return answer

    def _review(self, app: App, template: Template) -> None:
        if template.status == "PENDING":
            refused = "refuse" in template.name
            self.set_status(app, template, "REJECTED" if refused else "APPROVED", "INVALID_FORMAT" if refused else "")

    def set_status(self, app: App, template: Template, status: str, reason: str = "") -> None:
        """Change a template's status as WhatsApp does, and tell the subscribers."""
        template.status, template.reason = status.upper(), reason
        template.touch(self.story.clock.wall())
        data = {"type": "status-update", "status": status.lower()}
        self.tell_template(app, template, data | ({"rejectedReason": reason} if reason else {}))

    def tell_template(self, app: App, template: Template, data: dict[str, Any]) -> None:
        named = {"id": template.id, "elementName": template.name, "languageCode": template.language}
        event = Event("template", data["type"], self.story.clock.stamp(), "TEMPLATE", data=named | data)
        self.story.tell(app, event)

    def delete_template(self, request: Request, app: App, name: str) -> Reply:
        found = [one for one in app.templates.values() if name in (one.name, one.id)]
        if not found:
            raise RefusalError(400, "Template Does not exists")
        for template in found:
            del app.templates[template.id]
        return json_reply({"status": "success"})

    def edit_template(self, request: Request, app: App, template_id: str) -> Reply:
        template, form = app.templates.get(template_id), request.form()
        if template is None:
            raise RefusalError(400, "Template Does not exists")
        template.body = form.get("content", template.body)
        template.status = "PENDING"
        template.touch(self.story.clock.wall())
        self.story.courier.later(self.review_seconds, lambda: self._review(app, template))
        return json_reply({"status": "success"})

    # subscriptions

    def list_subscriptions(self, request: Request, app: App) -> Reply:
        views = [one.view(app.id) for one in app.subscriptions.values()]
        return json_reply({"status": "success", "subscriptions": views})

    def one_subscription(self, request: Request, app: App, subscription_id: str) -> Reply:
        return json_reply({"status": "success", "subscription": self._subscription(app, subscription_id).view(app.id)})

    def delete_subscription(self, request: Request, app: App, subscription_id: str) -> Reply:
        self._subscription(app, subscription_id)
        del app.subscriptions[subscription_id]
        return json_reply({"status": "success"})

    def delete_subscriptions(self, request: Request, app: App) -> Reply:
        app.subscriptions.clear()
        return json_reply({"status": "success"})

    def create_subscription(self, request: Request, app: App) -> Reply:
        """The URL is called at once, and refused when it does not answer 2xx."""
        form = request.form()
        if len(app.subscriptions) >= MOST_SUBSCRIPTIONS:
            raise RefusalError(500, "Unable To Create Subscription")
        url = checked_url(form.get("url", ""))
        layout = "v3" if form.get("version", "2") == "3" else "v2"
        values = settings_of(form)
        modes = read_modes(form.get("modes", ""), layout)

        def keep() -> Reply:
            subscription = app.subscribe(url, layout, DASHBOARD_MODES if modes is None else modes, **values)
            return json_reply({"status": "success", "subscription": subscription.view(app.id)})

        return self._after_ping(app, url, layout, keep)

    def change_subscription(self, request: Request, app: App, subscription_id: str) -> Reply:
        subscription, form = self._subscription(app, subscription_id), request.form()
        url = checked_url(form["url"]) if "url" in form else subscription.url
        versions = {"2": "v2", "3": "v3"}
        layout = versions.get(form.get("version", ""), subscription.layout)
        modes = read_modes(form.get("modes", ""), layout)

        def keep() -> Reply:
            subscription.url, subscription.layout = url, layout
            subscription.modes = subscription.modes if modes is None else modes
            subscription.modified = int(time.time() * 1000)
            for name, value in settings_of(form).items():
                setattr(subscription, name, value)
            return json_reply({"status": "success", "subscription": subscription.view(app.id)})

        return self._after_ping(app, url, layout, keep) if "url" in form else keep()

    def _subscription(self, app: App, subscription_id: str) -> Subscription:
        if subscription_id not in app.subscriptions:
            raise RefusalError(400, "Subscription Does Not Exist")
        return app.subscriptions[subscription_id]

    def _after_ping(self, app: App, url: str, layout: str, keep: Callable[[], Reply]) -> Reply:
        """A reply that is decided by what the URL answers to the ping, which bears no custom headers."""
        reply = Reply()

        def first() -> Awaitable[None]:
            return self._ping(app, url, layout, reply, keep)

        reply.first = first
        return reply

    async def _ping(self, app: App, url: str, layout: str, reply: Reply, keep: Callable[[], Reply]) -> None:
        rendered = render(Event("ping", "ping", self.story.clock.stamp()), app, layout)
        answer = await self.story.courier.ping(url, *rendered) if rendered else 0
        good = isinstance(answer, int) and 200 <= answer < 300
        decided = keep() if good else RefusalError(400, "Invalid URL Passed").reply()
        reply.status, reply.body = decided.status, decided.body

    # account

    def old_wallet(self, request: Request, app: App) -> Reply:
        return json_reply({"status": "success", "balance": balance(app)})

    def wallet(self, request: Request, app: App) -> Reply:
        data = {"currency": "USD", "currentBalance": balance(app), "overDraftLimit": 0}
        return json_reply({"status": "success", "walletResponse": data})

    def health(self, request: Request, app: App) -> Reply:
        if not app.live:
            raise RefusalError(400, "App is not live.")
        return json_reply({"status": "success", "healthy": "true"})

    def ratings(self, request: Request, app: App) -> Reply:
        data = {"oldLimit": "TIER_250", "currentLimit": app.tier, "event": "ONBOARDING"}
        data |= {"phoneQuality": app.quality}
        return json_reply({"status": "success", "ratings": data | {"eventTime": int(time.time() * 1000)}})

    def waba(self, request: Request, app: App) -> Reply:
        info = {"accountStatus": "ACTIVE", "dockerStatus": "CONNECTED", "messagingLimit": app.tier, "phone": app.source}
        info |= {"phoneQuality": app.quality, "wabaId": str(uuid.UUID(app.id).int)[:15], "wabaName": app.name}
        return json_reply({"status": "success", "wabaInfo": info})

    def usage(self, request: Request, app: App) -> Reply:
        return json_reply({"status": "success", "partnerAppUsageList": []})

    def users(self, request: Request, app: App) -> Reply:
        users = [
            {"countryCode": "", "phoneCode": number, "optinStatus": status, "lastMessageTimeStamp": 0, "active": True}
            for number, status in app.opted_out.items()
        ]
        return json_reply({"status": "success", "users": users})

    def opt(self, request: Request, app: App, way: str) -> Reply:
        app.opted_out[request.form().get("user", "")] = "OPT_IN" if way == "in" else "OPT_OUT"
        return Reply(202, b"")

    def mark_read(self, request: Request, app: App, message_id: str) -> Reply:
        return Reply(202, b"")

    def upload(self, request: Request, app: App) -> Reply:
        if b"filename=" not in request.body:
            raise RefusalError(400, "Invalid file")
        media = str(uuid.uuid4().int)[:16]
        if request.path.startswith("/partner"):
            return json_reply({"status": "success", "handleId": {"message": f"4::{media}"}})
        return json_reply({"status": "success", "mediaId": media})


def balance(app: App) -> float:
    return 250.0 if app.wallet is None else app.wallet


def number(text: str, default: int) -> int:
    return int(text) if text.isdecimal() else default


def checked_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise RefusalError(400, "Invalid URL Passed")
    return url


def read_modes(text: str, layout: str) -> frozenset[str] | None:
    """Modes from comma-separated text; None, so that nothing changes, for no text or for a JSON list."""
    if not text or text.lstrip().startswith("["):
        return None
    modes = {mode.strip().upper() for mode in text.split(",")}
    if "ALL" in modes:
        return EVERYTHING if layout == "v3" else EVERYTHING - {"FAILED", "BILLING"}  # v2 must name these two
    if not modes <= EVERYTHING | {"NONE"}:
        raise RefusalError(400, "Invalid Modes")
    return frozenset(modes)


def settings_of(form: dict[str, str]) -> dict[str, Any]:
    """The plain fields of a subscription that a form holds."""
    values: dict[str, Any] = {"tag": form["tag"]} if "tag" in form else {}
    if "active" in form:
        values["active"] = form["active"].lower() == "true"
    if "showOnUI" in form:
        values["show_on_ui"] = form["showOnUI"].lower() == "true"
    if "meta" in form:
        values |= {"meta": form["meta"], "headers": read_headers(form["meta"])}
    return values


def read_headers(meta: str) -> dict[str, str]:
    """Headers of a subscription's `meta`, nested as documented or flat as seen. Raises RefusalError."""
    if not meta:
        return {}
    try:
        data = json.loads(meta)
        headers = data.get("headers", data)
        return {str(name): " ".join(str(value).split()) for name, value in headers.items()}
    except (ValueError, AttributeError) as error:
        raise RefusalError(400, "Invalid Meta") from error


def drafted(form: dict[str, str], app: App) -> Template:
    """A template from the form of its creation, PENDING. Raises RefusalError."""
    name, language, content = form.get("elementName", ""), form.get("languageCode", ""), form.get("content", "")
    lengths = ((name, 180), (content, 1024), (form.get("footer", ""), 60), (form.get("header", ""), 60))
    if not (name and language and content) or any(len(text) > most for text, most in lengths):
        raise RefusalError(400, "Invalid template fields")
    if not name.replace("_", "").isalnum() or name != name.lower() or not name.isascii():
        raise RefusalError(400, "Invalid elementName")
    if form.get("category", "MARKETING") not in CATEGORIES:
        raise RefusalError(400, "Invalid category")
    if any((one.name, one.language) == (name, language) for one in app.templates.values()):
        complaint = "Template Already exists with same namespace and elementName and languageCode"
        raise RefusalError(400, complaint)
    now = int(time.time() * 1000)
    return Template(
        id=str(uuid.uuid4()),
        name=name,
        language=language,
        body=content,
        category=form.get("category", "MARKETING"),
        kind=form.get("templateType", "TEXT"),
        status="PENDING",
        header=form.get("header", ""),
        footer=form.get("footer", ""),
        buttons=read_buttons(form.get("buttons", "")),
        example=form.get("example", ""),
        quality="UNKNOWN",
        vertical=form.get("vertical", ""),
        app_id=app.id,
        created=now,
        modified=now,
    )


def read_buttons(text: str) -> list[dict[str, Any]]:
    try:
        buttons = json.loads(text) if text else []
        return [{"type": str(one["type"]), **one} for one in buttons]
    except (ValueError, TypeError, KeyError) as error:
        raise RefusalError(400, "Invalid buttons") from error

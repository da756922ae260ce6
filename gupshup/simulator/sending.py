"""The two send calls: checked as Gupshup checks them, written down, answered in one of its many ways."""

import json
import random
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from gupshup.simulator.account import App
from gupshup.simulator.faults import GATEWAY_PAGE, CallFault, Faults, ReportFault
from gupshup.simulator.ledger import Accepted, Ledger
from gupshup.simulator.server import REASONS, Reply, Request, json_reply
from gupshup.simulator.story import Story, failure_of

DESTINATION = re.compile(r"[0-9]{8,15}")
LONGEST_TEXT = 4096
FORM = "application/x-www-form-urlencoded"
HTML = "text/html; charset=utf-8"
GARBAGE = bytes(range(128, 256)) * 4
HUGE = 10_000_000  # bytes of padding


class RefusalError(Exception):
    """A call that Gupshup does not accept: `status` and `message` of the answer."""

    def __init__(self, status: int, message: str, code: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.retry_after = retry_after
        self.destination = ""
        self.fault = ""

    def reply(self) -> Reply:
        data: dict[str, Any] = {"status": "error", "message": self.message}
        if self.code is not None:
            data["code"] = self.code
        headers: tuple[tuple[str, str], ...] = ()
        if self.retry_after is not None:
            seconds = str(max(1, round(self.retry_after + 0.499)))
            headers = (("Retry-After", seconds), ("X-Rate-Limit-Retry-After-Seconds", seconds))
        return json_reply(data, self.status, headers=headers)


@dataclass(slots=True)
class Draft:
    """What a call asks for, once it is understood."""

    kind: str
    source: str
    destination: str
    template_id: str | None
    params: list[str] | None
    message: dict[str, Any] | None
    postbacks: dict[int, str]


class Sending:
    """`latency`: (least, most) seconds before an answer is written; the message is accepted on arrival."""

    def __init__(self, apps: dict[str, App], ledger: Ledger, story: Story) -> None:
        self.apps = apps
        self.ledger = ledger
        self.story = story
        self.latency = (0.0, 0.0)
        self.html_types = True  # now and then JSON comes as text/html
        self._last_id = ""
        self._refusals = 0

    @property
    def faults(self) -> Faults:
        return self.story.faults

    def template(self, request: Request) -> Reply:
        return self._call(request, "template", read_template)

    def session(self, request: Request) -> Reply:
        return self._call(request, "session", read_session)

    def _call(self, request: Request, kind: str, read: Callable[[dict[str, str], str], Draft]) -> Reply:
        app: App | None = None
        try:
            app = self._app_of_key(request)
            draft = self._draft(app, request, read)
            return self._answer(app, draft, request)
        except RefusalError as refusal:
            self._write_refusal(app, kind, request, refusal)
            reply = refusal.reply()
            reply.delay = self._delay()
            return reply

    def _app_of_key(self, request: Request) -> App:
        """The app whose pace counts: the first that has this key; `_draft` finds the one that is named."""
        key = request.headers.get("apikey")
        for app in self.apps.values():
            if key == app.key:
                return app
        raise RefusalError(401, "Authentication Failed" if key else "Portal User Not Found With APIKey")

    def _draft(self, app: App, request: Request, read: Callable[[dict[str, str], str], Draft]) -> Draft:
        if request.method != "POST":
            raise RefusalError(405, "Method Not Allowed")
        if not request.headers.get("content-type", "").lower().startswith(FORM):
            raise RefusalError(400, "Content type must be application/x-www-form-urlencoded")
        form = request.form()
        named = self.apps.get(form.get("src.name", app.name))
        if named is None or named.key != app.key or form.get("source") != named.source:
            raise RefusalError(400, "Invalid App Details")
        if form.get("channel", "whatsapp") != "whatsapp":
            raise RefusalError(400, "Invalid Channel")
        destination = form.get("destination", "")
        try:
            if not DESTINATION.fullmatch(destination):
                raise RefusalError(400, "Invalid Destination")
            return read(form, destination)
        except RefusalError as refusal:
            refusal.destination = destination
            raise

    def _answer(self, app: App, draft: Draft, request: Request) -> Reply:
        app = self._named(app, draft)
        number = draft.destination
        if self.story.quiet and not self.faults.chances and self.faults.asked_by(number, 1) is None:
            calls, fault, person = 0, None, None
        else:
            person = self.story.person(app, number)
            person.calls += 1
            calls, fault = person.calls, self.faults.of_call(number, person.calls)
        if isinstance(fault, CallFault) and not fault.accepts:
            return self._not_accepted(app, draft, request, fault)
        self._check_pace(app, draft, request)
        message = self._accept(app, draft, request, fault, calls)
        reply = self._accepted_reply(message, fault if isinstance(fault, CallFault) else None)
        if person is not None and not self.story.quiet:
            paid = draft.kind == "session" or app.charge()
            failure = failure_of(app, message, person, fault, self.story.window_open(person), paid)
            told: frozenset[str] = frozenset()
            if message.answer_fault == "before_answer" and not (failure and failure.synchronous):
                reply.first = self._tell_first(app, message, person)
                told = frozenset({"enqueued"})
            self.story.begin(app, message, person, failure, draft.postbacks, told)
        return reply

    def _named(self, app: App, draft: Draft) -> App:
        """The app that `source` belongs to, among those of the key."""
        return next((one for one in self.apps.values() if one.source == draft.source and one.key == app.key), app)

    def _tell_first(self, app: App, message: Accepted, person: Any) -> Callable[[], Awaitable[None]]:
        return lambda: self.story.tell_before_answer(app, message, person)

    def _check_pace(self, app: App, draft: Draft, request: Request) -> None:
        wait = app.rate.wait(request.arrived)
        if wait > 0:
            self._refusals += 1
            refusal = RefusalError(429, "Too Many Requests", retry_after=wait if self._refusals % 2 else None)
            refusal.destination = draft.destination
            raise refusal

    def _accept(
        self, app: App, draft: Draft, request: Request, fault: CallFault | ReportFault | None, calls: int
    ) -> Accepted:
        named = fault.name if fault is not None else None
        message_id = self._last_id if named == "duplicate_id" and self._last_id else self._new_id(app)
        self._last_id = message_id
        return self.ledger.accept(
            request.arrived,
            app=app.name,
            kind=draft.kind,
            source=draft.source,
            destination=draft.destination,
            template_id=draft.template_id,
            params=draft.params,
            message=draft.message,
            message_id=message_id,
            answer_fault=named,
            calls=calls,
        )

    def _new_id(self, app: App) -> str:
        """Random on purpose, whatever the seed: ids of two runs must never meet in one database."""
        number = uuid.uuid4()
        if any(one.layout == "enterprise" for one in app.subscriptions.values()):
            digits = str(number.int)
            return f"4{digits[:18]}-{digits[18:36]}"
        return str(number)

    def _accepted_reply(self, message: Accepted, fault: CallFault | None) -> Reply:
        odd = message.seq % 2
        data: dict[str, Any] = {"status": "submitted", "messageId": message.message_id}
        if odd:
            data = {"messageId": message.message_id, "status": "success"}
        status = 200 if message.seq % 4 >= 2 else 202
        content_type = HTML if self.html_types and message.seq % 7 == 0 else "application/json"
        reply = Reply(status, json.dumps(data).encode(), content_type, delay=self._delay())
        return spoiled(reply, data, fault) if fault else reply

    def _not_accepted(self, app: App, draft: Draft, request: Request, fault: CallFault) -> Reply:
        refusal = refusal_of(fault)
        refusal.destination, refusal.fault = draft.destination, fault.name
        self._write_refusal(app, draft.kind, request, refusal)
        reply = refusal.reply()
        if fault.status >= 500:
            reply = gateway_page(fault.status)
        elif fault.name == "redirect":
            reply = Reply(307, headers=(("Location", f"{request.path}?redirected=1"),))
        elif fault.name == "garbage_before":
            reply = Reply(200, GARBAGE)
        reply.manner, reply.delay = fault.manner, self._delay()
        return reply

    def _write_refusal(self, app: App | None, kind: str, request: Request, refusal: RefusalError) -> None:
        self.ledger.refuse(
            request.arrived,
            app=app.name if app else None,
            kind=kind,
            path=request.path,
            destination=refusal.destination,
            status=refusal.status,
            reason=refusal.message,
            fault=refusal.fault or None,
        )

    def _delay(self) -> float:
        least, most = self.latency
        return random.uniform(least, most) if most else 0.0


def refusal_of(fault: CallFault) -> RefusalError:
    match fault.name:
        case "http_429":
            return RefusalError(429, "Too Many Requests", retry_after=2)
        case "http_429_bare":
            return RefusalError(429, "Too Many Requests")
        case "http_4001":
            return RefusalError(400, "Rate limited, stop sending messages", code=4001)
        case "http_400_code":
            return RefusalError(400, "Not delivered to keep the ecosystem healthy", code=131049)
        case "http_400":
            return RefusalError(400, "Invalid Destination")
        case "http_401":
            return RefusalError(401, "Authentication Failed")
        case "http_200_error":
            return RefusalError(200, "Success")
    return RefusalError(fault.status, fault.name)


def gateway_page(status: int) -> Reply:
    return Reply(status, GATEWAY_PAGE.format(f"{status} {REASONS[status]}").encode(), "text/html")


def spoiled(reply: Reply, data: dict[str, Any], fault: CallFault) -> Reply:
    """The answer to an accepted message, as the fault spoils it."""
    reply.manner = fault.manner
    match fault.name:
        case name if name.startswith("http_5"):
            page = gateway_page(fault.status)
            page.delay = reply.delay
            return page
        case "garbage_after":
            reply.body = GARBAGE
        case "cut_json":
            reply.body = reply.body[: len(reply.body) // 2]
        case "huge":
            reply.body = reply.body[:-1] + b', "padding": "' + b"x" * HUGE + b'"}'
        case "no_id":
            reply.body = json.dumps({"status": data["status"]}).encode()
        case "wrong_id_type":
            reply.body = json.dumps({"status": data["status"], "messageId": [data["messageId"]]}).encode()
        case "empty":
            reply.body = b""
        case "html_after":
            reply.body, reply.content_type = b"<html><body>It works!</body></html>", "text/html"
    return reply


def read_template(form: dict[str, str], destination: str) -> Draft:
    """The fields of /template/msg. Raises RefusalError."""
    template = read_object(form.get("template", ""), "Invalid template")
    params = template.get("params", [])
    if not isinstance(template.get("id"), str) or not isinstance(params, list):
        raise RefusalError(400, "Invalid template")
    if not all(isinstance(param, str) for param in params):
        raise RefusalError(400, "Invalid template params")
    message = read_object(form["message"], "Invalid message") if form.get("message") else None
    postbacks = read_postbacks(form.get("postbackTexts", ""))
    return Draft("template", form["source"], destination, template["id"], params, message, postbacks)


def read_session(form: dict[str, str], destination: str) -> Draft:
    """The fields of /msg. Raises RefusalError."""
    message = read_object(form.get("message", ""), "Invalid message")
    if not isinstance(message.get("type"), str):
        raise RefusalError(400, "Invalid message type")
    text = message.get("text")
    if message["type"] == "text" and not (isinstance(text, str) and text):
        raise RefusalError(400, "Invalid message text")
    if message.get("caption", "") is None:
        raise RefusalError(400, "Invalid message caption")
    if message["type"] == "text" and len(str(text)) > LONGEST_TEXT:
        raise RefusalError(400, "Message text too long")
    return Draft("session", form["source"], destination, None, None, message, {})


def read_object(text: str, complaint: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise RefusalError(400, complaint) from error
    if not isinstance(data, dict):
        raise RefusalError(400, complaint)
    return data


def read_postbacks(text: str) -> dict[int, str]:
    """`[{"index": 0, "text": "..."}]` as {0: "..."}. Raises RefusalError."""
    if not text:
        return {}
    try:
        return {int(one["index"]): str(one["text"]) for one in json.loads(text)}
    except (ValueError, TypeError, KeyError) as error:
        raise RefusalError(400, "Invalid postbackTexts") from error

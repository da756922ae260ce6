"""What a test or a person steers by: the ledger, the queue, and switches. Not part of Gupshup; no key."""

import dataclasses
from typing import Any

from gupshup.simulator.account import EVERYTHING, LAYOUTS, App, Rate
from gupshup.simulator.faults import Faults
from gupshup.simulator.happenings import Event
from gupshup.simulator.management import Management
from gupshup.simulator.people import BY_NAME, Profile
from gupshup.simulator.sending import RefusalError, Sending
from gupshup.simulator.server import Reply, Request, Server, json_reply
from gupshup.simulator.story import Story

WORDS = ("text", "button", "quick", "list", "reaction", "image", "video", "voice", "file", "sticker", "location",
         "contact", "welcome")  # fmt: skip


class Control:
    """Each handler raises ValueError, KeyError or TypeError for what it does not understand: answered with 400."""

    def __init__(self, apps: dict[str, App], sending: Sending, story: Story, management: Management) -> None:
        self.apps = apps
        self.sending = sending
        self.story = story
        self.management = management
        self.ledger = story.ledger
        self.server: Server | None = None

    # reading

    def show_ledger(self, request: Request) -> Reply:
        query = request.query()
        only = frozenset(filter(None, query.get("only", "").split(",")))
        return Reply(stream=self.ledger.pages(int(query.get("since", 0)), only))

    def show_summary(self, request: Request) -> Reply:
        query = request.query()
        return json_reply(self.ledger.summary(float(query.get("window", 60)), int(query.get("since", 0))))

    def show_queue(self, request: Request) -> Reply:
        return json_reply(self.story.courier.queue(float(request.query().get("horizon", 3600))))

    def show(self, request: Request) -> Reply:
        """The switches as they stand, apps and templates."""
        faults, story = self.story.faults, self.story
        return json_reply(
            {
                "faults": faults.chances,
                "seed": faults.seed,
                "speed": story.clock.speed,
                "quiet_callbacks": story.quiet,
                "latency": list(self.sending.latency),
                "behaviour": story.profile.as_data(),
                "apps": [view_of(app) for app in self.apps.values()],
                "seq": self.ledger.seq,
            }
        )

    # switching

    def change(self, request: Request) -> Reply:
        """Set switches: `docs/simulator.md` lists them. Those of an app go to `app`, the first when none is named."""
        data = request.json_object()
        app = self._app(data)
        data.pop("app", None)
        for name, value in data.items():
            self._set(app, name, value)
        return self.show(request)

    def _set(self, app: App, name: str, value: Any) -> None:
        story, courier = self.story, self.story.courier
        match name:
            case "faults":
                story.faults = dataclasses.replace(story.faults, chances=Faults.parse(value).chances)
            case "behaviour":
                story.profile = Profile.read_data(value) if isinstance(value, dict) else Profile.load(value)
                story.forget_people()
            case "latency":
                self.sending.latency = (float(value[0]), float(value[1]))
            case "quiet_callbacks":
                story.quiet = bool(value)
            case "speed":
                story.change_speed(positive(value))
            case "hang_seconds" | "drip_seconds" if self.server is not None:
                setattr(self.server, name, positive(value))
            case "retries" | "timeout" | "pause" | "concurrency":
                setattr(courier, name, type(getattr(courier, name))(value))
            case "rate":
                app.rate = Rate.parse(value)
            case "wallet":
                app.wallet = None if value is None else float(value)
            case "price":
                app.price = float(value)
            case "live":
                app.live = bool(value)
            case "tier" | "quality" | "key" | "source":
                setattr(app, name, str(value))
            case "webhook":
                set_webhook(app, str(value), app_layout(app))
            case "layout":
                set_layout(app, str(value))
            case "review_seconds":
                self.management.review_seconds = float(value)
            case _:
                raise ValueError(f"no switch is called {name!r}")

    def add_app(self, request: Request) -> Reply:
        """A further app: name, key, source, and perhaps id, webhook, layout."""
        data = request.json_object()
        webhook, layout = data.pop("webhook", ""), data.pop("layout", "v2")
        app = App(str(data["name"]), str(data["key"]), str(data["source"]), str(data.get("id", "")))
        self.apps[app.name] = app
        if webhook:
            set_webhook(app, webhook, layout)
        return json_reply(view_of(app), 201)

    def reset(self, request: Request) -> Reply:
        """Forget people, plans and the ledger in memory (its file keeps all)."""
        self.story.courier.forget()
        self.story.forget_people()
        self.ledger.clear()
        return self.show_queue(request)

    # acting

    def inbound(self, request: Request) -> Reply:
        """A person writes now: `from`, and perhaps `type`, `text`, `quote` (a messageId, or `last`), `count`, `name`,
        `no_phone`, and what belongs to the type (`postback`, `ref`, `url`...)."""
        data = request.json_object()
        app = self._app(data)
        person = self.story.person(app, str(data["from"]).lstrip("+"))
        word = str(data.get("type", "text"))
        if word not in WORDS:
            raise ValueError(f"type is one of {', '.join(WORDS)}")
        if "name" in data:
            person.name = str(data["name"])
        if data.get("no_phone"):
            person.behaviour = BY_NAME["no_phone"]
        quoted = self._quoted(str(data.get("quote", "")), person.number)
        known = ("text", "postback", "ref", "url", "id", "filename", "latitude", "longitude", "contacts", "description")
        content = {"text": "Bonjour"} | {name: data[name] for name in known if name in data}
        count = int(data.get("count", 1))
        return json_reply([self.story.write(app, person, word, content, quoted) for _ in range(count)])

    def _quoted(self, wanted: str, number: str) -> Any:
        if wanted == "last":
            return next((one for one in reversed(self.ledger.accepted) if one.destination == number), None)
        if wanted and wanted not in self.ledger.by_message:
            raise ValueError(f"no message has the id {wanted}")
        return self.ledger.by_message.get(wanted)

    def template_event(self, request: Request) -> Reply:
        """`template` (id or element name) and any of `status` (+ `reason`), `quality`, `category` (+ `warning`)."""
        data = request.json_object()
        app = self._app(data)
        template = app.template(str(data["template"]))
        if template is None:
            raise ValueError(f"no template is called {data['template']!r}")
        if "status" in data:
            self.management.set_status(app, template, str(data["status"]), str(data.get("reason", "")))
        if "quality" in data:
            template.quality = str(data["quality"]).upper()
            self.management.tell_template(app, template, {"type": "quality-update", "quality": template.quality})
        if "category" in data:
            self._change_category(app, data)
        return json_reply(template.listed())

    def _change_category(self, app: App, data: dict[str, Any]) -> None:
        template, new = app.template(str(data["template"])), str(data["category"]).upper()
        if template is None:
            return
        change = {"current": template.category, "correct": new}
        if not data.get("warning"):
            change = {"old": template.category, "new": new}
            template.category = new
        self.management.tell_template(app, template, {"type": "category-update", "category": change})

    def account_event(self, request: Request) -> Reply:
        """`type` (`status-event`, `tier-event`, ...) and its `payload`, sent as they are."""
        data = request.json_object()
        app = self._app(data)
        kind = str(data["type"])
        words = {"type": kind, "payload": dict(data["payload"])}
        self.story.tell(app, Event("account", kind, self.story.clock.stamp(), "ACCOUNT", data=words))
        return json_reply(words)

    def preference(self, request: Request) -> Reply:
        """`from` stops or resumes (`value`) marketing messages."""
        data = request.json_object()
        app = self._app(data)
        person = self.story.person(app, str(data["from"]).lstrip("+"))
        if data.get("value", "stop") not in ("stop", "resume"):
            raise ValueError("value is stop or resume")
        self.story.prefer(app, person, str(data.get("value", "stop")))
        return json_reply({"opted_out": person.opted_out})

    def user_event(self, request: Request) -> Reply:
        """`from` and `type`: opted-in or opted-out."""
        data = request.json_object()
        words = {"phone": str(data["from"]).lstrip("+"), "type": str(data["type"])}
        self.story.tell(self._app(data), Event("user", words["type"], self.story.clock.stamp(), data=words))
        return json_reply(words)

    def raw_callback(self, request: Request) -> Reply:
        """Post any `body` (text) with any `content_type` to the subscriptions, as one callback."""
        data = request.json_object()
        body = str(data["body"]).encode("utf-8", "surrogatepass")
        words = {"body": body, "content_type": str(data.get("content_type", "application/json"))}
        self.story.tell(self._app(data), Event("raw", "raw", self.story.clock.stamp(), data=words))
        return json_reply({"bytes": len(body)})

    def repeat(self, request: Request) -> Reply:
        """Report a `word` about `message_id` again, or for the first time: late, twice, out of order, as you like."""
        data = request.json_object()
        message = self.ledger.by_message[str(data["message_id"])]
        app = self.apps[message.app]
        person = self.story.person(app, message.destination)
        values = {"code": int(data.get("code", 131000)), "reason": str(data.get("reason", "Something went wrong"))}
        values["category"] = str(data.get("category", "marketing"))
        quirks = frozenset(map(str, data.get("quirks", ())))
        word = str(data["word"])
        at = float(data.get("at", 0)) or self.story.clock.stamp()
        self.story.tell(app, Event("status", word, at, word.upper(), message, person, values, quirks))
        return json_reply(message.view())

    def _app(self, data: dict[str, Any]) -> App:
        return self.apps[str(data["app"])] if "app" in data else next(iter(self.apps.values()))


def handle_errors(handler: Any, request: Request) -> Reply:
    """Answer wrong use with 400 and the reason."""
    try:
        return handler(request)  # type: ignore[no-any-return]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        return json_reply({"status": "error", "message": f"{type(error).__name__}: {error}"}, 400)
    except RefusalError as refusal:
        return refusal.reply()


def view_of(app: App) -> dict[str, Any]:
    plain = {one.name: getattr(app, one.name) for one in dataclasses.fields(app) if one.name not in HIDDEN}
    return plain | {
        "rate": str(app.rate),
        "templates": [one.listed() | {"params_due": one.params_due} for one in app.templates.values()],
        "subscriptions": [one.view(app.id) | {"layout": one.layout} for one in app.subscriptions.values()],
    }


HIDDEN = ("rate", "templates", "subscriptions", "last_subscription")


def positive(value: Any) -> float:
    number = float(value)
    if number <= 0:
        raise ValueError("must be above 0")
    return number


def app_layout(app: App) -> str:
    return next((one.layout for one in app.subscriptions.values()), "v2")


def set_layout(app: App, layout: str) -> None:
    if layout not in LAYOUTS:
        raise ValueError(f"layout is one of {', '.join(LAYOUTS)}")
    for subscription in app.subscriptions.values():
        subscription.layout = layout


def set_webhook(app: App, url: str, layout: str) -> None:
    """One subscription for everything, without a ping: as if it had been set long ago."""
    app.subscriptions.clear()
    if url:
        app.subscribe(url, layout, EVERYTHING - {"BILLING"}, tag="simulator")

"""What follows an acceptance: reports, and what the person does with the message."""

import asyncio
import hashlib
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from gupshup.simulator.account import App, Subscription
from gupshup.simulator.clock import Clock
from gupshup.simulator.courier import Courier, Parcel
from gupshup.simulator.faults import REPORTS, CallbackDice, Faults, ReportFault
from gupshup.simulator.happenings import MEDIA, Event, wamid
from gupshup.simulator.layouts import render, render_batch
from gupshup.simulator.ledger import Accepted, Ledger
from gupshup.simulator.people import EMOJI, REPLIES, STOPS, Behaviour, Person, Profile

BATCH_SECONDS, BATCH_SIZE = 0.05, 20
MOST_REPLIES = 5  # of one chatty person, so that two programs never talk for ever


@dataclass
class Batch:
    """Reports of one subscription that leave in one POST."""

    app: App
    subscription: Subscription
    events: list[Event] = field(default_factory=list)


class Story:
    """Tells subscribers what happens, and people what they got. `quiet`: tells nobody anything."""

    def __init__(self, clock: Clock, ledger: Ledger, courier: Courier, faults: Faults, profile: Profile) -> None:
        self.clock = clock
        self.ledger = ledger
        self.courier = courier
        self.faults = faults
        self.profile = profile
        self.quiet = False
        self.people: dict[tuple[str, str], Person] = {}
        self._batches: dict[tuple[str, str], Batch] = {}

    def person(self, app: App, number: str) -> Person:
        key = (app.name, number)
        if key not in self.people:
            person = self.people[key] = Person(number, self.faults.seed, self.profile)
            self.people.setdefault((app.name, person.wa_id), person)
        return self.people[key]

    def recall(self, apps: dict[str, App]) -> None:
        """After a restart on an old ledger: windows are open again, and reports that nobody took are made again."""
        told: dict[str, set[str]] = {}
        wrote: dict[str, float] = {}
        for callback in self.ledger.callbacks:
            if callback.event == "message" and callback.destination:
                wrote[callback.destination] = callback.mono
            if callback.event == "status" and callback.state == "answered":
                told.setdefault(callback.message_id or "", set()).add(callback.word)
        for message in self.ledger.accepted:
            if message.app in apps:
                words = frozenset(told.get(message.message_id, ()))
                self._go_on(apps[message.app], message, words, wrote.get(message.destination))

    def _go_on(self, app: App, message: Accepted, told: frozenset[str], wrote: float | None) -> None:
        person = self.person(app, message.destination)
        person.calls = max(person.calls, message.calls)
        person.wrote = wrote
        if wrote is not None:
            person.answers = MOST_REPLIES
        if self.quiet or not app.subscriptions or told & {"read", "failed"}:
            return
        failure = REPORTS.get(message.code or message.answer_fault or "") or REPORTS.get(person.behaviour.fails)
        self.begin(app, message, person, failure, told=told)

    def change_speed(self, speed: float) -> None:
        """What is booked and the windows that are open go on at the new speed."""
        factor = self.clock.change_speed(speed)
        self.courier.rescale(factor)
        now = time.monotonic()
        for person in set(self.people.values()):
            if person.wrote is not None:
                person.wrote = now - (now - person.wrote) * factor

    def forget_people(self) -> None:
        self.people.clear()

    def window_open(self, person: Person) -> bool:
        return person.wrote is not None and time.monotonic() - person.wrote < self.clock.window

    # after an acceptance

    def begin(
        self,
        app: App,
        message: Accepted,
        person: Person,
        failure: ReportFault | None,
        postbacks: dict[int, str] | None = None,
        told: frozenset[str] = frozenset(),
    ) -> None:
        """Book all that follows. `failure`: what WhatsApp or Gupshup will report instead of a delivery; `told`: the
        reports that are out already; `postbacks`: by number of the button."""
        dice = self.faults.callback_dice(f"{message.destination}/{message.calls}", self.ledger.faults)
        plan = self._reports(app, message, person, failure, dice.dice)
        plan = disturbed([(delay, event) for delay, event in plan if event.word not in told], dice)
        for delay, event in plan:
            self._book(app, delay, event, dice)
        delivered = [delay for delay, event in plan if event.word in ("delivered", "read")]
        if delivered or "delivered" in told:
            self._act(app, message, person, min(delivered, default=0.0), postbacks or {})

    def _reports(
        self, app: App, message: Accepted, person: Person, failure: ReportFault | None, dice: random.Random
    ) -> list[tuple[float, Event]]:
        """(delay in simulated seconds, event) for each report of one message, in the right order."""
        profile = self.profile
        if failure is not None and failure.synchronous:
            return [(dice.uniform(*profile.enqueued), self._failed(message, person, failure))]
        at = dice.uniform(*profile.enqueued)
        plan = [(at, self._status("enqueued", message, person))]
        at += dice.uniform(*profile.sent)
        if failure is not None:
            plan.append((at, self._failed(message, person, failure)))
            if not failure.then:
                return plan
            at += 5.0
        else:
            plan.append((at, self._status("sent", message, person, category=category(app, message))))
        at += dice.uniform(*profile.delivered)
        plan.append((at, self._status("delivered", message, person)))
        if person.wa_id != person.number:
            words = {"wa_id": person.wa_id, "phone": person.number}
            plan.append((at, Event("mismatch", "mismatch", 0.0, message=message, person=person, data=words)))
        if message.kind == "template" and any(one.wants("BILLING") for one in app.subscriptions.values()):
            plan.append((at + 1.0, Event("billing", "billing", 0.0, "BILLING", message, person)))
        if person.behaviour.reads:
            plan.append((at + dice.uniform(*profile.read), self._status("read", message, person)))
        return plan

    def _status(self, word: str, message: Accepted, person: Person, **data: Any) -> Event:
        return Event("status", word, 0.0, word.upper(), message, person, data)

    def _failed(self, message: Accepted, person: Person, failure: ReportFault) -> Event:
        event = self._status("failed", message, person, code=failure.code, reason=failure.reason)
        event.quirks = frozenset({"synchronous"}) if failure.synchronous else frozenset()
        return event

    def _book(self, app: App, delay: float, event: Event, dice: CallbackDice) -> None:
        quirks = {name for name in ("no_gs_id", "text_ts", "batched", "lost", "duplicate") if dice.strikes(name)}
        event.quirks |= quirks
        if dice.strikes("delay"):
            delay += dice.dice.uniform(5, 60)
        self.courier.later(delay, lambda: self.tell(app, event))

    async def tell_before_answer(self, app: App, message: Accepted, person: Person) -> None:
        """Deliver `enqueued` now and wait for the first attempt to end."""
        waits = self.tell(app, self._status("enqueued", message, person))
        if waits:
            await asyncio.wait(waits, timeout=self.courier.timeout)

    # people

    def _act(self, app: App, message: Accepted, person: Person, reached: float, postbacks: dict[int, str]) -> None:
        """Book what the person does with a message that reaches them after `reached` simulated seconds."""
        manner = person.behaviour
        if not manner.answer or (message.kind == "session" and not manner.chatty):
            return
        if person.answers >= MOST_REPLIES:
            return
        person.answers += 1
        delay = reached + (manner.after * 3600 or person.dice.uniform(*self.profile.reply))
        for _ in range(manner.answers):
            self.courier.later(delay, lambda: self.answer(app, message, person, manner, postbacks))

    def answer(self, app: App, message: Accepted, person: Person, manner: Behaviour, postbacks: dict[int, str]) -> None:
        """One answer of a person, in their manner."""
        dice = person.dice
        if manner.answer == "preference":
            self.prefer(app, person, "stop")
            return
        word, data = manner.answer, {"text": dice.choice(REPLIES)}
        quoted: Accepted | None = message
        match word:
            case "button":
                word, data = self._tap(app, message, person, postbacks)
            case "emoji":
                word, data = "text", {"text": dice.choice(EMOJI)}
            case "stop":
                word, data = "text", {"text": dice.choice(STOPS)}
            case "reaction":
                data = {"text": dice.choice(EMOJI)}
            case "list":
                data = {
                    "text": "Demain matin",
                    "ref": "list-1",
                    "description": "entre 9 h et 12 h",
                    "postback": "demain",
                }
        if word in ("text", "image", "voice", "location", "welcome") and dice.random() >= self.profile.quoted:
            quoted = None  # most people just type
        self.write(app, person, word, data, quoted)

    def _tap(
        self, app: App, message: Accepted, person: Person, postbacks: dict[int, str]
    ) -> tuple[str, dict[str, Any]]:
        template = app.templates.get(message.template_id or "")
        labels = template.quick_replies if template else []
        if not labels:
            return "text", {"text": person.dice.choice(REPLIES)}
        index = 0 if person.dice.random() < 0.8 else person.dice.randrange(len(labels))
        return "button", {"text": labels[index], "postback": postbacks.get(index)}

    def write(
        self, app: App, person: Person, word: str, data: dict[str, Any], quoted: Accepted | None = None
    ) -> dict[str, Any]:
        """The person writes to the business: their window opens, subscribers are told. Returns id and text."""
        person.wrote = time.monotonic()
        inbound = data.get("id") or wamid(person.wa_id, uuid.uuid4().hex)
        data = {"longitude": "2.3522", "latitude": "48.8566"} | data
        data |= {"id": inbound, "outer": outer_type(word, person), "quoted": quoted, "ref": data.get("ref", "ref-1")}
        if word in MEDIA:
            data["text"] = data.get("text") if word in ("image", "video", "file") else None
        dice = self.faults.callback_dice(inbound, self.ledger.faults)
        quirks = {name for name in ("no_gs_id", "lost", "duplicate") if dice.strikes(name)}
        if data.get("postback") and word == "button" and person.dice.random() < 0.5:
            quirks.add("no_gs_id")  # as the documented taps with postback come
        event = Event("message", word, self.clock.stamp(), "", None, person, data, frozenset(quirks))
        self.tell(app, event)
        return {"id": inbound, "text": data.get("text"), "type": word}

    def prefer(self, app: App, person: Person, value: str) -> None:
        """The person stops or resumes marketing messages in WhatsApp itself."""
        person.opted_out = value == "stop"
        entry = {"wa_id": person.wa_id, "userid": person.user_id, "parent_user_id": "", "value": value}
        entry |= {"detail": f"User requested to {value} marketing messages", "category": "marketing_messages"}
        stamp = self.clock.stamp()
        data = {"type": "user_preferences", "payload": {"user_preferences": [entry | {"timestamp": int(stamp)}]}}
        self.tell(app, Event("preference", value, stamp, "", None, person, data))

    # telling subscribers

    def tell(self, app: App, event: Event) -> "list[asyncio.Future[None]]":
        """Hand an event to every subscription that wants it. The futures are done after the first attempt."""
        event.at = event.at or self.clock.stamp()
        if event.kind == "billing":
            event.data = billing(app, event)
        if event.kind == "status" and event.message is not None:
            event.message.note(
                event.word, str(event.data["code"]) if "code" in event.data and event.word == "failed" else None
            )
        waits = []
        for subscription in list(app.subscriptions.values()):
            if subscription.wants(event.mode) and not self.quiet:
                wait = self._tell_one(app, subscription, event)
                waits += [wait] if wait else []
        return waits

    def _tell_one(self, app: App, subscription: Subscription, event: Event) -> "asyncio.Future[None] | None":
        batches = event.kind == "status" and event.word != "enqueued" and subscription.layout != "v2"
        if (
            batches
            and (subscription.layout == "enterprise" or "batched" in event.quirks)
            and "lost" not in event.quirks
        ):
            self._add_to_batch(app, subscription, event)
            return None
        rendered = render(event, app, subscription.layout)
        if rendered is None:
            return None
        copies = 1 + ("duplicate" in event.quirks) * random.choice((1, 2))
        wait = self._post(subscription, [event], *rendered)
        for _ in range(copies - 1):
            self.ledger.faults["callback.duplicate"] += 1
            self.courier.later(random.uniform(0, 5), lambda: self._post_again(subscription, event, rendered))
        return wait

    def _post_again(self, subscription: Subscription, event: Event, rendered: tuple[bytes, str]) -> None:
        self._post(subscription, [event], *rendered)

    def _add_to_batch(self, app: App, subscription: Subscription, event: Event) -> None:
        key = (app.name, subscription.id)
        if key not in self._batches:
            self._batches[key] = Batch(app, subscription)
            self.courier.later(BATCH_SECONDS * self.clock.speed, lambda: self._flush(key))
        self._batches[key].events.append(event)
        if len(self._batches[key].events) >= BATCH_SIZE:
            self._flush(key)

    def _flush(self, key: tuple[str, str]) -> None:
        batch = self._batches.pop(key, None)
        if batch is not None:
            body, content_type = render_batch(batch.events, batch.app, batch.subscription.layout)
            self._post(batch.subscription, batch.events, body, content_type)

    def _post(
        self, subscription: Subscription, events: list[Event], body: bytes, content_type: str
    ) -> "asyncio.Future[None] | None":
        digest = hashlib.sha256(body).hexdigest()
        lost = "lost" in events[0].quirks
        state = "lost" if lost else "pending"
        records = [
            self.ledger.emit(
                event=event.kind,
                word=event.word,
                layout=subscription.layout,
                subscription=subscription.id,
                message_id=event.message.message_id if event.message else None,
                destination=event.destination,
                detail=detail(event),
                sha256=digest,
                state=state,
            )
            for event in events
        ]
        if lost:
            return None
        wait: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        parcel = Parcel(subscription.url, body, content_type, subscription.headers, records, done=wait)
        self.courier.send(parcel)
        return wait


def disturbed(plan: list[tuple[float, Event]], dice: CallbackDice) -> list[tuple[float, Event]]:
    """The reports of one message, mixed up as the dice say."""
    if not plan:
        return plan
    if dice.strikes("no_enqueued"):
        plan = [(delay, event) for delay, event in plan if event.word != "enqueued"]
    if dice.strikes("read_only") and any(event.word == "read" for _, event in plan):
        plan = [(delay, event) for delay, event in plan if event.word != "delivered"]
    if dice.strikes("burst"):
        return [(plan[0][0], event) for _, event in plan]
    if dice.strikes("shuffle"):
        delays = [delay for delay, _ in plan]
        dice.dice.shuffle(delays)
        return [(delay, event) for delay, (_, event) in zip(delays, plan, strict=True)]
    return plan


def category(app: App, message: Accepted) -> str:
    """The word for which WhatsApp charges."""
    template = app.templates.get(message.template_id or "")
    return template.category.lower() if template else "service"


def outer_type(word: str, person: Person) -> str:
    """`payload.type` of v2: taps come under two names each, and documents call files `file`."""
    match word:
        case "button":
            return person.dice.choice(("text", "quick_reply"))
        case "quick":
            return person.dice.choice(("button_reply", "quick_reply"))
        case "list":
            return "list_reply"
        case "welcome":
            return "request_welcome"
        case _ if word in MEDIA:
            return MEDIA[word][0]
    return word


def billing(app: App, event: Event) -> dict[str, Any]:
    message = event.message
    if message is None:
        return {}
    deductions = {"type": "regular", "model": "PMP", "source": "whatsapp", "billable": True}
    deductions["category"] = category(app, message)
    references = {"id": str(uuid.uuid4()), "gsId": message.message_id, "destination": message.destination}
    return {"deductions": deductions, "references": references}


def detail(event: Event) -> dict[str, Any] | None:
    """What the ledger keeps of an event beside its kind."""
    if event.kind == "message":
        quoted = event.data.get("quoted")
        words = {"id": event.data["id"], "type": event.word, "text": event.data.get("text")}
        return words | {"quotes": quoted.message_id if quoted else None}
    if event.word == "failed":
        return {"code": str(event.data["code"]), "reason": event.data["reason"]}
    if event.kind in ("template", "preference", "account", "user"):
        return dict(event.data)
    return None


def failure_of(
    app: App, message: Accepted, person: Person, fault: object, window_open: bool, paid: bool
) -> ReportFault | None:
    """Why WhatsApp or Gupshup will not deliver an accepted message, or None."""
    if isinstance(fault, ReportFault):
        return fault
    found = "" if paid else "1003"
    if not found and message.kind == "session":
        found = "" if window_open else "131047"
    elif not found:
        found = _template_failure(app, message, person)
    found = found or person.behaviour.fails
    return REPORTS[found] if found else None


def _template_failure(app: App, message: Accepted, person: Person) -> str:
    template = app.templates.get(message.template_id or "")
    if template is None:
        return "132001"
    complaint = template.complaint(message.params or [], message.message)
    if not complaint and person.opted_out and template.category == "MARKETING":
        return "131050"
    return complaint

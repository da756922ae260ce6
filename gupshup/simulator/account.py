"""An app of the simulated account: key, number, templates, subscriptions, wallet, pace."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from gupshup.simulator.catalogue import Template, defaults, stable_uuid

MODE_BITS = {
    "OTHERS": 1,
    "DELETED": 2,
    "BILLING": 4,
    "ACCOUNT": 8,
    "TEMPLATE": 16,
    "ENQUEUED": 32,
    "MESSAGE": 64,
    "SENT": 128,
    "DELIVERED": 256,
    "READ": 512,
    "FAILED": 1024,
    "FLOWS_MESSAGE": 2048,
    "PAYMENTS": 4096,
    "COEXISTENCE": 8192,
}
EVERYTHING = frozenset(MODE_BITS)
DASHBOARD_MODES = frozenset({"ENQUEUED", "FAILED"})  # what is on when nothing was named
LAYOUTS = ("v2", "v3", "enterprise")


@dataclass
class Subscription:
    """Where events go. `layout` v2, v3 or enterprise; `headers` are added to every callback but the ping."""

    id: str
    url: str
    layout: str = "v2"
    tag: str = ""
    modes: frozenset[str] = DASHBOARD_MODES
    active: bool = True
    show_on_ui: bool = True
    meta: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    created: int = field(default_factory=lambda: int(time.time() * 1000))
    modified: int = field(default_factory=lambda: int(time.time() * 1000))

    def wants(self, mode: str) -> bool:
        """Whether events of this mode are sent here. Messages, user events and mismatches need none."""
        return self.active and "NONE" not in self.modes and (not mode or mode in self.modes)

    def view(self, app_id: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "appId": app_id,
            "active": self.active,
            "tag": self.tag,
            "url": self.url,
            "version": 3 if self.layout == "v3" else 2,
            "mode": sum(MODE_BITS.get(mode, 0) for mode in self.modes),
            "modes": sorted(self.modes),
            "meta": self.meta,
            "showOnUI": self.show_on_ui,
            "createdOn": self.created,
            "modifiedOn": self.modified,
            "latencyBucket": "lt_1_s",
        }


@dataclass
class Rate:
    """At most `count` accepted calls in any `seconds`; nothing when `count` is 0."""

    count: int = 0
    seconds: float = 1.0
    taken: deque[float] = field(default_factory=deque)

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """`20/s`, `25/m` or `1000/h`. Raises ValueError."""
        number, _, unit = text.partition("/")
        spans = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
        if unit not in spans or not number.isdecimal():
            raise ValueError(f"a rate is written 20/s, 25/m or 1000/h, not {text!r}")
        return cls(int(number), spans[unit])

    def wait(self, now: float) -> float:
        """Seconds until a call may be accepted; 0 takes a place now."""
        if not self.count:
            return 0.0
        while self.taken and now - self.taken[0] >= self.seconds:
            self.taken.popleft()
        if len(self.taken) >= self.count:
            return self.taken[0] + self.seconds - now
        self.taken.append(now)
        return 0.0

    def __str__(self) -> str:
        return f"{self.count}/{'s' if self.seconds == 1 else f'{self.seconds:g}s'}"


@dataclass
class App:
    """One Gupshup app. `wallet` in USD, None for one that never runs dry; `price` of one template."""

    name: str
    key: str
    source: str
    id: str = ""
    wallet: float | None = None
    price: float = 0.01
    live: bool = True
    tier: str = "TIER_1K"
    quality: str = "GREEN"
    rate: Rate = field(default_factory=Rate)
    templates: dict[str, Template] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    opted_out: dict[str, str] = field(default_factory=dict)
    last_subscription: int = 0

    def __post_init__(self) -> None:
        self.id = self.id or stable_uuid(self.name)
        if not self.templates:
            self.templates = {one.id: one for one in defaults(self.name, self.id)}

    def template(self, wanted: str) -> Template | None:
        """By id, or by element name (the first language that has it)."""
        if wanted in self.templates:
            return self.templates[wanted]
        return next((one for one in self.templates.values() if one.name == wanted), None)

    def subscribe(self, url: str, layout: str, modes: frozenset[str], **more: Any) -> Subscription:
        self.last_subscription += 1
        subscription = Subscription(str(self.last_subscription), url, layout, modes=modes, **more)
        self.subscriptions[subscription.id] = subscription
        return subscription

    def charge(self) -> bool:
        """Pay for one template; False when the wallet does not hold its price."""
        if self.wallet is None:
            return True
        if self.wallet < self.price:
            return False
        self.wallet = round(self.wallet - self.price, 6)
        return True

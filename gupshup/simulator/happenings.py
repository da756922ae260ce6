"""What happens, before it is written in one of the layouts: an event, and the ids that it bears."""

import base64
import uuid
from dataclasses import dataclass, field
from typing import Any

from gupshup.simulator.catalogue import NAMESPACE
from gupshup.simulator.ledger import Accepted
from gupshup.simulator.people import Person

MEDIA = {
    "image": ("image", "image/jpeg"),
    "video": ("video", "video/mp4"),
    "voice": ("audio", "audio/ogg; codecs=opus"),
    "file": ("file", "application/pdf"),
    "sticker": ("sticker", "image/webp"),
}


@dataclass(slots=True)
class Event:
    """Something to tell the subscribers.

    `kind`: status, message, mismatch, template, preference, account, user, billing, ping or raw; `word`: which one
    (`delivered`, `text`, `paused`...); `at`: seconds since 1970 that it bears; `mode`: the subscription mode that
    it needs, empty for none; `quirks`: of `no_gs_id`, `text_ts`, `synchronous`, `batched`, `duplicate`, `lost`.
    """

    kind: str
    word: str
    at: float
    mode: str = ""
    message: Accepted | None = None
    person: Person | None = None
    data: dict[str, Any] = field(default_factory=dict)
    quirks: frozenset[str] = frozenset()

    @property
    def destination(self) -> str | None:
        if self.message is not None:
            return self.message.destination
        return self.person.number if self.person else None

    @property
    def seconds(self) -> int | str:
        return str(int(self.at)) if "text_ts" in self.quirks else int(self.at)


def whatsapp_side(message_id: str) -> str:
    """The other id of a message: the UUID under which WhatsApp's reports run."""
    return str(uuid.uuid5(NAMESPACE, f"whatsapp/{message_id}"))


def wamid(number: str, token: str) -> str:
    """An id in the shape of Meta's: base64 of the number and 16 hexadecimal digits."""
    raw = b"\x1d\x18\x0c" + number.encode() + b"\x15\x02\x00\x11\x18\x12" + token.replace("-", "")[:18].upper().encode()
    return "wamid." + base64.b64encode(raw + b"\x00").decode()


def compact(data: dict[str, Any]) -> dict[str, Any]:
    """Without the fields that are None."""
    return {name: value for name, value in data.items() if value is not None}


def media_url(data: dict[str, Any]) -> str:
    return str(
        data.get("url") or f"https://filemanager.gupshup.io/wa/simulated/wa/media/{data['id'][-12:-4]}?download=false"
    )


def message_of(event: Event) -> Accepted:
    if event.message is None:
        raise ValueError(f"a {event.kind} event needs its message")
    return event.message


def person_of(event: Event) -> Person:
    if event.person is None:
        raise ValueError(f"a {event.kind} event needs its person")
    return event.person

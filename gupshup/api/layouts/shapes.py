"""Which layout is it? Told by shape alone: content types lie, and a subscription may get the other version's events."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from gupshup.api.happenings import Event, Source, Unrecognised
from gupshup.api.layouts import enterprise, meta, v2
from gupshup.api.layouts.common import guarded
from gupshup.api.reading import first, id_of, list_of, object_of, present
from gupshup.api.statuses import is_status

Fields = Mapping[str, Any]
Reader = Callable[[Fields, datetime], list[Event]]


def read(value: object, now: datetime) -> list[Event]:
    """The events in one JSON value or form. An array is read item by item."""
    if isinstance(value, list):
        found = [event for item in value for event in _read_one(item, now)]
        return found or [Unrecognised(reason="empty array")]
    return _read_one(value, now)


def _read_one(value: object, now: datetime) -> list[Event]:
    if not isinstance(value, dict):
        return [Unrecognised(reason=f"not an object: {type(value).__name__}")]
    reader = next((reader for fits, reader in _SHAPES if fits(value)), None)
    if reader is None:
        return [Unrecognised(reason="unknown shape")]
    return guarded(reader, Source(), value, now)


def _is_reports(data: Fields) -> bool:
    response = data.get("response")
    if isinstance(response, str):
        return bool(list_of(response)) or response.lstrip().startswith("[")
    return isinstance(response, list) or bool(id_of(object_of(response).get("externalId")))


def _is_v1(data: Fields) -> bool:
    return "botname" in data and bool(first(data, "messageobj", "senderobj"))


def _is_meta(data: Fields) -> bool:
    return data.get("object") == "whatsapp_business_account" or isinstance(data.get("entry"), list)


def _is_v2(data: Fields) -> bool:
    return isinstance(data.get("type"), str) and bool(data["type"].strip()) and _is_object(data.get("payload"))


def _is_object(value: object) -> bool:
    return isinstance(value, dict) or bool(object_of(value))


def _is_click(data: Fields) -> bool:
    return present(data.get("clickTime")) and bool(first(data, "originalURL", "gsurl", "causeId"))


def _is_report(data: Fields) -> bool:
    """A report although there may be a telephone number in it: it names an event and a message, and says no text."""
    event = first(data, "eventType")
    named = present(data.get("externalId")) or present(data.get("messageId"))
    if event is not None and named and not present(data.get("text")):
        return present(data.get("externalId")) or is_status(event) or data.get("type") == "message-event"
    return present(data.get("externalId")) and first(data, "status", "cause", "errCode") is not None


def _is_message(data: Fields) -> bool:
    if present(data.get("mobile")) or present(data.get("waNumber")):
        return True
    return data.get("type") == "message" and bool(first(data, "source", "from", "phone"))


_SHAPES: Final[tuple[tuple[Callable[[Fields], bool], Reader], ...]] = (
    (_is_reports, enterprise.read_reports),
    (_is_v1, enterprise.read_v1),
    (_is_meta, meta.read),
    (_is_v2, v2.read),
    (_is_click, enterprise.read_click),
    (_is_report, enterprise.read_report),
    (_is_message, enterprise.read_message),
)

"""``parse``: the bytes of a callback -> what happened. Never raises, always answers at least one event.

The layouts are told apart by their shape, never by the subscription's version nor by the Content-Type; what is not
understood becomes ``Unrecognised`` and is kept by the caller. What the events mean: ``happenings`` and ``statuses``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from gupshup.api.happenings import (
    AccountNews,
    Billing,
    Change,
    Click,
    Consent,
    Echo,
    Event,
    Inbound,
    Kind,
    Layout,
    Media,
    Mismatch,
    Ping,
    Referral,
    Restriction,
    Source,
    StatusReport,
    TemplateNews,
    Unrecognised,
)
from gupshup.api.layouts import shapes
from gupshup.api.reading import UnreadableError, load_json
from gupshup.api.statuses import Word

__all__ = [
    "AccountNews",
    "Billing",
    "Change",
    "Click",
    "Consent",
    "Echo",
    "Event",
    "GupshupWebhookInteraction",
    "Inbound",
    "Kind",
    "Layout",
    "Media",
    "Mismatch",
    "Ping",
    "Referral",
    "Restriction",
    "Source",
    "StatusReport",
    "TemplateNews",
    "Unrecognised",
    "Word",
    "interaction_of",
    "parse",
    "parse_value",
]

_MOST_FIELDS = 500


def parse(body: bytes, content_type: str = "", *, now: datetime | None = None) -> list[Event]:
    """Everything that one callback tells, in the order of the body (in Meta's layout, messages before statuses).

    ``content_type`` only settles what the first character leaves open. ``now`` bounds believable times.
    """
    try:
        return shapes.read(_decode(body, content_type), now or datetime.now(UTC))
    except UnreadableError as error:
        return [Unrecognised(reason=str(error))]
    except Exception as error:  # the promise of this function; the body is kept by the caller
        return [Unrecognised(reason=f"unreadable: {type(error).__name__}")]


def parse_value(value: object, *, now: datetime | None = None) -> list[Event]:
    """As ``parse``, for a body that somebody else has decoded already."""
    try:
        return shapes.read(value, now or datetime.now(UTC))
    except Exception as error:
        return [Unrecognised(reason=f"unreadable: {type(error).__name__}")]


def _decode(body: bytes, content_type: str) -> Any:
    """JSON or a form, in UTF-8. Raises UnreadableError."""
    try:
        text = bytes(body).decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise UnreadableError("not UTF-8") from None
    if not text:
        raise UnreadableError("empty")
    is_json = text[0] in '{["' or ("json" in content_type.lower() and "=" not in text)
    if is_json:
        try:
            value = load_json(text)
        except UnreadableError:
            if "form" not in content_type.lower():
                raise
        else:
            return load_json(value) if isinstance(value, str) else value
    if "=" not in text:
        raise UnreadableError("neither JSON nor a form")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise UnreadableError("form with too many fields") from None


@dataclass(frozen=True)
class GupshupWebhookInteraction:
    """What the old client gave its caller for one callback.

    ``contact_phone`` has its ``+``. For a status, ``interaction_type`` is its word, ``content`` a failure's reason,
    ``gupshup_message_id`` the send's id, ``external_id`` the other one; for a message, its own id and the one quoted.
    """

    contact_phone: str
    interaction_type: str
    content: str
    gupshup_message_id: str | None
    external_id: str | None
    timestamp: datetime | None


def interaction_of(payload: Mapping[str, Any] | bytes | str) -> GupshupWebhookInteraction | None:
    """The first message or status in a body, decoded or not; None when there is neither."""
    if isinstance(payload, str):
        payload = payload.encode("utf-8", "replace")
    events = parse(payload) if isinstance(payload, bytes) else parse_value(payload)
    for event in events:
        if isinstance(event, Inbound) and event.is_interaction:
            return GupshupWebhookInteraction(
                contact_phone=_international(event.phone),
                interaction_type=event.kind.value,
                content=event.text or event.media_url or "",
                gupshup_message_id=event.inbound_id or event.message_id,
                external_id=event.quoted_message_id or next(iter(event.quoted_ids), None),
                timestamp=event.at,
            )
        if isinstance(event, StatusReport) and event.word is not Word.OTHER:
            ids = (*event.message_ids, *event.whatsapp_ids)
            return GupshupWebhookInteraction(
                contact_phone=_international(event.destination),
                interaction_type=event.word.value,
                content=event.reason or "",
                gupshup_message_id=event.gs_id or (event.other_id if event.external_id else next(iter(ids), None)),
                external_id=event.external_id or event.whatsapp_id or next(iter(ids), None),
                timestamp=event.at,
            )
    return None


def _international(digits: str | None) -> str:
    return f"+{digits}" if digits else ""

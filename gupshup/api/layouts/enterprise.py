"""The flat layouts: the Enterprise gateway's messages and reports, the plan's own words, and the v1 forms.

Form-encoded or JSON; form values are text, and some of them hold JSON. What ``messageId`` means in an inbound message
is not sure: with ``replyId`` beside it, both name the message *answered*; alone, it is taken as the message's own.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from gupshup.api import errors
from gupshup.api.happenings import (
    Click,
    Consent,
    Echo,
    Event,
    Inbound,
    Kind,
    Layout,
    Source,
    StatusReport,
    Unrecognised,
)
from gupshup.api.layouts.common import KINDS, MEDIA_KINDS, contact_names, dumped, guarded, media_of, place_of
from gupshup.api.reading import (
    LINE,
    NAME,
    first,
    first_moment,
    id_of,
    ids_of,
    line_of,
    list_of,
    number_of,
    object_of,
    phone_of,
    present,
    text_of,
    url_of,
)
from gupshup.api.statuses import NO_ERROR, Word, word_of, word_of_code

Fields = Mapping[str, Any]
_CONSENT: Final = {"OPT_IN": False, "OPT_OUT": True, "OPTIN": False, "OPTOUT": True}


# --- messages ----------------------------------------------------------------------------------------------------


def read_message(data: Fields, now: datetime) -> list[Event]:
    """``{mobile, type, text, timestamp, name, waNumber?, replyId?, messageId?, <type>: JSON text}``."""
    source = Source(
        layout=Layout.ENTERPRISE if present(data.get("waNumber")) else Layout.FLAT,
        app=line_of(first(data, "app"), NAME),
        phone=phone_of(data.get("waNumber")),
    )
    given = first(data, "mobile", "source", "from", "phone")
    phone, at = phone_of(given), first_moment((data.get("timestamp"),), now)
    word = line_of(first(data, "type"), 64)
    text = text_of(first(data, "text"))
    if (word or "").upper() in _CONSENT:
        opted_out = _CONSENT[(word or "").upper()]
        return [Consent(source=source, at=at, opted_out=opted_out, via="keyword", phone=phone, text=text)]
    own_id, reply_id = id_of(first(data, "messageId")), id_of(first(data, "replyId"))
    if phone and phone == source.phone:
        return [Echo(source=source, at=at, echo_id=own_id, text=text)]
    kind, body = _content(data, (word or "").lower())
    gs_id, quoted = _quoted(data, reply_id, own_id)
    return [
        Inbound(
            source=source,
            at=at,
            phone=phone,
            user_id=id_of(first(data, "userId", "user_id")),
            wa_id=phone,
            sender=line_of(given, NAME),
            name=line_of(data.get("name"), NAME),
            kind=kind,
            word=word,
            text=_text(kind, body) or (text if kind not in (Kind.LOCATION, Kind.CONTACT) else None),
            inbound_id=None if reply_id else own_id,
            message_id=own_id,
            quoted_ids=quoted,
            quoted_message_id=gs_id,
            postback=text_of(first(body, "payload", "postbackText"), LINE),
            button_id=id_of(body.get("id")) if kind in (Kind.BUTTON_REPLY, Kind.LIST_REPLY) else None,
            description=line_of(body.get("description")) or (place_of(body) if kind is Kind.LOCATION else None),
            media=media_of(body) if kind in MEDIA_KINDS else None,
            latitude=number_of(body.get("latitude")) if kind is Kind.LOCATION else None,
            longitude=number_of(body.get("longitude")) if kind is Kind.LOCATION else None,
            detail=dumped(dict(body)) if kind in (Kind.CONTACT, Kind.ORDER, Kind.FLOW, Kind.UNKNOWN) else None,
        )
    ]


def _content(data: Fields, word: str) -> tuple[Kind, Fields]:
    """The kind, and the fields of the object named after it (JSON text in a form)."""
    if word in ("", "message"):
        word = "text" if text_of(first(data, "text")) else next(iter(_named(data)), "")
    body = object_of(data.get(word))
    if word == "interactive":
        inner = str(body.get("type") or "").strip().lower()
        return KINDS.get(inner, Kind.UNKNOWN), object_of(body.get(inner)) or body
    if not body and word in ("contact", "contacts"):
        body = {"contacts": list_of(data.get(word))}
    kind = KINDS.get(word, Kind.UNKNOWN)
    return kind, body or ({name: data[name] for name in ("url", "caption") if name in data})


def _named(data: Fields) -> Iterator[str]:
    return (word for word in KINDS if object_of(data.get(word)))


def _text(kind: Kind, body: Fields) -> str | None:
    if kind in MEDIA_KINDS:
        return text_of(body.get("caption"))
    if kind is Kind.REACTION:
        return text_of(body.get("emoji"), 64)
    if kind is Kind.CONTACT:
        return contact_names(body.get("contacts") or [dict(body)])
    return text_of(first(body, "title", "text", "body"))


def _quoted(data: Fields, reply_id: str | None, own_id: str | None) -> tuple[str | None, tuple[str, ...]]:
    """The message answered: the two ids joined, as a send's ``response.id`` is; then each alone."""
    context = object_of(data.get("context"))
    gs_id = id_of(first(context, "gsId", "gs_id"))
    joined = f"{reply_id}-{own_id}" if reply_id and own_id else None
    return gs_id or joined, ids_of(
        gs_id, joined, reply_id, own_id if reply_id else None, context.get("id"), context.get("message_id")
    )


# --- reports -----------------------------------------------------------------------------------------------------


def read_reports(data: Fields, now: datetime) -> list[Event]:
    """``response``: an array of at most twenty reports. E-mail reports come in the same field: they are left out."""
    source = Source(layout=Layout.ENTERPRISE)
    found = [event for item in list_of(data.get("response")) for event in guarded(_item, source, item, source, now)]
    return found or [Unrecognised(source=source, reason="no report")]


def _item(item: object, source: Source, now: datetime) -> Iterator[Event]:
    fields = object_of(item)
    if id_of(fields.get("externalId")):
        yield report(fields, source, now)
    else:
        yield Unrecognised(source=source, reason="report without externalId")


def read_report(data: Fields, now: datetime) -> list[Event]:
    """One flat report: ``eventType`` with ``externalId`` or ``messageId``; or the GET form's ``status``."""
    return [report(data, Source(layout=Layout.FLAT), now)]


def report(fields: Fields, source: Source, now: datetime) -> Event:
    told = line_of(first(fields, "eventType", "status"), 64)
    word = word_of(told)
    candidates = ids_of(fields.get("externalId"), fields.get("messageId"), fields.get("gsId"))
    if not candidates:
        return Unrecognised(source=source, reason="report without an id")
    code = _code(first(fields, "errorCode", "errCode", "code"))
    if word is Word.OTHER:  # the GET form says SUCCESS
        word = word_of_code(code)
    deleted, failed = word is Word.DELETED, word is Word.FAILED
    moments = (first(fields, "eventTs", "deliveredTS", "ts"), fields.get("timestamp"))
    return StatusReport(
        source=source,
        at=first_moment(moments, now),
        word=word,
        told=told,
        message_ids=() if deleted else candidates,
        gs_id=id_of(fields.get("gsId")),
        external_id=id_of(fields.get("externalId")),
        other_id=id_of(fields.get("messageId")),
        destination=phone_of(first(fields, "destAddr", "destination", "phoneNo", "mobile")),
        code=code if failed and code not in NO_ERROR else None,
        reason=line_of(first(fields, "cause", "reason")) if failed else None,
    )


def _code(value: object) -> str | None:
    """The gateway's codes have three characters; a number has lost its zeros."""
    code = errors.normalise(value)
    return (code.zfill(3) if code.isdecimal() else code) or None


def read_click(data: Fields, now: datetime) -> list[Event]:
    """A short link was followed: ``{mobile, clickTime, originalURL, causeId, internalId, ...}``. Not a message."""
    cause, internal = id_of(first(data, "causeId")), id_of(first(data, "internalId"))
    return [
        Click(
            source=Source(layout=Layout.ENTERPRISE),
            at=first_moment((data.get("clickTime"),), now),
            phone=phone_of(data.get("mobile")),
            url=url_of(first(data, "originalURL", "gsurl")),
            message_ids=ids_of(f"{cause}-{internal}" if cause and internal else None),
        )
    ]


# --- v1 ----------------------------------------------------------------------------------------------------------


def read_v1(data: Fields, now: datetime) -> list[Event]:
    """Apps older than 28 January 2020: a form with JSON in ``contextobj``, ``senderobj``, ``messageobj``."""
    message, sender = object_of(data.get("messageobj")), object_of(data.get("senderobj"))
    context = object_of(data.get("contextobj"))
    source = Source(layout=Layout.V1, app=line_of(first(data, "botname"), NAME))
    given = first(message, "from") or first(sender, "channelid") or first(context, "sourceId", "contextid")
    word = line_of(message.get("type"), 64)
    if not message or word == "event":
        return [Unrecognised(source=source, reason="v1 without a message")]
    kind = KINDS.get((word or "text").lower(), Kind.UNKNOWN)
    return [
        Inbound(
            source=source,
            at=first_moment((message.get("timestamp"), data.get("timestamp")), now),
            phone=phone_of(given),
            wa_id=phone_of(given),
            sender=line_of(given, NAME),
            name=line_of(first(sender, "display") or context.get("senderName"), NAME),
            kind=kind,
            word=word,
            text=text_of(message.get("caption") if kind in MEDIA_KINDS else message.get("text")),
            inbound_id=id_of(message.get("id")),
            message_id=id_of(message.get("id")),
            media=media_of({**message, "id": message.get("mediaId")}) if kind in MEDIA_KINDS else None,
            latitude=number_of(message.get("latitude")) if kind is Kind.LOCATION else None,
            longitude=number_of(message.get("longitude")) if kind is Kind.LOCATION else None,
            detail=dumped(dict(message)) if kind in (Kind.CONTACT, Kind.UNKNOWN) else None,
        )
    ]

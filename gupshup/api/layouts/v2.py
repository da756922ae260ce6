"""Gupshup's own layout (v2): ``{"app", "timestamp", "version", "type", "payload": {...}}``, one event in each body.

From Gupshup's pages *Inbound messages*, *Message events*, *System events*, *Account events*, *Billing events*. Lenient
where third parties have shown variants: a missing inner type, text directly in the payload, flat names inside it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from gupshup.api import errors
from gupshup.api.happenings import (
    Billing,
    Change,
    Consent,
    Echo,
    Event,
    Inbound,
    Kind,
    Layout,
    Mismatch,
    Ping,
    Source,
    StatusReport,
    TemplateNews,
    Unrecognised,
)
from gupshup.api.layouts.common import (
    KINDS,
    MEDIA_KINDS,
    account_news,
    contact_names,
    dumped,
    media_of,
    place_of,
    plain,
    preferences,
    referral_of,
)
from gupshup.api.reading import (
    LINE,
    NAME,
    capitals,
    first,
    first_moment,
    id_of,
    ids_of,
    line_of,
    number_of,
    object_of,
    phone_of,
    text_of,
    truth_of,
)
from gupshup.api.statuses import Word, word_of

Fields = Mapping[str, Any]


def read(data: Fields, now: datetime) -> list[Event]:
    """The events of one body; ``type`` is a text and ``payload`` an object."""
    source = Source(
        layout=Layout.V2,
        app=line_of(data.get("app"), NAME),
        app_id=id_of(data.get("appId")),
        phone=phone_of(data.get("phone")),
    )
    word = str(data.get("type")).strip().lower().replace("_", "-")
    reader = _READERS.get(word)
    if reader is None:
        return [Unrecognised(source=source, reason=f"type {plain(word)}")]
    return reader(data, object_of(data.get("payload")), source, now)


# --- messages ----------------------------------------------------------------------------------------------------


def _message(data: Fields, payload: Fields, source: Source, now: datetime) -> list[Event]:
    if not payload:
        return [Unrecognised(source=source, reason="message without content")]
    person = object_of(payload.get("sender"))
    given = first(person, "phone") or first(payload, "source", "mobile", "from")
    phone = phone_of(given) or phone_of(payload.get("source"))
    at = first_moment((data.get("timestamp"), payload.get("timestamp")), now)
    body = _body(payload)
    if phone and phone == source.phone:
        return [Echo(source=source, at=at, echo_id=id_of(payload.get("id")), text=text_of(body.get("text")))]
    kind = _kind(data, payload, body)
    context = object_of(payload.get("context"))
    gs_id = id_of(first(context, "gsId", "gs_id"))
    quoted = ids_of(gs_id, context.get("id"), context.get("meta_msg_id"))
    if kind is Kind.REACTION:
        gs_id = id_of(first(body, "gsId", "gs_id")) or gs_id
        quoted = ids_of(gs_id, body.get("id"), body.get("message_id"), *quoted)
    return [
        Inbound(
            source=source,
            at=at,
            phone=phone,
            user_id=id_of(first(person, "userId", "user_id") or payload.get("userId")),
            wa_id=phone_of(person.get("wa_id")) or phone,
            sender=line_of(given, NAME),
            name=line_of(person.get("name") if person else payload.get("name"), NAME),
            kind=kind,
            word=line_of(first(payload, "type"), 64),
            text=_text(kind, body),
            inbound_id=id_of(first(payload, "id", "messageId")),
            message_id=id_of(first(payload, "messageId", "id")),
            quoted_ids=quoted,
            quoted_message_id=gs_id,
            postback=text_of(first(body, "postbackText", "postback"), LINE),
            button_id=id_of(body.get("id")) if kind in (Kind.BUTTON_REPLY, Kind.LIST_REPLY) else None,
            description=line_of(body.get("description")) or (place_of(body) if kind is Kind.LOCATION else None),
            media=media_of(body) if kind in MEDIA_KINDS else None,
            latitude=number_of(body.get("latitude")) if kind is Kind.LOCATION else None,
            longitude=number_of(body.get("longitude")) if kind is Kind.LOCATION else None,
            referral=referral_of(payload.get("referral")),
            detail=_detail(kind, data, payload, body),
        )
    ]


def _body(payload: Fields) -> Fields:
    """The inner payload; where it is missing, an unofficial variant puts the text beside the id."""
    inner = payload.get("payload")
    if isinstance(inner, str) and not object_of(inner):
        return {"text": inner}
    return object_of(inner) or {name: value for name, value in payload.items() if name not in ("id", "name", "type")}


def _kind(data: Fields, payload: Fields, body: Fields) -> Kind:
    """By the word, but buttons by the inner type: older pages write quick_reply where newer ones write text."""
    if str(data.get("type")).strip().lower() == "order":
        return Kind.ORDER
    word = str(first(payload, "type") or "").strip().lower()
    if word in ("text", "quick_reply", "button") and body.get("type") == "button":
        return Kind.BUTTON
    if word == "quick_reply" and first(body, "title", "reply"):
        return Kind.BUTTON_REPLY
    if word == "interactive":
        word = str(body.get("type")).strip().lower()
    if word in KINDS:
        return KINDS[word]
    if not word or word == "message":
        return Kind.TEXT if text_of(body.get("text")) else _by_content_type(body)
    return Kind.UNKNOWN


def _by_content_type(body: Fields) -> Kind:
    kind = str(first(body, "contentType", "content-type") or "").split("/")[0].lower()
    found = {"image": Kind.IMAGE, "audio": Kind.AUDIO, "video": Kind.VIDEO}.get(kind)
    return found or (Kind.FILE if first(body, "url") else Kind.UNKNOWN)


def _text(kind: Kind, body: Fields) -> str | None:
    if kind in (Kind.BUTTON_REPLY, Kind.LIST_REPLY):
        return text_of(first(body, "title", "text", "reply"))
    if kind in MEDIA_KINDS:
        return text_of(body.get("caption"))
    if kind is Kind.REACTION:
        return text_of(body.get("emoji"), 64)
    if kind is Kind.CONTACT:
        return contact_names(body.get("contacts"))
    if kind in (Kind.WELCOME, Kind.LOCATION):
        return None
    return text_of(first(body, "text", "body"))


def _detail(kind: Kind, data: Fields, payload: Fields, body: Fields) -> str | None:
    if kind is Kind.ORDER:
        for place in (payload, body, data):
            if catalog := first(object_of(place.get("context")), "catalog"):
                return dumped(catalog)
    if kind in (Kind.CONTACT, Kind.FLOW, Kind.ORDER, Kind.UNKNOWN, Kind.UNSUPPORTED, Kind.SYSTEM):
        return dumped(dict(body))
    return None


# --- news of our messages ----------------------------------------------------------------------------------------


def _report(data: Fields, payload: Fields, source: Source, now: datetime) -> list[Event]:
    inner = object_of(payload.get("payload"))
    told = line_of(first(payload, "type", "eventType", "status") or first(data, "eventType"), 64)
    moments = (
        inner.get("ts"),
        payload.get("ts"),
        first(payload, "eventTs", "timestamp"),
        data.get("eventTs"),
        data.get("timestamp"),
    )
    at = first_moment(moments, now)
    destination = _destination(data, payload, inner)
    gs_id, own_id = id_of(first(payload, "gsId", "gs_id")), id_of(payload.get("id"))
    external = id_of(first(payload, "externalId") or data.get("externalId"))
    message = id_of(first(payload, "messageId") or data.get("messageId"))
    if told and told.lower() == "mismatch":
        return [
            Mismatch(
                source=source,
                at=at,
                phone=phone_of(inner.get("phone")) or destination,
                wa_id=phone_of(inner.get("wa_id")),
                message_ids=ids_of(gs_id, own_id),
            )
        ]
    word = word_of(told)
    candidates = ids_of(gs_id, own_id, external, message)
    if not candidates and not (told and destination):
        return [Unrecognised(source=source, reason="report without an id")]
    queued = id_of(first(inner, "whatsappMessageId") or payload.get("whatsappMessageId"))
    failed = word is Word.FAILED
    code = first({**payload, **inner}, "code", "errorCode", "errCode")
    # Then the id is the messageId itself: WhatsApp has not seen the message yet, or Gupshup itself refused it.
    ours = not gs_id and (word is Word.ENQUEUED or (failed and _is_gupshups(code)))
    theirs = ids_of(None if ours else own_id, queued, payload.get("meta_msg_id"))
    if word is Word.DELETED:  # the id is that of a message of the person
        candidates, theirs = (), ()
    pricing, conversation = object_of(payload.get("pricing")), object_of(payload.get("conversation"))
    return [
        StatusReport(
            source=source,
            at=at,
            word=word,
            told=told,
            message_ids=candidates,
            whatsapp_ids=theirs,
            gs_id=gs_id,
            other_id=own_id,
            whatsapp_id=queued or (own_id if not ours else None),
            external_id=external,
            destination=destination,
            user_id=id_of(first(payload, "userId", "user_id")),
            code=(errors.normalise(code) or None) if failed else None,
            reason=line_of(first(inner, "reason", "message") or first(payload, "reason", "cause")) if failed else None,
            pricing_category=line_of(pricing.get("category"), 64),
            pricing_type=line_of(pricing.get("type"), 64),
            pricing_model=line_of(first(pricing, "policy", "pricing_model", "model"), 64),
            conversation_id=id_of(conversation.get("id")),
        )
    ]


def _is_gupshups(code: object) -> bool:
    """Whether a failure bears a code of Gupshup's own numbering (1001 to 4999), and not one of Meta's."""
    text = errors.normalise(code)
    return text.isdecimal() and 1000 <= int(text[:9]) < 5000


def _destination(data: Fields, payload: Fields, inner: Fields) -> str | None:
    given = first(payload, "destination", "destAddr", "mobile") or first(data, "destination", "destAddr", "mobile")
    return phone_of(given) or phone_of(inner.get("destination"))


def _billing(data: Fields, payload: Fields, source: Source, now: datetime) -> list[Event]:
    return [billing(payload, source, first_moment((data.get("timestamp"),), now))]


def billing(payload: Fields, source: Source, at: datetime | None) -> Event:
    """``{deductions, references}``, with v2's names or v3's."""
    paid, about = object_of(payload.get("deductions")), object_of(payload.get("references"))
    if not paid and not about:
        return Unrecognised(source=source, at=at, reason="billing without content")
    gs_id, own_id = first(about, "gsId", "gs_id"), about.get("id")
    return Billing(
        source=source,
        at=at,
        message_ids=ids_of(gs_id, own_id),
        whatsapp_ids=ids_of(own_id),
        destination=phone_of(about.get("destination")),
        billable=truth_of(paid.get("billable")),
        model=line_of(paid.get("model"), 64),
        category=line_of(first(paid, "category", "conversationType", "conversation_type"), 64),
        kind=line_of(paid.get("type"), 64),
        conversation_id=id_of(first(about, "conversationId", "conversation_id")),
    )


# --- people, templates, account ----------------------------------------------------------------------------------


def _user(data: Fields, payload: Fields, source: Source, now: datetime) -> list[Event]:
    at = first_moment((data.get("timestamp"),), now)
    word = str(payload.get("type")).strip().lower().replace("_", "-")
    if word == "sandbox-start" or payload.get("phone") == "callbackSetPhone":
        return [Ping(source=source, at=at)]
    if word not in ("opted-in", "opted-out"):
        return [Unrecognised(source=source, at=at, reason=f"user-event {plain(word)}")]
    return [
        Consent(
            source=source,
            at=at,
            opted_out=word == "opted-out",
            via="gupshup",
            phone=phone_of(payload.get("phone")),
            user_id=id_of(first(payload, "userId", "user_id")),
        )
    ]


def _preference(data: Fields, payload: Fields, source: Source, now: datetime) -> list[Event]:
    inner = object_of(payload.get("payload")) or payload
    return preferences(inner.get("user_preferences"), source, data.get("timestamp"), now)


def _template(data: Fields, payload: Fields, source: Source, now: datetime) -> list[Event]:
    at = first_moment((data.get("timestamp"),), now)
    word = str(payload.get("type") or "").strip().lower()
    common: dict[str, Any] = {
        "source": source,
        "at": at,
        "template_id": id_of(payload.get("id")),
        "meta_id": id_of(payload.get("externalId")),
        "name": line_of(payload.get("elementName"), 512),
        "language": line_of(payload.get("languageCode"), 32),
    }
    category, quality = object_of(payload.get("category")), capitals(payload.get("quality"))
    status = capitals(payload.get("status"))
    if word == "category-update" or (not word and category and not status):
        return [
            TemplateNews(
                change=Change.CATEGORY,
                category=capitals(category.get("new")),
                category_old=capitals(first(category, "old", "current")),
                category_next=capitals(category.get("correct")),
                **common,
            )
        ]
    if word == "quality-update" or (not word and quality and not status):
        return [TemplateNews(change=Change.QUALITY, quality=quality, **common)]
    if status and word in ("", "status-update"):
        reason = line_of(first(payload, "rejectedReason", "reason", "description"))
        return [TemplateNews(change=Change.STATUS, status=status, reason=reason, **common)]
    return [Unrecognised(source=source, at=at, reason=f"template-event {plain(word)}")]


def _account(data: Fields, payload: Fields, source: Source, now: datetime) -> list[Event]:
    at = first_moment((data.get("timestamp"),), now)
    what = plain(str(payload.get("type") or "account").strip().lower().removesuffix("-event"))
    inner = object_of(payload.get("payload"))
    return [account_news(what, inner or payload, source, at)]


def _platform(data: Fields, payload: Fields, source: Source, now: datetime) -> list[Event]:
    return [Ping(source=source, at=first_moment((data.get("timestamp"),), now))]


_READERS: Final[dict[str, Callable[[Fields, Fields, Source, datetime], list[Event]]]] = {
    "message": _message,
    "order": _message,
    "message-event": _report,
    "user-event": _user,
    "preference-event": _preference,
    "template-event": _template,
    "account-event": _account,
    "onboarding-event": _account,
    "billing-event": _billing,
    "platform-event": _platform,
}

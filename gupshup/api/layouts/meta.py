"""Meta's nested layout, as Gupshup passes it on (v3: with ``gs_app_id`` and ``gs_id``) or raw.

``entry[].changes[].value`` holds messages, statuses or news of the account, each possibly several. From Gupshup's
pages *Events-V3* and *Passthrough V3 incoming events*, and Meta's webhook reference.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from gupshup.api import errors
from gupshup.api.happenings import (
    Change,
    Click,
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
    guarded,
    media_of,
    place_of,
    plain,
    preferences,
    referral_of,
)
from gupshup.api.layouts.v2 import billing
from gupshup.api.reading import (
    LINE,
    NAME,
    capitals,
    first,
    first_moment,
    id_of,
    ids_of,
    line_of,
    list_of,
    number_of,
    object_of,
    phone_of,
    text_of,
    url_of,
)
from gupshup.api.statuses import Word, word_of

Fields = Mapping[str, Any]

_ACCOUNT: Final = {
    "account_update": "update",
    "account_review_update": "review",
    "account_alerts": "alert",
    "phone_number_name_update": "pndn",
    "phone_number_quality_update": "tier",
    "business_capability_update": "capability",
}
_TEMPLATE: Final = {
    "message_template_status_update": Change.STATUS,
    "message_template_quality_update": Change.QUALITY,
    "template_category_update": Change.CATEGORY,
}


def read(data: Fields, now: datetime) -> list[Event]:
    """Every event of every change of every entry."""
    layout = Layout.V3 if first(data, "gs_app_id") or _has_gs_id(data) else Layout.META
    source = Source(layout=layout, app_id=id_of(data.get("gs_app_id")))
    found: list[Event] = []
    for entry in list_of(data.get("entry")):
        fields = object_of(entry)
        about = replace(source, waba_id=id_of(fields.get("id")))
        for change in list_of(fields.get("changes")):
            found += guarded(_change, about, object_of(change), about, fields.get("time"), now)
    return found or [Unrecognised(source=source, reason="no change")]


def _has_gs_id(data: Fields) -> bool:
    return any(
        first(object_of(status), "gs_id")
        for entry in list_of(data.get("entry"))
        for change in list_of(object_of(entry).get("changes"))
        for status in list_of(object_of(object_of(change).get("value")).get("statuses"))
    )


def _change(change: Fields, source: Source, time: object, now: datetime) -> list[Event]:
    value = object_of(change.get("value"))
    field = line_of(change.get("field"), 64) or ""
    business = phone_of(object_of(value.get("metadata")).get("display_phone_number"))
    source = replace(source, phone=business)
    found: list[Event] = []
    for name, reader in (("messages", _message), ("statuses", _status), ("message_echoes", _echo)):
        for item in list_of(value.get(name)):
            found += guarded(reader, source, item, value, source, time, now)
    for item in list_of(value.get("user_actions")):
        found += guarded(_action, source, item, value, source, time, now)
    if present_preferences := list_of(value.get("user_preferences")):
        found += preferences(present_preferences, source, time, now)
    if value.get("billing"):
        found.append(billing(object_of(value["billing"]), source, first_moment((time,), now)))
    elif field == "billing-event":
        found.append(billing(value, source, first_moment((time,), now)))
    return found or [_news(field, value, source, time, now)]


# --- messages ----------------------------------------------------------------------------------------------------


def _message(item: object, value: Fields, source: Source, time: object, now: datetime) -> Iterator[Event]:
    message = object_of(item)
    if not message:
        yield Unrecognised(source=source, reason="message is not an object")
        return
    contact = _contact_of(message, value)
    given = first(message, "from") or first(contact, "wa_id")
    phone, user_id = phone_of(given), id_of(first(message, "from_user_id") or contact.get("user_id"))
    at = first_moment((message.get("timestamp"), time), now)
    kind, body, word = _kind(message)
    if phone and phone == source.phone:
        yield Echo(source=source, at=at, echo_id=id_of(message.get("id")), text=text_of(first(body, "body", "text")))
        return
    context = object_of(message.get("context"))
    gs_id = id_of(first(context, "gs_id", "gsId"))
    quoted = ids_of(gs_id, context.get("id"), context.get("meta_msg_id"))
    if kind is Kind.REACTION:
        gs_id = id_of(first(body, "gs_id", "gsId")) or gs_id
        quoted = ids_of(gs_id, body.get("message_id"), body.get("id"), *quoted)
    yield Inbound(
        source=source,
        at=at,
        phone=phone,
        user_id=user_id,
        wa_id=phone_of(contact.get("wa_id")) or phone,
        sender=line_of(given, NAME),
        name=line_of(object_of(contact.get("profile")).get("name"), NAME),
        kind=kind,
        word=word,
        text=_text(kind, body),
        inbound_id=id_of(message.get("id")),
        message_id=id_of(message.get("id")),
        quoted_ids=quoted,
        quoted_message_id=gs_id,
        postback=text_of(first(body, "payload"), LINE) if kind is Kind.BUTTON else None,
        button_id=id_of(body.get("id")) if kind in (Kind.BUTTON_REPLY, Kind.LIST_REPLY) else None,
        description=line_of(body.get("description")) or (place_of(body) if kind is Kind.LOCATION else None),
        media=media_of(body) if kind in MEDIA_KINDS else None,
        latitude=number_of(body.get("latitude")) if kind is Kind.LOCATION else None,
        longitude=number_of(body.get("longitude")) if kind is Kind.LOCATION else None,
        referral=referral_of(message.get("referral")),
        detail=_detail(kind, message, body),
    )


def _contact_of(message: Fields, value: Fields) -> Fields:
    """The contact who wrote: the one with the sender's id, or the only one."""
    contacts = [object_of(contact) for contact in list_of(value.get("contacts"))]
    names = {first(message, "from"), first(message, "from_user_id")} - {None}
    for contact in contacts:
        if {contact.get("wa_id"), contact.get("user_id")} & names:
            return contact
    return contacts[0] if len(contacts) == 1 and len(list_of(value.get("messages"))) == 1 else {}


def _kind(message: Fields) -> tuple[Kind, Fields, str | None]:
    """The kind, the object named after it, and the provider's word."""
    word = line_of(message.get("type"), 64)
    name = (word or "").lower()
    if not name:
        name = next((known for known in KINDS if object_of(message.get(known))), "")
    body = message.get(name)
    if name == "interactive":
        inner = object_of(body)
        name = str(inner.get("type") or "").strip().lower()
        return KINDS.get(name, Kind.UNKNOWN), object_of(inner.get(name)), word
    if isinstance(body, str) and name == "text":
        return Kind.TEXT, {"body": body}, word
    if isinstance(body, list):
        return KINDS.get(name, Kind.UNKNOWN), {name: body}, word
    return KINDS.get(name, Kind.UNKNOWN), object_of(body), word


def _text(kind: Kind, body: Fields) -> str | None:
    if kind in (Kind.BUTTON_REPLY, Kind.LIST_REPLY):
        return text_of(first(body, "title", "text"))
    if kind in MEDIA_KINDS:
        return text_of(body.get("caption"))
    if kind is Kind.REACTION:
        return text_of(body.get("emoji"), 64)
    if kind is Kind.CONTACT:
        return contact_names(body.get("contacts"))
    if kind is Kind.LOCATION:
        return None
    return text_of(first(body, "body", "text"))


def _detail(kind: Kind, message: Fields, body: Fields) -> str | None:
    if kind is Kind.FLOW:
        return dumped(body.get("response_json") or dict(body))
    if kind in (Kind.CONTACT, Kind.ORDER, Kind.SYSTEM, Kind.UNKNOWN):
        return dumped(dict(body))
    return dumped(message.get("errors")) if kind is Kind.UNSUPPORTED else None


def _echo(item: object, value: Fields, source: Source, time: object, now: datetime) -> Iterator[Event]:
    message = object_of(item)
    _, body, _ = _kind(message)
    yield Echo(
        source=source,
        at=first_moment((message.get("timestamp"), time), now),
        echo_id=id_of(message.get("id")),
        to=phone_of(message.get("to")),
        text=text_of(first(body, "body", "text", "caption")),
    )


def _action(item: object, value: Fields, source: Source, time: object, now: datetime) -> Iterator[Event]:
    """Only clicks are known (``marketing_messages_link_click``)."""
    action = object_of(item)
    word = line_of(action.get("action_type"), 64) or ""
    contacts = list_of(value.get("contacts"))
    contact = object_of(contacts[0]) if len(contacts) == 1 else {}
    clicked = next((object_of(action[name]) for name in action if name.endswith("click_data")), {})
    if "click" not in word and not clicked:
        yield Unrecognised(source=source, reason=f"user action {plain(word)}")
        return
    yield Click(
        source=source,
        at=first_moment((action.get("timestamp"), time), now),
        phone=phone_of(contact.get("wa_id")),
        user_id=id_of(contact.get("user_id")),
        url=url_of(first(clicked, "tracking_url", "url", "click_url")),
        message_ids=ids_of(*(place.get(name) for place in (clicked, action) for name in ("gs_id", "id"))),
    )


# --- news of our messages ----------------------------------------------------------------------------------------


def _status(item: object, value: Fields, source: Source, time: object, now: datetime) -> Iterator[Event]:
    status = object_of(item)
    at = first_moment((status.get("timestamp"), time), now)
    if status.get("type") == "set-callback":
        yield Ping(source=source, at=at)
        return
    gs_id, own_id, meta_id = (id_of(status.get(name)) for name in ("gs_id", "id", "meta_msg_id"))
    told = line_of(first(status, "status"), 64)
    word = word_of(told)
    candidates, theirs = ids_of(gs_id, own_id), ids_of(own_id, meta_id)
    destination = phone_of(status.get("recipient_id"))
    if told and told.lower() == "mismatch":
        yield Mismatch(
            source=source,
            at=at,
            phone=phone_of(status.get("phone")) or destination,
            wa_id=phone_of(status.get("wa_id")),
            message_ids=candidates,
        )
        return
    if not candidates and not (told and destination):
        yield Unrecognised(source=source, at=at, reason="status without an id")
        return
    if word is Word.DELETED:
        candidates, theirs = (), ()
    code, reason = _failure(status) if word is Word.FAILED else (None, None)
    pricing, conversation = object_of(status.get("pricing")), object_of(status.get("conversation"))
    yield StatusReport(
        source=source,
        at=at,
        word=word,
        told=told,
        message_ids=candidates,
        whatsapp_ids=theirs,
        gs_id=gs_id,
        other_id=own_id,
        whatsapp_id=meta_id or own_id,
        destination=destination,
        user_id=id_of(status.get("recipient_user_id")),
        code=code,
        reason=reason,
        pricing_category=line_of(pricing.get("category"), 64),
        pricing_type=line_of(pricing.get("type"), 64),
        pricing_model=line_of(pricing.get("pricing_model"), 64),
        conversation_id=id_of(conversation.get("id")),
    )


def _failure(status: Fields) -> tuple[str | None, str | None]:
    """WhatsApp's failures hold ``errors``; those that Gupshup decided have code and reason on the status itself."""
    listed = [object_of(error) for error in list_of(status.get("errors"))]
    error = next((one for one in listed if first(one, "code") is not None), status)
    details = object_of(error.get("error_data")).get("details")
    said = [line_of(text) for text in (first(error, "title", "reason", "message"), details)]
    reason = ": ".join(dict.fromkeys(filter(None, said)))
    return errors.normalise(error.get("code")) or None, line_of(reason)


# --- templates and account ---------------------------------------------------------------------------------------


def _news(field: str, value: Fields, source: Source, time: object, now: datetime) -> Event:
    at = first_moment((time,), now)
    if change := _TEMPLATE.get(field):
        return _template(change, value, source, at)
    if what := _ACCOUNT.get(field):
        return account_news(what, value, source, at)
    return Unrecognised(source=source, at=at, reason=f"field {plain(field)}")


def _template(change: Change, value: Fields, source: Source, at: datetime | None) -> Event:
    reason = line_of(value.get("reason"))
    return TemplateNews(
        source=source,
        at=at,
        change=change,
        template_id=id_of(value.get("gs_template_id")),
        meta_id=id_of(value.get("message_template_id")),
        name=line_of(value.get("message_template_name"), 512),
        language=line_of(value.get("message_template_language"), 32),
        status=capitals(value.get("event")) if change is Change.STATUS else None,
        reason=None if reason in (None, "NONE") else reason,
        quality=capitals(value.get("new_quality_score")) if change is Change.QUALITY else None,
        category=capitals(value.get("new_category")) if change is Change.CATEGORY else None,
        category_old=capitals(value.get("previous_category")) if change is Change.CATEGORY else None,
        category_next=capitals(value.get("correct_category")) if change is Change.CATEGORY else None,
    )

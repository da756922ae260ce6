"""What happens, written in the layouts that Gupshup has: v2, v3 (Meta's, with Gupshup's ids), enterprise.

Written from the documentation of each layout; nothing here is shared with any parser.
"""

import base64
import json
import uuid
from typing import Any
from urllib.parse import urlencode

from gupshup.simulator.account import App
from gupshup.simulator.catalogue import NAMESPACE
from gupshup.simulator.happenings import MEDIA, Event, compact, media_url, message_of, person_of, wamid, whatsapp_side
from gupshup.simulator.ledger import Accepted
from gupshup.simulator.people import Person, country_code

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
META_ERRORS = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"
WEEK_MS = 7 * 24 * 3600 * 1000


def render(event: Event, app: App, layout: str) -> tuple[bytes, str] | None:
    """Body and content type of one callback, or None when this layout does not know such an event."""
    if event.kind == "raw":
        return event.data["body"], event.data["content_type"]
    if layout == "enterprise":
        return _enterprise(event, app)
    body = v3(event, app) if layout == "v3" else None
    if body is None and layout == "v3" and event.kind in ("mismatch", "user", "ping"):
        return None
    return json.dumps(body or v2(event, app), ensure_ascii=False).encode("utf-8", "replace"), JSON


def render_batch(events: list[Event], app: App, layout: str) -> tuple[bytes, str]:
    """Several statuses in one POST: v3 as several changes of one entry, enterprise as one array."""
    if layout == "enterprise":
        reports = [enterprise_report(event, app) for event in events]
        return urlencode({"response": json.dumps(reports)}).encode(), FORM
    bodies = [v3(event, app) for event in events]
    whole = bodies[0] or {}
    whole["entry"][0]["changes"] = [change for body in bodies if body for change in body["entry"][0]["changes"]]
    return json.dumps(whole, ensure_ascii=False).encode(), JSON


# v2


def v2(event: Event, app: App) -> dict[str, Any]:
    kinds = {"status": "message-event", "mismatch": "message-event", "ping": "user-event"}
    envelope: dict[str, Any] = {"app": app.name, "timestamp": int(event.at * 1000) + 350, "version": 2}
    if event.message is not None and event.message.seq % 2:  # newer bodies name the business number, older do not
        envelope["phone"] = app.source
    envelope["type"] = kinds.get(event.kind, "message" if event.kind == "message" else f"{event.kind}-event")
    match event.kind:
        case "status":
            envelope["payload"] = _v2_status(event)
        case "message":
            envelope["payload"] = _v2_message(event)
        case "mismatch":
            known = {"id": message_of(event).message_id, "type": "mismatch", "destination": event.destination}
            envelope["payload"] = known | {"payload": event.data}
        case "ping":
            envelope["payload"] = {"phone": "callbackSetPhone", "type": "sandbox-start"}
        case _:
            envelope["payload"] = event.data
    return envelope


def _v2_status(event: Event) -> dict[str, Any]:
    message = message_of(event)
    other = whatsapp_side(message.message_id)
    payload: dict[str, Any] = {"id": other, "type": event.word, "destination": message.destination}
    if event.word == "enqueued":
        payload["id"] = message.message_id
        payload["payload"] = {"whatsappMessageId": other, "type": message.kind}
        return payload
    if "synchronous" in event.quirks:
        payload["id"] = message.message_id
        payload["payload"] = _failure(event)
        return payload
    if "no_gs_id" not in event.quirks:
        payload["gsId"] = message.message_id
    payload["payload"] = {"ts": event.seconds} | (_failure(event) if event.word == "failed" else {})
    if event.word == "sent":
        payload |= _v2_conversation(event)
    return payload | _user_id(event.person, "userId")


def _v2_conversation(event: Event) -> dict[str, Any]:
    category = event.data["category"]
    kind = "free_customer_service" if category == "service" else "regular"
    return {
        "conversation": {
            "id": uuid.uuid5(NAMESPACE, f"{event.destination}/{category}").hex,
            "expiresAt": int(event.at) + 86400,
            "type": category,
        },
        "pricing": {"policy": "PMP", "category": category, "type": kind},
    }


def _failure(event: Event) -> dict[str, Any]:
    code = event.data["code"]
    return {"code": str(code) if "text_ts" in event.quirks else code, "reason": event.data["reason"]}


def _user_id(person: Person | None, name: str) -> dict[str, str]:
    """User ids came in 2026: here half of the people have one, and all who have no phone number."""
    if person is None or not (person.behaviour.no_phone or int(person.user_id[-1]) % 2):
        return {}
    return {name: person.user_id}


def _v2_message(event: Event) -> dict[str, Any]:
    person, data = person_of(event), event.data
    number = person.wa_id
    payload: dict[str, Any] = {"id": data["id"], "source": number, "type": data["outer"]}
    if event.word != "welcome":
        payload["payload"] = _v2_content(event)
    sender = {
        "phone": number,
        "name": person.name,
        "country_code": country_code(number),
        "dial_code": number[len(country_code(number)) :],
    } | _user_id(person, "userId")
    if person.behaviour.no_phone:
        sender = {"name": person.name, "userId": person.user_id}
        del payload["source"]
    payload["sender"] = sender
    if (quoted := data.get("quoted")) is not None and event.word != "reaction":
        payload["context"] = _v2_context(event, quoted)
    return payload


def _v2_context(event: Event, quoted: Accepted) -> dict[str, Any]:
    context: dict[str, Any] = {"id": whatsapp_side(quoted.message_id)}
    if "no_gs_id" in event.quirks:
        return context | {"forwarded": False, "frequently_forwarded": False}
    return context | {"gsId": quoted.message_id}


def _v2_content(event: Event) -> dict[str, Any]:
    data = event.data
    match event.word:
        case "button":
            return compact({"text": data["text"], "type": "button", "postbackText": data.get("postback")})
        case "quick":
            return compact(
                {
                    "title": data["text"],
                    "id": data["ref"],
                    "reply": f"{data['text']} 1",
                    "postbackText": data.get("postback"),
                }
            )
        case "list":
            row = {"title": data["text"], "id": data["ref"], "reply": f"{data['text']} 1"}
            return row | {"postbackText": data.get("postback") or "", "description": data.get("description", "")}
        case "reaction":
            quoted = data.get("quoted")
            ids = {"id": whatsapp_side(quoted.message_id), "gsId": quoted.message_id} if quoted else {"id": data["ref"]}
            return ids | {"emoji": data["text"]}
        case "location":
            return {"longitude": data["longitude"], "latitude": data["latitude"]}
        case "contact":
            return {"contacts": data["contacts"]}
        case word if word in MEDIA:
            media = {
                "url": media_url(data),
                "contentType": MEDIA[word][1],
                "urlExpiry": int(event.at * 1000) + WEEK_MS,
            }
            return media | compact({"caption": data.get("text") or None, "name": data.get("filename")})
        case _:
            return {"text": data["text"]}


# v3


def v3(event: Event, app: App) -> dict[str, Any] | None:
    """Meta's layout, or None for an event that comes in v2 words even here."""
    waba = str(uuid.UUID(app.id).int)[:15]
    metadata = {"display_phone_number": app.source, "phone_number_id": str(uuid.UUID(app.id).int)[-15:]}
    value: dict[str, Any] = {"messaging_product": "whatsapp", "metadata": metadata}
    name = "messages"
    match event.kind:
        case "status":
            value["statuses"] = [_v3_status(event)]
            if event.word == "enqueued" or "synchronous" in event.quirks:
                del value["metadata"]
        case "message" if event.word != "welcome":
            person = person_of(event)
            contact: dict[str, Any] = {"profile": {"name": person.name}} | _user_id(person, "user_id")
            value["contacts"] = [contact if person.behaviour.no_phone else contact | {"wa_id": person.wa_id}]
            value["messages"] = [_v3_message(event)]
        case "ping":
            value = {"messaging_product": "whatsapp", "statuses": [{"type": "set-callback"}]}
        case "template" | "preference":
            name, value = _v3_system(event)
        case "billing":
            name, value = "billing-event", {"messaging_product": "whatsapp", "billing": _snake(event.data)}
        case _:
            return None
    entry: dict[str, Any] = {"id": waba, "changes": [{"field": name, "value": value}]}
    if name != "messages":
        entry["time"] = int(event.at)
    return {"object": "whatsapp_business_account", "gs_app_id": app.id, "entry": [entry]}


def _v3_status(event: Event) -> dict[str, Any]:
    message = message_of(event)
    status: dict[str, Any] = {"gs_id": message.message_id, "status": event.word, "recipient_id": message.destination}
    if event.word == "enqueued":
        return status | {"id": whatsapp_side(message.message_id), "timestamp": int(event.at * 1000)}
    if "synchronous" in event.quirks:
        return status | {"timestamp": int(event.at * 1000)} | _failure(event)
    status |= {"id": whatsapp_side(message.message_id), "timestamp": str(int(event.at))}
    status["meta_msg_id"] = wamid(message.destination, whatsapp_side(message.message_id))
    if "no_gs_id" in event.quirks:
        del status["gs_id"]
    if event.word == "failed":
        error = {"code": event.data["code"], "title": event.data["reason"], "href": META_ERRORS}
        status["errors"] = [error]
    if event.word == "sent":
        category = event.data["category"]
        status["conversation"] = {
            "id": uuid.uuid5(NAMESPACE, f"{event.destination}/{category}").hex,
            "origin": {"type": category},
        }
        kind = "free_customer_service" if category == "service" else "regular"
        pricing = {"billable": kind == "regular", "pricing_model": "PMP", "category": category, "type": kind}
        status["pricing"] = pricing
    return status | _user_id(event.person, "recipient_user_id")


def _v3_message(event: Event) -> dict[str, Any]:
    person, data, word = person_of(event), event.data, event.word
    message: dict[str, Any] = {"from": person.wa_id, "id": data["id"], "timestamp": str(int(event.at))}
    message |= _user_id(person, "from_user_id")
    if person.behaviour.no_phone:
        del message["from"]
    name, content = _v3_content(event)
    message |= {"type": name, name: content}
    if (quoted := data.get("quoted")) is not None and word != "reaction":
        other = whatsapp_side(quoted.message_id)
        context = {"from": quoted.source, "id": other, "meta_msg_id": wamid(quoted.destination, other)}
        message["context"] = context if "no_gs_id" in event.quirks else context | {"gs_id": quoted.message_id}
    return message


def _v3_content(event: Event) -> tuple[str, Any]:
    data = event.data
    match event.word:
        case "button":
            return "button", {"payload": data.get("postback") or data["text"], "text": data["text"]}
        case "quick":
            reply = {"id": data.get("postback") or data["ref"], "title": data["text"]}
            return "interactive", {"type": "button_reply", "button_reply": reply}
        case "list":
            reply = {"id": data.get("postback") or data["ref"], "title": data["text"]}
            reply["description"] = data.get("description", "")
            return "interactive", {"type": "list_reply", "list_reply": reply}
        case "reaction":
            quoted = data.get("quoted")
            ref = wamid(quoted.destination, whatsapp_side(quoted.message_id)) if quoted else data["ref"]
            return "reaction", {"message_id": ref, "emoji": data["text"]}
        case "location":
            return "location", {"latitude": float(data["latitude"]), "longitude": float(data["longitude"])}
        case "contact":
            return "contacts", data["contacts"]
        case word if word in MEDIA:
            name = "document" if word == "file" else MEDIA[word][0]
            media = {
                "id": str(uuid.uuid5(NAMESPACE, data["id"]).int)[:16],
                "mime_type": MEDIA[word][1],
                "url": media_url(data),
            }
            media["sha256"] = base64.b64encode(uuid.uuid5(NAMESPACE, data["id"]).bytes * 2).decode()
            return name, media | compact({"caption": data.get("text") or None, "filename": data.get("filename")})
        case _:
            return "text", {"body": data["text"]}


def _v3_system(event: Event) -> tuple[str, dict[str, Any]]:
    data = event.data
    if event.kind == "preference":
        entries = data["payload"]["user_preferences"]
        return "user_preferences", {"messaging_product": "whatsapp", "user_preferences": entries}
    named = {
        "gs_template_id": data["id"],
        "message_template_id": int(str(uuid.UUID(data["id"]).int)[:16]),
        "message_template_name": data["elementName"],
        "message_template_language": data["languageCode"],
    }
    if "category" in data:
        return "template_category_update", named | {
            "new_category": data["category"].get("new") or data["category"]["correct"]
        }
    if "quality" in data:
        return "message_template_quality_update", named | {"new_quality_score": data["quality"]}
    reason = data.get("rejectedReason", "NONE")
    return "message_template_status_update", named | {"event": data["status"].upper(), "reason": reason}


def _snake(data: dict[str, Any]) -> dict[str, Any]:
    names = {"gsId": "gs_id", "conversationId": "conversation_id", "conversationType": "conversation_type"}
    return {part: {names.get(name, name): value for name, value in inner.items()} for part, inner in data.items()}


# enterprise

ENTERPRISE_CODES = {"sent": ("SENT", "025"), "delivered": ("SUCCESS", "000"), "read": ("READ", "026")}
ENTERPRISE_FAILURES = {
    1002: ("UNKNOWN_SUBSCRIBER", "003"),
    131026: ("UNKNOWN_SUBSCRIBER", "003"),
    131050: ("BLOCKED", "007"),
}


def _enterprise(event: Event, app: App) -> tuple[bytes, str] | None:
    match event.kind:
        case "status" if event.word != "enqueued":
            return render_batch([event], app, "enterprise")
        case "message" if event.word != "welcome":
            return urlencode(_enterprise_message(event, app)).encode(), FORM
        case "preference":
            kind = "OPT_OUT" if event.word == "stop" else "OPT_IN"
            fields = {"waNumber": app.source, "mobile": event.destination, "type": kind, "text": event.word.upper()}
            return urlencode(fields | {"timestamp": int(event.at * 1000), "name": ""}).encode(), FORM
    return None


def enterprise_report(event: Event, app: App) -> dict[str, Any]:
    message = message_of(event)
    cause, code = ENTERPRISE_CODES.get(event.word) or ENTERPRISE_FAILURES.get(
        event.data.get("code", 0), ("OTHER", "00a")
    )
    return {
        "externalId": message.message_id,
        "eventType": event.word.upper(),
        "eventTs": str(int(event.at * 1000)) if "text_ts" in event.quirks else int(event.at * 1000),
        "destAddr": message.destination,
        "srcAddr": app.name,
        "cause": cause,
        "errorCode": code,
        "channel": "WHATSAPP",
        "extra": "",
        "noOfFrags": 1,
    }


def _enterprise_message(event: Event, app: App) -> dict[str, Any]:
    person, data, word = person_of(event), event.data, event.word
    fields: dict[str, Any] = {"waNumber": app.source, "mobile": person.wa_id, "name": person.name}
    fields |= {"type": "text", "timestamp": int(event.at * 1000)}
    quoted = data.get("quoted")
    if quoted is not None and "no_gs_id" not in event.quirks:
        fields["replyId"], _, fields["messageId"] = quoted.message_id.partition("-")
    match word:
        case "button":
            inner: Any = {"text": data["text"], "payload": data.get("postback") or data["text"]}
        case "quick" | "list":
            kind = "button_reply" if word == "quick" else "list_reply"
            inner = {"type": kind, kind: {"id": data["ref"], "title": data["text"]}}
        case "location":
            inner = {"latitude": data["latitude"], "longitude": data["longitude"]}
        case _ if word in MEDIA:
            inner = {"mime_type": MEDIA[word][1], "signature": "?Signature=simulated", "url": media_url(data)}
            inner |= compact({"caption": data.get("text") or None})
        case _:
            return fields | {"text": data["text"]}
    names = {"quick": "interactive", "list": "interactive", "file": "document"}
    name = names.get(word, word)
    return fields | {"type": name, name: json.dumps(inner, ensure_ascii=False)}

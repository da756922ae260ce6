"""What several layouts share: the words for kinds of message, media, preferences, tiers."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from gupshup.api.happenings import AccountNews, Consent, Event, Kind, Media, Referral, Restriction, Source, Unrecognised
from gupshup.api.reading import (
    NAME,
    capitals,
    clean,
    first,
    first_moment,
    id_of,
    line_of,
    list_of,
    moment_of,
    object_of,
    phone_of,
    text_of,
    tier_of,
    truth_of,
    url_of,
)

DETAIL: Final = 8_192
_FAR: Final = datetime(2100, 1, 1, tzinfo=UTC)

KINDS: Final = {
    "text": Kind.TEXT,
    "msg": Kind.TEXT,
    "button": Kind.BUTTON,
    "quick_reply": Kind.BUTTON,
    "button_reply": Kind.BUTTON_REPLY,
    "list_reply": Kind.LIST_REPLY,
    "nfm_reply": Kind.FLOW,
    "flow": Kind.FLOW,
    "image": Kind.IMAGE,
    "audio": Kind.AUDIO,
    "voice": Kind.AUDIO,
    "video": Kind.VIDEO,
    "file": Kind.FILE,
    "document": Kind.FILE,
    "sticker": Kind.STICKER,
    "location": Kind.LOCATION,
    "contact": Kind.CONTACT,
    "contacts": Kind.CONTACT,
    "reaction": Kind.REACTION,
    "order": Kind.ORDER,
    "request_welcome": Kind.WELCOME,
    "system": Kind.SYSTEM,
    "unsupported": Kind.UNSUPPORTED,
}
MEDIA_KINDS: Final = frozenset({Kind.IMAGE, Kind.AUDIO, Kind.VIDEO, Kind.FILE, Kind.STICKER})


def guarded(read: Callable[..., Iterable[Event]], source: Source, *args: Any) -> list[Event]:
    """What ``read`` makes of one item. An item that breaks it is kept as unrecognised, and its neighbours live."""
    try:
        return list(read(*args))
    except Exception as error:
        return [Unrecognised(source=source, reason=f"unreadable: {type(error).__name__}")]


def plain(word: object) -> str:
    """A foreign word that may stand in a reason: letters, digits, dash and underscore only."""
    return re.sub(r"[^\w-]", "", word, flags=re.ASCII)[:40] if isinstance(word, str) else type(word).__name__


def dumped(value: object) -> str | None:
    """JSON of what has no field of its own, shortened if need be; None for nothing."""
    if not value:
        return None
    if isinstance(value, str):
        return text_of(value, DETAIL)
    return clean(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str), DETAIL)


def media_of(fields: Mapping[str, Any]) -> Media | None:
    """The file described by the fields, under any of the names that the layouts use."""
    url = url_of(first(fields, "url", "link"))
    signature = fields.get("signature")
    if url and isinstance(signature, str):  # enterprise: the address is in two parts
        url = url_of(url + signature)
    content_type = line_of(first(fields, "contentType", "content-type", "mime_type", "mimeType"), NAME)
    media = Media(
        url=url,
        content_type=content_type,
        name=line_of(first(fields, "name", "filename", "fileName"), NAME),
        caption=text_of(fields.get("caption")),
        media_id=id_of(first(fields, "id", "mediaId")),
        sha256=id_of(fields.get("sha256")),
        voice=truth_of(fields.get("voice")) is True or "codecs=opus" in (content_type or ""),  # Gupshup, *Media*
        expires_at=expiry_of(fields.get("urlExpiry")),
    )
    return media if media != Media() else None


def expiry_of(value: object) -> datetime | None:
    """A moment that lies in the future, so not bound by the present."""
    return moment_of(value, _FAR)


def referral_of(value: object) -> Referral | None:
    fields = object_of(value)
    found = Referral(
        source_type=line_of(fields.get("source_type"), NAME),
        source_id=id_of(fields.get("source_id")),
        source_url=url_of(fields.get("source_url")),
        headline=line_of(fields.get("headline")),
        body=line_of(fields.get("body")),
        click_id=id_of(fields.get("ctwa_clid")),
    )
    return found if found != Referral() else None


def contact_names(cards: object) -> str | None:
    """The names on shared contact cards, in one line."""
    names = [line_of(object_of(object_of(card).get("name")).get("formatted_name"), NAME) for card in list_of(cards)]
    return line_of(", ".join(filter(None, names[:20])))


def place_of(fields: Mapping[str, Any]) -> str | None:
    """What a shared location is called."""
    parts = [line_of(fields.get(name), NAME) for name in ("name", "address")]
    return ", ".join(filter(None, parts)) or None


def preferences(items: object, source: Source, fallback: object, now: datetime) -> list[Event]:
    """Meta's own opt-out and opt-in: the ones that count."""
    found = [event for item in list_of(items) for event in guarded(_preference, source, item, source, fallback, now)]
    return found or [Unrecognised(source=source, reason="no preferences")]


def _preference(item: object, source: Source, fallback: object, now: datetime) -> list[Event]:
    fields = object_of(item)
    value = line_of(fields.get("value"), NAME)
    word = value.lower() if value else ""
    if word not in ("stop", "resume"):
        return [Unrecognised(source=source, reason=f"preference {plain(word)}")]
    return [
        Consent(
            source=source,
            at=first_moment((fields.get("timestamp"), fallback), now),
            opted_out=word == "stop",
            via="meta",
            phone=phone_of(fields.get("wa_id")),
            user_id=id_of(first(fields, "userid", "user_id", "userId")),
            category=line_of(fields.get("category"), NAME),
            text=line_of(fields.get("detail")),
        )
    ]


def account_news(what: str, fields: Mapping[str, Any], source: Source, at: datetime | None) -> AccountNews:
    """News of the account, in v2's words or Meta's."""
    status = capitals(first(object_of(fields.get("ban_info")), "waba_ban_state"))
    violation = object_of(fields.get("violation_info"))
    limit, unlimited = tier_of(
        first(
            fields,
            "currentLimit",
            "current_limit",
            "maxDailyConversationPerPhone",
            "max_daily_conversation_per_phone",
            "max_daily_conversations_per_business",
        )
    )
    return AccountNews(
        source=source,
        at=at,
        what=what,
        status=status or capitals(first(fields, "status", "event", "decision")),
        reason=line_of(
            first(fields, "violation_type", "rejectedReason", "rejection_reason", "reason")
            or violation.get("violation_type")
        ),
        restrictions=tuple(
            Restriction(kind=kind, until=expiry_of(first(object_of(item), "expiration", "expiry")))
            for item in list_of(first(fields, "restrictionInfo", "restriction_info"))
            if (kind := capitals(first(object_of(item), "restrictionType", "restriction_type")))
        ),
        limit=limit,
        old_limit=tier_of(first(fields, "oldLimit", "old_limit"))[0],
        unlimited=unlimited,
        detail=dumped(dict(fields)),
    )

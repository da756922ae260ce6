"""What can arrive, as frozen values in our words. ``events.parse`` makes them; nothing here knows a layout.

Every text is clean (no NUL, no half surrogates, bounded; bidi controls are kept, so strip them for display), every
moment is aware and plausible, every id is short enough for an index, every telephone number is digits only.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from gupshup.api.statuses import Word


class Layout(StrEnum):
    """In whose words it came."""

    V2 = "v2"
    V3 = "v3"
    META = "meta"
    ENTERPRISE = "enterprise"
    FLAT = "flat"
    V1 = "v1"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The layout, and what the body says of the business it is for (hints: route by the secret address first)."""

    layout: Layout = Layout.UNKNOWN
    app: str | None = None
    app_id: str | None = None
    phone: str | None = None
    waba_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. ``at`` is when, by the provider's clock; None when it does not say so believably."""

    source: Source = field(default_factory=Source)
    at: datetime | None = None

    @property
    def key(self) -> str:
        """The same for the same thing told twice, also in another layout; 32 characters that give nothing away."""
        return _digest(type(self).__name__, *self._identity())

    def _identity(self) -> tuple[object, ...]:
        return (repr(self),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A file of an inbound message. ``url`` lives about a week; ``kind`` of file is in ``content_type``."""

    url: str | None = None
    content_type: str | None = None
    name: str | None = None
    caption: str | None = None
    media_id: str | None = None
    sha256: str | None = None
    voice: bool = False
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """The ad or post from which somebody wrote."""

    source_type: str | None = None
    source_id: str | None = None
    source_url: str | None = None
    headline: str | None = None
    body: str | None = None
    click_id: str | None = None


class Kind(StrEnum):
    """What an inbound message is. Template buttons are BUTTON, those of session messages BUTTON_REPLY."""

    TEXT = "text"
    BUTTON = "button"
    BUTTON_REPLY = "button_reply"
    LIST_REPLY = "list_reply"
    FLOW = "flow"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    FILE = "file"
    STICKER = "sticker"
    LOCATION = "location"
    CONTACT = "contact"
    REACTION = "reaction"
    ORDER = "order"
    WELCOME = "request_welcome"
    SYSTEM = "system"
    UNSUPPORTED = "unsupported"
    UNKNOWN = "unknown"


_SILENT: Final = frozenset({Kind.WELCOME, Kind.SYSTEM})


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound(Event):
    """A message from a person.

    ``phone`` is None for a person who shows only a user id, or whose number is not one. ``inbound_id`` is this
    message's own id and drops duplicates; None where the layout has no sure one (use ``key``). ``message_id`` is the
    provider's field of that name, as given. ``quoted_ids`` are the ids under which the message answered may be known,
    most likely first; of these ``quoted_message_id`` is surely a send's ``messageId``. ``text`` is what was written,
    tapped or captioned, or the emoji of a reaction (None: taken back). ``detail`` is JSON of what has no field here.
    """

    phone: str | None = None
    user_id: str | None = None
    wa_id: str | None = None
    sender: str | None = None  # as written, for a person to look at
    name: str | None = None
    kind: Kind = Kind.UNKNOWN
    word: str | None = None  # the provider's word for the kind
    text: str | None = None
    inbound_id: str | None = None
    message_id: str | None = None
    quoted_ids: tuple[str, ...] = ()
    quoted_message_id: str | None = None
    postback: str | None = None
    button_id: str | None = None
    description: str | None = None
    media: Media | None = None
    latitude: float | None = None
    longitude: float | None = None
    referral: Referral | None = None
    detail: str | None = None

    @property
    def media_url(self) -> str | None:
        return self.media.url if self.media else None

    @property
    def is_interaction(self) -> bool:
        """Did the person say or do something to us? (Opening the chat is nothing; every real message is.)"""
        if self.kind is Kind.UNKNOWN:
            return bool(self.text or self.media or self.postback)
        return self.kind not in _SILENT

    def _identity(self) -> tuple[object, ...]:
        if self.inbound_id:
            return (self.inbound_id,)
        content = (self.text, self.media_url, self.postback, self.button_id, self.detail)
        return (self.phone, self.user_id, self.at, self.kind, *content, self.message_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport(Event):
    """News of one of our messages.

    Look for it by ``message_ids`` among the ids that sends answered, in this order, then by ``whatsapp_ids`` among the
    ids remembered from earlier reports. ``code`` is only there for a failure. ``told`` is the provider's own word.
    """

    word: Word = Word.OTHER
    told: str | None = None
    message_ids: tuple[str, ...] = ()
    whatsapp_ids: tuple[str, ...] = ()
    gs_id: str | None = None
    other_id: str | None = None
    whatsapp_id: str | None = None
    external_id: str | None = None
    destination: str | None = None
    user_id: str | None = None
    code: str | None = None
    reason: str | None = None
    pricing_category: str | None = None
    pricing_type: str | None = None
    pricing_model: str | None = None
    conversation_id: str | None = None

    def _identity(self) -> tuple[object, ...]:
        first = next(iter((*self.message_ids, *self.whatsapp_ids)), None)
        return (first, self.word, self.told if self.word is Word.OTHER else None, self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent(Event):
    """Somebody opted out, or in again. Meta's (``meta``) covers one category, the others everything."""

    opted_out: bool
    via: str  # "meta", "gupshup", "keyword"
    phone: str | None = None
    user_id: str | None = None
    category: str | None = None
    text: str | None = None

    def _identity(self) -> tuple[object, ...]:
        return (self.opted_out, self.phone, self.user_id, self.category, self.at)


class Change(StrEnum):
    """What about a template is news."""

    STATUS = "status"
    CATEGORY = "category"
    QUALITY = "quality"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateNews(Event):
    """A template's status, category or quality; in capitals, as the list has them.

    ``category_next`` alone is a warning of a change to come; with ``category`` it has happened.
    """

    change: Change
    template_id: str | None = None
    meta_id: str | None = None
    name: str | None = None
    language: str | None = None
    status: str | None = None
    reason: str | None = None
    quality: str | None = None
    category: str | None = None
    category_old: str | None = None
    category_next: str | None = None

    def _identity(self) -> tuple[object, ...]:
        news = (self.change, self.status, self.quality, self.category, self.category_next, self.at)
        return (self.template_id or self.meta_id, self.name, self.language, *news)


_STOPPING: Final = frozenset({"ACCOUNT_VIOLATION", "DISABLE", "ACCOUNT_DISABLE", "ACCOUNT_DISABLED", "DISABLED_UPDATE"})
_RESUMING: Final = frozenset({"REINSTATE", "ACCOUNT_REINSTATE", "REINSTATED"})
_NO_FIRST_MESSAGE: Final = "RESTRICTED_BIZ_INITIATED_MESSAGING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """Something that the account may not do, until a moment if one is told."""

    kind: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountNews(Event):
    """News of our own account. ``what`` is the provider's kind of news without ``-event`` (status, tier, review…).

    ``limit`` is the number of people that may be written to in 24 h; None together with ``unlimited`` is no limit.
    """

    what: str
    status: str | None = None
    reason: str | None = None
    restrictions: tuple[Restriction, ...] = ()
    limit: int | None = None
    old_limit: int | None = None
    unlimited: bool = False
    detail: str | None = None

    @property
    def stops_sending(self) -> bool:
        """Would all further sends fail?"""
        return self.status in _STOPPING or any(one.kind == _NO_FIRST_MESSAGE for one in self.restrictions)

    @property
    def resumes_sending(self) -> bool:
        return self.status in _RESUMING


@dataclass(frozen=True, slots=True, kw_only=True)
class Billing(Event):
    """What a message cost, by kind; found like a StatusReport."""

    message_ids: tuple[str, ...] = ()
    whatsapp_ids: tuple[str, ...] = ()
    destination: str | None = None
    billable: bool | None = None
    model: str | None = None
    category: str | None = None
    kind: str | None = None
    conversation_id: str | None = None

    def _identity(self) -> tuple[object, ...]:
        first = next(iter((*self.message_ids, *self.whatsapp_ids)), None)
        return (first, self.model, self.category, self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch(Event):
    """The number written to is not the person's WhatsApp id (Brazil, Mexico, Argentina…): keep the alias."""

    phone: str | None = None
    wa_id: str | None = None
    message_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Click(Event):
    """Somebody followed a link of ours. Not a reply."""

    phone: str | None = None
    user_id: str | None = None
    url: str | None = None
    message_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping(Event):
    """Gupshup tries whether the address answers. Nothing happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo(Event):
    """A message that the business itself wrote. Never a reply."""

    echo_id: str | None = None
    to: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecognised(Event):
    """Kept for a person to look at. ``reason`` holds nothing of the body but names of fields and types."""

    reason: str


def _digest(*parts: object) -> str:
    text = "\x1f".join("" if part is None else str(part) for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()

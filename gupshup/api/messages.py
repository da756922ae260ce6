"""The JSON of every message that Gupshup takes: headers of templates, and the types of free (session) messages.

Layouts from Gupshup's pages *Template messages* and *Session messages*. A builder answers a dict; ``encode`` makes
the text that travels in a form field.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from gupshup.api.reading import clean

LONGEST_TEXT: Final = 4_096
Message = dict[str, Any]
Media = Literal["image", "video", "document"]
Buttons = Sequence[str | None] | Mapping[int, str]


def encode(value: object) -> str:
    """Compact JSON, characters as they are. A lone surrogate, which no wire can carry, becomes U+FFFD."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return clean(text, len(text))
    return text


@dataclass(frozen=True, slots=True)
class MediaHeader:
    """A template's image, video or document: a public link, or the id of an upload. Due at every send."""

    kind: Media
    link: str | None = None
    media_id: str | None = None
    filename: str | None = None

    def message(self) -> Message:
        source = {"id": self.media_id} if self.media_id else {"link": self.link}
        name = {"filename": self.filename} if self.filename and self.kind == "document" else {}
        return {"type": self.kind, self.kind: {**source, **name}}


@dataclass(frozen=True, slots=True)
class LocationHeader:
    """A template's map."""

    longitude: float | str
    latitude: float | str

    def message(self) -> Message:
        return {"type": "location", "location": {"longitude": str(self.longitude), "latitude": str(self.latitude)}}


@dataclass(frozen=True, slots=True)
class Card:
    """One card of a carousel."""

    link: str | None = None
    media_id: str | None = None
    postback_texts: Buttons | None = None

    def entry(self) -> Message:
        source = {"id": self.media_id} if self.media_id else {"link": self.link}
        texts = {"postbackTexts": postbacks(self.postback_texts)} if self.postback_texts else {}
        return {**source, **texts}


@dataclass(frozen=True, slots=True)
class CarouselHeader:
    """A template's row of cards, all with an image or all with a video."""

    card_kind: Literal["IMAGE", "VIDEO"]
    cards: Sequence[Card]

    def message(self) -> Message:
        cards = [card.entry() for card in self.cards]
        return {"type": "carousel", "cardHeaderType": self.card_kind, "cards": cards}


Header = MediaHeader | LocationHeader | CarouselHeader


def postbacks(texts: Buttons) -> list[Message]:
    """What comes back as ``postbackText`` when a button is tapped; the index counts quick-reply buttons from 0."""
    pairs = sorted(texts.items()) if isinstance(texts, Mapping) else enumerate(texts)
    return [{"index": index, "text": text} for index, text in pairs if text]


def quoting(message: Mapping[str, Any], message_id: str) -> Message:
    """The message as an answer to the contact's message (shown as a bubble; not older than 30 days)."""
    return {**message, "context": {"msgId": message_id}}


def text(body: str) -> Message:
    """Free text, at most 4096 characters."""
    return {"type": "text", "text": body}


def image(url: str, *, caption: str = "", preview_url: str | None = None) -> Message:
    return {"type": "image", "originalUrl": url, "previewUrl": preview_url or url, "caption": caption}


def document(url: str, filename: str, *, caption: str = "") -> Message:
    return {"type": "file", "url": url, "filename": filename, "caption": caption}


def audio(url: str) -> Message:
    return {"type": "audio", "url": url}


def video(url: str, *, caption: str = "") -> Message:
    return {"type": "video", "url": url, "caption": caption}


def uploaded(kind: Literal["image", "file", "audio", "video"], media_id: str, *, caption: str = "") -> Message:
    """Media that was uploaded before. ``caption`` must not be null, and audio has none."""
    return {"type": kind, "id": media_id} | ({} if kind == "audio" else {"caption": caption})


def sticker(url: str) -> Message:
    return {"type": "sticker", "url": url}


def location(longitude: float, latitude: float, *, name: str = "", address: str = "") -> Message:
    return {"type": "location", "longitude": longitude, "latitude": latitude, "name": name, "address": address}


def contact(
    formatted_name: str,
    phones: Sequence[Mapping[str, str]],
    *,
    first_name: str = "",
    last_name: str = "",
    emails: Sequence[Mapping[str, str]] = (),
    addresses: Sequence[Mapping[str, str]] = (),
) -> Message:
    """A card with a name and telephone numbers (``{"phone", "type", "wa_id"}``)."""
    name = {"firstName": first_name or formatted_name, "lastName": last_name, "formattedName": formatted_name}
    card: Message = {"name": name, "phones": [dict(phone) for phone in phones]}
    if emails:
        card["emails"] = [dict(email) for email in emails]
    if addresses:
        card["addresses"] = [dict(address) for address in addresses]
    return {"type": "contact", "contact": card}


def list_message(
    title: str, body: str, button: str, items: Sequence[tuple[str, Sequence[Mapping[str, str]]]], *, message_id: str
) -> Message:
    """A menu: ``items`` are sections of (title, options); an option has title, description and postbackText."""
    sections = [
        {"title": name, "options": [{"type": "text", **option} for option in options]} for name, options in items
    ]
    return {
        "type": "list",
        "title": title,
        "body": body,
        "msgid": message_id,
        "globalButtons": [{"type": "text", "title": button}],
        "items": sections,
    }


def quick_reply(content: Mapping[str, Any], options: Sequence[str] | Mapping[str, str], *, message_id: str) -> Message:
    """Up to three buttons under ``content`` (``{"type": "text", "text": ...}`` or media with url, text, caption).

    ``options`` are titles, or titles with the text that comes back.
    """
    pairs = options.items() if isinstance(options, Mapping) else ((title, None) for title in options)
    buttons = [
        {"type": "text", "title": title} | ({"postbackText": postback} if postback else {}) for title, postback in pairs
    ]
    return {"type": "quick_reply", "msgid": message_id, "content": dict(content), "options": buttons}


def reaction(message_id: str, emoji: str) -> Message:
    """An emoji on one of the contact's messages; an empty one takes it back."""
    return {"type": "reaction", "msgId": message_id, "emoji": emoji}


def product(catalog_id: str, product_id: str, body: str, *, footer: str = "") -> Message:
    return {
        "type": "product_details",
        "subType": "product",
        "catalogId": catalog_id,
        "productId": product_id,
        "body": {"text": body},
        "footer": {"text": footer},
    }


def product_list(
    catalog_id: str, header: str, body: str, sections: Mapping[str, Sequence[str]], *, footer: str = ""
) -> Message:
    """Products of a catalogue in titled sections."""
    listed = [{"title": title, "productList": [{"productId": item} for item in ids]} for title, ids in sections.items()]
    return {
        "type": "product_details",
        "subType": "product_list",
        "catalogId": catalog_id,
        "header": {"text": header},
        "body": {"text": body},
        "footer": {"text": footer},
        "sections": listed,
    }


def location_request(body: str) -> Message:
    return {"type": "location_request_message", "body": {"type": "text", "text": body}}

"""Templates: as Gupshup lists them, filled in for a preview, checked before anything is sent.

Layout of the list: Gupshup, *Get templates*; lengths and rules: Meta, *Templates* and error codes 132000, 132018,
2388xxx. Gupshup accepts a wrong number of parameters and Meta fails the message later, so they are counted here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from gupshup.api.errors import Words
from gupshup.api.reading import (
    LINE,
    NAME,
    capitals,
    first,
    id_of,
    line_of,
    list_of,
    moment_of,
    object_of,
    text_of,
    url_of,
)

BODY: Final = 1_024
URL: Final = 2_000

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([^{}\s][^{}]*?)\s*\}\}")
_BREAKS: Final = re.compile("[\r\n\t\v\f\x1c-\x1e\x85\u2028\u2029]+")
_SPACES: Final = re.compile(" {2,}")
_APPENDED: Final = re.compile(r"(?: \| \[[^\[\]]*\])+$")
MEDIA: Final = frozenset({"IMAGE", "VIDEO", "DOCUMENT", "LOCATION"})

# Kinds of template, and of button, whose sends carry more than params and a picture: a place, cards, the end of an
# offer, products of a catalogue. The client can send them, a campaign has no fields for them.
SPECIAL: Final = frozenset({"LOCATION", "CAROUSEL", "LTO", "CATALOG", "MPM", "SPM", "PRODUCT", "ORDER_DETAILS"})


# --- text and parameters -----------------------------------------------------------------------------------------


def placeholders(text: str) -> tuple[str, ...]:
    """The names of the placeholders (``1``, ``2``, or words), each once, in order of appearance."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))


def without_placeholders(text: str) -> str:
    return _PLACEHOLDER.sub("", text)


def render(body: str, params: Sequence[object]) -> str:
    """The text with its values: ``{{n}}`` takes the nth, a named one that of its place. What has no value stays."""
    names = {name: position for position, name in enumerate(placeholders(body))}

    def value(match: re.Match[str]) -> str:
        name = match[1]
        position = int(name) - 1 if name.isascii() and name.isdecimal() and len(name) < 5 else names[name]
        return str(params[position]) if 0 <= position < len(params) else match[0]

    return _PLACEHOLDER.sub(value, body)


def split_params(header_text: str, body: str, params: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """The flat parameters by where they go: header text, body, then cards, coupon code and URL buttons.

    That a header's variable comes first is not documented by Gupshup: it is the natural order, and Meta's.
    """
    end = len(placeholders(header_text))
    after = end + len(placeholders(body))
    return list(params[:end]), list(params[end:after]), list(params[after:])


def clean_param(value: object) -> str:
    """A value as WhatsApp takes it: line breaks and tabs become a space, runs of spaces one; no blanks around it."""
    text = text_of(str(value)) or ""
    return _SPACES.sub(" ", _BREAKS.sub(" ", text)).strip()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that WhatsApp would refuse. ``where`` is the place of a parameter (from 0) or the name of a field."""

    code: str
    where: int | str
    words: Words


def check_params(params: Sequence[str], expected: int | None = None) -> list[Problem]:
    """What would make WhatsApp fail the message: 132018 for the characters, 132000 for the number."""
    found = [problem for index, value in enumerate(params) if (problem := _check_param(index, value))]
    if expected is not None and len(params) != expected:
        words = Words(
            f"Le modèle attend {expected} variable(s), {len(params)} donnée(s).",
            f"The template expects {expected} variable(s), {len(params)} given.",
        )
        found.append(Problem("count", "params", words))
    return found


def _check_param(index: int, value: str) -> Problem | None:
    for fails, code, fr, en in (
        (not value.strip(), "empty", "est vide", "is empty"),
        (bool(re.search("[\r\n\v\f\x85\u2028\u2029]", value)), "newline", "contient un retour à la ligne",
         "holds a line break"),
        ("\t" in value, "tab", "contient une tabulation", "holds a tab"),
        ("     " in value, "spaces", "contient plus de quatre espaces de suite",
         "holds more than four spaces in a row"),
        (len(value) > BODY, "long", f"dépasse {BODY} caractères", f"exceeds {BODY} characters"),
    ):  # fmt: skip
        if fails:
            return Problem(code, index, Words(f"La variable {index + 1} {fr}.", f"Variable {index + 1} {en}."))
    return None


# --- as Gupshup lists them ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Button:
    """A template's button. ``variables`` is how many entries of ``params`` it takes."""

    kind: str
    text: str
    url: str | None = None
    phone: str | None = None
    variables: int = 0


@dataclass(frozen=True, slots=True)
class TemplateInfo:
    """One template in one language. ``header_type`` is empty, TEXT, IMAGE, VIDEO, DOCUMENT, or one of ``SPECIAL``.

    ``params_count`` is the number of entries that ``params`` needs: header text, body, cards, coupon code, URL buttons.
    """

    id: str
    name: str
    language: str
    category: str
    status: str
    body: str
    header_type: str = ""
    header_text: str = ""
    footer: str = ""
    buttons: tuple[Button, ...] = ()
    placeholders: tuple[str, ...] = ()
    params_count: int = 0
    quality: str = ""
    reason: str = ""
    sample: str = ""
    media_url: str = ""
    vertical: str = ""
    meta_id: str | None = None
    category_next: str | None = None
    modified_at: datetime | None = None

    @property
    def sendable(self) -> bool:
        return self.status == "APPROVED"

    @property
    def quick_replies(self) -> tuple[str, ...]:
        """The buttons that answer, in the order that ``postbackTexts`` counts."""
        return tuple(button.text for button in self.buttons if button.kind == "QUICK_REPLY")


def parse_template(entry: object) -> TemplateInfo | None:
    """A template of Gupshup's list, or None when it lacks what one must have (id, name, language)."""
    fields = object_of(entry)
    own_id, name = id_of(fields.get("id")), line_of(fields.get("elementName"), 512)
    language = line_of(fields.get("languageCode"), 32)
    if not (own_id and name and language):
        return None
    content = object_of(fields.get("containerMeta"))
    body = text_of(content.get("data"), 4_096) or _APPENDED.sub("", text_of(fields.get("data"), 4_096) or "")
    buttons = tuple(button for item in list_of(content.get("buttons"))[:20] if (button := _button(item)))
    header_type, header_text = _header(fields, content)
    return TemplateInfo(
        id=own_id,
        name=name,
        language=language,
        category=capitals(fields.get("category")) or "UNKNOWN",
        status=capitals(fields.get("status")) or "UNKNOWN",
        body=body,
        header_type=header_type,
        header_text=header_text,
        footer=line_of(content.get("footer"), NAME) or "",
        buttons=buttons,
        placeholders=placeholders(body),
        params_count=_count(header_text, body, content, buttons),
        quality=capitals(fields.get("quality")) or "",
        reason=line_of(first(fields, "reason", "rejectedReason"), LINE) or "",
        sample=text_of(first(content, "sampleText") or object_of(fields.get("meta")).get("example"), 4_096) or "",
        media_url=url_of(content.get("mediaUrl")) or "",
        vertical=line_of(fields.get("vertical"), NAME) or "",
        meta_id=id_of(fields.get("externalId")),
        category_next=capitals(content.get("correctCategory")),
        modified_at=moment_of(fields.get("modifiedOn"), datetime.now(UTC)),
    )


def _header(fields: Mapping[str, Any], content: Mapping[str, Any]) -> tuple[str, str]:
    kind = capitals(fields.get("templateType")) or ""
    text = line_of(content.get("header"), NAME) or ""
    if list_of(content.get("cards")):
        return "CAROUSEL", ""
    if kind in MEDIA | SPECIAL:
        return kind, ""
    return ("TEXT", text) if text else ("", "")


def _button(item: object) -> Button | None:
    fields = object_of(item)
    text = line_of(fields.get("text"), NAME)
    kind = (capitals(fields.get("type")) or "").replace("COUPON_CODE", "COPY_CODE")
    if not kind:
        return None
    url = line_of(fields.get("url"), URL)
    variables = 1 if kind == "COPY_CODE" else len(placeholders(url or ""))
    return Button(kind, text or "", url, line_of(fields.get("phone_number"), 64), variables)


def _count(header: str, body: str, content: Mapping[str, Any], buttons: Sequence[Button]) -> int:
    total = len(placeholders(header)) + len(placeholders(body)) + sum(button.variables for button in buttons)
    for card in list_of(content.get("cards"))[:10]:
        fields = object_of(card)
        inner = [button for item in list_of(fields.get("buttons")) if (button := _button(item))]
        total += len(placeholders(text_of(fields.get("body"), 4_096) or "")) + sum(one.variables for one in inner)
    return total

"""What a message looks like on the phone: WhatsApp's own marks as HTML, variables set off. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from gupshup.api import templates

# WhatsApp's marks: touching the words they enclose, not inside a word, on one line.
_MARKS = tuple(
    (re.compile(rf"(?<![\w{mark}]){mark}(?=\S)([^{mark}\n]+?)(?<=\S){mark}(?![\w{mark}])"), tag)
    for mark, tag in ((r"\*", "strong"), ("_", "em"), ("~", "s"))
)
_CODE = re.compile(r"```(.+?)```", re.DOTALL)
_OPEN, _CLOSE = "\ue000", "\ue001"  # private-use characters stand around a variable's value until the HTML is made
_STRANGE = str.maketrans("", "", _OPEN + _CLOSE)
_LEFT_OVER = re.compile(r"(\{\{\s*[^{}\s][^{}]*?\s*\}\})")


class Written(Protocol):
    """What a preview is made from: `gupshup.models.Template` is one."""

    body: str
    header_type: str
    header_text: str
    footer: str
    buttons: list[dict[str, object]]


@dataclass(frozen=True)
class Button:
    text: str
    icon: str  # of Material Symbols
    detail: str = ""


@dataclass(frozen=True)
class Bubble:
    """One message as a person reads it."""

    body: SafeString
    header_type: str = ""
    header_text: str = ""
    media: str = ""
    footer: str = ""
    buttons: tuple[Button, ...] = ()

    @property
    def media_icon(self) -> str:
        return {"IMAGE": "image", "VIDEO": "movie", "DOCUMENT": "description", "LOCATION": "location_on"}.get(
            self.header_type, ""
        )


def formatted(text: str) -> SafeString:
    """WhatsApp's marks as HTML; everything else escaped; what is still a placeholder set off."""
    html = str(escape(text))
    html = _CODE.sub(r"<code>\1</code>", html)
    for pattern, tag in _MARKS:
        html = pattern.sub(rf"<{tag}>\1</{tag}>", html)
    html = _LEFT_OVER.sub(r'<mark class="gs-missing">\1</mark>', html)
    html = html.replace(_OPEN, "<mark>").replace(_CLOSE, "</mark>")
    return mark_safe(html)  # noqa: S308 - escaped above


def filled(text: str, params: Sequence[str]) -> SafeString:
    """The text with its variables' values put in and set off; one without a value stays a placeholder."""
    names = templates.placeholders(text)
    values = [
        f"{_OPEN}{value.translate(_STRANGE)}{_CLOSE}" if value else f"{{{{{name}}}}}"
        for name, value in zip(names, params, strict=False)
    ]
    return formatted(templates.render(text.translate(_STRANGE), values))


def of_template(template: Written, params: Sequence[str] = (), media: str = "") -> Bubble:
    """A template with a person's values; without values its placeholders stand."""
    header, body, rest = templates.split_params(template.header_text, template.body, params)
    return Bubble(
        body=filled(template.body, body),
        header_type=template.header_type,
        header_text=filled(template.header_text, header),
        media=media,
        footer=template.footer,
        buttons=tuple(_buttons(template.buttons, () if template.header_type == "CAROUSEL" else rest)),
    )


def of_text(text: str) -> Bubble:
    return Bubble(body=formatted(text))


_ICONS = {"URL": "open_in_new", "PHONE_NUMBER": "call", "COPY_CODE": "content_copy", "OTP": "content_copy"}


def _buttons(buttons: object, params: Sequence[str]) -> Iterator[Button]:
    """Each button with where it leads; those with a variable take theirs from the parameters left, in their order."""
    left = list(params)
    for button in buttons if isinstance(buttons, list) else ():
        match button:
            case {"text": str(text), **rest}:
                kind, taken = str(rest.get("kind", "")), _number(rest.get("variables"))
                mine, left = left[:taken], left[taken:]
                address = templates.render(str(rest.get("url") or ""), mine)
                code = mine[0] if kind == "COPY_CODE" and mine else ""
                yield Button(text, _ICONS.get(kind, "reply"), address or code or str(rest.get("phone") or ""))


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0

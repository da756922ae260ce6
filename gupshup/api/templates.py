"""Templates: as Gupshup lists them, filled in for a preview, checked before anything is sent, written for approval.

Layout of the list: Gupshup, *Get templates*; lengths and rules: Meta, *Templates* and error codes 132000, 132018,
2388xxx. Gupshup accepts a wrong number of parameters and Meta fails the message later, so they are counted here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from gupshup.api.errors import Words
from gupshup.api.messages import encode
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
HEADER: Final = 60
FOOTER: Final = 60
BUTTON: Final = 25
NAME_LENGTH: Final = 180
BUTTONS: Final = 10
_URL: Final = 2_000

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([^{}\s][^{}]*?)\s*\}\}")
_BREAKS: Final = re.compile("[\r\n\t\v\f\x1c-\x1e\x85\u2028\u2029]+")
_SPACES: Final = re.compile(" {2,}")
_APPENDED: Final = re.compile(r"(?: \| \[[^\[\]]*\])+$")
_MEDIA: Final = frozenset({"IMAGE", "VIDEO", "DOCUMENT", "LOCATION"})

# Kinds of template, and of button, whose sends carry more than params and a picture: a place, cards, the end of an
# offer, products of a catalogue. The client can send them, a campaign has no fields for them.
SPECIAL: Final = frozenset({"LOCATION", "CAROUSEL", "LTO", "CATALOG", "MPM", "SPM", "PRODUCT", "ORDER_DETAILS"})


# --- text and parameters -----------------------------------------------------------------------------------------


def placeholders(text: str) -> tuple[str, ...]:
    """The names of the placeholders (``1``, ``2``, or words), each once, in order of appearance."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))


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
    if kind in _MEDIA | SPECIAL:
        return kind, ""
    return ("TEXT", text) if text else ("", "")


def _button(item: object) -> Button | None:
    fields = object_of(item)
    text = line_of(fields.get("text"), NAME)
    kind = (capitals(fields.get("type")) or "").replace("COUPON_CODE", "COPY_CODE")
    if not kind:
        return None
    url = line_of(fields.get("url"), _URL)
    variables = 1 if kind == "COPY_CODE" else len(placeholders(url or ""))
    return Button(kind, text or "", url, line_of(fields.get("phone_number"), 64), variables)


def _count(header: str, body: str, content: Mapping[str, Any], buttons: Sequence[Button]) -> int:
    total = len(placeholders(header)) + len(placeholders(body)) + sum(button.variables for button in buttons)
    for card in list_of(content.get("cards"))[:10]:
        fields = object_of(card)
        inner = [button for item in list_of(fields.get("buttons")) if (button := _button(item))]
        total += len(placeholders(text_of(fields.get("body"), 4_096) or "")) + sum(one.variables for one in inner)
    return total


# --- written for approval ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ButtonDraft:
    """A button to be: QUICK_REPLY, URL (with ``url``, and ``example`` when it has a variable), PHONE_NUMBER or
    COPY_CODE (with ``example``)."""

    kind: str
    text: str
    url: str = ""
    phone: str = ""
    example: str = ""

    def entry(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"type": self.kind, "text": self.text}
        if self.kind == "URL":
            fields |= {"url": self.url} | ({"example": [self.example]} if placeholders(self.url) else {})
        if self.kind == "PHONE_NUMBER":
            fields["phone_number"] = self.phone
        if self.kind == "COPY_CODE":
            fields["example"] = self.example
        return fields


@dataclass(frozen=True, slots=True)
class TemplateDraft:
    """A template to be submitted. ``samples`` fill the placeholders of the body; ``media_handle`` is an upload's."""

    name: str
    language: str
    category: str
    body: str
    samples: Sequence[str] = ()
    header_type: str = ""
    header_text: str = ""
    header_sample: str = ""
    media_handle: str = ""
    footer: str = ""
    buttons: Sequence[ButtonDraft] = ()
    vertical: str = ""
    allow_category_change: bool = True

    def form(self) -> dict[str, Any]:
        """The fields of Gupshup's form; ``calls.form_of`` writes them."""
        kind = self.header_type if self.header_type in _MEDIA else "TEXT"
        return {
            "elementName": self.name,
            "languageCode": self.language,
            "category": self.category,
            "templateType": kind,
            "vertical": self.vertical or self.name,
            "content": self.body,
            "example": render(self.body, self.samples),
            "header": self.header_text or None,
            "exampleHeader": render(self.header_text, [self.header_sample] if self.header_sample else []) or None,
            "exampleMedia": self.media_handle or None,
            "footer": self.footer or None,
            "buttons": encode([button.entry() for button in self.buttons]) if self.buttons else None,
            "enableSample": True,
            "allowTemplateCategoryChange": self.allow_category_change,
        }

    def check(self) -> list[Problem]:
        """Everything that is known to be refused; empty when it may be submitted."""
        return [*_check_names(self), *_check_texts(self), *_check_variables(self), *_check_buttons(self.buttons)]


def _problem(code: str, where: int | str, fr: str, en: str) -> Problem:
    return Problem(code, where, Words(fr, en))


def _check_names(draft: TemplateDraft) -> list[Problem]:
    found = []
    if not re.fullmatch(r"[a-z0-9_]{1,180}", draft.name):
        found.append(
            _problem(
                "name",
                "name",
                "Le nom n'a que des minuscules sans accent, des chiffres et des soulignés (180 au plus).",
                "The name has only unaccented lower-case letters, digits and underscores (180 at most).",
            )
        )
    if not re.fullmatch(r"[a-z]{2,3}(_[A-Z]{2})?", draft.language):
        found.append(
            _problem("language", "language", "La langue est un code comme fr ou en_US.", "A language code: fr, en_US.")
        )
    if draft.category not in ("MARKETING", "UTILITY", "AUTHENTICATION"):
        found.append(_problem("category", "category", "Choisissez une catégorie.", "Choose a category."))
    if draft.header_type in ("IMAGE", "VIDEO", "DOCUMENT") and not draft.media_handle:
        found.append(_problem("media", "media", "Ajoutez un exemple de média.", "Add a sample of the media."))
    return found


def _check_texts(draft: TemplateDraft) -> list[Problem]:
    found = []
    limits = (("body", draft.body, BODY), ("header", draft.header_text, HEADER), ("footer", draft.footer, FOOTER))
    for field, text, limit in limits:
        if len(text) > limit:
            found.append(
                _problem("long", field, f"Plus de {limit} caractères.", f"More than {limit} characters."),
            )
    if not draft.body.strip():
        found.append(_problem("empty", "body", "Le texte est vide.", "The text is empty."))
    if placeholders(draft.footer):
        found.append(
            _problem("variable", "footer", "Pas de variable dans le pied de page.", "No variable in the footer.")
        )
    if len(placeholders(draft.header_text)) > 1 or "\n" in draft.header_text:
        found.append(
            _problem("header", "header", "Une ligne et une variable au plus.", "One line and one variable at most.")
        )
    if placeholders(draft.header_text) and not draft.header_sample.strip():
        found.append(
            _problem(
                "header_sample",
                "header_sample",
                "Donnez un exemple pour la variable du titre.",
                "Give a sample for the title's variable.",
            )
        )
    return found


def _check_variables(draft: TemplateDraft) -> list[Problem]:
    """Meta's rules for the body: {{1}}, {{2}}… without a gap, none at an edge, enough words, a sample for each."""
    names, body, found = placeholders(draft.body), draft.body.strip(), []
    if sorted(names) != sorted(str(number + 1) for number in range(len(names))):
        found.append(
            _problem(
                "numbering",
                "body",
                "Numérotez les variables {{1}}, {{2}}… sans en sauter.",
                "Number the variables {{1}}, {{2}}… without a gap.",
            )
        )
    if re.match(r"\{\{[^{}]*\}\}", body) or re.search(r"\{\{[^{}]*\}\}$", body):
        found.append(
            _problem(
                "edge",
                "body",
                "Le texte ne commence ni ne finit par une variable.",
                "The text neither starts nor ends with a variable.",
            )
        )
    if names and len(_PLACEHOLDER.sub("", body).split()) < 2 * len(names) + 1:
        found.append(
            _problem("few_words", "body", "Trop de variables pour si peu de mots.", "Too many variables for the words.")
        )
    if len(draft.samples) != len(names) or not all(str(sample).strip() for sample in draft.samples):
        found.append(
            _problem("samples", "samples", "Donnez un exemple par variable.", "Give a sample for each variable.")
        )
    return found


def _check_buttons(buttons: Sequence[ButtonDraft]) -> list[Problem]:
    found = []
    if len(buttons) > BUTTONS:
        found.append(_problem("many", "buttons", f"{BUTTONS} boutons au plus.", f"{BUTTONS} buttons at most."))
    for index, button in enumerate(buttons):
        if not 0 < len(button.text.strip()) <= BUTTON:
            found.append(
                _problem(
                    "button_text",
                    index,
                    f"Le libellé d'un bouton a de 1 à {BUTTON} caractères.",
                    f"A button's label has 1 to {BUTTON} characters.",
                )
            )
        if _lacks(button):
            found.append(
                _problem(
                    "button_value", index, "Complétez ce bouton : adresse, numéro ou exemple.", "Complete this button."
                )
            )
    return found


def _lacks(button: ButtonDraft) -> bool:
    if button.kind == "URL":
        bad = not button.url.startswith(("https://", "http://")) or len(button.url) > _URL
        if names := placeholders(button.url):  # one, at the end, with the whole address as its sample
            bad = bad or len(names) > 1 or not button.url.endswith("}}") or not button.example.startswith("http")
        return bad
    if button.kind == "PHONE_NUMBER":
        return not re.fullmatch(r"\+[1-9]\d{6,14}", button.phone)
    if button.kind == "COPY_CODE":
        return not 0 < len(button.example) <= 15
    return button.kind != "QUICK_REPLY"

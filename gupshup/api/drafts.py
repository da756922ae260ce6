"""Templates to be: written here, checked against what Meta is known to refuse, submitted for approval.

Lengths and rules: Meta, *Templates* and error codes 2388xxx; the form: Gupshup, *Create template*.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from gupshup.api.errors import Words
from gupshup.api.messages import encode
from gupshup.api.templates import BODY, MEDIA, URL, Problem, placeholders, render, without_placeholders

HEADER: Final = 60
FOOTER: Final = 60
BUTTON: Final = 25
NAME_LENGTH: Final = 180
BUTTONS: Final = 10


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
        kind = self.header_type if self.header_type in MEDIA else "TEXT"
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
    if names and len(without_placeholders(body).split()) < 2 * len(names) + 1:
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
        bad = not button.url.startswith(("https://", "http://")) or len(button.url) > URL
        if names := placeholders(button.url):  # one, at the end, with the whole address as its sample
            bad = bad or len(names) > 1 or not button.url.endswith("}}") or not button.example.startswith("http")
        return bad
    if button.kind == "PHONE_NUMBER":
        return not re.fullmatch(r"\+[1-9]\d{6,14}", button.phone)
    if button.kind == "COPY_CODE":
        return not 0 < len(button.example) <= 15
    return button.kind != "QUICK_REPLY"

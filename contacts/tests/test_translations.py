"""What marketers read is French first: every text of this app has its translation."""

from __future__ import annotations

import ast
import gettext
import re
from pathlib import Path

APP = Path(__file__).resolve().parents[1]
TEMPLATES = [*APP.glob("templates/**/*.html"), *APP.parent.glob("templates/**/contacts/**/*.html")]
CALLS = {"_", "gettext", "gettext_lazy", "ngettext"}


def texts_of_code() -> set[str]:
    found = set()
    for file in [*APP.glob("*.py"), *APP.glob("admin/*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
                found |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    return found


def texts_of_templates() -> set[str]:
    plain = re.compile(r'{% translate "([^"]+)" %}')
    blocks = re.compile(r"{% blocktranslate[^%]*%}(.*?){% (?:plural|endblocktranslate) %}", re.DOTALL)
    found = set()
    for file in TEMPLATES:
        text = file.read_text()
        found |= set(plain.findall(text))
        found |= {re.sub(r"{{ *(\w+) *}}", r"%(\1)s", block.strip()) for block in blocks.findall(text)}
    return found


def test_every_text_has_a_french_translation() -> None:
    with (APP / "locale/fr/LC_MESSAGES/django.mo").open("rb") as file:
        french = gettext.GNUTranslations(file)
    catalogue = french._catalog  # type: ignore[attr-defined]
    known = {key[0] if isinstance(key, tuple) else key for key in catalogue}
    assert len(TEMPLATES) > 10
    assert not {text for text in texts_of_code() | texts_of_templates() if text not in known}


def test_the_compiled_catalogue_is_the_written_one() -> None:
    written = (APP / "locale/fr/LC_MESSAGES/django.po").read_text()
    with (APP / "locale/fr/LC_MESSAGES/django.mo").open("rb") as file:
        catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    texts = {re.sub(r"\\(.)", r"\1", text) for text in re.findall(r'^msgstr(?:\[\d\])? "(.+)"$', written, re.MULTILINE)}
    assert texts <= set(catalogue.values()) | {""}

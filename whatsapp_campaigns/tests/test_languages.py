from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import django
import polib
import pytest
import unfold
from django.conf import settings
from django.utils import translation
from django.utils.translation import trans_real
from django.utils.translation.template import templatize

THEME = Path(unfold.__file__).parent
# The parts of the theme for packages that we do not have.
PASSED_OVER = {"guardian", "import_export", "simple_history", "constance", "location_field", "unfold_crispy", "tests"}
TEMPLATES = settings.BASE_DIR / "templates"
LITERAL = r"""u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
CALL = re.compile(rf"\b(?:n?gettext|_)\(({LITERAL})", re.DOTALL)
MARKERS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy"}
CATALOGUES = [
    path
    for path in Path(settings.BASE_DIR).glob("*/locale/fr/LC_MESSAGES/django.po")
    if not path.parts[len(settings.BASE_DIR.parts)].startswith(".")
]


def of_template(text: str) -> Iterator[str]:
    for literal in CALL.findall(templatize(text)):
        yield ast.literal_eval(literal)


def of_module(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Call(func=ast.Name(name), args=[ast.Constant(str(msgid)), *_]) if name in MARKERS:
                yield msgid


def strings_of(folder: Path) -> set[str]:
    readers = {".html": of_template, ".py": of_module}
    files = (path for path in folder.rglob("*") if path.suffix in readers and not set(path.parts) & PASSED_OVER)
    return {msgid for path in files for msgid in readers[path.suffix](path.read_text())}


def without_french(msgids: set[str]) -> list[str]:
    known = {key if isinstance(key, str) else key[0] for key, _ in trans_real.translation("fr")._catalog.items()}
    return sorted(msgids - known - {""})


def test_the_theme_speaks_french():
    found = strings_of(THEME)
    assert len(found) > 100
    assert without_french(found) == []


@pytest.mark.parametrize("app", [path.parents[3] for path in CATALOGUES], ids=lambda path: path.name)
def test_every_sentence_of_ours_has_its_french(app):
    pages = (TEMPLATES / app.name, TEMPLATES / "admin" / app.name)
    assert without_french(set().union(*map(strings_of, (app, *pages)))) == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-5])
def test_a_catalogue_is_complete_compiled_and_keeps_its_variables(path):
    source, compiled = polib.pofile(str(path)), polib.mofile(str(path.with_suffix(".mo")))
    assert [entry.msgid for entry in source.untranslated_entries() + source.fuzzy_entries()] == []
    assert {(entry.msgid, entry.msgstr) for entry in source} == {(entry.msgid, entry.msgstr) for entry in compiled}
    variable = re.compile(r"%\((\w+)\)[sd]|\{(\w*)\}")
    for entry in source:
        for translated in entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]:
            assert set(variable.findall(translated)) <= set(variable.findall(entry.msgid + entry.msgid_plural))


def test_one_word_has_one_french_whatever_page_it_stands_on():
    """Django merges all catalogues into one: a word with two translations shows the wrong one somewhere."""
    french: dict[tuple[str, str], set[str]] = {}
    for path in (*CATALOGUES, Path(django.__file__).parent / "conf/locale/fr/LC_MESSAGES/django.po"):
        for entry in polib.pofile(str(path)):
            told = str(entry.msgstr or sorted(entry.msgstr_plural.items()))
            french.setdefault((entry.msgctxt or "", entry.msgid), set()).add(told)
    assert {key: told for key, told in french.items() if len(told) > 1} == {}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "seen"),
    [("fr-FR,fr;q=0.9", "Mot de passe"), ("en-GB,en;q=0.9", "Password"), ("ja", "Mot de passe"), ("", "Mot de passe")],
)
def test_a_browser_gets_its_language_and_french_otherwise(client, asked, seen):
    assert seen in client.get("/admin/login/", headers={"Accept-Language": asked}).content.decode()


@pytest.mark.django_db
def test_the_chosen_language_stays(client):
    answer = client.post("/i18n/setlang/", {"language": "en", "next": "/admin/login/"})
    assert answer.headers["Location"] == "/admin/login/"
    assert answer.cookies[settings.LANGUAGE_COOKIE_NAME]["max-age"] == 365 * 24 * 3600
    page = client.get("/admin/login/", headers={"Accept-Language": "fr"}).content.decode()
    assert '<html lang="en"' in page
    assert "Log in with the e-mail address" in page


def test_our_names_are_french_for_the_french():
    from whatsapp_campaigns import sidebar

    with translation.override("fr"):
        assert [str(title) for title, _ in sidebar.SECTIONS] == ["Audience", "Campagnes", "WhatsApp", "Administration"]

"""What the documents say is so: commands, links, settings, states, import rules, error codes, the words of the pages.

`python -m whatsapp_campaigns.tests.test_docs` writes the migration guide's table of error codes anew.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from gupshup.api.errors import CATALOGUE, Action, ErrorEntry

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
GUIDE = ROOT / "docs" / "MIGRATION-GUPSHUP.md"
FRENCH = [GUIDE, ROOT / "docs" / "guide-utilisateur.md"]
ARCHITECTURE = ROOT / "docs" / "architecture.md"

FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def prose(document: Path) -> str:
    return FENCE.sub("", document.read_text())


def code(document: Path) -> list[str]:
    """The lines of fenced blocks, and what stands between backticks."""
    blocks = FENCE.findall(document.read_text())
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [*lines, *re.findall(r"`([^`\n]+)`", prose(document))]


def section(title: str) -> str:
    """What stands in architecture.md under a heading that begins so."""
    found = re.search(rf"^### {title}.*?(?=^##)", ARCHITECTURE.read_text(), re.MULTILINE | re.DOTALL)
    assert found, title
    return found[0]


# -- commands


def quoted(document: Path, command: str) -> Iterator[tuple[str, set[str]]]:
    """What a document quotes of `manage.py` or `bin/`: the name, and the long options behind it."""
    for line in code(document):
        for found in re.finditer(rf"{command}(?P<name>[a-z_]+)(?P<rest>[^|#`;&]*)", line):
            yield found["name"], set(re.findall(r"(?<!\S)\[?(--[a-z][a-z-]*)", found["rest"]))


@cache
def options_of(name: str) -> set[str]:
    from django.core.management import get_commands, load_command_class

    return set(load_command_class(get_commands()[name], name).create_parser("manage.py", name)._option_string_actions)


@each_document
def test_quoted_commands_and_their_options_exist(document):
    from django.core.management import get_commands

    for name, options in quoted(document, r"manage\.py "):
        assert name in get_commands(), f"manage.py {name}"
        assert options <= options_of(name), f"manage.py {name} {options - options_of(name)}"


@each_document
def test_quoted_programs_and_their_options_exist(document):
    spoken = "".join(path.read_text() for path in [*ROOT.glob("bin/*"), *ROOT.glob("*/local/*.py")])
    spoken += "".join(path.read_text() for path in [*ROOT.glob("*/chaos/*.py"), *ROOT.glob("*/bench/*.py")])
    spoken += (ROOT / "campaigns/management/commands/run_once.py").read_text()
    for name, options in quoted(document, r"(?<![\w/.])bin/"):
        assert os.access(ROOT / "bin" / name, os.X_OK), f"bin/{name}"
        assert {one for one in options if one not in spoken} == set(), f"bin/{name}"


# -- links and pictures


def slug(heading: str) -> str:
    """As GitHub makes anchors."""
    words = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower())
    return words.strip().replace(" ", "-")


@cache
def anchors(document: Path) -> set[str]:
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)}


@each_document
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if re.match(r"https?:|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_pictures_are_shown_and_small():
    pictures = set((ROOT / "docs" / "img").glob("*.png"))
    shown = {
        (document.parent / target).resolve()
        for document in DOCUMENTS
        for target in re.findall(r"!\[[^]]+\]\(([^)\s]+)\)", prose(document))
    }
    assert pictures == shown
    assert [path.name for path in pictures if path.stat().st_size >= 200_000] == []


# -- settings


@each_document
def test_settings_named_in_capitals_exist(document):
    known = (ROOT / ".env.example").read_text()
    ours = [path for path in ROOT.glob("*/**/*.py") if not path.relative_to(ROOT).parts[0].startswith(".")]
    sources = "".join(path.read_text() for path in ours if path != Path(__file__))
    names = {name for line in code(document) for name in re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", line)}
    of_others = {"DJANGO_SUPERUSER_PASSWORD"}
    missing = {name for name in names - of_others if not re.search(rf"\b{name}\b", known + sources)}
    assert missing == set()


def test_the_guide_gives_the_webhook_address_that_exists():
    from django.urls import reverse

    assert f"https://campagnes.example.com{reverse('webhook', args=('SECRET',))}" in GUIDE.read_text()


# -- architecture.md


def test_every_state_is_drawn():
    from campaigns.status import AttemptState, CampaignStatus, Status
    from contacts.models import Import
    from gupshup.models import Callback, Sender

    drawn = {
        "Campaign": CampaignStatus.values,
        "Message": [status.word for status in Status],
        "Attempt": AttemptState.values,
        "Callback": Callback.State.values,
        "Breaker": Sender.Breaker.values,
        "Import": Import.State.values,
    }
    for title, states in drawn.items():
        told = section(title)
        assert [state for state in states if not re.search(rf"\b{state}\b", told)] == [], title


APPS = ("accounts", "contacts", "gupshup", "campaigns", "whatsapp_campaigns")
TOOLS = {"whatsapp_campaigns.lists"}  # of the house: every app may use them


def part_of(module: str) -> str:
    """The row of the table that a module belongs to."""
    longest = ("gupshup.api", "gupshup.simulator", "whatsapp_campaigns.api", "whatsapp_campaigns.lists")
    return next((part for part in longest if f"{module}.".startswith(f"{part}.")), module.split(".")[0])


def imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def rules() -> dict[str, set[str]]:
    """Part -> the parts that it may import, as the table says."""
    rows = re.findall(r"^\| `([\w.]+)` \|.*\| (.+) \|$", ARCHITECTURE.read_text(), re.MULTILINE)
    told = {part: set(re.findall(r"`([\w.]+)`", may)) | ({"all"} if may == "all" else set()) for part, may in rows}
    return {part: may for part, may in told.items() if part_of(part) == part and part.split(".")[0] in APPS}


def test_imports_are_those_of_the_table():
    may = rules()
    assert {"gupshup.api", "gupshup.simulator", *APPS} <= set(may)
    for file in (file for app in APPS for file in (ROOT / app).rglob("*.py")):
        steps = file.relative_to(ROOT).with_suffix("").parts
        if {"tests", "migrations", "chaos", "bench"} & set(steps) or file.name == "gupshup_simulator.py":
            continue
        part = part_of(".".join(steps))
        allowed = may.get(part, {"all"}) | {part} | TOOLS
        found = {part_of(module) for module in imports(file) if module.split(".")[0] in APPS}
        assert "all" in allowed or found <= allowed, f"{file.relative_to(ROOT)} imports {found - allowed}"


@pytest.mark.parametrize(("part", "also"), [("gupshup/api", {"requests", "urllib3"}), ("gupshup/simulator", set())])
def test_the_pure_parts_need_nothing_of_ours(part, also):
    for file in (ROOT / part).rglob("*.py"):
        roots = {module.split(".")[0] for module in imports(file)}
        outside = roots - set(sys.stdlib_module_names) - also - {"gupshup"}
        assert outside == set(), file.name
        inside = {module for module in imports(file) if module.startswith("gupshup.")}
        assert {module for module in inside if part_of(module) != part.replace("/", ".")} == set(), file.name


# -- the French guides

DONE = {
    Action.RETRY: "retente après 60, 120 puis 240 s",
    Action.SLOW_DOWN: "ralentit, puis retente",
    Action.FAIL: "marque ce message en échec",
    Action.WAIT_24H: "marque ce message en échec et n'envoie rien de marketing à cette personne avant 24 h",
    Action.INVALID_NUMBER: "marque ce message en échec et le numéro comme absent de WhatsApp",
    Action.SUPPRESS: "marque ce message en échec et désinscrit la personne",
    Action.SUPPRESS_MARKETING: "marque ce message en échec et désinscrit la personne",
    Action.PAUSE_CAMPAIGN: "met la campagne en pause",
    Action.HALT_SENDER: "arrête l'expéditeur",
    Action.HOLD: "marque ce message « incertain » et ne le renvoie jamais de lui-même",
    Action.SHOW: "affiche l'erreur à la personne qui travaille",
}
BEGIN, END = "<!-- codes: écrits par whatsapp_campaigns/tests/test_docs.py -->", "<!-- /codes -->"


def code_table() -> str:
    """The whole catalogue in French, codes that mean the same in one line."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for entry in CATALOGUE.values():
        alike.setdefault(_meaning(entry), []).append(f"`{entry.code}`")
    lines = [f"| {', '.join(codes)} | {' | '.join(meaning)} |" for meaning, codes in alike.items()]
    return "\n".join(["| Code | Ce qui s'est passé | Le logiciel | Que faire |", "|---|---|---|---|", *lines])


def _meaning(entry: ErrorEntry) -> tuple[str, str, str]:
    return entry.what.fr, DONE[entry.action], entry.advice.fr


def with_table(text: str) -> str:
    before, _, rest = text.partition(BEGIN)
    assert rest, f"{GUIDE.name} has no place for the codes"
    return f"{before}{BEGIN}\n{code_table()}\n{END}{rest.partition(END)[2]}"


def test_the_codes_of_the_guide_are_those_of_the_catalogue():
    text = GUIDE.read_text()
    assert text == with_table(text), "run: python -m whatsapp_campaigns.tests.test_docs"


def plain(words: str) -> str:
    return re.sub(r"\s+", " ", words.replace("’", "'")).strip().casefold().removesuffix("…")


@pytest.mark.parametrize("document", FRENCH, ids=lambda path: path.name)
def test_words_of_the_pages_are_those_of_the_pages(document):
    """In the French guides, bold words are what stands on the screen."""
    from django.utils.translation import trans_real

    shown = {plain(text) for _, text in trans_real.translation("fr")._catalog.items() if isinstance(text, str)}
    bold = {plain(words) for words in re.findall(r"\*\*([^*]+)\*\*", prose(document))}
    assert bold - shown == set()


if __name__ == "__main__":
    GUIDE.write_text(with_table(GUIDE.read_text()))

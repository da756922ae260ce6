from __future__ import annotations

import ast
import re
from pathlib import Path

from django.conf import settings

SETTINGS = ast.parse((settings.BASE_DIR / "whatsapp_campaigns" / "settings.py").read_text())
EXAMPLE: Path = settings.BASE_DIR / ".env.example"
LINE = re.compile(r"^(?P<off># )?(?P<name>[A-Z][A-Z0-9_]+)=(?P<value>.*)$")
SET_BY_PROGRAMS = {"WHATSAPP_CAMPAIGNS_LOCAL"}  # bin/demo and bin/test


def read_by_settings() -> dict[str, str | None]:
    """Every variable, with its default as it would be written; None where settings.py computes it."""
    found: dict[str, str | None] = dict.fromkeys(old_meta_variables(), "")
    for node in ast.walk(SETTINGS):
        match node:
            case ast.Call(func=ast.Attribute(ast.Name("env")), args=[ast.Constant(name)], keywords=keywords):
                found[name] = written(keywords[0].value) if keywords else None
    return {name: default for name, default in found.items() if name not in SET_BY_PROGRAMS}


def old_meta_variables() -> set[str]:
    constants = {node.value for node in ast.walk(SETTINGS) if isinstance(node, ast.Constant)}
    return {name for name in constants if isinstance(name, str) and re.fullmatch(r"WHATSAPP_[A-Z_]+", name)}


def written(default: ast.expr) -> str | None:
    try:
        value = ast.literal_eval(default)
    except ValueError:
        return None
    return str(int(value)) if isinstance(value, bool) else ",".join(value) if isinstance(value, list) else str(value)


def lines() -> dict[str, re.Match[str]]:
    found = [match for line in EXAMPLE.read_text().splitlines() if (match := LINE.match(line))]
    names = [match["name"] for match in found]
    assert len(names) == len(set(names))
    return dict(zip(names, found, strict=True))


def test_the_example_holds_every_variable_that_settings_read():
    """Validates: 1.5"""
    assert set(lines()) == set(read_by_settings())


def test_a_line_that_is_switched_off_shows_the_default():
    """Validates: 1.5"""
    defaults = read_by_settings()
    shown = {name: line["value"] for name, line in lines().items() if line["off"] and defaults[name] is not None}
    assert shown == {name: defaults[name] for name in shown}


def test_every_variable_is_explained_with_its_english_word():
    """Validates: 1.5"""
    for block in EXAMPLE.read_text().split("\n\n"):
        if any(LINE.match(line) for line in block.splitlines()):
            words = " ".join(line for line in block.splitlines() if line.startswith("#") and not LINE.match(line))
            assert re.search(r"\([a-zA-Z ',]+[),]", words), block


def test_the_mandatory_ones_wait_to_be_filled_in():
    """Validates: 1.5"""
    found = lines()
    for name in ("GUPSHUP_API_KEY", "GUPSHUP_APP_NAME", "GUPSHUP_PHONE_NUMBER", "SECRET_KEY"):
        assert (found[name]["off"], found[name]["value"]) == (None, "")


def test_the_example_holds_no_secret():
    assert not re.search(r"sk_[A-Za-z0-9]{6,}|[0-9a-f]{32}", EXAMPLE.read_text())

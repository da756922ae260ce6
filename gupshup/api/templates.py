"""Templates as Gupshup lists them, filled in for a preview, checked before anything is sent."""

import re
from collections.abc import Sequence
from typing import Final

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([^{}\s][^{}]*?)\s*\}\}")


def placeholders(text: str) -> tuple[str, ...]:
    """The names of the placeholders (``1``, ``2``, or words), each once, in order of appearance."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))


def render(body: str, params: Sequence[str]) -> str:
    """The text with its values: ``{{n}}`` takes the nth, a named one that of its place. What has no value stays."""
    names = {name: position for position, name in enumerate(placeholders(body))}

    def value(match: re.Match[str]) -> str:
        name = match[1]
        position = int(name) - 1 if name.isdecimal() else names[name]
        return str(params[position]) if 0 <= position < len(params) else match[0]

    return _PLACEHOLDER.sub(value, body)

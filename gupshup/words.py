"""The error catalogue's sentences in the reader's language."""

from __future__ import annotations

from django.utils.translation import get_language

from gupshup.api import errors


def in_language(words: errors.Words) -> str:
    return words.fr if (get_language() or "fr").startswith("fr") else words.en


def explain(code: str) -> str:
    """What an error code means and what to do, in one or two sentences."""
    entry = errors.lookup(code)
    return f"{in_language(entry.what)} {in_language(entry.advice)}"

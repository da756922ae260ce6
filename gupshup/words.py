"""The error catalogue's sentences in the reader's language."""

from __future__ import annotations

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from gupshup.api import errors
from gupshup.api.responses import GupshupResponse, Outcome


def in_language(words: errors.Words) -> str:
    return words.fr if (get_language() or "fr").startswith("fr") else words.en


def explain(code: str) -> str:
    """What an error code means and what to do, in one or two sentences."""
    entry = errors.lookup(code)
    return f"{in_language(entry.what)} {in_language(entry.advice)}"


def why(response: GupshupResponse) -> str:
    """Why a call that sends nothing (a list, a template, a subscription) was no success, with the provider's words.

    The catalogue's advice on passing trouble speaks of messages, which are tried again by themselves: it is left out.
    """
    entry = errors.lookup(response.error_code)
    if response.outcome is Outcome.UNCERTAIN:
        told = _("Gupshup gave no clear answer.")
    elif entry.retries:
        told = in_language(entry.what)
    else:
        told = explain(entry.code)
    return " ".join(filter(None, (told, quoted(response))))


def quoted(response: GupshupResponse) -> str:
    """The provider's own words, in brackets; empty when it said none."""
    if not response.error_message or not response.http_status:
        return ""
    return _("(Gupshup: %(words)s)") % {"words": response.error_message}

"""The sender's row, before anybody is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from gupshup.diagnosis.finding import Finding, attention, error, ok
from gupshup.models import Sender
from gupshup.words import explain


def look(sender: Sender) -> Iterator[Finding]:
    found = [*_row(sender), *_address(sender), *_breaker(sender)]
    yield from found
    if not any(one.code in ("api_key_missing", "phone_number", "app_id_missing", "app_id_form") for one in found):
        yield ok("settings", _("Every setting of the sender is there."))


def _row(sender: Sender) -> Iterator[Finding]:
    if not sender.api_key:
        yield error(
            "api_key_missing",
            _("The sender has no API key, or the stored one can no longer be read."),
            _("Enter the key again. Stored keys are lost when SECRET_KEY or FIELD_ENCRYPTION_KEYS changes."),
        )
    if not re.fullmatch(r"[1-9][0-9]{7,14}", sender.phone_number):
        yield error(
            "phone_number",
            _("%(number)s is not a phone number with its country code.") % {"number": sender.phone_number},
            _("8 to 15 digits, not beginning with 0, for example 33612345678."),
        )
    if not sender.app_id:
        yield attention(
            "app_id_missing",
            _("The app id is not set: templates, subscriptions and the state of the number cannot be looked at."),
            _("On gupshup.io, in the app's settings: the app id, a long code with dashes. It is not the app's name."),
        )
    elif sender.app_id == sender.app_name or not re.fullmatch(
        r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", sender.app_id
    ):
        yield attention(
            "app_id_form",
            _("%(id)s does not look like an app id.") % {"id": sender.app_id},
            _("On gupshup.io, in the app's settings: the app id, a long code with dashes. It is not the app's name."),
        )


def _address(sender: Sender) -> Iterator[Finding]:
    parts = urlsplit(sender.api_url)
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        yield error(
            "api_http",
            _("The API address begins with http: the API key travels in clear."),
            _("Write https://…"),
        )
    if parts.hostname == "partner.gupshup.io" or "smsgupshup.com" in (parts.hostname or ""):
        yield error(
            "api_other_product",
            _("The API address belongs to another product of Gupshup: %(host)s.") % {"host": parts.hostname},
            _("Leave it out, or set https://api.gupshup.io/wa/api/v1."),
        )
    if parts.path.startswith("/sm/"):
        yield attention(
            "api_old",
            _("The API address is Gupshup's old one (/sm/api/v1). It works, but Gupshup now documents another."),
            _("Leave it out, or set https://api.gupshup.io/wa/api/v1."),
        )


def _breaker(sender: Sender) -> Iterator[Finding]:
    if sender.breaker == Sender.Breaker.OPEN:
        yield attention(
            "stopped",
            _("Sending is stopped: %(why)s") % {"why": explain(sender.breaker_code)},
            _("When it is put right, open the sender's page and allow it to send again."),
        )

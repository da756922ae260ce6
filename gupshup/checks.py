"""What must be set before anything is sent, told by name with the place where the value is found [1.2].

The web process, the worker and `dispatch` call `require()`. Other commands (migrate, the simulator, tests) need no
key, so plain `manage.py check` stays silent about these; `check --tag gupshup` and `check --deploy` run them.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Warning, register, run_checks
from django.core.checks.messages import WARNING
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import SystemCheckError
from django.utils.translation import gettext as _

TAG = "gupshup"
SHORTEST_SECRET = 16
logger = logging.getLogger(__name__)


def _missing(name: str) -> str:
    return _("%(name)s is missing: nothing can be sent without it.") % {"name": name}


def _mandatory() -> Iterator[CheckMessage]:
    if not settings.GUPSHUP_API_KEY:
        yield Error(
            _missing("GUPSHUP_API_KEY"),
            hint=_(
                "On gupshup.io: the account's key is under your profile picture, an app's own key (sk_…) in the app's "
                "settings. Copy it into .env (see .env.example) or into the environment."
            ),
            id="gupshup.E001",
        )
    if not settings.GUPSHUP_APP_NAME:
        yield Error(
            _missing("GUPSHUP_APP_NAME"),
            hint=_("On gupshup.io, in the app's settings: its name, in exactly these letters."),
            id="gupshup.E002",
        )
    if not settings.GUPSHUP_PHONE_NUMBER:
        yield Error(
            _missing("GUPSHUP_PHONE_NUMBER"),
            hint=_(
                "On gupshup.io, in the app's settings: the WhatsApp number that is connected to it, with its country "
                "code (33612345678)."
            ),
            id="gupshup.E003",
        )
    elif not re.fullmatch(r"[1-9][0-9]{7,14}", re.sub(r"\D", "", settings.GUPSHUP_PHONE_NUMBER)):
        yield Error(
            _("GUPSHUP_PHONE_NUMBER is not a phone number with its country code."),
            hint=_("8 to 15 digits, not beginning with 0, for example 33612345678."),
            id="gupshup.E004",
        )


def _secret_key() -> Iterator[CheckMessage]:
    try:
        settings.SECRET_KEY  # noqa: B018  Django refuses to hand out an empty one
    except ImproperlyConfigured:
        yield Error(
            _("SECRET_KEY is missing: sessions and stored keys cannot be protected without it."),
            hint=_(
                "Make one, keep it for good and tell nobody: "
                'python -c "import secrets; print(secrets.token_urlsafe(50))"'
            ),
            id="gupshup.E005",
        )


def _address() -> Iterator[CheckMessage]:
    parts = urlsplit(settings.GUPSHUP_API_URL)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield Error(
            _("GUPSHUP_API_URL is not a web address."),
            hint=_("Leave it out: https://api.gupshup.io/wa/api/v1 is the default."),
            id="gupshup.E006",
        )
        return
    if parts.scheme == "http" and not _is_this_machine(parts.hostname):
        yield Warning(
            _("GUPSHUP_API_URL begins with http: the API key would travel in clear."),
            hint=_("Write https://…"),
            id="gupshup.W001",
        )
    if parts.path.startswith("/sm/"):
        yield Warning(
            _("GUPSHUP_API_URL is Gupshup's old address (/sm/api/v1). It works, but Gupshup now documents another."),
            hint=_("Leave it out, or set https://api.gupshup.io/wa/api/v1."),
            id="gupshup.W002",
        )


def _is_this_machine(hostname: str) -> bool:
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return hostname == "localhost"


def _optional() -> Iterator[CheckMessage]:
    if not settings.GUPSHUP_APP_ID:
        yield Warning(
            _(
                "GUPSHUP_APP_ID is missing: templates cannot be read or created, the webhook cannot be set up and the "
                "state of the number cannot be shown. Sending works."
            ),
            hint=_(
                "On gupshup.io, in the app's settings: the app id, a long code with dashes. It is not the app's name."
            ),
            id="gupshup.W003",
        )
    if not settings.GUPSHUP_WEBHOOK_SECRET:
        yield Info(
            _("GUPSHUP_WEBHOOK_SECRET is not set: a secret was made for the sender and is kept in the database."),
            hint=_("`manage.py check_gupshup` shows the webhook address to enter at Gupshup."),
            id="gupshup.I001",
        )
    elif len(settings.GUPSHUP_WEBHOOK_SECRET) < SHORTEST_SECRET:
        yield Warning(
            _("GUPSHUP_WEBHOOK_SECRET is short: whoever guesses it can write reports and answers."),
            hint=_("Leave it out, and one is made; or 16 characters at least: letters, digits, - and _."),
            id="gupshup.W004",
        )
    if settings.OLD_META_VARIABLES:
        yield Info(
            _("No longer needed, since messages go through Gupshup: %(names)s.")
            % {"names": ", ".join(settings.OLD_META_VARIABLES)},
            hint=_("They do no harm; you may delete them."),
            id="gupshup.I002",
        )


@register(TAG, deploy=True)
def check_settings(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    return [*_mandatory(), *_secret_key(), *_address(), *_optional()]


def require() -> None:
    """Raises SystemCheckError when the product cannot send as it is set up; logs what else is worth knowing."""
    found = [said for said in run_checks(tags=[TAG], include_deployment_checks=True) if not said.is_silenced()]
    for message in found:
        if message.level < WARNING:
            logger.info("%s", message)
        elif not message.is_serious():
            logger.warning("%s", message)
    serious = [message for message in found if message.is_serious()]
    if serious:
        raise SystemCheckError(_("The settings are not complete:") + "\n\n" + "\n".join(map(str, serious)))

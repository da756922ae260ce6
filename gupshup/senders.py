"""The sender of the `.env` file, and how one is found."""

from __future__ import annotations

import logging
import re
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.urls import reverse

from gupshup import checks
from gupshup.models import Sender, new_secret

log = logging.getLogger("gupshup.senders")


def keep_environment_sender(**_: Any) -> Sender | None:
    """Create or refresh the sender that the environment names; its settings win at each start.

    Answers None when the environment names none. Pace, ceiling and breaker stay as they are in the row.
    """
    if not settings.GUPSHUP_FROM_ENVIRONMENT:
        return None
    given = {
        "phone_number": re.sub(r"\D", "", settings.GUPSHUP_PHONE_NUMBER),
        "api_url": settings.GUPSHUP_API_URL.rstrip("/"),
        "api_key": settings.GUPSHUP_API_KEY,
        "app_id": settings.GUPSHUP_APP_ID,
        "customer_id": settings.GUPSHUP_CUSTOMER_ID,
        "from_environment": True,
    }
    if settings.GUPSHUP_WEBHOOK_SECRET:
        given["webhook_secret"] = settings.GUPSHUP_WEBHOOK_SECRET
    sender, created = Sender.objects.get_or_create(
        app_name=settings.GUPSHUP_APP_NAME, defaults={"name": settings.GUPSHUP_APP_NAME, **given}
    )
    changed = {name: value for name, value in given.items() if getattr(sender, name) != value}
    if not sender.webhook_secret:
        changed["webhook_secret"] = new_secret()
    if not created and changed:
        for name, value in changed.items():
            setattr(sender, name, value)
        sender.save(update_fields=list(changed))
    return sender


def start() -> None:
    """What every process that sends or receives does first: require the settings, and bring the sender up to date.

    Raises SystemCheckError when a mandatory setting is missing. A database that is not there yet is only logged.
    """
    checks.require()
    try:
        keep_environment_sender()
    except DatabaseError as error:
        log.warning("the sender of the environment was not brought up to date: %s", type(error).__name__)


def default_sender() -> Sender:
    """The sender of the environment, else the oldest. Raises Sender.DoesNotExist when there is none."""
    found = Sender.objects.order_by("-from_environment", "id").first()
    if found is None:
        raise Sender.DoesNotExist("no sender is configured")
    return found


def webhook_address(sender: Sender) -> str:
    """Where Gupshup is to post, secret included; without PUBLIC_URL only the path. Without a secret all is refused."""
    secret = sender.webhook_secret
    return settings.PUBLIC_URL + (reverse("webhook", args=(secret,)) if secret else reverse("webhook-plain"))


def rotate_secret(sender: Sender) -> None:
    """Give the webhook a new secret; the old one goes on working until `retire_old_secret`."""
    sender.webhook_secret_old = sender.webhook_secret
    sender.webhook_secret = new_secret()
    sender.save(update_fields=["webhook_secret", "webhook_secret_old"])


def retire_old_secret(sender: Sender) -> None:
    """From now on only the new secret is valid."""
    sender.webhook_secret_old = ""
    sender.save(update_fields=["webhook_secret_old"])

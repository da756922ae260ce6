"""Decisions of people about many messages at once: step by step, within the time that a request may take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING

from django.db.models import QuerySet
from django.utils import formats, timezone
from django.utils.translation import ngettext

from campaigns import limits, reconciling
from campaigns.models import Campaign, Message
from campaigns.status import Kind, Status
from gupshup.api.errors import Action, lookup

if TYPE_CHECKING:
    from accounts.models import User

STEP = 200  # messages in one transaction
SECONDS = 15.0
Verb = Callable[[Iterable[int], "User | None", str], int]


def resend_failed(campaign: Campaign, actor: User, why: str) -> int:
    """Send a campaign's failed Messages 1 again; answers how many. Who wants nothing more is left in peace."""
    failed = campaign.messages.filter(status=Status.FAILED, message_type=Kind.MESSAGE_1)
    unwanted = [code for code in _codes(failed) if lookup(code).action in (Action.SUPPRESS, Action.SUPPRESS_MARKETING)]
    wanted = failed.exclude(error_code__in=unwanted).exclude(contact__opted_out_at__isnull=False)
    return decide(reconciling.resend, wanted, actor, why)


def _codes(messages: QuerySet[Message]) -> list[str]:
    return list(messages.exclude(error_code="").order_by().values_list("error_code", flat=True).distinct())


def held_note(campaign: Campaign) -> str:
    """What to say when messages that wait may not leave yet, because Meta holds their people back; else empty."""
    count, until = limits.held_back(campaign)
    if not count or until is None:
        return ""
    text = ngettext(
        "Meta lets no marketing through to %(n)d person for 24 hours: the message waits until %(when)s.",
        "Meta lets no marketing through to %(n)d people for 24 hours: their messages wait, the last until %(when)s.",
        count,
    )
    return text % {"n": count, "when": formats.date_format(timezone.localtime(until), "DATETIME_FORMAT")}


def decide(verb: Verb, chosen: QuerySet[Message], actor: User, why: str) -> int:
    """Apply `reconciling.resend` or `give_up`; answers how many. What is left after SECONDS is for the next request."""
    until, done = monotonic() + SECONDS, 0
    ids = list(chosen.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), STEP):
        done += verb(ids[start : start + STEP], actor, why)
        if monotonic() > until:
            break
    return done

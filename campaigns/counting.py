"""Counts over many campaigns from the kept figures: no query here reads messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from campaigns import oldwords, sql
from campaigns.filters import STATES
from campaigns.status import Kind, Status

if TYPE_CHECKING:
    from accounts.models import User

_COUNTS = """
    SELECT message_type, status, sum(n)::bigint FROM (
        SELECT campaign_id, message_type, status, n FROM campaigns_tally
        UNION ALL
        SELECT campaign_id, message_type, status, n FROM campaigns_tallydelta) AS t
     WHERE (%(campaign)s::bigint IS NULL OR campaign_id = %(campaign)s)
       AND (%(owner)s::bigint IS NULL
            OR campaign_id IN (SELECT id FROM campaigns_campaign WHERE created_by_id = %(owner)s))
     GROUP BY 1, 2"""

Counts = Counter[tuple[str, Status]]


def counts(user: User, campaign_id: int | None = None) -> Counts:
    """Messages by (which message, state) of the campaigns that a user may see, or of one of them."""
    values = {"campaign": campaign_id, "owner": None if user.is_super_admin else user.pk}
    return Counter({(kind, Status(status)): int(n) for kind, status, n in sql.rows(_COUNTS, values)})


def of_filters(user: User, wanted: Mapping[str, Any]) -> int | None:
    """How many messages a list has; None when it is narrowed by something that the figures do not know."""
    if wanted.get("contact_id"):
        return None
    states: set[Status] = set(Status) - {Status.SKIPPED}
    if word := wanted.get("state"):
        states = {STATES[word]}
    if word := wanted.get("status"):
        states &= set(oldwords.message_states(word))
    kinds = {wanted["message_type"]} if wanted.get("message_type") else set(Kind.values)
    found = counts(user, wanted.get("campaign_id"))
    return sum(n for (kind, status), n in found.items() if kind in kinds and status in states)


def old_words(user: User) -> dict[str, Any]:
    """Messages by the old words: both together, and each alone."""
    found = counts(user)
    each = {kind: _in_words(found, {kind}) for kind in Kind.values}
    return {**_in_words(found, set(Kind.values)), **each}


def _in_words(found: Counts, kinds: set[str]) -> dict[str, Any]:
    words: Counter[str] = Counter()
    for (kind, status), n in found.items():
        if kind in kinds:
            words[oldwords.MESSAGE_WORDS[status]] += n
    total = sum(words[word] for word in oldwords.OLD_MESSAGE_WORDS)
    reached = words["delivered"] + words["read"]
    return {
        "total": total,
        **{f"{word}_count": words[word] for word in oldwords.OLD_MESSAGE_WORDS},
        "success_rate": reached / total * 100 if total else 0.0,
    }

"""Does a campaign keep the promise? Every invariant, and where the provider's ledger can be read, every message in it.

The ledger is the simulator's (`GET /ledger`): the far end is the witness, never our own tables.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

from django.utils.translation import gettext as _

from campaigns import invariants, reports, sql
from campaigns.models import Campaign, Message
from campaigns.status import ACCEPTED, Kind, Status

# The simulator's best word that we answered with 2xx, as the state that must follow from it.
TOLD = {
    "submitted": Status.SUBMITTED,
    "enqueued": Status.SUBMITTED,
    "sent": Status.SENT,
    "failed": Status.FAILED,
    "delivered": Status.DELIVERED,
    "read": Status.READ,
}
NO_ANSWER = frozenset({"message/welcome", "message/request_welcome"})  # the chat was opened, nothing was said


@dataclass(frozen=True)
class Finding:
    """One line of an audit: what was compared, whether it holds, and the figures."""

    name: str
    holds: bool
    detail: str

    def __str__(self) -> str:
        return f"{'ok  ' if self.holds else 'FAIL'} {self.name}: {self.detail}"


def audit(campaign: Campaign, ledger: str | None = None) -> list[Finding]:
    """Every check on one campaign; `ledger` is the address of a simulator. Raises OSError when it cannot be read."""
    found = [_invariant(one, campaign.pk) for one in invariants.INVARIANTS]
    found.append(_sum(campaign))
    if ledger:
        found += compare(campaign, read_ledger(ledger))
    return found


def _invariant(invariant: invariants.Invariant, campaign_id: int) -> Finding:
    offences = invariant.offences(campaign_id)
    return Finding(invariant.name, offences == 0, str(invariant.promise) if not offences else f"{offences}")


def _sum(campaign: Campaign) -> Finding:
    first = reports.figures(campaign.pk).first
    rows = Message.objects.filter(campaign=campaign, message_type=Kind.MESSAGE_1).count()
    skipped = sum(first.skipped_by.values())
    return Finding(
        "audience_adds_up",
        rows == first.audience == skipped + first.planned,
        f"{rows} = {skipped} + {first.planned}",
    )


def read_ledger(url: str) -> dict[str, Any]:
    with urlopen(f"{url.rstrip('/')}/ledger", timeout=60) as answer:  # noqa: S310 - an operator's own address
        return dict(json.load(answer))


@dataclass(frozen=True)
class Ours:
    """One of our messages with the ids under which the provider may know it."""

    kind: str
    destination: str
    status: Status
    ids: tuple[str, ...]


def compare(campaign: Campaign, ledger: dict[str, Any]) -> list[Finding]:
    """Our rows against the ledger, message by message."""
    ours = _ours(campaign)
    accepted = _accepted_for(campaign, ours, ledger)
    by_id = {one["message_id"]: one for one in accepted}
    found = []
    for kind, word in ((Kind.MESSAGE_1, "template"), (Kind.MESSAGE_2, "session")):
        calls = Counter(one["destination"] for one in accepted if one["kind"] == word)
        worst = max(calls.values(), default=0)
        found.append(Finding(f"{kind}_once", worst <= 1, _("at most %(n)d to one person") % {"n": worst}))
        rows = [one for one in ours if one.kind == kind]
        found.append(_same(f"{kind}_accepted", set(calls), {o.destination for o in rows if o.ids}))
    lost = [one for one in ours if any(pk not in by_id for pk in one.ids)]
    found.append(Finding("every_id_is_in_the_ledger", not lost, f"{len(lost)}"))
    found.append(_statuses(ours, by_id))
    found.append(_uncertain(ours, accepted))
    found.append(_replied(campaign, ours, ledger))
    return found


def _ours(campaign: Campaign) -> list[Ours]:
    rows = sql.rows(
        """SELECT m.message_type, m.destination, m.status,
                  COALESCE(array_agg(a.provider_id) FILTER (WHERE a.provider_id IS NOT NULL), '{}')
             FROM campaigns_message m LEFT JOIN campaigns_attempt a ON a.message_id = m.id
            WHERE m.campaign_id = %(campaign)s GROUP BY m.id""",
        {"campaign": campaign.pk},
    )
    return [Ours(kind, destination, Status(status), tuple(ids)) for kind, destination, status, ids in rows]


def _accepted_for(campaign: Campaign, ours: list[Ours], ledger: dict[str, Any]) -> list[dict[str, Any]]:
    """What the provider took for this campaign: by id, and what no call of ours knows but could be this campaign's."""
    known = {pk for one in ours for pk in one.ids}
    wanted = {(one.kind == Kind.MESSAGE_1, one.destination) for one in ours}
    foreign = {
        pk
        for (pk,) in sql.rows(
            """SELECT a.provider_id FROM campaigns_attempt a JOIN campaigns_message m ON m.id = a.message_id
                WHERE m.campaign_id <> %(campaign)s AND a.provider_id IS NOT NULL""",
            {"campaign": campaign.pk},
        )
    }
    began = campaign.launched_at.timestamp() if campaign.launched_at else 0.0
    return [
        one
        for one in ledger["accepted"]
        if one["message_id"] in known
        or (
            one["message_id"] not in foreign
            and one["at"] >= began
            and (one["kind"] == "template", one["destination"]) in wanted
        )
    ]


def _same(name: str, theirs: set[str], ours: set[str]) -> Finding:
    """Two sets of destinations; when they differ, some of those that only one side has."""
    missing, extra = sorted(theirs - ours)[:3], sorted(ours - theirs)[:3]
    differing = f" ledger only: {missing}, here only: {extra}" if missing or extra else ""
    return Finding(name, not differing, f"{len(ours)} / {len(theirs)}{differing}")


def _statuses(ours: list[Ours], by_id: dict[str, dict[str, Any]]) -> Finding:
    """Each message stands where the best news that we acknowledged puts it."""
    wrong = 0
    for one in ours:
        told = [TOLD[by_id[pk]["told"]] for pk in one.ids if pk in by_id]
        if told and one.status in (*ACCEPTED, Status.FAILED) and one.status != max(told):
            wrong += 1
    return Finding("statuses_equal_the_ledger", wrong == 0, f"{wrong}")


def _uncertain(ours: list[Ours], accepted: list[dict[str, Any]]) -> Finding:
    """Nothing stays uncertain that the provider accepted and told us of."""
    told = {(one["kind"] == "template", one["destination"]) for one in accepted if one["told"] != "submitted"}
    left = [
        one for one in ours if one.status == Status.UNCERTAIN and (one.kind == Kind.MESSAGE_1, one.destination) in told
    ]
    return Finding("uncertain_only_without_news", not left, f"{len(left)}")


def _replied(campaign: Campaign, ours: list[Ours], ledger: dict[str, Any]) -> Finding:
    """Who answered, by the ledger's callbacks that we took, is who has a reply here."""
    reached = {one.destination for one in ours if one.kind == Kind.MESSAGE_1 and one.ids}
    wrote: dict[str, bool] = defaultdict(bool)
    for callback in ledger["callbacks"]:
        event = f"{callback['event']}/{callback['word']}" if "/" not in callback["event"] else callback["event"]
        if event.startswith("message/") and event not in NO_ANSWER and callback["state"] == "answered":
            wrote[callback["destination"]] = True
    counted = Message.objects.filter(campaign=campaign, message_type=Kind.MESSAGE_1, replied_at__isnull=False)
    ours_replied = set(counted.values_list("destination", flat=True))
    late = Message.objects.filter(campaign=campaign, interactions__late=True).values_list("destination", flat=True)
    theirs = {destination for destination in wrote if destination in reached} - set(late)
    return _same("replied_equals_the_ledger", theirs, ours_replied - set(late))

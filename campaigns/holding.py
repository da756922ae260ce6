"""What waits in a database that was restored may have left already: it becomes uncertain, never sent by the program.

The same shape as any call without an answer: a report settles it, or a person. In steps, each of which may be the last
before a crash; begun again it goes on, and two at once share the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event as Pause
from typing import TYPE_CHECKING

from django.db import transaction

from campaigns import arming, ingest, launching, pacing, sql
from campaigns.models import Campaign, Event
from campaigns.status import CampaignStatus, Status
from gupshup.models import Callback, Sender

if TYPE_CHECKING:
    from accounts.models import User

STEP = 1_000
RESTORED = "restored"  # the error code of the attempts that stand for what may have left
READ_SECONDS = 600.0  # for the inbox at most, each time


@dataclass(frozen=True)
class Waiting:
    """What a campaign has waiting, by the kept figures; `sending`: calls that were under way."""

    campaign: Campaign
    first: int = 0
    second: int = 0
    sending: int = 0


_WAITING = """
    SELECT campaign_id, message_type, status, sum(n)::bigint FROM (
        SELECT campaign_id, message_type, status, n FROM campaigns_tally WHERE status IN (0, 10)
        UNION ALL
        SELECT campaign_id, message_type, status, n FROM campaigns_tallydelta WHERE status IN (0, 10)) AS t
     GROUP BY 1, 2, 3 HAVING sum(n) > 0"""


def waiting() -> list[Waiting]:
    """The campaigns with something that would leave, and those still without rows that will have some."""
    counts: dict[int, Counter[str]] = {}
    for campaign_id, kind, status, n in sql.rows(_WAITING, {}):
        counts.setdefault(campaign_id, Counter())["sending" if status == Status.SENDING else kind] += int(n)
    coming = Campaign.objects.filter(status__in=(CampaignStatus.SCHEDULED, CampaignStatus.PREPARING))
    found = Campaign.objects.filter(pk__in=counts) | coming
    return [
        Waiting(campaign, own["message_1"], own["message_2"], own["sending"])
        for campaign in found.order_by("id")
        for own in [counts.get(campaign.pk, Counter())]
    ]


def arm(actor: User | None = None, why: str = "") -> bool:
    """The operator says that nothing has left since: send on, from here. Answers whether it was disarmed."""
    with transaction.atomic(durable=True):
        sql.commit_durably()
        signs = arming.trouble()
        if not arming.arm():
            return False
        Event.record("arm", actor=actor, details={"signs": signs, "why": why[:300]})
    return True


def hold(
    actor: User | None = None,
    why: str = "",
    tell: Callable[[int], None] = lambda done: None,
    although_armed: bool = False,
) -> int:
    """Make uncertain all that waits in campaigns that have started by now, then arm; answers how many messages.

    `tell` hears the number so far. Nothing is sent meanwhile; the senders begin with a fresh window of their pace.
    """
    since = arming.begin_hold(although_armed)
    if since is None:
        return 0
    _start_what_is_due()
    ingest.run(READ_SECONDS)  # answers that came before the backup: their Messages 2 have perhaps left, too
    done = _hold_all(0, tell)
    if _replay(since):
        ingest.run(READ_SECONDS)
        done = _hold_all(done, tell)
    while not _arm_if_all_is_held(since, actor, why):
        _start_what_is_due()
        done = _hold_all(done, tell)
    return done


def _start_what_is_due() -> None:
    """A campaign whose time has come, or that was being prepared, has perhaps been sent: its rows must stand first."""
    launching.launch_due()
    preparing = Campaign.objects.filter(status=CampaignStatus.PREPARING).values_list("id", flat=True)
    for pk in list(preparing):
        while not launching.prepare(pk):
            Pause().wait(0.1)  # a worker is at it


def _hold_all(done: int, tell: Callable[[int], None]) -> int:
    while found := _hold_calls():
        tell(done := done + found)
    for start in range(0, len(ids := _waiting_ids()), STEP):
        tell(done := done + _hold_waiting(ids[start : start + STEP]))
    return done


_UNDER_WAY = """
    SELECT m.id FROM campaigns_attempt a JOIN campaigns_message m ON m.id = a.message_id
     WHERE a.state = 'intent' ORDER BY m.id LIMIT %(step)s FOR UPDATE OF m"""
_LOSE_SIGHT = """
    UPDATE campaigns_attempt
       SET state = 'uncertain', wire_at = COALESCE(wire_at, started_at), deadline = clock_timestamp(),
           finished_at = clock_timestamp(), released_at = clock_timestamp(), error_code = %(code)s
     WHERE message_id = ANY(%(ids)s) AND state = 'intent' RETURNING message_id"""


def _hold_calls() -> int:
    """Calls that were under way: also those without a wire mark, which was perhaps set after the backup."""
    with transaction.atomic(durable=True):
        ids = [pk for (pk,) in sql.rows(_UNDER_WAY, {"step": STEP})]
        held = [pk for (pk,) in sql.rows(_LOSE_SIGHT, {"ids": ids, "code": RESTORED})]
        return sql.run(
            "UPDATE campaigns_message SET status = 15, updated_at = clock_timestamp() WHERE id = ANY(%(ids)s)"
            " AND status = 10",
            {"ids": held},
        )


# A cancelled campaign's messages are being cancelled: nobody sends them. One with a call that may have gone waits
# against the rules (`invariants`), and the database lets no other call begin.
_WAITS = """
      FROM campaigns_message m JOIN campaigns_campaign c ON c.id = m.campaign_id
     WHERE m.message_type = '{kind}' AND m.next_attempt_at IS NOT NULL AND c.status <> 'cancelled'
       AND NOT EXISTS (SELECT 1 FROM campaigns_attempt a
                        WHERE a.message_id = m.id AND a.state IN ('intent', 'accepted', 'uncertain'))"""
_EVERY = " UNION ALL ".join(f"SELECT m.id {_WAITS.format(kind=kind)}" for kind in ("message_1", "message_2"))


def _waiting_ids() -> list[int]:
    return [pk for (pk,) in sql.rows(f"{_EVERY} ORDER BY 1", {})]


# Shown to a person at once, which frees the destination: two campaigns may both have waited for one person.
_HOLD = """
    WITH ours AS (
        SELECT m.id, m.sender_id, m.destination
          FROM campaigns_message m WHERE m.id = ANY(%(ids)s) AND m.status = 0 ORDER BY m.id FOR UPDATE)
    INSERT INTO campaigns_attempt (message_id, sender_id, destination, state, token, started_at, wire_at, deadline,
                                   finished_at, released_at, error_code)
    SELECT id, sender_id, destination, 'uncertain', gen_random_uuid(), now(), now(), now(), now(), now(), %(code)s
      FROM ours ORDER BY id
    ON CONFLICT DO NOTHING RETURNING message_id"""
_HELD = """
    UPDATE campaigns_message
       SET status = 15, next_attempt_at = NULL, lease = NULL, lease_until = NULL, updated_at = clock_timestamp()
     WHERE id = ANY(%(ids)s) AND status = 0"""


def _hold_waiting(ids: Sequence[int]) -> int:
    with transaction.atomic(durable=True):
        held = [pk for (pk,) in sql.rows(_HOLD, {"ids": list(ids), "code": RESTORED})]
        return sql.run(_HELD, {"ids": held})


def _replay(since: datetime) -> int:
    """Reports that came after the restore, about calls that nobody here knew: they settle what is held now."""
    found = sql.row(
        """SELECT min(m.created_at) FROM campaigns_attempt a JOIN campaigns_message m ON m.id = a.message_id
            WHERE a.state = 'uncertain' AND a.error_code = %(code)s AND a.finished_at >= %(since)s""",
        {"code": RESTORED, "since": since},
    )
    if found is None or found[0] is None:
        return 0
    unknown = (Callback.State.FOREIGN, Callback.State.WAITING)
    return Callback.objects.filter(state__in=unknown, received_at__gte=found[0]).exclude(raw=None).replay()


def _arm_if_all_is_held(since: datetime, actor: User | None, why: str) -> bool:
    """The last step; False when something waits again that had started before."""
    with transaction.atomic(durable=True):
        sql.commit_durably()
        arming.lock()
        if not arming.trouble():
            return True  # another operator's command has ended meanwhile
        left = sql.row(
            f"""SELECT EXISTS (SELECT 1 FROM campaigns_attempt WHERE state = 'intent')
                    OR EXISTS (SELECT 1 FROM campaigns_campaign WHERE status = 'preparing')
                    OR EXISTS ({_EVERY})""",
            {},
        )
        if left is None or left[0]:
            return False
        for sender in Sender.objects.all():
            pacing.push_back(sender.pk, None)
        _record(since, actor, why)
        arming.arm()
    return True


def _record(since: datetime, actor: User | None, why: str) -> None:
    counts = sql.rows(
        """SELECT m.campaign_id, count(*) FROM campaigns_attempt a JOIN campaigns_message m ON m.id = a.message_id
            WHERE a.error_code = %(code)s AND a.finished_at >= %(since)s GROUP BY 1 ORDER BY 1""",
        {"code": RESTORED, "since": since},
    )
    for campaign in Campaign.objects.in_bulk([pk for pk, _ in counts]).values():
        Event.record("hold", actor=actor, campaign=campaign, details={"messages": dict(counts)[campaign.pk]})
    held = sum(n for _, n in counts)
    Event.record("arm", actor=actor, details={"signs": arming.trouble(), "held": held, "why": why[:300]})

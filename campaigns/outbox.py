"""The outbox in the database: claim, begin, mark.

claim    a batch of due messages gets a lease; reversible, a crash costs nothing
begin    one commit: lease, campaign and opt-out checked again, slot taken; message `sending`, attempt `intent`
mark     one commit just before the first byte: a compare-and-set on the attempt. Who finds it gone sends nothing
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from campaigns import hours, limits, outcomes, pacing, sql
from campaigns.models import Campaign
from campaigns.retries import OPEN_OUTCOME_WAIT, SAME_PERSON_GAP
from campaigns.status import CampaignStatus, Kind, Reason
from gupshup.models import Sender


@dataclass(frozen=True)
class Claimed:
    """A message under our lease, with what the call needs."""

    id: int
    campaign_id: int
    kind: str
    destination: str
    params: list[str]
    content: str


@dataclass(frozen=True)
class Begun:
    """A message whose attempt stands; only after `mark` may a byte leave."""

    message: Claimed
    attempt_id: int
    opens: float
    closes: float
    at_wire: Event = field(default_factory=Event, compare=False)  # set when the first byte is due


def claim(sender_id: int, lease: uuid.UUID, wanted: int, after: dict[int, tuple[Any, int]]) -> list[Claimed]:
    """Lease up to `wanted` due messages: Message 2 first, then the running campaigns in turn.

    `after` keeps, for each campaign, the last key claimed: starting there passes by the dead head of the queue.
    """
    found = _claim_second(sender_id, lease, wanted)
    campaigns = _open_campaigns(sender_id)
    left = wanted - len(found)
    if campaigns and left > 0:
        free = limits.room(Sender.objects.only("ceiling").get(pk=sender_id))
        left = left if free is None else min(left, free)
    for n, campaign_id in enumerate(campaigns):
        share = -(-left // (len(campaigns) - n))
        if share > 0:
            mine = _claim_first(campaign_id, lease, share, after)
            found += mine
            left -= len(mine)
    return found


def _open_campaigns(sender_id: int) -> list[int]:
    """The running campaigns that may send now, in a new order each time: that is how they take turns."""
    now = timezone.now()
    running = Campaign.objects.filter(sender_id=sender_id, status=CampaignStatus.RUNNING).only("hours", "time_zone")
    found = [campaign.pk for campaign in running if hours.is_open(campaign.hours, campaign.time_zone, now)]
    random.shuffle(found)
    return found


# An array and no IN: after stale statistics the planner may join, run the inner query again for each row, and each time
# find others that are not locked yet.
_CLAIM = """
    UPDATE campaigns_message m
       SET lease = %(lease)s, lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
     WHERE m.id = ANY(ARRAY(
        SELECT q.id FROM campaigns_message q {join}
         WHERE {where} AND q.next_attempt_at <= clock_timestamp()
           AND (q.lease_until IS NULL OR q.lease_until < clock_timestamp())
         ORDER BY q.next_attempt_at, q.id LIMIT %(wanted)s FOR UPDATE OF q SKIP LOCKED))
    RETURNING m.next_attempt_at, m.id, m.campaign_id, m.message_type, m.destination, m.params::text, m.content"""
_CLAIM_SECOND = _CLAIM.format(
    join="JOIN campaigns_campaign c ON c.id = q.campaign_id AND c.status IN ('running', 'finished')",
    where="""q.sender_id = %(owner)s AND q.message_type = 'message_2' AND q.next_attempt_at IS NOT NULL
             AND q.expires_at > clock_timestamp()""",
)
_CLAIM_FIRST = _CLAIM.format(
    join="",
    where="""q.campaign_id = %(owner)s AND q.message_type = 'message_1' AND q.next_attempt_at IS NOT NULL
             AND (q.next_attempt_at, q.id) > (%(after)s::timestamptz, %(after_id)s)""",
)


def _claim_second(sender_id: int, lease: uuid.UUID, wanted: int) -> list[Claimed]:
    return [claimed for _, claimed in _claim(_CLAIM_SECOND, owner=sender_id, lease=lease, wanted=wanted)]


def _claim_first(campaign_id: int, lease: uuid.UUID, wanted: int, after: dict[int, tuple[Any, int]]) -> list[Claimed]:
    last, last_id = after.get(campaign_id, ("-infinity", 0))
    found = _claim(_CLAIM_FIRST, owner=campaign_id, lease=lease, wanted=wanted, after=last, after_id=last_id)
    if found:
        after[campaign_id] = (found[-1][0], found[-1][1].id)
    else:
        after.pop(campaign_id, None)
    return [claimed for _, claimed in found]


def _claim(statement: str, **values: Any) -> list[tuple[Any, Claimed]]:
    values["seconds"] = settings.SENDING_LEASE_SECONDS
    found = sorted(sql.rows(statement, values), key=lambda row: (row[0], row[1]))
    return [(row[0], Claimed(row[1], row[2], row[3], row[4], _params(row[5]), row[6])) for row in found]


def _params(text: str) -> list[str]:
    return [str(value) for value in json.loads(text)]


def begin(
    sender_id: int, lease: uuid.UUID, messages: Sequence[Claimed], ahead: float = pacing.HORIZON, lead: float = 0.0
) -> list[Begun] | None:
    """Take the messages for sending, each with a slot, in one durable commit. What may not leave now is left out, and
    its row says why. None when a rival took the slots: then nothing happened.

    A failed or unanswered commit raises: then nothing may be sent, and the reaper puts right what was written.
    """
    by_id = {message.id: message for message in messages}
    with transaction.atomic(durable=True):
        sql.commit_durably()
        sound = _look(sender_id, lease, list(by_id))
        ids = _within_ceiling(sender_id, [by_id[look.id] for look in sound if look.free])
        attempts = sql.rows(
            _INTEND,
            {
                "ids": ids,
                "destinations": [by_id[pk].destination for pk in ids],
                "sender": sender_id,
                "seconds": settings.SENDING_DEADLINE_SECONDS,
            },
        )
        attempts = _send_apart(attempts)
        _put_back(sound, ids, {message_id for message_id, _ in attempts})
        slots = pacing.take(sender_id, len(attempts), ahead, lead) if attempts else pacing.Slots(0)
        if slots.count < len(attempts):
            transaction.set_rollback(True)
            return None
    return [
        Begun(by_id[message_id], attempt_id, slots.opens(i), slots.closes(i))
        for i, (message_id, attempt_id) in enumerate(sorted(attempts))
    ]


@dataclass(frozen=True)
class Look:
    """A message under our lease, and what speaks against sending it now."""

    id: int
    opted_out: bool
    recent: bool  # this person was written to within the last seconds
    capped: bool  # this person has had the sender's share of marketing messages
    held: bool  # Meta holds marketing to this person back

    @property
    def free(self) -> bool:
        return not (self.opted_out or self.recent or self.capped or self.held)


_SOUND = f"""
    SELECT m.id, COALESCE(k.opted_out_at IS NOT NULL, false),
           EXISTS (SELECT 1 FROM campaigns_attempt a
                    WHERE a.destination = m.destination AND a.sender_id = %(sender)s
                      AND a.started_at > clock_timestamp() - %(gap)s AND a.state NOT IN ('not_sent', 'rejected')),
           s.person_cap IS NOT NULL AND m.message_type = 'message_1' AND s.person_cap <= (
               SELECT count(DISTINCT o.id) FROM campaigns_attempt a JOIN campaigns_message o ON o.id = a.message_id
                WHERE a.destination = m.destination AND a.sender_id = %(sender)s AND o.message_type = 'message_1'
                  AND a.started_at > clock_timestamp() - make_interval(days => s.person_cap_days)
                  AND a.state IN ('intent', 'accepted', 'uncertain')),
           EXISTS (SELECT 1 FROM campaigns_heldback h WHERE {limits.HOLDS})
      FROM campaigns_message m
      JOIN campaigns_campaign c ON c.id = m.campaign_id
      LEFT JOIN gupshup_template t ON t.id = c.template_id
      JOIN gupshup_sender s ON s.id = m.sender_id
      LEFT JOIN contacts_contact k ON k.id = m.contact_id
     WHERE m.id = ANY(%(ids)s) AND m.lease = %(lease)s AND m.lease_until > clock_timestamp() AND m.status = 0
       AND (c.status = 'running' OR (c.status = 'finished' AND m.message_type = 'message_2'))
       AND (m.expires_at IS NULL OR m.expires_at > clock_timestamp())
     ORDER BY m.id FOR UPDATE OF m"""


def _look(sender_id: int, lease: uuid.UUID, ids: list[int]) -> list[Look]:
    """Lock the messages that are still ours and may still be sent, and see what speaks against it."""
    values = {"ids": ids, "lease": lease, "gap": SAME_PERSON_GAP, "sender": sender_id}
    return [Look(*row) for row in sql.rows(_SOUND, values)]


def _within_ceiling(sender_id: int, messages: Sequence[Claimed]) -> list[int]:
    """Those that the ceiling of new recipients allows: every Message 2, and Messages 1 as far as it reaches."""
    first = [message.destination for message in messages if message.kind == Kind.MESSAGE_1]
    has_ceiling = first and Sender.objects.filter(pk=sender_id, ceiling__isnull=False).exists()
    allowed = limits.reserve(sender_id, first) if has_ceiling else set(first)
    return [one.id for one in messages if one.kind == Kind.MESSAGE_2 or one.destination in allowed]


# No target named: either of the two unique indexes that carry the promise may refuse the row.
_INTEND = """
    INSERT INTO campaigns_attempt (message_id, sender_id, destination, state, token, started_at, deadline)
    SELECT t.id, %(sender)s, t.destination, 'intent', gen_random_uuid(), clock_timestamp(),
           clock_timestamp() + make_interval(secs => %(seconds)s)
      FROM unnest(%(ids)s::bigint[], %(destinations)s::text[]) AS t (id, destination)
    ON CONFLICT DO NOTHING
    RETURNING message_id, id"""

_SENDING = """
    UPDATE campaigns_message m
       SET status = 10, next_attempt_at = NULL, lease = NULL, lease_until = NULL, updated_at = clock_timestamp()
      FROM campaigns_attempt mine
     WHERE mine.id = ANY(%(attempts)s) AND m.id = mine.message_id
       AND NOT EXISTS (SELECT 1 FROM campaigns_attempt a
                        WHERE a.destination = mine.destination AND a.sender_id = mine.sender_id AND a.id <> mine.id
                          AND a.started_at > mine.started_at - %(gap)s AND a.state NOT IN ('not_sent', 'rejected'))
    RETURNING m.id"""


def _send_apart(attempts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Of these new attempts (message, attempt) those whose person was not written to meanwhile; the others are undone.

    Between the look and the insert this process may have slept, and a rival written to the person and had his answer.
    From the insert on nobody else can: the open attempt is ours.
    """
    values = {"attempts": [attempt_id for _, attempt_id in attempts], "gap": SAME_PERSON_GAP}
    apart = {pk for (pk,) in sql.rows(_SENDING, values)}
    if near := [attempt_id for message_id, attempt_id in attempts if message_id not in apart]:
        sql.run("DELETE FROM campaigns_attempt WHERE id = ANY(%(ids)s)", {"ids": near})
    return [(message_id, attempt_id) for message_id, attempt_id in attempts if message_id in apart]


_POSTPONE = """
    UPDATE campaigns_message
       SET next_attempt_at = clock_timestamp() + %(wait)s, lease = NULL, lease_until = NULL
     WHERE id = ANY(%(ids)s) AND status = 0"""


_HOLD = """
    UPDATE campaigns_message m
       SET next_attempt_at = h.until, lease = NULL, lease_until = NULL
      FROM campaigns_heldback h
     WHERE m.id = ANY(%(ids)s) AND m.status = 0 AND h.destination = m.destination"""

_RELEASE = "UPDATE campaigns_message SET lease = NULL, lease_until = NULL WHERE id = ANY(%(ids)s) AND status = 0"


def _put_back(sound: Sequence[Look], allowed: Sequence[int], begun: set[int]) -> None:
    """What may not leave now: opted out or capped ends, a person just written to waits, an open outcome waits longer,
    whom Meta holds back waits until then, and what is above the ceiling is only given back: nobody claims it before
    there is room.
    """
    outcomes.cancel([look.id for look in sound if look.opted_out], Reason.OPTED_OUT)
    outcomes.cancel([look.id for look in sound if look.capped and not look.opted_out], Reason.PERSON_CAP)
    going_on = [look for look in sound if not look.opted_out and not look.capped]
    if held := [look.id for look in going_on if look.held]:
        sql.run(_HOLD, {"ids": held})
    soon = [look.id for look in going_on if look.recent and not look.held]
    open_outcome = [pk for pk in allowed if pk not in begun]
    for ids, wait in ((soon, SAME_PERSON_GAP), (open_outcome, OPEN_OUTCOME_WAIT)):
        if ids:
            sql.run(_POSTPONE, {"ids": ids, "wait": wait})
    above = [look.id for look in sound if look.free and look.id not in allowed]
    if above:
        sql.run(_RELEASE, {"ids": above})


def mark(begun: Sequence[Begun]) -> list[Begun]:
    """The last fence: of these attempts, those that are still ours. Committed before a first byte leaves."""
    with transaction.atomic(durable=True):
        sql.commit_durably()
        ours = sql.rows(
            """UPDATE campaigns_attempt SET wire_at = clock_timestamp()
                WHERE id = ANY(%(ids)s) AND state = 'intent' AND wire_at IS NULL RETURNING id""",
            {"ids": [item.attempt_id for item in begun]},
        )
    kept = {pk for (pk,) in ours}
    return [item for item in begun if item.attempt_id in kept]


def due_senders() -> list[Sender]:
    """The senders with something that may leave now."""
    ids = sql.rows(
        """
        SELECT s.id FROM gupshup_sender s
         WHERE s.breaker <> 'open' AND (
            EXISTS (SELECT 1 FROM campaigns_message m JOIN campaigns_campaign c ON c.id = m.campaign_id
                     WHERE m.sender_id = s.id AND m.message_type = 'message_2'
                       AND m.next_attempt_at <= clock_timestamp() AND c.status IN ('running', 'finished'))
            OR EXISTS (SELECT 1 FROM campaigns_campaign c
                        WHERE c.sender_id = s.id AND c.status = 'running'
                          AND EXISTS (SELECT 1 FROM campaigns_message m
                                       WHERE m.campaign_id = c.id AND m.message_type = 'message_1'
                                         AND m.next_attempt_at <= clock_timestamp())))""",
        {},
    )
    return list(Sender.objects.filter(id__in=[pk for (pk,) in ids]))

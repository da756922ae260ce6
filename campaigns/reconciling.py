"""What became of the calls without an answer.

The reaper ends overdue attempts: without wire mark nothing left (pending again), with it the outcome is uncertain. A
report settles what is uncertain (`campaigns.statuses`); after a day the destination is free again and a person decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import transaction

from campaigns import outcomes, sql
from campaigns.models import Event, Message, lock_in_order
from campaigns.status import CampaignStatus, Kind, Reason, Status

if TYPE_CHECKING:
    from accounts.models import User

STEP = 500
RELEASE_HOURS = 24


def reap() -> tuple[int, int]:
    """End overdue attempts; answers how many were not sent, and how many are uncertain."""
    with transaction.atomic():
        overdue = sql.rows(
            """SELECT a.id, a.message_id, a.wire_at IS NOT NULL
                 FROM campaigns_attempt a JOIN campaigns_message m ON m.id = a.message_id
                WHERE a.state = 'intent' AND a.deadline < clock_timestamp()
                ORDER BY m.id LIMIT %(step)s FOR UPDATE OF m SKIP LOCKED""",
            {"step": STEP},
        )
        unmarked = _end([pk for pk, _, wired in overdue if not wired], "not_sent", "wire_at IS NULL")
        # Between the look and the change a mark may have been set: those are for the next pass.
        wired = _end([pk for pk, _, wired in overdue if wired], "uncertain", "wire_at IS NOT NULL")
        outcomes.back_to_pending(unmarked)
        Message.objects.filter(id__in=wired, status=Status.SENDING).update(status=Status.UNCERTAIN)
    return len(unmarked), len(wired)


def _end(attempts: list[int], state: str, still: str) -> list[int]:
    return [
        pk
        for (pk,) in sql.rows(
            f"""UPDATE campaigns_attempt
                   SET state = %(state)s, finished_at = clock_timestamp(), error_code = 'no_answer'
                 WHERE id = ANY(%(ids)s) AND state = 'intent' AND {still} RETURNING message_id""",
            {"ids": attempts, "state": state},
        )
    ]


def release() -> int:
    """After a day without news the destination is free for other messages; the message itself stays uncertain."""
    return sql.run(
        """UPDATE campaigns_attempt SET released_at = clock_timestamp()
            WHERE state = 'uncertain' AND released_at IS NULL
              AND started_at < clock_timestamp() - make_interval(hours => %(hours)s)""",
        {"hours": RELEASE_HOURS},
    )


def resend(ids: Iterable[int], actor: User | None, why: str = "") -> int:
    """A person decides to send uncertain or failed messages again: audited; a later report is kept and shown."""
    return _decide(ids, actor, "resend", why)


def give_up(ids: Iterable[int], actor: User | None, why: str = "") -> int:
    """A person decides not to send uncertain messages again; a late report still tells what became of them."""
    return _decide(ids, actor, "give_up", why)


def _decide(ids: Iterable[int], actor: User | None, verb: str, why: str) -> int:
    done = 0
    with transaction.atomic():
        lock_in_order(wanted := list(ids))
        for message in Message.objects.filter(id__in=wanted).select_related("campaign__template"):
            if (_resend if verb == "resend" else _give_up)(message):
                Event.record(verb, actor=actor, campaign=message.campaign, message=message, details={"why": why[:300]})
                done += 1
    return done


def _resend(message: Message) -> bool:
    campaign = message.campaign
    if message.status not in (Status.UNCERTAIN, Status.FAILED) or message.expired:
        return False
    if campaign.status == CampaignStatus.CANCELLED or not _is_whole(message):
        return False
    campaign.row.move(CampaignStatus.FINISHED, to=CampaignStatus.RUNNING, completed_at=None)
    message.attempts.filter(state__in=("uncertain", "accepted")).update(state="superseded")
    return bool(
        sql.run(
            """UPDATE campaigns_message
                  SET status = 0, next_attempt_at = clock_timestamp(), reason = '', error_code = '', error_message = '',
                      retry_count = 0, failed_at = NULL, updated_at = clock_timestamp()
                WHERE id = %(id)s AND status IN (15, 35)""",
            {"id": message.pk},
        )
    )


def _is_whole(message: Message) -> bool:
    """Whether there is all that sending needs: a message of the old system may lack template, variables or number."""
    if message.message_type != Kind.MESSAGE_1:
        return message.destination.isdecimal()
    template = message.campaign.template
    return template is not None and len(message.params) == template.params_count and message.destination.isdecimal()


def _give_up(message: Message) -> bool:
    if message.status != Status.UNCERTAIN:
        return False
    # The attempt stays uncertain, so that a late report finds its owner; the destination is free.
    message.attempts.filter(state="uncertain").update(released_at=message.updated_at)
    return bool(outcomes.fail([message.pk], "", "", reason=Reason.GIVEN_UP))

"""What an answer does to a message: one transaction for many answers, each statement naming the state it leaves.

Locks are taken in one order everywhere: messages by ascending id, then their attempts. Every statement may be repeated:
an answer that was already recorded, or that news has overtaken, changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction

from campaigns import limits, pacing, sql
from campaigns.models import Campaign, Event, Message, lock_in_order
from campaigns.retries import delay, may_retry
from campaigns.status import AttemptState, CampaignStatus, Reason, Status
from contacts.models import Contact
from gupshup import breaker
from gupshup.api.errors import Action, lookup
from gupshup.api.responses import GupshupResponse, Outcome
from gupshup.models import Sender

log = logging.getLogger("campaigns.outcomes")


@dataclass(frozen=True)
class Answer:
    """What came back for one attempt."""

    message_id: int
    attempt_id: int
    campaign_id: int
    response: GupshupResponse

    @property
    def counted(self) -> bool:
        """Whether a call that was not sent counts against the retries: a slot given up does not."""
        return self.response.error_code not in FREE


FREE = frozenset({"fenced"})  # given up before the first byte by our own fence


def record(sender_id: int, answers: Sequence[Answer]) -> None:
    """Write down a batch of answers. Idempotent; raises the database's errors, and then nothing is recorded."""
    by_outcome: dict[Outcome, list[Answer]] = {}
    for answer in answers:
        by_outcome.setdefault(answer.response.outcome, []).append(answer)
    with transaction.atomic(durable=True):
        sql.commit_durably()
        lock_in_order(answer.message_id for answer in answers)
        for outcome, group in by_outcome.items():
            _RECORDERS[outcome](sender_id, group)
        _tell_breaker(sender_id, by_outcome)


def _tell_breaker(sender_id: int, by_outcome: dict[Outcome, list[Answer]]) -> None:
    """What the answers say of a sender that is only trying one message."""
    if Outcome.ACCEPTED in by_outcome or Outcome.REJECTED in by_outcome:
        breaker.probe_worked(sender_id)
    elif any(answer.counted for group in by_outcome.values() for answer in group):
        breaker.probe_failed(sender_id)


def _accepted(sender_id: int, group: Sequence[Answer]) -> None:
    sql.run(
        """
        WITH closed AS (
            UPDATE campaigns_attempt a
               SET state = 'accepted', provider_id = t.provider_id, http_status = t.http, error_code = '',
                   error_message = '', finished_at = COALESCE(a.finished_at, clock_timestamp())
              FROM unnest(%(attempts)s::bigint[], %(ids)s::text[], %(https)s::int[]) AS t (id, provider_id, http)
             WHERE a.id = t.id AND a.state IN ('intent', 'uncertain', 'accepted')
            RETURNING a.message_id, a.provider_id)
        UPDATE campaigns_message m
           SET status = GREATEST(m.status, 20), whatsapp_message_id = closed.provider_id, reason = '',
               accepted_at = COALESCE(m.accepted_at, clock_timestamp()), updated_at = clock_timestamp()
          FROM closed WHERE m.id = closed.message_id AND m.status >= 10""",
        {
            "attempts": [answer.attempt_id for answer in group],
            "ids": [answer.response.message_id for answer in group],
            "https": [answer.response.http_status for answer in group],
        },
    )


def _close(group: Sequence[Answer], state: AttemptState, *leaving: AttemptState) -> list[int]:
    """Close the attempts that are still in one of these states; answers their messages."""
    return [
        pk
        for (pk,) in sql.rows(
            """
            UPDATE campaigns_attempt a
               SET state = %(state)s, http_status = t.http, error_code = t.code, error_message = t.text,
                   finished_at = clock_timestamp()
              FROM unnest(%(attempts)s::bigint[], %(https)s::int[], %(codes)s::text[], %(texts)s::text[])
                   AS t (id, http, code, text)
             WHERE a.id = t.id AND a.state = ANY(%(leaving)s)
            RETURNING a.message_id""",
            {
                "state": state.value,
                "leaving": [one.value for one in leaving],
                "attempts": [answer.attempt_id for answer in group],
                "https": [answer.response.http_status for answer in group],
                "codes": [(answer.response.error_code or "")[:32] for answer in group],
                "texts": [(answer.response.error_message or "")[:300] for answer in group],
            },
        )
    ]


UNRESOLVED = (AttemptState.INTENT, AttemptState.UNCERTAIN)


def _not_sent(sender_id: int, group: Sequence[Answer]) -> None:
    """Proved: no byte left. Pending again; what failed for a reason counts against the three retries."""
    closed = set(_close(group, AttemptState.NOT_SENT, *UNRESOLVED))
    mine = [answer for answer in group if answer.message_id in closed]
    back_to_pending([a.message_id for a in mine if not a.counted])
    for answer in (a for a in mine if a.counted):
        refuse([answer.message_id], answer.response.error_code or "", answer.response.error_message or "")


def _slow_down(sender_id: int, group: Sequence[Answer]) -> None:
    """The provider's rate: nobody is refused, everybody waits."""
    back_to_pending(_close(group, AttemptState.REJECTED, *UNRESOLVED))
    waits = [answer.response.retry_after for answer in group if answer.response.retry_after is not None]
    pacing.push_back(sender_id, max(waits) if waits else None)


def _rejected(sender_id: int, group: Sequence[Answer]) -> None:
    closed = set(_close(group, AttemptState.REJECTED, *UNRESOLVED))
    by_code: dict[str, list[int]] = {}
    for answer in (a for a in group if a.message_id in closed):
        code = answer.response.error_code or ""
        fail([answer.message_id], code, answer.response.error_message or "")
        by_code.setdefault(code, []).append(answer.message_id)
    for code, ids in by_code.items():
        apply_to_person(ids, code)


def _halt(sender_id: int, group: Sequence[Answer]) -> None:
    """Everyone's next message would fail too: stop the sender, or the campaign; the message waits, uncounted."""
    closed = set(_close(group, AttemptState.REJECTED, *UNRESOLVED))
    for answer in (a for a in group if a.message_id in closed):
        code, text = answer.response.error_code or "", answer.response.error_message or ""
        if halt(sender_id, answer.campaign_id, code, text, campaign_only=answer.response.halts == "campaign"):
            back_to_pending([answer.message_id])
        else:
            fail([answer.message_id], code, text)


def _uncertain(sender_id: int, group: Sequence[Answer]) -> None:
    """It may have gone. Never sent again by the program; a report settles it, or a person."""
    closed = _close(group, AttemptState.UNCERTAIN, AttemptState.INTENT)
    Message.objects.filter(id__in=closed, status=Status.SENDING).update(status=Status.UNCERTAIN)


_RECORDERS = {
    Outcome.ACCEPTED: _accepted,
    Outcome.NOT_SENT: _not_sent,
    Outcome.SLOW_DOWN: _slow_down,
    Outcome.REJECTED: _rejected,
    Outcome.HALT: _halt,
    Outcome.UNCERTAIN: _uncertain,
}


# -- the named transitions; each expects the message's lock to be held


def _keep_open(ids: Sequence[int]) -> None:
    """A Message 1 that waits again keeps its campaign open, or opens it anew; `launching.finish_done` looks under the
    same lock.
    """
    campaigns = sql.rows(
        """SELECT c.id, c.status FROM campaigns_campaign c
            WHERE c.id IN (SELECT campaign_id FROM campaigns_message
                            WHERE id = ANY(%(ids)s) AND message_type = 'message_1')
            ORDER BY c.id FOR SHARE""",
        {"ids": ids},
    )
    for pk in [pk for pk, status in campaigns if status == CampaignStatus.FINISHED]:
        Campaign.objects.filter(pk=pk).move(CampaignStatus.FINISHED, to=CampaignStatus.RUNNING, completed_at=None)


def back_to_pending(ids: Iterable[int], wait: float = 0.0) -> int:
    """Proved not sent, and nobody's fault: due again after `wait` seconds, no retry counted."""
    if not (ids := list(ids)):
        return 0
    _keep_open(ids)
    return sql.run(
        """UPDATE campaigns_message
              SET status = 0, next_attempt_at = clock_timestamp() + make_interval(secs => %(wait)s),
                  updated_at = clock_timestamp()
            WHERE id = ANY(%(ids)s) AND status IN (10, 15)""",
        {"ids": ids, "wait": wait},
    )


def refuse(ids: Iterable[int], code: str, text: str) -> None:
    """A try that failed for sure: again after 60, 120, 240 s, then failed for good [6.3, 6.4]."""
    for message in Message.objects.filter(id__in=list(ids)).only("id", "retry_count", "status"):
        refusals = message.retry_count + 1
        if may_retry(refusals):
            _keep_open([message.pk])
            sql.run(
                """UPDATE campaigns_message
                      SET status = 0, retry_count = %(refusals)s, error_code = %(code)s, error_message = %(text)s,
                          next_attempt_at = clock_timestamp() + %(wait)s, updated_at = clock_timestamp()
                    WHERE id = %(id)s AND status IN (10, 15, 20, 30, 35)""",
                {
                    "id": message.pk,
                    "refusals": refusals,
                    "code": code[:32],
                    "text": text[:300],
                    "wait": delay(refusals),
                },
            )
        else:
            fail([message.pk], code, text, reason=Reason.NO_MORE_TRIES)


def fail(ids: Iterable[int], code: str, text: str, reason: str = "") -> int:
    """Failed for good. A delivery that is known already is not taken back."""
    return sql.run(
        """UPDATE campaigns_message
              SET status = 35, error_code = %(code)s, error_message = %(text)s, reason = %(reason)s,
                  failed_at = clock_timestamp(), updated_at = clock_timestamp()
            WHERE id = ANY(%(ids)s) AND status BETWEEN 10 AND 35""",
        {"ids": list(ids), "code": code[:32], "text": text[:300], "reason": reason},
    )


def cancel(ids: Sequence[int], reason: Reason) -> int:
    """What waits for these people ends."""
    return Message.objects.filter(id__in=ids).cancel(reason) if ids else 0


def apply_to_person(message_ids: Iterable[int], code: str) -> None:
    """What a failure says of the person: not on WhatsApp, wants nothing more, or had enough for a day (catalogue)."""
    action, ids = lookup(code).action, list(message_ids)
    people = Contact.objects.filter(messages__in=ids)
    if action is Action.INVALID_NUMBER:
        people.mark_invalid(code)
    elif action in (Action.SUPPRESS, Action.SUPPRESS_MARKETING):
        people.opt_out(f"provider:{code}")
    elif action is Action.WAIT_24H:
        limits.hold_back(ids)


def halt(sender_id: int, campaign_id: int, code: str, text: str, *, campaign_only: bool) -> bool:
    """Stop the campaign or the whole sender, with the reason; answers whether waiting makes sense now.

    It makes none for a Message 2 of a finished campaign that only its campaign could hold back.
    """
    if campaign_only:
        campaign = Campaign.objects.get(pk=campaign_id)
        return campaign.pause(reason=code or "halt", detail=text) or campaign.status == CampaignStatus.PAUSED
    if breaker.open_(sender_id, code, text):
        Event.record("sender_stopped", sender=Sender.objects.get(pk=sender_id), details={"code": code, "text": text})
    return True

"""From a draft to rows: one Message 1 for each person of the audience, pending or skipped with its reason.

`launch` decides, in one compare-and-set; `prepare` writes the rows by ranges and can be killed and repeated at any
point; nothing leaves before all rows stand.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import announcing, sql
from campaigns.audience import audience, members
from campaigns.models import Campaign, Event, Message
from campaigns.signals import launched
from campaigns.status import CampaignStatus, Kind, Reason, Status
from contacts.models import Contact

if TYPE_CHECKING:
    from accounts.models import User

RANGE = 10_000  # people in one transaction of the preparation
CANCEL_STEP = 10_000  # waiting messages cancelled in one transaction
MAX_TEXT = 4096  # gupshup-api 11.3


@dataclass(frozen=True)
class Problem:
    """Why a campaign cannot be launched; `text` says what to do."""

    code: str
    text: str


class LaunchRefused(Exception):  # noqa: N818 - it is not an error of the program
    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(" ".join(problem.text for problem in problems))
        self.problems = list(problems)


def problems(campaign: Campaign) -> list[Problem]:
    """What must be put right before a launch; empty when nothing."""
    return [Problem(code, text) for code, wrong, text in _checks(campaign) if wrong]


def _checks(campaign: Campaign) -> list[tuple[str, bool, str]]:
    template = campaign.template
    given, due = len(campaign.params), template.params_count if template else 0
    needs_media = template is not None and template.header_type in ("IMAGE", "VIDEO", "DOCUMENT")
    return [
        ("no_template", template is None, _("Choose a template for Message 1.")),
        (
            "template_not_approved",
            template is not None and not template.sendable,
            _("The template is not approved. Choose another, or wait for Meta's approval."),
        ),
        ("template_kind", template is not None and template.obstacle != "", template.obstacle if template else ""),
        (
            "other_sender",
            template is not None and template.sender_id != campaign.sender_id,
            _("The template belongs to another sender. Choose one of this sender's templates."),
        ),
        (
            "variables",
            template is not None and given != due,
            _("The template has %(due)d variables and %(given)d are filled in. Fill in each one.")
            % {"due": due, "given": given},
        ),
        (
            "header_media",
            needs_media and not campaign.header_media,
            _("The template begins with a picture, a video or a document. Give its address."),
        ),
        ("no_category", not campaign.categories.exists(), _("Choose at least one category of contacts.")),
        (
            "message_2_too_long",
            len(campaign.message_2) > MAX_TEXT,
            _("Message 2 is longer than 4,096 characters. Shorten it."),
        ),
    ]


def launch(campaign: Campaign, actor: User | None = None, seen_version: int | None = None) -> bool:
    """Start a draft or scheduled campaign. Of any number of rivals one gets True, and only one run exists.

    `seen_version` is what the person saw: a campaign that was changed since is not launched. Raises LaunchRefused
    with what must be put right.
    """
    with transaction.atomic():
        campaign = (
            Campaign.objects.select_for_update(of=("self",)).select_related("template", "sender").get(pk=campaign.pk)
        )
        if campaign.status not in (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED):
            return False
        if seen_version is not None and campaign.version != seen_version:
            return False
        if wrong := problems(campaign):
            raise LaunchRefused(wrong)
        started = campaign.row.move(
            CampaignStatus.DRAFT, CampaignStatus.SCHEDULED, to=CampaignStatus.PREPARING, **_frozen(campaign, actor)
        )
        Event.record("launch", actor=actor, campaign=campaign)
        transaction.on_commit(partial(launched.send, sender=None, campaign_id=campaign.pk))
    return started


def _frozen(campaign: Campaign, actor: User | None) -> dict[str, Any]:
    assert campaign.template is not None
    return {
        "launch_id": uuid.uuid4(),
        "launched_by": actor,
        "launched_at": timezone.now(),
        "template_name": campaign.template.name,
        "message_1": campaign.template.body,
        "position": 0,
        "position_end": Contact.objects.aggregate(last=Max("id"))["last"] or 0,
    }


def schedule(campaign: Campaign, at: datetime, actor: User | None = None) -> bool:
    """Launch later. Raises LaunchRefused with what must be put right."""
    if wrong := problems(campaign):
        raise LaunchRefused(wrong)
    with transaction.atomic():
        moved = campaign.row.move(
            CampaignStatus.DRAFT, CampaignStatus.SCHEDULED, to=CampaignStatus.SCHEDULED, scheduled_at=at
        )
        if moved:
            Event.record("schedule", actor=actor, campaign=campaign, details={"at": at.isoformat()})
    return moved


def launch_due() -> list[int]:
    """Launch the campaigns whose time has come. One that cannot be is a draft again, with the reason on it."""
    started = []
    for campaign in Campaign.objects.due_to_launch():
        try:
            if launch(campaign, campaign.created_by):
                started.append(campaign.pk)
        except LaunchRefused as refusal:
            campaign.row.move(
                CampaignStatus.SCHEDULED,
                to=CampaignStatus.DRAFT,
                pause_reason="launch_refused",
                pause_detail=str(refusal)[:300],
            )
            Event.record("launch_refused", campaign=campaign, details={"problems": str(refusal)})
    return started


def prepare(campaign_id: int, seconds: float = 50) -> bool:
    """Write the messages of a campaign in preparation; answers whether it is done.

    Any number may run at once: each range is one transaction under the campaign's row lock, the position in the same
    commit, so a kill loses at most a range that was not committed.
    """
    until = monotonic() + seconds
    while monotonic() < until:
        with transaction.atomic():
            campaign = (
                Campaign.objects.select_for_update(skip_locked=True, of=("self",))
                .select_related("sender")
                .filter(pk=campaign_id, status=CampaignStatus.PREPARING)
                .first()
            )
            if campaign is None:
                return not Campaign.objects.filter(pk=campaign_id, status=CampaignStatus.PREPARING).exists()
            if campaign.position >= campaign.position_end:
                return campaign.row.move(CampaignStatus.PREPARING, to=CampaignStatus.RUNNING)
            _write_range(campaign)
    return False


def _write_range(campaign: Campaign) -> None:
    ahead = members(campaign).filter(id__gt=campaign.position, id__lte=campaign.position_end).order_by("id")
    last = ahead.values_list("id", flat=True)[RANGE - 1 : RANGE].first() or campaign.position_end
    people = (
        audience(campaign)
        .filter(id__gt=campaign.position, id__lte=last)
        .order_by("id")
        .values_list("id", "number", "whatsapp_user_id", "rendered", "skip_reason")
    )
    query, values = people.query.sql_with_params()
    statement = f"""
        INSERT INTO campaigns_message (campaign_id, sender_id, contact_id, message_type, destination, params,
                                       status, reason, next_attempt_at)
        SELECT %s, %s, person.id, %s, COALESCE(substr(person.number, 2), person.user_id), person.params,
               CASE WHEN person.reason = '' THEN %s ELSE %s END, person.reason,
               CASE WHEN person.reason = '' THEN %s::timestamptz END
          FROM ({query}) AS person (id, number, user_id, params, reason)
            ON CONFLICT (campaign_id, destination, message_type) DO NOTHING"""
    constants = (
        campaign.pk,
        campaign.sender_id,
        Kind.MESSAGE_1.value,
        Status.PENDING.value,
        Status.SKIPPED.value,
        campaign.launched_at,
    )
    sql.run_list(statement, [*constants, *values])
    campaign.row.update(position=last)


def finish_done(sender_id: int | None = None) -> int:
    """Mark the running campaigns finished whose every Message 1 is past pending and sending; answers how many.

    Two looks: the second under the lock that whoever makes a message wait again must have (`outcomes`).
    """
    with transaction.atomic():
        done = sql.rows(
            f"""SELECT c.id FROM campaigns_campaign c
                 WHERE (%(sender)s::bigint IS NULL OR c.sender_id = %(sender)s) AND {_DONE}
                 ORDER BY c.id FOR UPDATE SKIP LOCKED""",
            {"sender": sender_id},
        )
        if not done:
            return 0
        finished = sql.rows(
            f"""UPDATE campaigns_campaign c
                   SET status = 'finished', completed_at = clock_timestamp(), updated_at = clock_timestamp(),
                       version = version + 1
                 WHERE c.id = ANY(%(ids)s) AND {_DONE} RETURNING c.id""",
            {"ids": [pk for (pk,) in done]},
        )
        if finished:
            announcing.finished([pk for (pk,) in finished])
        return len(finished)


_DONE = """
    c.status = 'running'
    AND NOT EXISTS (SELECT 1 FROM campaigns_message m
                     WHERE m.campaign_id = c.id AND m.message_type = 'message_1' AND m.next_attempt_at IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM campaigns_attempt a JOIN campaigns_message m ON m.id = a.message_id
                     WHERE a.state = 'intent' AND m.campaign_id = c.id AND m.message_type = 'message_1')"""


def cancel_waiting(campaign_id: int, seconds: float = 50) -> int:
    """Cancel what a cancelled campaign still has waiting, in steps; answers how many messages."""
    until, done = monotonic() + seconds, 0
    waiting = Message.objects.filter(campaign_id=campaign_id, next_attempt_at__isnull=False)
    while monotonic() < until:
        with transaction.atomic():
            step = waiting.select_for_update(skip_locked=True).order_by("next_attempt_at", "id")[:CANCEL_STEP]
            changed = Message.objects.filter(id__in=[m.pk for m in step.only("id")]).cancel(Reason.CAMPAIGN_CANCELLED)
        if not changed:
            break
        done += changed
    return done


def cancel_leftovers() -> int:
    """Finish the cancelling that a crash interrupted: cancelled campaigns with waiting messages."""
    recently = timezone.now() - timedelta(days=2)
    cancelled = Campaign.objects.filter(status=CampaignStatus.CANCELLED, completed_at__gte=recently)
    return sum(cancel_waiting(pk) for pk in cancelled.values_list("id", flat=True))

"""What the home page shows: what runs, what today brought, what needs a person, and the last two weeks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

from django.db import OperationalError, transaction
from django.db.models import Count, Model
from django.utils import timezone

from campaigns import arming, invariants, reports, sql, watching
from campaigns.models import Attempt, Campaign
from campaigns.reports import Figures
from campaigns.status import ACCEPTED, REACHED, AttemptState, CampaignStatus, Status
from contacts.models import Import
from gupshup.models import Callback, Sender

if TYPE_CHECKING:
    from accounts.models import User

UNDER_WAY = (CampaignStatus.PREPARING, CampaignStatus.RUNNING, CampaignStatus.PAUSED)
WATCHED = {"inbox": watching.inbox, "sending": watching.sending, "calls": watching.calls}
SHOWN = 8
DAYS = 14
CHECK_SECONDS = 2.0  # the invariants read everything; on a large database only the beat has time for all
KEEP_SECONDS = 300.0


@dataclass(frozen=True)
class Running:
    campaign: Campaign
    figures: Figures


@dataclass(frozen=True)
class Today:
    """What became, by now, of the messages that were sent since midnight."""

    accepted: int = 0
    reached: int = 0
    read: int = 0
    answered: int = 0
    failed: int = 0


@dataclass
class Day:
    """Message 1 of the campaigns that were launched on this day, as of now."""

    accepted: int = 0
    reached: int = 0
    read: int = 0
    answered: int = 0


@dataclass(frozen=True)
class Needs:
    """What waits for a person, and would wait for ever."""

    uncertain: list[tuple[Campaign, int]] = field(default_factory=list)
    paused: list[Campaign] = field(default_factory=list)
    refused: list[Campaign] = field(default_factory=list)
    stopped: list[Sender] = field(default_factory=list)
    set_aside: int = 0
    stalled: dict[str, str] = field(default_factory=dict)  # by name of `campaigns.watching`: what it says
    disarmed: list[str] = field(default_factory=list)  # names of `arming.SIGNS`; shown first and apart

    def __bool__(self) -> bool:
        return any((self.uncertain, self.paused, self.refused, self.stopped, self.set_aside, self.stalled))


def running(user: User) -> list[Running]:
    """Campaigns that are under way, with their figures from one snapshot."""
    found = list(
        Campaign.objects.of(user).filter(status__in=UNDER_WAY).select_related("sender").order_by("-id")[:SHOWN]
    )
    figures = reports.figures_of(campaign.pk for campaign in found)
    return [Running(campaign, figures[campaign.pk]) for campaign in found]


def scheduled(user: User) -> list[Campaign]:
    found = Campaign.objects.of(user).filter(status=CampaignStatus.SCHEDULED, scheduled_at__isnull=False)
    return list(found.order_by("scheduled_at")[:SHOWN])


_TODAY = """
    SELECT m.status, m.replied_at IS NOT NULL, count(DISTINCT m.id)
      FROM campaigns_attempt a JOIN campaigns_message m ON m.id = a.message_id
     WHERE a.id >= %(first)s AND a.started_at >= %(since)s AND a.state IN ('accepted', 'rejected', 'refused')
       AND (%(owner)s::bigint IS NULL OR m.campaign_id IN (
            SELECT id FROM campaigns_campaign WHERE created_by_id = %(owner)s))
     GROUP BY 1, 2"""


def today(user: User) -> Today:
    """Reads the calls of today only: they are found by their ids, which grow with time."""
    since = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    owner = None if user.is_super_admin else user.pk
    rows = sql.rows(_TODAY, {"first": first_since(Attempt, "started_at", since), "since": since, "owner": owner})
    counts = [(Status(status), answered, n) for status, answered, n in rows]
    return Today(
        accepted=sum(n for status, _, n in counts if status in ACCEPTED),
        reached=sum(n for status, _, n in counts if status in REACHED),
        read=sum(n for status, _, n in counts if status is Status.READ),
        answered=sum(n for _, answered, n in counts if answered),
        failed=sum(n for status, _, n in counts if status is Status.FAILED),
    )


def first_since(model: type[Model], column: str, since: datetime) -> int:
    """About the first id of the rows written since then: a bisection, so that no index on the time is needed."""
    rows = model._default_manager.order_by("pk")
    ends = rows.values_list("pk", flat=True)
    low, high = ends.first() or 0, (ends.last() or 0) + 1
    while low < high:
        middle = (low + high) // 2
        found = rows.filter(pk__gte=middle).values_list("pk", column).first()
        if found is None or found[1] >= since:
            high = middle
        else:
            low = found[0] + 1
    return low


def needs(user: User) -> Needs:
    own = Campaign.objects.of(user)
    return Needs(
        uncertain=list(_uncertain(user)),
        paused=list(own.filter(status=CampaignStatus.PAUSED).exclude(pause_reason="").order_by("-id")[:SHOWN]),
        refused=list(own.filter(status=CampaignStatus.DRAFT).exclude(pause_reason="").order_by("-id")[:SHOWN]),
        stopped=list(Sender.objects.filter(breaker=Sender.Breaker.OPEN)),
        set_aside=Callback.objects.filter(state=Callback.State.FAILED).count() if user.is_super_admin else 0,
        stalled={name: told for name, ask in WATCHED.items() if (told := ask())},
        disarmed=arming.trouble(),
    )


def _uncertain(user: User) -> Iterator[tuple[Campaign, int]]:
    """Campaigns with messages that no report has settled within a day."""
    old = Attempt.objects.filter(state=AttemptState.UNCERTAIN, released_at__isnull=False)
    counts = dict(
        old.filter(message__status=Status.UNCERTAIN)
        .order_by()
        .values_list("message__campaign")
        .annotate(n=Count("message", distinct=True))
    )
    for campaign in Campaign.objects.of(user).filter(pk__in=counts).order_by("-id")[:SHOWN]:
        yield campaign, counts[campaign.pk]


def imports(user: User) -> list[Import]:
    return list(Import.objects.of(user).defer("content").order_by("-id")[:3])


def fortnight(user: User) -> dict[str, Day]:
    """By day of launch, the oldest first; the days without one are there too."""
    now = timezone.localtime()
    first = (now - timedelta(days=DAYS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    launched = dict(Campaign.objects.of(user).filter(launched_at__gte=first).values_list("pk", "launched_at"))
    days: dict[str, Day] = defaultdict(Day)
    for n in range(DAYS):
        days[(first + timedelta(days=n)).date().isoformat()] = Day()
    for pk, figures in reports.figures_of(launched).items():
        day = days[timezone.localtime(launched[pk]).date().isoformat()]
        day.accepted += figures.first.accepted
        day.reached += figures.first.reached
        day.read += figures.first.by_status[Status.READ]
        day.answered += figures.first.replied
    return dict(days)


_kept: list[tuple[float, dict[str, int]]] = []


def offences() -> dict[str, int]:
    """The invariants that do not hold, as of the last minutes; those that cannot be read in time are left out."""
    now = monotonic()
    if not _kept or now - _kept[0][0] > KEEP_SECONDS:
        found = {invariant.name: _offences(invariant, now + CHECK_SECONDS) for invariant in invariants.INVARIANTS}
        _kept[:] = [(now, {name: count for name, count in found.items() if count})]
    return _kept[0][1]


def _offences(invariant: invariants.Invariant, until: float) -> int:
    left = int((until - monotonic()) * 1000)
    if left <= 0:
        return 0
    try:
        with transaction.atomic():
            sql.run("SELECT set_config('statement_timeout', %(ms)s, true)", {"ms": str(left)})
            return invariant.offences()
    except OperationalError:
        return 0

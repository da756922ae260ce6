"""Counts and rates of a campaign, from the figures that the trigger keeps: total plus deltas, in one snapshot.

audience = skipped + planned
planned  = pending + sending + uncertain + submitted + sent + delivered + read + failed + cancelled
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from campaigns import sql
from campaigns.status import ACCEPTED, OPEN, REACHED, Kind, Status

_FIGURES = """
    SELECT campaign_id, message_type, status, cause, replied, opted_out, sum(n)::bigint
      FROM (SELECT campaign_id, message_type, status, cause, replied, opted_out, n FROM campaigns_tally
             WHERE campaign_id = ANY(%(ids)s)
            UNION ALL
            SELECT campaign_id, message_type, status, cause, replied, opted_out, n FROM campaigns_tallydelta
             WHERE campaign_id = ANY(%(ids)s)) AS t
     GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(n) <> 0"""

_FOLD = """
    WITH gone AS (
        DELETE FROM campaigns_tallydelta
         WHERE id IN (SELECT id FROM campaigns_tallydelta ORDER BY id LIMIT 20000 FOR UPDATE SKIP LOCKED)
        RETURNING campaign_id, message_type, status, cause, replied, opted_out, n),
    sums AS (
        SELECT campaign_id, message_type, status, cause, replied, opted_out, sum(n)::bigint AS n
          FROM gone GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(n) <> 0),
    kept AS (
        INSERT INTO campaigns_tally AS t (campaign_id, message_type, status, cause, replied, opted_out, n)
        SELECT * FROM sums ORDER BY 1, 2, 3, 4, 5, 6
            ON CONFLICT (campaign_id, message_type, status, cause, replied, opted_out)
            DO UPDATE SET n = t.n + EXCLUDED.n)
    SELECT count(*) FROM gone"""


@dataclass(frozen=True)
class Rate:
    """`part` of `whole`; the share is None when there is nothing to take a share of."""

    part: int
    whole: int

    @property
    def percent(self) -> float | None:
        return None if self.whole == 0 else round(100 * self.part / self.whole, 1)


@dataclass
class Group:
    """Message 1, or Message 2, of one campaign."""

    by_status: Counter[Status] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)  # of failed ones: error code, else reason
    skipped_by: Counter[str] = field(default_factory=Counter)
    cancelled_by: Counter[str] = field(default_factory=Counter)
    replied: int = 0
    opted_out: int = 0

    def add(self, status: Status, cause: str, replied: bool, opted_out: bool, n: int) -> None:
        self.by_status[status] += n
        self.replied += n * replied
        self.opted_out += n * opted_out
        causes = {Status.FAILED: self.causes, Status.SKIPPED: self.skipped_by, Status.CANCELLED: self.cancelled_by}
        if status in causes:
            causes[status][cause] += n

    def count(self, *statuses: Status) -> int:
        return sum(self.by_status[status] for status in statuses)

    @property
    def audience(self) -> int:
        return sum(self.by_status.values())

    @property
    def planned(self) -> int:
        return self.audience - self.by_status[Status.SKIPPED]

    @property
    def accepted(self) -> int:
        return self.count(*ACCEPTED)

    @property
    def reached(self) -> int:
        return self.count(*REACHED)

    @property
    def attempted(self) -> int:
        return self.accepted + self.count(Status.FAILED, Status.UNCERTAIN)

    @property
    def open(self) -> int:
        return self.count(*OPEN)


@dataclass
class Figures:
    """Everything a report says of one campaign."""

    campaign_id: int
    first: Group = field(default_factory=Group)
    second: Group = field(default_factory=Group)

    # -- new, cumulative rates, each with its denominator (requirements 7)
    @property
    def rates(self) -> dict[str, Rate]:
        first, second = self.first, self.second
        return {
            "delivery": Rate(first.reached, first.accepted),
            "read": Rate(first.by_status[Status.READ], first.reached),
            "reply": Rate(first.replied, first.reached),
            "failure": Rate(first.by_status[Status.FAILED], first.attempted),
            "message_2": Rate(second.accepted, first.replied),
            "opt_out": Rate(first.opted_out, first.reached),
        }

    # -- the old, exclusive figures (requirements 7.5, design: Old words)
    @property
    def old(self) -> dict[str, Any]:
        first = self.first
        reached = first.by_status[Status.DELIVERED] + first.by_status[Status.READ]
        return {
            "total_recipients": first.planned,
            "pending_count": first.count(*OPEN),
            "sent_count": first.count(Status.SUBMITTED, Status.SENT),
            "delivered_count": first.by_status[Status.DELIVERED],
            "read_count": first.by_status[Status.READ],
            "failed_count": first.count(Status.FAILED, Status.CANCELLED),
            "success_rate": reached / first.planned * 100 if first.planned else 0.0,
        }

    def as_json(self) -> dict[str, Any]:
        """Plain values: counts by state, causes, rates."""
        return {
            "audience": self.first.audience,
            "planned": self.first.planned,
            "message_1": {status.word: self.first.by_status[status] for status in Status},
            "message_2": {status.word: self.second.by_status[status] for status in Status},
            "skipped": dict(self.first.skipped_by),
            "failed": dict(self.first.causes),
            "cancelled": dict(self.first.cancelled_by),
            "replied": self.first.replied,
            "opted_out": self.first.opted_out,
            "rates": {
                name: {"part": rate.part, "whole": rate.whole, "percent": rate.percent}
                for name, rate in self.rates.items()
            },
        }


def figures(campaign_id: int) -> Figures:
    return figures_of([campaign_id])[campaign_id]


def figures_of(campaign_ids: Iterable[int]) -> dict[int, Figures]:
    """The figures of several campaigns, all from one snapshot."""
    found = {pk: Figures(pk) for pk in campaign_ids}
    for campaign_id, kind, status, cause, replied, opted_out, n in sql.rows(_FIGURES, {"ids": list(found)}):
        group = found[campaign_id].first if kind == Kind.MESSAGE_1 else found[campaign_id].second
        group.add(Status(status), cause, replied, opted_out, n)
    return found


def fold() -> int:
    """Add the deltas to the totals; answers how many were folded. Any number may run at once."""
    folded = 0
    while True:
        found = sql.row(_FOLD, {})
        count = found[0] if found else 0
        folded += count
        if count < 20000:
            return folded

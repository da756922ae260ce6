"""What the beat does every few seconds: finds in the rows what nudges missed. Any number may run at once."""

from __future__ import annotations

import logging

from campaigns import ingest, invariants, launching, limits, outbox, reconciling, replies, reports
from campaigns.models import Campaign
from campaigns.status import CampaignStatus
from contacts import importing
from gupshup import breaker
from gupshup.models import Sender
from metrics.models import note

log = logging.getLogger("campaigns.sweeping")


def sweep() -> list[Sender]:
    """One pass over everything that time alone makes due; answers the senders that have something to send."""
    for work in (
        launching.launch_due,
        _prepare,
        reconciling.reap,
        reconciling.release,
        replies.expire,
        launching.cancel_leftovers,
        ingest.run,
        reports.fold,
        launching.finish_done,
        limits.forget_old,
        breaker.probe_due,
        importing.resume_orphans,
    ):
        try:
            work()
        except Exception:  # one kind of work must not hold up the others; the next pass tries again
            log.exception("sweep: %s failed", getattr(work, "__name__", work))
    return outbox.due_senders()


def _prepare() -> None:
    for pk in Campaign.objects.filter(status=CampaignStatus.PREPARING).values_list("id", flat=True):
        launching.prepare(pk, seconds=20)


def self_check() -> dict[str, int]:
    """The invariants, each offence an error in the log, and all of them for the monitoring; answers the offences."""
    checked = invariants.check()
    note(checked)
    found = {name: count for name, count in checked.items() if count}
    for name, count in found.items():
        log.error("invariant %s: %d offences", name, count)
    return found

"""One import, from the first row to the comparison of the figures. It can be killed and begun again at any point."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from campaigns import reports
from campaigns.legacy import checking, history, people, staging
from campaigns.legacy.marks import Marks
from campaigns.legacy.prints import Prints
from campaigns.legacy.sources import Source
from campaigns.legacy.staging import Report, Say
from campaigns.legacy.tables import INTERACTIONS, MESSAGES, TABLES
from campaigns.models import Event
from gupshup.models import Sender

RULES = 1  # count up when the same old rows become other rows here: chunks of earlier runs are then written anew


@dataclass(frozen=True)
class Plan:
    """`label` names the source, so that rows of two old systems are not taken for one another."""

    label: str
    sender: Sender
    region: str
    language: str


def import_all(source: Source, plan: Plan, say: Say) -> Report:
    """Take everything. Chunks are commits of their own; what an earlier run took is found again, not doubled."""
    report = Report()
    prints = Prints(history.CHUNK, RULES, plan.region, plan.language, plan.sender.pk)
    staging.prepare()
    for table in TABLES:
        staging.load(source, table, report, prints)
        say(f"{table.name}: {report.of(table).read} rows read")
    source.let_go()
    people.take_users(plan.label, report)
    people.take_categories(plan.label, report)
    people.take_contacts(plan.label, plan.region, report)
    people.forget_deleted()
    people.take_memberships(report)
    say("contacts and categories are in place")
    history.take_campaigns(plan.label, plan.sender, plan.language, report)
    history.take_targets(report)
    history.take_messages(plan.sender, report, Marks(plan.label, prints), say)
    history.take_interactions(plan.label, plan.sender, report)
    history.keep_stops(report)
    reports.fold()
    checking.compare(report)
    report.refusals = staging.read_refusals()
    _journal(plan, report)
    return report


def rehearse(source: Source, plan: Plan, say: Say) -> Report:
    """As `import_all`, and then everything is as before."""
    with transaction.atomic():
        report = import_all(source, plan, say)
        transaction.set_rollback(True)
    return report


def _journal(plan: Plan, report: Report) -> None:
    taken = {table.name: report.of(table).created for table in (MESSAGES, INTERACTIONS)}
    Event.record("import_legacy", sender=plan.sender, details={"source": plan.label, "created": taken})

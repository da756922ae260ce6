"""A campaign's report and rows as CSV that spreadsheets open as they should (`contacts.exporting` says how)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.contrib.admin import ModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from campaigns import reports
from campaigns.admin import report
from campaigns.admin.frame import actor
from campaigns.models import Campaign, Event, Message
from contacts.exporting import STEP, lines


def _answer(parts: Iterable[str], campaign: Campaign, what: str) -> HttpResponse:
    name = f"{slugify(campaign.name) or 'campaign'}-{campaign.pk}-{what}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return StreamingHttpResponse(parts, content_type="text/csv; charset=utf-8", headers=headers)  # type: ignore[return-value]


def report_csv(model_admin: ModelAdmin, request: HttpRequest, campaign: Campaign) -> HttpResponse:
    return _answer(list(lines(report_rows(campaign))), campaign, _("report"))


def report_rows(campaign: Campaign) -> Iterator[list[object]]:
    """Every figure of the page, with what it is a share of."""
    found = reports.figures(campaign.pk)
    yield [_("Campaign"), campaign.name]
    yield [_("Launched"), _moment(campaign.launched_at)]
    yield [_("Finished"), _moment(campaign.completed_at)]
    yield [_("As of"), _moment(timezone.now())]
    yield []
    yield [_("Figure"), _("Number"), _("Of"), "%"]
    for line in report.funnel(found):
        yield [line.label, line.count, found.first.audience, round(line.share, 1)]
    for kind, group in ((_("Message 1"), found.first), (_("Message 2"), found.second)):
        yield []
        yield [kind, _("Number"), _("Of"), "%"]
        for line in report.states(group):
            yield [line.label, line.count, group.planned, round(line.share, 1)]
        for title, counts in (
            (_("Skipped"), group.skipped_by),
            (_("Failed"), group.causes),
            (_("Cancelled"), group.cancelled_by),
        ):
            for entry in report.causes(counts):
                yield [f"{title}: {entry.cause.what}", entry.count, "", "", entry.cause.code, entry.cause.advice]
    yield []
    yield [_("Rate"), _("Number"), _("Of"), "%"]
    for rate in report.rates(found):
        yield [rate.label, rate.rate.part, rate.rate.whole, "" if rate.percent is None else rate.percent]


def messages_csv(model_admin: ModelAdmin, request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Every message of the campaign, skipped people included: personal data, so the export is in the journal."""
    Event.record("export", actor=actor(request), campaign=campaign)
    return _answer(lines(message_rows(campaign)), campaign, _("messages"))


def message_rows(campaign: Campaign) -> Iterator[list[object]]:
    yield [
        _("Id"), _("Number"), _("First name"), _("Last name"), _("Message"), _("Status"), _("Reason"), _("Error code"),
        _("Accepted at"), _("Sent at"), _("Delivered at"), _("Read at"), _("Failed at"), _("Answered at"),
        _("Opted out at"),
    ]  # fmt: skip
    for message in by_steps(Message.objects.filter(campaign=campaign).select_related("contact")):
        contact = message.contact
        yield [
            message.pk,
            message.destination,
            contact.first_name if contact else "",
            contact.last_name if contact else "",
            message.get_message_type_display(),
            message.get_status_display(),
            message.get_reason_display() or message.error_message,
            message.error_code,
            *map(_moment, (message.accepted_at, message.sent_at, message.delivered_at, message.read_at)),
            *map(_moment, (message.failed_at, message.replied_at, message.opted_out_at)),
        ]


def by_steps(rows: QuerySet[Message]) -> Iterator[Message]:
    """All rows in order of their ids, a step at a time."""
    last = 0
    while step := list(rows.filter(pk__gt=last).order_by("pk")[:STEP]):
        yield from step
        last = step[-1].pk


def _moment(at: datetime | None) -> str:
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M:%S") if at else ""

"""One template to oneself, and what is reported about it: the whole way through Gupshup, WhatsApp and our webhook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic, sleep

from gupshup.api.client import GupshupService
from gupshup.api.events import StatusReport, Word, parse
from gupshup.api.messages import MediaHeader
from gupshup.api.responses import GupshupResponse
from gupshup.api.templates import TemplateInfo
from gupshup.models import Callback, Sender

VALUE = "test"  # what every variable is filled with
PAUSE = 0.5  # seconds between two looks at the inbox
LAST = frozenset({Word.DELIVERED, Word.READ, Word.FAILED})


def choose(listed: tuple[TemplateInfo, ...], name: str = "", language: str = "") -> TemplateInfo | None:
    """An approved template: the one that is named, else the plainest."""
    fitting = [one for one in listed if one.sendable and name in ("", one.name) and language in ("", one.language)]
    known = [one for one in fitting if one.header_type in ("", "TEXT") or _header(one)]
    return min(known, key=lambda one: (bool(one.header_type), one.params_count, one.name, one.language), default=None)


def _header(template: TemplateInfo) -> MediaHeader | None:
    """The media of the template's own sample."""
    if template.header_type in ("IMAGE", "VIDEO", "DOCUMENT") and template.media_url:
        return MediaHeader(template.header_type.lower(), link=template.media_url)  # type: ignore[arg-type]
    return None


def send(service: GupshupService, number: str, template: TemplateInfo) -> GupshupResponse:
    return service.send_template(number, template.id, [VALUE] * template.params_count, header=_header(template))


@dataclass(frozen=True)
class News:
    """A report about the trial, and how long after the send it came."""

    report: StatusReport
    after: timedelta


def reports(sender: Sender, message_id: str, since: datetime, seconds: float) -> Iterator[News]:
    """Each report as it comes into the inbox, until the last that can come or `seconds` have gone.

    The rows are only looked at: reading them is the worker's work.
    """
    seen: set[str] = set()
    until = monotonic() + seconds
    while True:
        for callback in Callback.objects.filter(sender=sender, received_at__gte=since).order_by("id"):
            for report in parse(bytes(callback.raw or b""), callback.content_type):
                if isinstance(report, StatusReport) and message_id in report.message_ids and report.key not in seen:
                    seen.add(report.key)
                    yield News(report, callback.received_at - since)
                    if report.word in LAST:
                        return
        if monotonic() >= until:
            return
        sleep(PAUSE)

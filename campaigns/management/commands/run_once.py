"""`manage.py run_once`: what `bin/demo --once` plays. Exit 0 only if every figure equals the simulator's ledger."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from campaigns import auditing, rehearsal, reports
from campaigns.status import Status
from contacts.models import Import
from gupshup.models import Callback

WIDTH = 32


class Command(BaseCommand):
    help = "Play one campaign from a contacts file to its report, against the simulator."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--contacts", type=Path, default=rehearsal.SAMPLE)
        parser.add_argument("--rate", help="25/m, 600/m, 10/s; default: fast enough to end within a minute")
        parser.add_argument("--json", action="store_true", help="one line of JSON on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            rate = rehearsal.Rate.parse(options["rate"]) if options["rate"] else None
            job, figures, findings = self._play(options["contacts"], rate)
        except (ValueError, OSError, rehearsal.RehearsalError) as error:
            raise CommandError(str(error)) from error
        kept = all(finding.holds for finding in findings)
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(job, figures, findings, kept), ensure_ascii=False))
        else:
            self._print(job, figures, findings)
        for finding in findings:
            if not finding.holds:
                self.stderr.write(str(finding))
        if not kept:
            raise CommandError("the report does not equal the ledger")

    def _play(self, path: Path, rate: rehearsal.Rate | None) -> tuple[Import, reports.Figures, list[auditing.Finding]]:
        sender = rehearsal.stage(rate)
        rehearsal.simulator("/control", {"speed": 20})
        job = rehearsal.bring_in(path, path.stem, None, self._bar(_("Import")))
        if job.category is None:
            raise rehearsal.RehearsalError("the category is gone")
        campaign = rehearsal.draft(sender, job.category, path.stem, None)
        if rate is None:
            fitting = rehearsal.fitting_rate(campaign)
            sender.rate_limit, sender.rate_window = fitting.limit, fitting.window
            sender.save(update_fields=["rate_limit", "rate_window"])
        bar = self._bar(_("Sending"))
        figures = rehearsal.follow(campaign, lambda now: bar(now.first.planned - now.first.open, now.first.planned))
        self.stderr.write("")
        rehearsal.settle()
        findings = auditing.audit(campaign, rehearsal.simulator_url())
        findings += [self._pace(sender), self._inbox()]
        return job, reports.figures(figures.campaign_id), findings

    def _pace(self, sender: Any) -> auditing.Finding:
        worst = rehearsal.simulator(f"/ledger/summary?window={sender.rate_window}")["worst_window_calls"]
        return auditing.Finding("pace", worst <= sender.rate_limit, f"{worst} <= {sender.rate_limit}")

    def _inbox(self) -> auditing.Finding:
        left = Callback.objects.exclude(state=Callback.State.DONE).values_list("state", "error")[:3]
        return auditing.Finding("every_callback_applied", not left, str(list(left)) if left else "")

    def _bar(self, label: str) -> Any:
        """A progress bar; in a log, a line for each quarter of its length."""
        shown: list[object] = [None]
        terminal = sys.stderr.isatty()

        def show(done: int, whole: int) -> None:
            share = done / whole if whole else 0.0
            line = f"{label:12} [{'#' * int(share * WIDTH):{WIDTH}}] {done}/{whole}"
            seen: object = line if terminal else int(share * 4)
            if seen != shown[0]:
                shown[0] = seen
                self.stderr.write(f"\r{line}" if terminal else line, ending="" if terminal else "\n")

        return show

    def _print(self, job: Import, figures: reports.Figures, findings: list[auditing.Finding]) -> None:
        lines: list[tuple[str, object]] = [
            (_("File"), job.filename),
            (_("Rows read"), job.rows),
            (_("Created / updated / unchanged"), f"{job.created} / {job.updated} / {job.unchanged}"),
            (_("Rejected"), job.rejected),
            (_("Audience"), figures.first.audience),
            (_("Planned"), figures.first.planned),
        ]
        for title, group in ((_("Message 1"), figures.first), (_("Message 2"), figures.second)):
            lines += [
                (f"{title}: {status.label}", group.by_status[status]) for status in Status if group.by_status[status]
            ]
        lines += [(_("Answered"), figures.first.replied), (pgettext("figure", "Opted out"), figures.first.opted_out)]
        for label, value in lines:
            self.stdout.write(f"{label!s:38} {value}")
        for finding in findings:
            self.stdout.write(str(finding))


def _as_json(job: Import, figures: reports.Figures, findings: list[auditing.Finding], kept: bool) -> dict[str, Any]:
    return {
        "ok": kept,
        "import": {
            "rows": job.rows,
            "created": job.created,
            "updated": job.updated,
            "unchanged": job.unchanged,
            "rejected": job.rejected,
        },
        "report": figures.as_json(),
        "checks": {finding.name: finding.holds for finding in findings},
    }

"""`manage.py import_legacy postgresql://… | FOLDER [--dry-run] [--report FILE.csv]`: the old system's data."""

from __future__ import annotations

import csv
import re
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import monotonic
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns.legacy import running
from campaigns.legacy.sources import Folder, Server, Source, SourceError
from campaigns.legacy.staging import Report
from contacts import phones
from gupshup.models import Sender
from gupshup.senders import default_sender

SHOWN = 10  # notes of one kind


class Command(BaseCommand):
    help = (
        "Bring categories, contacts, campaigns, messages and interactions over from the old system: from its "
        "PostgreSQL or from a folder of CSV files named after its tables. It can be repeated; nothing is doubled."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", help="postgresql://… or a folder with users.csv, contacts.csv, messages.csv …")
        parser.add_argument("--dry-run", action="store_true", help="do everything, report, and undo it")
        parser.add_argument("--report", type=Path, help="write every row that was not taken, with the reason, to a CSV")
        parser.add_argument("--sender", help="app name of the sender that the campaigns belong to from now on")
        parser.add_argument("--region", default=settings.DEFAULT_COUNTRY, help="for numbers without a country (FR)")
        parser.add_argument("--language", default="fr", help="of the templates that old names mean")
        parser.add_argument("--label", default="old", help="a name for this source; one for each old system")

    def handle(self, *args: Any, **options: Any) -> None:
        begun = monotonic()
        plan = self._plan(options)
        try:
            with self._source(options["source"]) as source:
                act = running.rehearse if options["dry_run"] else running.import_all
                report = act(source, plan, lambda line: self.stdout.write(f"[{monotonic() - begun:6.1f} s] {line}"))
        except SourceError as error:
            raise CommandError(str(error)) from error
        self._tell(report, options["dry_run"])
        if options["report"]:
            self._write(options["report"], report)
        if report.differing:
            raise CommandError(f"{len(report.differing)} campaigns have other figures than in the old system")

    def _plan(self, options: dict[str, Any]) -> running.Plan:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", options["label"]):
            raise CommandError("--label: letters, digits, _ . - only")
        if options["region"] not in phones.regions():
            raise CommandError(f"--region: {options['region']} is no country code such as FR")
        try:
            name = options["sender"]
            sender = Sender.objects.get(app_name=name) if name else default_sender()
        except Sender.DoesNotExist:
            raise CommandError("there is no such sender: set GUPSHUP_* or add one in the admin first") from None
        return running.Plan(options["label"], sender, options["region"], options["language"])

    def _source(self, where: str) -> AbstractContextManager[Source]:
        if where.startswith(("postgresql://", "postgres://")):
            return Server.at(where)
        return nullcontext(Folder(Path(where)))

    def _tell(self, report: Report, dry: bool) -> None:
        self.stdout.write("Would be taken (nothing was kept):" if dry else "Taken:")
        for name, tally in report.tables.items():
            self.stdout.write(f"  {name}: {tally.as_line()}")
        self._list(
            "Templates that the sender does not have (name: campaigns)",
            [f"{name}: {n}" for name, n in report.missing_templates.most_common()],
        )
        self._list("Notes", report.notes)
        self._list("Other figures than in the old system", report.differing)
        same = report.campaigns_checked - len(report.differing)
        self.stdout.write(f"The old statistics come out the same for {same} of {report.campaigns_checked} campaigns.")

    def _list(self, title: str, lines: list[str]) -> None:
        if lines:
            more = f" … and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
            self.stdout.write("\n".join([f"{title}:", *(f"  {line}" for line in lines[:SHOWN])]) + more)

    def _write(self, path: Path, report: Report) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("table", "id", "reason", "detail"))
            writer.writerows(report.refusals)

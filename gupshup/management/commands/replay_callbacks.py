"""`manage.py replay_callbacks`: read kept callbacks again. Every effect is idempotent: nothing counts twice."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from gupshup.models import Callback


class Command(BaseCommand):
    help = "Put callbacks back to be read: those set aside, or others by --state, --since, --id."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--state", choices=[*Callback.State.values, "all"], default=Callback.State.FAILED.value)
        parser.add_argument("--since", help="received since, ISO 8601")
        parser.add_argument("--id", type=int, action="append", help="this one (may be repeated)")
        parser.add_argument("--dry-run", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = Callback.objects.exclude(raw=None)
        if options["id"]:
            chosen = chosen.filter(pk__in=options["id"])
        elif options["state"] != "all":
            chosen = chosen.in_state(options["state"])
        if options["since"]:
            chosen = chosen.filter(received_at__gte=_moment(options["since"]))
        count = chosen.count() if options["dry_run"] else chosen.replay()
        self.stdout.write(f"{count} callbacks {'would be' if options['dry_run'] else 'are'} read again")


def _moment(text: str) -> datetime:
    found = parse_datetime(text)
    if found is None:
        raise CommandError(f"{text!r} is no date and time; write 2026-11-23T08:00")
    return found if timezone.is_aware(found) else timezone.make_aware(found)

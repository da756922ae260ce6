"""`manage.py sync_templates`: read Gupshup's templates now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gupshup.models import Sender
from gupshup.templates import SyncFailedError, sync


class Command(BaseCommand):
    help = "Read the templates of every sender (or of --app NAME) from Gupshup."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--app", help="only this app")

    def handle(self, *args: Any, **options: Any) -> None:
        senders = Sender.objects.filter(app_name=options["app"]) if options["app"] else Sender.objects.all()
        if not senders:
            raise CommandError("there is no such sender")
        failed = False
        for sender in senders:
            try:
                self.stdout.write(f"{sender}: {sync(sender)} templates")
            except SyncFailedError as error:
                failed = True
                self.stderr.write(f"{sender}: {error}")
        if failed:
            raise CommandError("not all templates could be read")

"""`manage.py resend --campaign ID --status failed|uncertain [--dry-run]`: a person's decision, audited."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from campaigns import deciding, reconciling
from campaigns.models import Campaign, Message
from campaigns.status import Status


class Command(BaseCommand):
    help = "Send failed or uncertain messages of a campaign again. Uncertain ones may then reach people twice."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--campaign", type=int, required=True)
        parser.add_argument("--status", choices=["failed", "uncertain"], required=True)
        parser.add_argument("--by", help="e-mail address of who decides, for the record")
        parser.add_argument("--why", default="", help="the reason, for the record")
        parser.add_argument("--dry-run", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = Campaign.objects.filter(pk=options["campaign"]).first()
        if campaign is None:
            raise CommandError(f"there is no campaign {options['campaign']}")
        actor = User.objects.filter(email__iexact=options["by"]).first() if options["by"] else None
        if options["by"] and actor is None:
            raise CommandError(f"there is no user {options['by']}")
        ids = list(
            Message.objects.filter(campaign=options["campaign"], status=Status[options["status"].upper()])
            .order_by("id")
            .values_list("id", flat=True)
        )
        if options["dry_run"]:
            self.stdout.write(f"{len(ids)} messages would be sent again")
            return
        done = sum(reconciling.resend(ids[i : i + 1000], actor, options["why"]) for i in range(0, len(ids), 1000))
        self.stdout.write(f"{done} messages will be sent again")
        if note := deciding.held_note(campaign):
            self.stdout.write(note)

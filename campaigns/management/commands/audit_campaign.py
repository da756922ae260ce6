"""`manage.py audit_campaign ID [--ledger URL]`: does this campaign keep the promise?"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns.auditing import audit
from campaigns.models import Campaign


class Command(BaseCommand):
    help = "Check every invariant of a campaign, and with --ledger every message against the simulator's ledger."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", type=int)
        parser.add_argument("--ledger", help="address of a simulator, for example http://127.0.0.1:8900")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = Campaign.objects.filter(pk=options["campaign"]).first()
        if campaign is None:
            raise CommandError(f"there is no campaign {options['campaign']}")
        try:
            findings = audit(campaign, options["ledger"])
        except OSError as error:
            raise CommandError(f"the ledger could not be read: {error}") from error
        for finding in findings:
            self.stdout.write(str(finding))
        if not all(finding.holds for finding in findings):
            raise CommandError("the promise is not kept: see the lines that say FAIL")

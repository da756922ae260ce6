"""`manage.py verify_counters`: the kept figures against the rows, counted anew."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from campaigns.invariants import INVARIANTS
from campaigns.reports import fold


class Command(BaseCommand):
    help = "Compare the kept figures of all campaigns with the rows; exit 1 when one differs."

    def handle(self, *args: Any, **options: Any) -> None:
        folded = fold()
        check = next(one for one in INVARIANTS if one.name == "figures_equal_rows")
        offences = check.offences()
        self.stdout.write(f"{folded} deltas folded, {offences} figures differ from the rows")
        if offences:
            raise CommandError("figures differ from the rows")

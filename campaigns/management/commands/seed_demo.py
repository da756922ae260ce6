"""`manage.py seed_demo`: one finished sample campaign and one ready to launch, so that no screen is empty."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Role, User
from campaigns import rehearsal
from campaigns.models import Campaign

HURRY, CALM = 120, 5  # how many times faster than life the simulator's people are


class Command(BaseCommand):
    help = "Fill an empty demo; does nothing when a campaign exists."

    def handle(self, *args: Any, **options: Any) -> None:
        if Campaign.objects.exists():
            return
        owner = User.objects.filter(role=Role.SUPER_ADMIN).first()
        try:
            sender = rehearsal.stage(rehearsal.Rate(1200, 60))
            rehearsal.simulator("/control", {"speed": HURRY})
            job = rehearsal.bring_in(rehearsal.SAMPLE, "Clients fidèles", owner, lambda done, whole: None)
            if job.category is None:
                raise rehearsal.RehearsalError("the category is gone")
            rehearsal.follow(
                rehearsal.draft(sender, job.category, "Bienvenue (exemple terminé)", owner), lambda now: None, 300
            )
            rehearsal.draft(sender, job.category, "Rentrée (à lancer)", owner)
            rehearsal.simulator("/control", {"speed": CALM})
        except (OSError, rehearsal.RehearsalError) as error:
            raise CommandError(str(error)) from error
        sender.rate_limit, sender.rate_window = 120, 60
        sender.save(update_fields=["rate_limit", "rate_window"])
        self.stdout.write("the demo has its sample campaigns")

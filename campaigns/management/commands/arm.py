"""`manage.py arm`: what a restored or copied database does not know, and the way to let it send again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import User
from campaigns import arming, holding
from campaigns.status import CampaignStatus


class Command(BaseCommand):
    help = "Show whether this database may send, and what waits in it. With --hold or --nothing-was-sent-since: arm it."

    def add_arguments(self, parser: CommandParser) -> None:
        way = parser.add_mutually_exclusive_group()
        way.add_argument(
            "--hold", action="store_true", help="make uncertain what waits: it may have left since the backup; then arm"
        )
        way.add_argument(
            "--nothing-was-sent-since", action="store_true", help="sending had been stopped before the backup: just arm"
        )
        parser.add_argument(
            "--although-armed", action="store_true", help="with --hold: the program does not notice, but you know"
        )
        parser.add_argument("--by", help="e-mail address of who decides, for the record")
        parser.add_argument("--why", default="", help="the reason, for the record")
        parser.add_argument("--lang", choices=("fr", "en"), help="language of the sentences")

    def handle(self, *args: Any, **options: Any) -> None:
        with translation.override(options["lang"] or settings.LANGUAGE_CODE):
            actor = User.objects.filter(email__iexact=options["by"]).first() if options["by"] else None
            if options["by"] and actor is None:
                raise CommandError(f"there is no user {options['by']}")
            signs = arming.trouble()
            if options["hold"] and (signs or options["although_armed"]):
                done = holding.hold(actor, options["why"], self._tell, options["although_armed"])
                self.stdout.write(_("Armed. Messages made uncertain: %(n)d") % {"n": done})
            elif options["nothing_was_sent_since"] and signs:
                holding.arm(actor, options["why"])
                self.stdout.write(_("Armed. What waits is sent."))
            elif signs:
                for line in _report(signs):
                    self.stdout.write(line)
                sys.exit(1)
            else:
                self.stdout.write(_("This database is armed: it may send. Nothing was changed."))

    def _tell(self, done: int) -> None:
        self.stdout.write(f"… {done}")


def _report(signs: list[str]) -> Iterator[str]:
    yield _("This database is disarmed: nothing is sent from it.")
    for sign in signs:
        yield f"- {arming.SIGNS[sign]}"
    yield ""
    found = holding.waiting()
    yield _("What waits, and may have left already:") if found else _("No message waits.")
    for one in found:
        campaign = one.campaign
        names = {"id": campaign.pk, "name": campaign.name, "status": campaign.get_status_display()}
        yield _("- %(id)d “%(name)s” (%(status)s): %(counts)s") % {**names, "counts": _counts(one)}
    yield ""
    yield _("If something may have left after the backup was made, or if you do not know:")
    yield "    manage.py arm --hold"
    yield _("It makes uncertain what waits. Reports settle some of it, people decide about the rest.")
    yield _("Only if sending had been stopped before the backup was made:")
    yield "    manage.py arm --nothing-was-sent-since"
    yield _("It sends what waits.")


def _counts(one: holding.Waiting) -> str:
    if one.campaign.status == CampaignStatus.SCHEDULED:
        return _("not begun")
    counts = {"first": one.first, "second": one.second, "sending": one.sending}
    return _("Message 1: %(first)d, Message 2: %(second)d, being sent: %(sending)d") % counts

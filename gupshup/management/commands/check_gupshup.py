"""`manage.py check_gupshup`: what is right and wrong with a live set-up, in plain words."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from gupshup import checks, diagnosis, trial
from gupshup.api.events import StatusReport, Word
from gupshup.api.templates import TemplateInfo
from gupshup.diagnosis import Finding, Level, subscriptions
from gupshup.diagnosis.finding import attention, error, ok, why
from gupshup.models import Sender
from gupshup.senders import keep_environment_sender
from gupshup.services import service_for
from gupshup.words import explain


class Command(BaseCommand):
    help = "Say what is right and wrong with the Gupshup set-up; --fix sets the subscription, --live sends a message."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--app", metavar="NAME", help="only this sender (its app name); otherwise every sender")
        parser.add_argument("--fix", action="store_true", help="set the subscription to our webhook, then look")
        parser.add_argument("--live", metavar="NUMBER", help="send one approved template to this number (yours)")
        parser.add_argument("--template", default="", help="with --live: this template")
        parser.add_argument("--language", default="", help="with --live: in this language")
        parser.add_argument("--wait", type=float, default=90, metavar="S", help="with --live: seconds to wait (90)")
        parser.add_argument("--yes", action="store_true", help="with --live: do not ask")
        parser.add_argument("--json", action="store_true", help="for programs")
        parser.add_argument("--lang", choices=("fr", "en"), help="language of the sentences")

    def handle(self, *args: Any, **options: Any) -> None:
        with translation.override(options["lang"] or settings.LANGUAGE_CODE), quiet_calls():
            clean = self._check(options)
        if not clean:
            sys.exit(1)

    def _check(self, options: dict[str, Any]) -> bool:
        """Look at every sender; answers whether there was no error."""
        keep_environment_sender()
        senders = Sender.objects.filter(app_name=options["app"]) if options["app"] else Sender.objects.all()
        if options["app"] and not senders:
            raise CommandError(_("There is no sender with this app name."))
        if options["live"] and len(senders) != 1:
            raise CommandError(_("There are several senders: say which one with --app."))
        told = [(str(sender), self._tell(str(sender), self._findings(sender, options), options)) for sender in senders]
        if not told:
            told = [("", self._tell(_("No sender"), without_sender(), options))]
        if options["json"]:
            report = [{"sender": name, "findings": [asdict(one) for one in findings]} for name, findings in told]
            self.stdout.write(json.dumps(report, ensure_ascii=False, indent=2))
        return not any(one.level is Level.ERROR for _name, findings in told for one in findings)

    def _findings(self, sender: Sender, options: dict[str, Any]) -> Iterator[Finding]:
        if options["fix"]:
            yield from subscriptions.fix(sender, service_for(sender))
        yield from diagnosis.of(sender)
        if options["live"]:
            yield from self._live(sender, options)

    def _tell(self, name: str, findings: Iterable[Finding], options: dict[str, Any]) -> list[Finding]:
        """Each finding as it is found: some take seconds."""
        if not options["json"]:
            self.stdout.write(self.style.MIGRATE_HEADING(name))
        found = []
        for one in findings:
            found.append(one)
            if not options["json"]:
                self._line(one)
        return found

    def _line(self, finding: Finding) -> None:
        word, style = {
            Level.OK: (_("ok"), self.style.SUCCESS),
            Level.ATTENTION: (_("attention"), self.style.WARNING),
            Level.ERROR: (_("error"), self.style.ERROR),
        }[finding.level]
        advice = f" → {finding.advice}" if finding.advice else ""
        self.stdout.write(f"  {style(f'{word:<10}')} {finding.text}{advice}")
        self.stdout.flush()

    # -- one message to oneself

    def _live(self, sender: Sender, options: dict[str, Any]) -> Iterator[Finding]:
        service = service_for(sender)
        listed = service.templates().value or ()
        template = trial.choose(listed, options["template"], options["language"])
        if template is None:
            yield error("live_template", _("There is no approved template to try with."))
            return
        if not self._agreed(template, options):
            yield attention("live_declined", _("Nothing was sent."))
            return
        since = timezone.now()
        response = trial.send(service, options["live"], template)
        if not response.message_id:
            yield error("live_refused", _("Gupshup did not take the message."), why(response))
            return
        yield ok("live_sent", _("Gupshup took the message (id %(id)s).") % {"id": response.message_id})
        last = None
        for news in trial.reports(sender, response.message_id, since, options["wait"]):
            last = news.report
            told = {"word": last.told or last.word, "seconds": news.after.total_seconds()}
            if last.word is not Word.FAILED:
                yield ok("live_report", _("After %(seconds).1f s: %(word)s") % told)
        yield _verdict(last, options["wait"])

    def _agreed(self, template: TemplateInfo, options: dict[str, Any]) -> bool:
        if options["yes"]:
            return True
        if options["json"] or not sys.stdin.isatty():
            raise CommandError(_("--live sends a real message, which costs money: add --yes."))
        names = {"name": template.name, "language": template.language, "number": options["live"]}
        question = _("Send the template %(name)s (%(language)s) to %(number)s? It costs what a message costs. [y/N] ")
        return input(question % names).strip().lower() in ("y", "yes", "o", "oui")


@contextmanager
def quiet_calls() -> Iterator[None]:
    """The log line of each call would stand between the sentences that say the same."""
    log = logging.getLogger("gupshup.api")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _verdict(last: StatusReport | None, seconds: float) -> Finding:
    if last is None:
        return error(
            "live_silent",
            _("No report came within %(seconds)d s.") % {"seconds": seconds},
            _("Gupshup accepted the message: what is missing is the way back. See the subscription and the webhook."),
        )
    if last.word is Word.FAILED:
        reason = {"code": last.code or "-", "reason": last.reason or "-"}
        return error("live_failed", _("The message failed: %(code)s, %(reason)s") % reason, explain(last.code or ""))
    if last.word in trial.LAST:
        return ok("live", _("The whole way works: sent, delivered, reported."))
    return attention(
        "live_waiting",
        _("The message is on its way (%(word)s), and no delivery was reported yet.") % {"word": last.told or last.word},
        _("The telephone may be off; reports of delivery need the modes SENT, DELIVERED and READ."),
    )


def without_sender() -> Iterator[Finding]:
    """Nothing to look at: what the settings lack."""
    serious = [message for message in checks.check_settings(None) if message.is_serious()]
    for message in serious:
        yield error(message.id or "", str(message.msg), str(message.hint or ""))
    if not serious:
        yield error(
            "no_sender",
            _("No sender has been set up."),
            _("Run manage.py migrate: it makes the sender of the .env file."),
        )

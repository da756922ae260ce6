"""What the forked processes do: the product's own loops, and the people around it.

Each body is called in a fresh process. Everything it does that the oracle must know goes to its journal.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import random
from socket import socket
from threading import BoundedSemaphore, Event
from time import monotonic, sleep
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.db import Error as DatabaseError
from django.db import connection, transaction

from campaigns import invariants, launching, reports
from campaigns.chaos import plan, points, timing, world
from campaigns.chaos.journal import Journal, watch_sending
from campaigns.chaos.plan import Action, Rate
from campaigns.chaos.progress import Progress
from campaigns.management.commands import dispatch
from campaigns.models import Campaign, Message
from campaigns.status import CampaignStatus
from contacts.models import Category, Contact
from gupshup import breaker
from gupshup.api import transport
from gupshup.models import Sender, Template

WEB_THREADS = 16
RIVALS, LAUNCHERS = 50, 2  # people who press "launch" at once, in so many processes
KEPT = ("django", "auth", "accounts")  # tables of applications that a run does not write to


def prepare(api_url: str, templates: list[dict[str, Any]], rate: Rate) -> None:
    """Empty the tables, then: a sender, two templates, the people, two drafts that share a third of them."""
    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.django_table_names(True) if not name.startswith(KEPT)]
        cursor.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE")
    sender = Sender.objects.create(
        name="Chaos",
        app_name=world.APP,
        phone_number=world.SOURCE,
        api_key=world.KEY,
        api_url=api_url,
        webhook_secret=world.SECRET,
        rate_limit=rate.limit,
        rate_window=rate.window,
        ceiling=None,
    )
    people = _people()
    for number, (members, one) in enumerate(zip((plan.FIRST, plan.SECOND), templates, strict=True)):
        category = Category.objects.create(name=f"List {number}")
        category.contacts.add(*people[members.start : members.stop])
        _draft(sender, category, one, number)


def _people() -> list[Contact]:
    """The last few had opted out before: they are in the audience, and skipped."""
    people = Contact.objects.bulk_create(
        Contact(number=f"+336390{n:05d}", country_code="+33", first_name=f"Name{n}") for n in range(plan.PEOPLE)
    )
    Contact.objects.filter(pk__in=[one.pk for one in people[-plan.REFUSED :]]).opt_out("chaos")
    return people


def _draft(sender: Sender, category: Category, listed: dict[str, Any], number: int) -> None:
    template = Template.objects.create(
        sender=sender,
        provider_id=listed["id"],
        name=listed["elementName"],
        language=listed["languageCode"],
        category="MARKETING",
        status="APPROVED",
        body=listed["data"],
        params_count=listed["params_due"],
    )
    campaign = Campaign.objects.create(
        name=f"Campaign {number}",
        sender=sender,
        template=template,
        params=[{"field": "first_name", "text": "you"}] * listed["params_due"],
        message_2=f"Thanks from campaign {number}, {{{{first_name}}}}!",
    )
    campaign.categories.add(category)


# -- the product


def worker(journal: Journal, traps: Sequence[points.Trap], lost_calls: float) -> None:
    """`manage.py dispatch`, with short waits, until SIGTERM."""
    timing.shorten()
    watch_sending(journal)
    lose_calls(lost_calls)
    points.arm(traps, journal)
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    dispatch.run(stop)


def lose_calls(share: float) -> None:
    """A share of this process's calls never leaves it."""
    if share:
        transport.perform = _sometimes_lost(transport.perform, share)


def _sometimes_lost(perform: Any, share: float) -> Any:
    """Calls for which no connection comes about: nothing leaves."""

    def performed(exchange: Any, **options: Any) -> Any:
        if random() < share:
            raise transport.NotAnsweredError("connection_refused", sent=False)
        return perform(exchange, **options)

    return performed


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """No access log."""


class _Server(ThreadedWSGIServer):
    """As many requests at a time as the web server of a production takes: fewer than the pool has connections."""

    places = BoundedSemaphore(WEB_THREADS)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.places.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.places.release()


def web(journal: Journal, listener: socket, handler: WSGIHandler, traps: Sequence[points.Trap]) -> None:
    """The webhook behind Django's threaded server, on a socket that outlives it."""
    points.arm(traps, journal)
    server = _Server(("127.0.0.1", 0), _Silent, bind_and_activate=False)
    server.socket = listener
    server.server_address = listener.getsockname()
    server.server_name, server.server_port = "127.0.0.1", listener.getsockname()[1]
    server.setup_environ()
    server.set_app(handler)
    server.serve_forever()


# -- the people


def rivals(journal: Journal, traps: Sequence[points.Trap]) -> None:
    """A share of those who press "launch" at the same moment, on both campaigns."""
    points.arm(traps, journal)

    def press(number: int) -> None:
        try:
            won = insist(lambda: launching.launch(Campaign.objects.get(pk=1 + number % 2)))
            journal.note("launch", campaign=1 + number % 2, won=won)
        finally:
            connection.close()

    with ThreadPoolExecutor(RIVALS // LAUNCHERS) as pool:
        list(pool.map(press, range(RIVALS // LAUNCHERS)))


def insist(deed: Callable[[], Any], seconds: float = 120) -> Any:
    """Do something as a person does who sees an error page: again, a moment later."""
    until = monotonic() + seconds
    while True:
        try:
            return deed()
        except DatabaseError:
            connection.close()
            if monotonic() > until:
                raise
            sleep(0.1)


def marketer(journal: Journal, actions: Sequence[Action], progress: Progress) -> None:
    """Pauses and resumes, cancels, launches again, opts people out; writes down when each commit had come back."""
    for action in actions:
        while progress.share < action.at:
            sleep(0.01)
        _do(journal, action.what, action.target)
        if action.what == "pause":
            sleep(action.seconds)
            _do(journal, "resume", action.target)


def _do(journal: Journal, what: str, target: int) -> None:
    journal.note(what, target=target, done=bool(insist(lambda: DEEDS[what](target))))


def _opt_out(index: int) -> int:
    return Contact.objects.filter(number=f"+336390{index:05d}").opt_out("chaos")


def _cancel(index: int) -> bool:
    campaign = Campaign.objects.get(pk=1 + index)
    cancelled = campaign.cancel()
    launching.cancel_waiting(campaign.pk)
    return cancelled


DEEDS: dict[str, Callable[[int], Any]] = {
    "opt_out": _opt_out,
    "pause": lambda index: Campaign.objects.get(pk=1 + index).pause(),
    "resume": lambda index: Campaign.objects.get(pk=1 + index).resume(),
    "launch": lambda index: launching.launch(Campaign.objects.get(pk=1 + index)),
    "cancel": _cancel,
}


def operator(journal: Journal) -> None:
    """The person who mends what stopped a sender for good, and allows sending again."""
    while True:
        insist(lambda: _allow(journal))
        sleep(0.2)


def _allow(journal: Journal) -> None:
    for sender in Sender.objects.filter(breaker="open", breaker_until=None) | Sender.objects.filter(pace_factor__gt=1):
        if breaker.close(sender.pk):
            journal.note("breaker_closed", code=sender.breaker_code)


def settler(journal: Journal) -> None:
    """The person who puts right what else the program leaves to people: launches, resumes."""
    while True:
        insist(lambda: _put_right(journal))
        sleep(0.1)


def _put_right(journal: Journal) -> None:
    for campaign in Campaign.objects.all():
        if campaign.status == CampaignStatus.DRAFT and launching.launch(campaign):
            journal.note("late_launch", campaign=campaign.pk)
        if campaign.status == CampaignStatus.PAUSED and campaign.resume():
            journal.note("late_resume", campaign=campaign.pk)


def sampler(journal: Journal) -> None:
    """Look again and again, each time in one snapshot: figures against rows, and every invariant."""
    while True:
        try:
            journal.note("sample", **_look())
        except DatabaseError:
            connection.close()
        sleep(0.3)


def _look() -> dict[str, Any]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        wrong = _figures_off()
        offences = {name: count for name, count in invariants.check().items() if count}
        return {"rows": Message.objects.count(), "wrong": wrong, "offences": offences}


def _figures_off() -> list[str]:
    """Where a report's figures differ from a count of the rows that is independent of them."""
    wrong = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT campaign_id, message_type, status, count(*) FROM campaigns_message GROUP BY 1, 2, 3")
        rows = {(campaign, kind, status): n for campaign, kind, status, n in cursor.fetchall()}
    for pk, figures in reports.figures_of(Campaign.objects.values_list("pk", flat=True)).items():
        for kind, group in (("message_1", figures.first), ("message_2", figures.second)):
            for status, n in group.by_status.items():
                if rows.pop((pk, kind, int(status)), 0) != n:
                    wrong.append(f"{pk} {kind} {status.word}")
    return wrong + [str(key) for key in rows]


def migrate() -> None:
    call_command("migrate", verbosity=0)

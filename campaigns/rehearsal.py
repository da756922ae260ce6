"""One campaign from a contacts file to its report, against the simulator: `bin/demo --once` and the sample campaign.

It acts as a person would, through the same functions, and then only watches: workers and webhooks do the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event as Pause
from time import monotonic
from typing import Any
from urllib.request import Request, urlopen

from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.models import User
from campaigns import audience, launching, reports, sweeping
from campaigns.models import Campaign, Message
from campaigns.status import CampaignStatus, Status
from contacts import importing
from contacts.models import Category, Import
from gupshup import senders, templates
from gupshup.models import Callback, Sender, Template

SAMPLE = Path(settings.BASE_DIR) / "contacts" / "sample" / "contacts.csv"
HORIZON = 30  # seconds: what the simulator's people do later than this is not waited for
STILL = 1.5  # seconds that all must be quiet

MESSAGE_2 = "Merci {{first_name}} ! Voici votre code : BONJOUR10. Répondez STOP pour ne plus recevoir de messages."


class RehearsalError(Exception):
    """It could not be played to its end; the text says why."""


@dataclass(frozen=True)
class Rate:
    """At most `limit` messages in any `window` seconds."""

    limit: int
    window: float

    @classmethod
    def parse(cls, text: str) -> Rate:
        """From "600/m" or "10/s". Raises ValueError."""
        number, _, unit = text.partition("/")
        window = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(unit.strip().lower())
        if window is None or not number.strip().isdigit() or int(number) < 1:
            raise ValueError("write a rate as 25/m, 600/m or 10/s")
        return cls(int(number), window)


def simulator(path: str, body: dict[str, Any] | None = None) -> Any:
    """One question or order to the simulator of the embedded default."""
    url = f"{simulator_url()}{path}"
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, {"Content-Type": "application/json"}), timeout=30) as answer:  # noqa: S310 - our own
        return json.load(answer)


def simulator_url() -> str:
    """The simulator's root: its API address without the path. Raises RehearsalError for anything but this machine."""
    root = settings.GUPSHUP_API_URL.split("/wa/")[0].split("/sm/")[0]
    if not root.startswith(("http://127.0.0.1:", "http://localhost:")):
        raise RehearsalError("GUPSHUP_API_URL is not a simulator on this machine: nothing was sent")
    return root


def stage(rate: Rate | None) -> Sender:
    """The sender of the environment, without ceiling, with the templates of the simulator."""
    simulator("/queue")
    sender = senders.keep_environment_sender()
    if sender is None:
        raise RehearsalError("no sender is named in the environment")
    sender.ceiling = None
    if rate is not None:
        sender.rate_limit, sender.rate_window = rate.limit, rate.window
    sender.save(update_fields=["ceiling", "rate_limit", "rate_window"])
    templates.sync(sender)
    return sender


def bring_in(path: Path, name: str, owner: User | None, watch: Callable[[int, int], None]) -> Import:
    """Import a file through the background task, into a category of its own; answers the finished import."""
    category = Category.objects.create(name=name, created_by=owner)
    job = importing.start_import(path.read_bytes(), path.name, settings.DEFAULT_COUNTRY, category, owner)

    def done() -> bool:
        job.refresh_from_db()
        watch(job.position, job.size)
        return job.state in (Import.State.FINISHED, Import.State.FAILED)

    wait_until(done, 600, "the import did not end")
    if job.state == Import.State.FAILED:
        raise RehearsalError(f"the file was refused: {job.problem}")
    return job


def draft(sender: Sender, category: Category, name: str, owner: User | None) -> Campaign:
    """A campaign with a template of one variable and a Message 2."""
    template = Template.objects.filter(
        sender=sender, status=Template.Status.APPROVED, params_count=1, header_type="", language="fr"
    ).first()
    if template is None:
        raise RehearsalError("the simulator has no approved template with one variable")
    campaign = Campaign.objects.create(
        name=name,
        sender=sender,
        template=template,
        params=[{"field": "first_name", "text": "cher client"}],
        message_2=MESSAGE_2,
        created_by=owner,
    )
    campaign.categories.add(category)
    return campaign


def fitting_rate(campaign: Campaign) -> Rate:
    """Fast enough to end within about a minute, and no faster than a small machine can follow."""
    planned = audience.count(campaign).planned
    return Rate(60 * max(20, min(100, planned // 25)), 60.0)


def follow(campaign: Campaign, watch: Callable[[reports.Figures], None], limit: float = 3600) -> reports.Figures:
    """Launch, and watch until all is quiet; answers the figures. Raises RehearsalError after `limit` seconds."""
    if not launching.launch(campaign, campaign.created_by):
        raise RehearsalError("somebody else launched it")
    quiet_since: list[float] = []

    def done() -> bool:
        watch(reports.figures(campaign.pk))
        if not is_quiet(campaign):
            quiet_since.clear()
            return False
        quiet_since[:] = quiet_since or [monotonic()]
        return monotonic() - quiet_since[0] >= STILL

    wait_until(done, limit, "the campaign did not come to rest")
    return reports.figures(campaign.pk)


def is_quiet(campaign: Campaign) -> bool:
    """Nothing waits or is being sent, the inbox is read, and the simulator has nothing more to say soon.

    Raises RehearsalError for a campaign that waits for a person.
    """
    campaign.refresh_from_db()
    if campaign.status not in (CampaignStatus.FINISHED, CampaignStatus.CANCELLED, CampaignStatus.PAUSED):
        return False
    if campaign.status == CampaignStatus.PAUSED and campaign.resume_at is None:
        raise RehearsalError(f"the campaign was paused: {campaign.pause_reason} {campaign.pause_detail}")
    moving = Message.objects.filter(campaign=campaign, status__in=(Status.PENDING, Status.SENDING))
    # One that waits for its message is read again within a minute at first.
    unread = Callback.objects.unread(until=timezone.now() + timedelta(minutes=2))
    return (
        not simulator(f"/queue?horizon={HORIZON}")["pending_callbacks"] and not moving.exists() and not unread.exists()
    )


def wait_until(done: Callable[[], bool], limit: float, trouble: str) -> None:
    until, pause = monotonic() + limit, Pause()
    while not done():
        if monotonic() > until:
            connection.close()
            raise RehearsalError(f"{trouble} within {limit:.0f} s")
        pause.wait(0.25)


def settle() -> None:
    """Read what is left and fold the figures, before they are compared."""
    sweeping.sweep()

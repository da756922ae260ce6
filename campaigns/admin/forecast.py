"""How long sending takes, at the sender's pace and under its daily ceiling. Pure but for the clock it is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import pacing
from gupshup.models import Sender

DAY = 86_400


@dataclass(frozen=True)
class Forecast:
    """`waiting` messages from `start` on. `days` counts the pauses of 24 h that the sender's ceiling forces."""

    waiting: int
    start: datetime
    seconds: float
    days: int

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=max(self.seconds, self.days * DAY))

    @property
    def duration(self) -> str:
        return duration((self.end - self.start).total_seconds())


def forecast(sender: Sender, waiting: int, start: datetime) -> Forecast:
    """When `waiting` messages will have left, if nothing else is sent and nothing stops the sender."""
    step = pacing.interval(sender.rate_limit, sender.rate_window, sender.pace_factor)
    days = (waiting - 1) // sender.ceiling if sender.ceiling and waiting else 0
    return Forecast(waiting, start, waiting * step, days)


def duration(seconds: float) -> str:
    """A span of time in words, rounded as a person would."""
    minutes, hours, days = round(seconds / 60), round(seconds / 3600), round(seconds / DAY)
    if seconds < 90:
        return _("about a minute")
    if minutes < 90:
        return ngettext("about %(n)d minute", "about %(n)d minutes", minutes) % {"n": minutes}
    if hours < 48:
        return ngettext("about %(n)d hour", "about %(n)d hours", hours) % {"n": hours}
    return ngettext("about %(n)d day", "about %(n)d days", days) % {"n": days}

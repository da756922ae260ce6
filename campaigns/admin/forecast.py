"""When a campaign will be done, in words: the engine's forecast by pace, ceiling and sending hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import limits
from campaigns.models import Campaign

DAY = 86_400


@dataclass(frozen=True)
class Forecast:
    """`waiting` messages from `start` on will have left at `end`, at the earliest."""

    waiting: int
    start: datetime
    end: datetime
    capped: bool  # the sender's ceiling of new recipients makes it longer

    @property
    def duration(self) -> str:
        return duration((self.end - self.start).total_seconds())


def forecast(campaign: Campaign, waiting: int, start: datetime) -> Forecast | None:
    """None when nothing waits, or when the sending hours never come. A later start moves the end by as much."""
    end = limits.forecast_for(campaign, waiting)
    if end is None:
        return None
    ceiling = campaign.sender.ceiling
    return Forecast(waiting, start, end + (start - timezone.now()), ceiling is not None and waiting > ceiling)


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

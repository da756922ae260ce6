"""The home page in words: what `campaigns.dashboard` finds, with sentences and links."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import dashboard
from campaigns.admin import report, words
from campaigns.admin.frame import actor
from campaigns.arming import SIGNS
from campaigns.invariants import INVARIANTS
from campaigns.models import Campaign
from campaigns.status import CampaignStatus

# Chart.js draws what `campaigns.dashboard.fortnight` counts; colours are the theme's.
SERIES = (
    ("accepted", "--color-base-400"),
    ("reached", "--color-primary-300"),
    ("read", "--color-primary-600"),
    ("answered", "--color-primary-900"),
)
STALLED = {
    "inbox": gettext_lazy("What Gupshup posts is not being read: no worker seems to run."),
    "sending": gettext_lazy("Messages are due and nobody sends them: no worker seems to run."),
    "calls": gettext_lazy("Calls without an answer are not being looked after: the beat does not seem to run."),
}
OPTIONS = {
    "animation": False,
    "responsive": True,
    "maintainAspectRatio": False,
    "maxBarThickness": 18,
    "plugins": {"legend": {"position": "bottom", "labels": {"color": "#8b8f98", "boxWidth": 10, "boxHeight": 10}}},
    "scales": {
        "x": {"grid": {"display": False}, "ticks": {"color": "#8b8f98"}},
        "y": {"beginAtZero": True, "ticks": {"precision": 0, "color": "#8b8f98"}, "grid": {}},
    },
}


def everything(request: HttpRequest) -> dict[str, Any]:
    user = actor(request)
    return {
        **moving(request),
        "imports": dashboard.imports(user),
        "begun": Campaign.objects.of(user).exists(),
        "sees_checks": user.is_super_admin,
        **chart(request),
    }


def moving(request: HttpRequest) -> dict[str, Any]:
    """What refreshes by itself."""
    user = actor(request)
    needs = dashboard.needs(user)
    return {
        "user": user,
        "running": [
            (one.campaign, one.figures.first, int(report.progress(one.figures.first)), report.states(one.figures.first),
             words.STATUS_COLOURS[CampaignStatus(one.campaign.status)])
            for one in dashboard.running(user)
        ],
        "scheduled": dashboard.scheduled(user),
        "today": dashboard.today(user),
        "needs": needs,
        "disarmed": [SIGNS[name] for name in needs.disarmed],
        "stalled": [(STALLED[name], told) for name, told in needs.stalled.items()],
        "paused": [(campaign, words.pause(campaign)) for campaign in needs.paused],
        "stopped": [(sender, words.stop(sender)) for sender in needs.stopped],
    }  # fmt: skip


def chart(request: HttpRequest) -> dict[str, Any]:
    days = dashboard.fortnight(actor(request))
    labels = {"accepted": _("Accepted"), "reached": _("Delivered"), "read": _("Read"), "answered": _("Answered")}
    value = {
        "labels": [date_format(day, "j N") if (day := parse_date(name)) else name for name in days],
        "datasets": [
            {"label": labels[name], "data": [getattr(day, name) for day in days.values()],
             "backgroundColor": f"var({colour})", "borderRadius": 3}
            for name, colour in SERIES
        ],
    }  # fmt: skip
    return {
        "chart": json.dumps(value) if any(day.accepted for day in days.values()) else "",
        "chart_options": json.dumps(OPTIONS),
    }


def part(request: HttpRequest) -> HttpResponse:
    return render(request, "campaigns/home/moving.html", moving(request))


def checks(request: HttpRequest) -> HttpResponse:
    """For super-admins: promises that do not hold."""
    found = dashboard.offences() if actor(request).is_super_admin else {}
    promises = {invariant.name: invariant.promise for invariant in INVARIANTS}
    broken = [(name, promises.get(name, name), count) for name, count in found.items()]
    return render(request, "campaigns/home/checks.html", {"broken": broken})

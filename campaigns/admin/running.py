"""A campaign's page from its launch on: live figures, what was approved, who did what, and pause, resume, cancel."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import hours, launching, limits, reports
from campaigns.admin import drafting, frame, report, words
from campaigns.admin.forecast import forecast
from campaigns.admin.frame import actor
from campaigns.formfields import variables
from campaigns.models import Attempt, Campaign
from campaigns.status import AttemptState, CampaignStatus, Kind, Status
from gupshup.models import Sender

UNDER_WAY = (CampaignStatus.PREPARING, CampaignStatus.RUNNING, CampaignStatus.PAUSED)
QUICK, SLOW = 2, 20  # seconds between two looks: while something moves, and afterwards
EVENTS = 20


def page(model_admin: ModelAdmin, request: HttpRequest, campaign: Campaign) -> HttpResponse:
    context = {
        **frame.context(model_admin, request, campaign),
        **head(campaign),
        **figures(campaign),
        "approved": approved(campaign),
        "variables": variables(campaign.template, campaign.params),
        "categories": campaign.categories.all(),
        "events": [(event, words.sentence(event)) for event in events(campaign)],
    }
    return TemplateResponse(request, "admin/campaigns/campaign/page.html", context)


def approved(campaign: Campaign) -> dict[str, Any]:
    """Both messages as somebody on the list reads them; before the list stands, with their placeholders."""
    planned = campaign.messages.filter(message_type=Kind.MESSAGE_1).exclude(status=Status.SKIPPED)
    one = planned.select_related("contact").order_by("id").first()
    if one is None or one.contact is None:
        return drafting.bubbles(campaign)
    return drafting.bubbles(campaign, one.contact, one.params)


def live(model_admin: ModelAdmin, request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """The figures anew; the head too when the campaign's state is not the one that the page shows."""
    context = {**figures(campaign), "campaign": campaign}
    if request.GET.get("seen") != str(context["seen"]):
        context |= {**head(campaign), "with_head": True}
    return render(request, "campaigns/page/live.html", context)


def head(campaign: Campaign) -> dict[str, Any]:
    """State, its reason, and what can be done about it now."""
    status, sender = campaign.status, campaign.sender
    stopped = sender.breaker != Sender.Breaker.CLOSED and status in UNDER_WAY
    return {
        "colour": words.STATUS_COLOURS[CampaignStatus(status)],
        "pause": words.pause(campaign) if status == CampaignStatus.PAUSED else None,
        "stop": words.stop(sender) if stopped else None,
        "waits_until": opening(campaign),
        "ceiling_reached": status == CampaignStatus.RUNNING and limits.room(sender) == 0,
        "may_pause": status == CampaignStatus.RUNNING,
        "may_resume": status == CampaignStatus.PAUSED,
        "may_cancel": status in (*UNDER_WAY, CampaignStatus.SCHEDULED),
        "may_export": campaign.launched_at is not None,
    }


def opening(campaign: Campaign) -> datetime | None:
    """Outside its sending hours: when a running campaign goes on."""
    now = timezone.now()
    if campaign.status != CampaignStatus.RUNNING or hours.is_open(campaign.hours, campaign.time_zone, now):
        return None
    return hours.next_opening(campaign.hours, campaign.time_zone, now)


def figures(campaign: Campaign) -> dict[str, Any]:
    """Everything that moves, from one snapshot of the figures."""
    found = reports.figures(campaign.pk)
    first, second = found.first, found.second
    waiting = first.count(Status.PENDING, Status.SENDING)
    moving = campaign.status in UNDER_WAY or second.open > 0
    unsure = uncertain_calls(campaign)
    return {
        "figures": found,
        "first": first,
        "second": second,
        "skipped_total": first.audience - first.planned,
        "percent": int(report.progress(first)),
        "waiting": waiting,
        "forecast": _forecast(campaign, waiting),
        "funnel": report.funnel(found),
        "states": report.states(first),
        "skipped": report.causes(first.skipped_by),
        "failed": report.causes(first.causes),
        "cancelled": report.causes(first.cancelled_by),
        "second_states": report.states(second),
        "second_failed": report.causes(second.causes),
        "second_cancelled": report.causes(second.cancelled_by),
        "rates": report.rates(found),
        "unsure": unsure,
        "prepared": report.share(campaign.position, campaign.position_end),
        "retryable": sum(n for code, n in first.causes.items() if words.retry_helps(code)),
        "every": QUICK if moving else SLOW,
        "seen": f"{campaign.status}-{campaign.version}-{campaign.sender.breaker}-{opening(campaign) is None:d}",
        "now": timezone.now(),
    }


def _forecast(campaign: Campaign, waiting: int) -> Any:
    if campaign.status != CampaignStatus.RUNNING or not waiting or campaign.sender.breaker != Sender.Breaker.CLOSED:
        return None
    return forecast(campaign, waiting, timezone.now())


def uncertain_calls(campaign: Campaign) -> dict[str, int]:
    """How many calls have no known outcome: `young` ones a report may still settle, `old` ones wait for a person."""
    unresolved = Attempt.objects.filter(message__campaign=campaign, state=AttemptState.UNCERTAIN)
    unresolved = unresolved.filter(message__status=Status.UNCERTAIN)
    old = unresolved.filter(released_at__isnull=False).count()
    return {"young": unresolved.count() - old, "old": old}


def events(campaign: Campaign) -> Any:
    return campaign.events.select_related("actor", "message").order_by("-id")[:EVENTS]


# -- what a person does


def pause(model_admin: ModelAdmin, request: HttpRequest, campaign: Campaign) -> HttpResponse:
    if request.method != "POST":
        return HttpResponseNotAllowed(("POST",))
    if campaign.pause(actor(request)):
        messages.success(request, _("The campaign is paused. %(flying)s") % {"flying": in_flight(campaign)})
    else:
        _too_late(request, campaign)
    return HttpResponseRedirect(frame.address(campaign))


def resume(model_admin: ModelAdmin, request: HttpRequest, campaign: Campaign) -> HttpResponse:
    if request.method != "POST":
        return HttpResponseNotAllowed(("POST",))
    if campaign.resume(actor(request)):
        messages.success(request, _("The campaign goes on."))
    else:
        _too_late(request, campaign)
    return HttpResponseRedirect(frame.address(campaign))


def cancel(model_admin: ModelAdmin, request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Asks first, with the numbers; then ends the campaign for good."""
    if request.method != "POST":
        first = reports.figures(campaign.pk).first
        context = frame.context(model_admin, request, campaign, _("Cancel the campaign"))
        numbers = {"first": first, "flying": in_flight(campaign), "waiting": first.by_status[Status.PENDING]}
        return TemplateResponse(request, "admin/campaigns/campaign/cancel.html", {**context, **numbers})
    if campaign.cancel(actor(request)):
        launching.cancel_waiting(campaign.pk, seconds=2)  # the sweep does the rest
        messages.success(request, _("The campaign is cancelled. %(flying)s") % {"flying": in_flight(campaign)})
    else:
        _too_late(request, campaign)
    return HttpResponseRedirect(frame.address(campaign))


def back_to_draft(model_admin: ModelAdmin, request: HttpRequest, campaign: Campaign) -> HttpResponse:
    if request.method != "POST":
        return HttpResponseNotAllowed(("POST",))
    if campaign.unschedule(actor(request)):
        messages.success(request, _("The campaign is a draft again and will not start by itself."))
    else:
        _too_late(request, campaign)
    return HttpResponseRedirect(frame.address(campaign))


def in_flight(campaign: Campaign) -> str:
    """The honest sentence: what is on its way cannot be called back."""
    flying = reports.figures(campaign.pk)
    n = flying.first.by_status[Status.SENDING] + flying.second.by_status[Status.SENDING]
    if not n:
        return _("No message is in flight.")
    return ngettext(
        "Up to %(n)d message is in flight and will still go out.",
        "Up to %(n)d messages are in flight and will still go out.",
        n,
    ) % {"n": n}


def _too_late(request: HttpRequest, campaign: Campaign) -> None:
    campaign.refresh_from_db()
    told = _("Nothing was changed: the campaign is “%(status)s” now.")
    messages.warning(request, told % {"status": campaign.get_status_display()})

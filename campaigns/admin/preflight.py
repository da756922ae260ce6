"""The last look before a launch: what must be put right, whom it reaches, how long it takes, and one button."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from campaigns import audience, launching, reports
from campaigns.admin import drafting, frame
from campaigns.admin.forecast import forecast
from campaigns.models import Campaign
from campaigns.status import CampaignStatus, Status

STARTABLE = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)


def page(model_admin: ModelAdmin, request: HttpRequest, campaign: Campaign) -> HttpResponse:
    if request.method == "POST":
        return _start(request, campaign)
    if campaign.status not in STARTABLE:
        return HttpResponseRedirect(frame.address(campaign))
    context = frame.context(model_admin, request, campaign, _("Check before launch"))
    return TemplateResponse(request, "admin/campaigns/campaign/check.html", {**context, **_findings(campaign)})


def _findings(campaign: Campaign) -> dict[str, Any]:
    problems = launching.problems(campaign)
    reach = audience.count(campaign)
    elsewhere = waiting_elsewhere(campaign)
    later = campaign.scheduled_at if campaign.scheduled_at and campaign.scheduled_at > timezone.now() else None
    start = later or timezone.now()
    return {
        "problems": problems,
        "reach": reach,
        "skipped": drafting.reach_lines(reach),
        "previews": drafting.samples(campaign, 3),
        "forecast": forecast(campaign, reach.planned + elsewhere, start),
        "elsewhere": elsewhere,
        "later": later if campaign.status == CampaignStatus.DRAFT else None,
        "ready": not problems and reach.planned > 0,
        "categories": campaign.categories.all(),
    }


def waiting_elsewhere(campaign: Campaign) -> int:
    """Messages of other campaigns that share the sender's pace now."""
    others = Campaign.objects.filter(
        sender=campaign.sender_id, status__in=(CampaignStatus.RUNNING, CampaignStatus.PREPARING)
    ).exclude(pk=campaign.pk)
    found = reports.figures_of(others.values_list("id", flat=True))
    return sum(figures.first.by_status[Status.PENDING] for figures in found.values())


def _start(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Launch, or put on the calendar, what the person saw. A second press finds it done."""
    seen = request.POST.get("version", "")
    version = int(seen) if seen.isdecimal() else -1
    try:
        if "schedule" in request.POST:
            return _schedule(request, campaign, version)
        started = launching.launch(campaign, frame.actor(request), seen_version=version)
    except launching.LaunchRefused as refusal:
        for problem in refusal.problems:
            messages.error(request, problem.text)
        return HttpResponseRedirect(frame.address(campaign, "check"))
    if started:
        messages.success(request, _("The campaign is launched. Messages leave as soon as everybody is on the list."))
        return HttpResponseRedirect(frame.address(campaign))
    return _came_second(request, campaign)


def _schedule(request: HttpRequest, campaign: Campaign, version: int) -> HttpResponse:
    at = campaign.scheduled_at
    if campaign.version != version or campaign.status != CampaignStatus.DRAFT or at is None or at <= timezone.now():
        return _came_second(request, campaign)
    if not launching.schedule(campaign, at, frame.actor(request)):
        return _came_second(request, campaign)
    when = date_format(drafting.local(at), "DATETIME_FORMAT")
    messages.success(request, _("The campaign starts by itself on %(when)s.") % {"when": when})
    return HttpResponseRedirect(frame.address(campaign))


def _came_second(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Somebody was faster, or changed the campaign: say what happened. Nothing was sent twice."""
    campaign.refresh_from_db()
    if campaign.status in STARTABLE:
        messages.warning(request, _("This campaign was changed since you looked at it. Check it again, then launch."))
        return HttpResponseRedirect(frame.address(campaign, "check"))
    who = campaign.launched_by
    if who is not None and who.pk != frame.actor(request).pk:
        told = _("%(who)s launched this campaign before you. It runs once; nothing more is needed.")
        messages.warning(request, told % {"who": who.get_full_name()})
    else:
        messages.info(request, _("This campaign is launched already. It runs once."))
    return HttpResponseRedirect(frame.address(campaign))

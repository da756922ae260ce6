"""What only a person can decide: uncertain messages, and failed ones that may be tried again. Audited."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.paginator import Page
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import reconciling, reports
from campaigns.admin import frame, report, running, words
from campaigns.deciding import Verb, decide, held_note
from campaigns.models import Attempt, Campaign, Message
from campaigns.status import CampaignStatus, Kind, Status
from whatsapp_campaigns.lists import BoundedPaginator

PER_PAGE = 50
VERBS: dict[str, Verb] = {"resend": reconciling.resend, "give_up": reconciling.give_up}


def uncertain(model_admin: ModelAdmin, request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """The list; then, for what was chosen, the question with a reason; then the deed."""
    unsure = Message.objects.filter(campaign=campaign, status=Status.UNCERTAIN)
    verb = request.POST.get("verb", "")
    chosen = _chosen(request, unsure) if verb in VERBS else None
    if chosen is None:
        return _list(model_admin, request, campaign, unsure)
    count = chosen.count()
    if not count:
        messages.warning(request, _("Choose at least one message."))
        return HttpResponseRedirect(frame.address(campaign, "uncertain"))
    why = request.POST.get("why", "").strip()
    if "confirmed" not in request.POST or not why:
        context = frame.context(model_admin, request, campaign, _("Uncertain messages"))
        context |= {"verb": verb, "count": count, "all": "all" in request.POST, "ids": request.POST.getlist("ids")}
        context["reason_missing"] = "confirmed" in request.POST
        return TemplateResponse(request, "admin/campaigns/campaign/decide.html", context)
    _tell(request, campaign, verb, decide(VERBS[verb], chosen, frame.actor(request), why), count)
    return HttpResponseRedirect(frame.address(campaign))


def _chosen(request: HttpRequest, unsure: QuerySet[Message]) -> QuerySet[Message]:
    if "all" in request.POST:
        return unsure
    return unsure.filter(pk__in=[int(pk) for pk in request.POST.getlist("ids") if pk.isdecimal()])


def _list(model_admin: ModelAdmin, request: HttpRequest, campaign: Campaign, unsure: QuerySet[Message]) -> HttpResponse:
    latest = Prefetch("attempts", Attempt.objects.order_by("-id"))
    ordered = unsure.select_related("contact").prefetch_related(latest).order_by("pk")
    page: Page = BoundedPaginator(ordered, PER_PAGE).get_page(request.GET.get("page"))
    context: dict[str, Any] = frame.context(model_admin, request, campaign, _("Uncertain messages"))
    context |= {
        "page": page,
        "rows": [(message, message.attempts.all()[0]) for message in page],
        "unsure": running.uncertain_calls(campaign),
    }
    context["may_resend"] = campaign.status != CampaignStatus.CANCELLED
    return TemplateResponse(request, "admin/campaigns/campaign/uncertain.html", context)


def retry(model_admin: ModelAdmin, request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Failed messages by cause: which may be sent again, and which should not."""
    counts = reports.figures(campaign.pk).first.causes
    lines = [(line, words.retry_helps(line.cause.code)) for line in report.causes(counts)]
    codes = [code for code in request.POST.getlist("codes") if code in counts and words.retry_helps(code)]
    why = request.POST.get("why", "").strip()
    if request.method == "POST" and codes and why:
        failed = Message.objects.filter(campaign=campaign, status=Status.FAILED, message_type=Kind.MESSAGE_1)
        chosen = with_causes(failed, codes)
        asked = chosen.count()
        _tell(request, campaign, "resend", decide(reconciling.resend, chosen, frame.actor(request), why), asked)
        return HttpResponseRedirect(frame.address(campaign))
    if request.method == "POST":
        messages.warning(request, _("Choose at least one cause, and say why."))
    context = frame.context(model_admin, request, campaign, _("Retry failed messages"))
    context |= {"lines": lines, "why": why, "may_resend": campaign.status != CampaignStatus.CANCELLED}
    return TemplateResponse(request, "admin/campaigns/campaign/retry.html", context)


def with_causes(failed: QuerySet[Message], codes: list[str]) -> QuerySet[Message]:
    """As the figures have it: the error code, and where there is none, our own reason."""
    return failed.filter(error_code__in=[code for code in codes if code]) | failed.filter(
        error_code="", reason__in=codes
    )


def _tell(request: HttpRequest, campaign: Campaign, verb: str, done: int, asked: int) -> None:
    if verb == "resend":
        told = ngettext("%(n)s message will be sent again.", "%(n)s messages will be sent again.", done)
    else:
        told = ngettext("%(n)s message was given up.", "%(n)s messages were given up.", done)
    messages.success(request, told % {"n": words.number(done)})
    if done and verb == "resend" and (note := held_note(campaign)):
        messages.warning(request, note)
    if done < asked:
        left = _("%(n)s others were not changed: they are settled by now, or it took too long. Look at them again.")
        messages.warning(request, left % {"n": words.number(asked - done)})

"""Parts of the draft's page that follow what is typed: the variables, the preview, and whom the campaign reaches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import audience, texts
from campaigns.admin import frame, words
from campaigns.forms import CampaignForm
from campaigns.models import Campaign, Event
from campaigns.status import Reason
from contacts.models import Contact
from gupshup import preview


def local(at: datetime) -> datetime:
    return timezone.localtime(at)


def reach_lines(reach: audience.Reach) -> list[tuple[int, words.Cause]]:
    """Who is skipped, and why, in the order in which the reasons are looked at."""
    order = {reason: n for n, reason in enumerate(Reason.values)}
    found = sorted(reach.skipped.items(), key=lambda item: order.get(item[0], len(order)))
    return [(count, words.cause(reason)) for reason, count in found if count]


def bubbles(campaign: Campaign, person: Contact | None = None, params: Sequence[str] = ()) -> dict[str, Any]:
    """Both messages as this person would read them; with nobody there, the placeholders stand."""
    found: dict[str, Any] = {"person": person}
    if campaign.template is not None:
        found["first"] = preview.of_template(campaign.template, params, campaign.header_media)
    if campaign.message_2.strip():
        second = texts.fill(campaign.message_2, params, person) if person is not None else campaign.message_2
        found["second"] = preview.of_text(second)
    return found


def samples(campaign: Campaign, size: int) -> list[dict[str, Any]]:
    """The messages of the first few people of the audience; without anybody, once with the placeholders."""
    people = audience.sample(campaign, size)
    return [bubbles(campaign, person, getattr(person, "rendered", ())) for person in people] or [bubbles(campaign)]


@contextmanager
def sketch(form: CampaignForm) -> Iterator[Campaign]:
    """The form as it stands, as a campaign that the one audience query can be asked about. Nothing of it stays."""
    form.is_valid()  # what is not valid yet is simply not there
    campaign: Campaign = form.instance
    campaign.name = campaign.name or "-"
    with transaction.atomic():
        campaign.save(force_insert=True)
        campaign.categories.set(form.cleaned_data.get("categories") or ())
        yield campaign
        transaction.set_rollback(True)


def variables(request: HttpRequest, form: CampaignForm) -> HttpResponse:
    """The rows of the variables, and the template's buttons, after another template was chosen."""
    form.is_valid()
    rows = render(request, "campaigns/draft/variables.html", {"form": form})
    rows.write(render_to_string("campaigns/draft/quick_replies.html", {"form": form, "out_of_band": True}))
    return rows


def preview_part(request: HttpRequest, form: CampaignForm) -> HttpResponse:
    if not _has_sender(form):
        return HttpResponse()
    with sketch(form) as campaign:
        context = samples(campaign, 1)[0]
    return render(request, "campaigns/draft/preview.html", context)


def audience_part(request: HttpRequest, form: CampaignForm) -> HttpResponse:
    if not _has_sender(form):
        return HttpResponse()
    with sketch(form) as campaign:
        chosen = bool(form.cleaned_data.get("categories"))
        reach = audience.count(campaign)
    context = {"reach": reach, "skipped": reach_lines(reach), "chosen": chosen}
    return render(request, "campaigns/draft/reach.html", context)


def _has_sender(form: CampaignForm) -> bool:
    form.is_valid()
    return form.instance.sender_id is not None


PARTS = {"variables": variables, "preview": preview_part, "audience": audience_part}


def copy(model_admin: ModelAdmin, request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """A new draft with the same content."""
    if request.method != "POST":
        return HttpResponseNotAllowed(("POST",))
    with transaction.atomic():
        kept = ("sender", "template", "params", "header_media", "message_2", "trigger", "trigger_words")
        draft = Campaign.objects.create(
            name=_("%(name)s (copy)") % {"name": campaign.name[:150]},
            message_2_delay=campaign.message_2_delay,
            hours=campaign.hours,
            time_zone=campaign.time_zone,
            created_by=frame.actor(request),
            **{name: getattr(campaign, name) for name in kept},
        )
        draft.categories.set(campaign.categories.all())
        Event.record("create", actor=frame.actor(request), campaign=draft, details={"copy_of": campaign.pk})
    messages.success(request, _("A copy was made. Check it, then launch it."))
    return HttpResponseRedirect(frame.address(draft))

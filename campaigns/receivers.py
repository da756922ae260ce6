"""What this app does when something is announced: nudges for the workers, what follows opt-outs, and their telling."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from campaigns import announcing, doorbell, optouts, signals, tasks
from campaigns.models import Campaign
from campaigns.status import CampaignStatus
from contacts.signals import opted_out
from gupshup.models import Template
from gupshup.signals import callback_kept, template_changed


@receiver(opted_out)
def end_what_waits(contact_ids: list[int], **_: Any) -> None:
    optouts.cancel_waiting(contact_ids)
    announcing.opted_out(contact_ids)


@receiver(template_changed)
def pause_campaigns(template: Template, before: tuple[str, str], **_: Any) -> None:
    """Every further message with a template that Meta paused, refused or disabled would fail; with another category it
    costs something else and falls under other limits, which a person must want.
    """
    _status, category = before
    if not template.sendable:
        reason, detail = f"template_{template.status.lower()}", template.reason
    elif category != template.category and Template.Category.UNKNOWN not in (category, template.category):
        reason, detail = "template_category", f"{category} → {template.category}"
    else:
        return
    for campaign in Campaign.objects.filter(template=template, status=CampaignStatus.RUNNING):
        campaign.pause(reason=reason, detail=detail)


@receiver(callback_kept)
def ring_ingest(**_: Any) -> None:
    doorbell.ring(tasks.ingest_task)


@receiver(signals.launched)
def ring_preparation(campaign_id: int, **_: Any) -> None:
    doorbell.ring(tasks.prepare_campaign_task, campaign_id)


@receiver(signals.work_waits)
def ring_drain(sender_id: int, **_: Any) -> None:
    doorbell.ring(tasks.drain_sender_task, sender_id)

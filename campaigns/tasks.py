"""Every Celery task: a thin nudge of a function. Lost, repeated or doubled, it does no harm."""

from __future__ import annotations

from celery import shared_task

from campaigns import ingest, launching, retention, sending, sweeping
from campaigns.models import Campaign, Message
from gupshup import templates
from gupshup.models import Sender


@shared_task(name="campaigns.prepare_campaign_task")
def prepare_campaign_task(campaign_id: int) -> None:
    if launching.prepare(campaign_id):
        send_campaign_messages_task(campaign_id)


@shared_task(name="campaigns.send_campaign_messages_task")
def send_campaign_messages_task(campaign_id: int) -> None:
    for campaign in Campaign.objects.filter(pk=campaign_id).select_related("sender"):
        sending.drain(campaign.sender)


@shared_task(name="campaigns.send_single_message_task")
def send_single_message_task(message_id: int) -> None:
    for message in Message.objects.filter(pk=message_id).select_related("sender"):
        sending.drain(message.sender)


@shared_task(name="campaigns.retry_failed_message_task")
def retry_failed_message_task(message_id: int) -> None:
    send_single_message_task(message_id)


@shared_task(name="campaigns.drain_sender_task")
def drain_sender_task(sender_id: int) -> None:
    for sender in Sender.objects.filter(pk=sender_id):
        sending.drain(sender)


@shared_task(name="campaigns.ingest_task")
def ingest_task() -> None:
    ingest.nudged()


@shared_task(name="campaigns.sweep_task")
def sweep_task() -> None:
    """Every few seconds: what nudges missed, in the database alone; sending is nudged for each sender with due work."""
    for sender in sweeping.sweep():
        drain_sender_task.delay(sender.pk)


@shared_task(name="campaigns.prune_task")
def prune_task() -> None:
    retention.prune()


@shared_task(name="campaigns.sync_templates_task")
def sync_templates_task() -> None:
    templates.sync_all()


@shared_task(name="campaigns.self_check_task")
def self_check_task() -> None:
    sweeping.self_check()

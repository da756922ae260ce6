"""Celery's nudges; lost, repeated or doubled, they do no harm."""

from __future__ import annotations

from celery import shared_task

from hooks import delivering, retention


@shared_task(name="hooks.deliver_task")
def deliver_task() -> None:
    delivering.run()


@shared_task(name="hooks.prune_task")
def prune_task() -> None:
    retention.prune()

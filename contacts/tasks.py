"""Celery tasks of this app: nudges, which may be lost or come twice."""

from celery import shared_task

from contacts import importing


@shared_task
def import_contacts_task(import_id: int) -> None:
    importing.import_file(import_id)

"""The Celery app. A task is a nudge: everything true is in the database."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "whatsapp_campaigns.settings")
# Celery would run every system check, drop what they say, and stumble over a missing secret before we can tell.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("whatsapp_campaigns")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def require_settings(**_: Any) -> None:
    """The worker refuses to start when a mandatory setting is missing [1.2].

    Celery logs and forgets an exception raised here; only an exit stops it.
    """
    from django.core.management.base import SystemCheckError

    from gupshup import senders

    try:
        senders.start()
    except SystemCheckError as error:
        raise SystemExit(str(error)) from None

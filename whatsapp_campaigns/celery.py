"""The Celery app. A task is a nudge: everything true is in the database."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "whatsapp_campaigns.settings")

app = Celery("whatsapp_campaigns")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

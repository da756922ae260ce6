"""One Celery task for each message: read the row, `requests.post`, `save()`. No journal, no lease, no pace."""

from __future__ import annotations

import json
import os

import requests
from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campaigns.bench.usual.settings")
app = Celery("usual")
app.config_from_object("django.conf:settings", namespace="CELERY")


@app.task
def send(pk: int) -> None:
    from campaigns.bench.usual.models import Mail

    mail = Mail._default_manager.get(pk=pk)
    answer = requests.post(
        os.environ["BENCH_API_URL"] + "/template/msg",
        headers={"apikey": os.environ["GUPSHUP_API_KEY"]},
        data={
            "channel": "whatsapp",
            "source": os.environ["GUPSHUP_PHONE_NUMBER"],
            "src.name": os.environ["GUPSHUP_APP_NAME"],
            "destination": mail.destination,
            "template": json.dumps({"id": os.environ["BENCH_TEMPLATE"], "params": ["Awa"]}),
        },
        timeout=30,
    )
    answer.raise_for_status()
    mail.status, mail.provider_id = "accepted", answer.json()["messageId"]
    mail.save()

"""Bodies as Gupshup posts them (v2 layout, invented values), put into the inbox as the webhook does."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from django.utils import timezone

from campaigns import ingest
from campaigns.models import Attempt, Message
from campaigns.status import Status
from gupshup import webhooks
from gupshup.models import Sender

_serial = count(1)


def now_ms() -> int:
    return int(timezone.now().timestamp() * 1000)


def post(sender: Sender, body: Any) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    webhooks.keep(sender.pk, data, "application/json")


def report(
    sender: Sender,
    word: str,
    *,
    gs_id: str | None = None,
    other: str | None = None,
    destination: str = "",
    code: int | str | None = None,
    at: float | None = None,
) -> None:
    """A message-event: `enqueued` and a failure by Gupshup bear the messageId as id, the rest as gsId."""
    payload: dict[str, Any] = {"type": word, "destination": destination, "payload": {"ts": at or now_ms() / 1000}}
    if word == "enqueued" or other is None:
        payload["id"] = gs_id or other
    else:
        payload |= {"id": other} | ({"gsId": gs_id} if gs_id else {})
    if code is not None:
        payload["payload"] = {"code": code, "reason": "invented"}
    # The envelope's time differs, as the provider's does: equal bodies would be one callback.
    post(
        sender,
        {
            "app": "DemoApp",
            "timestamp": now_ms() + next(_serial),
            "version": 2,
            "type": "message-event",
            "payload": payload,
        },
    )


def says(
    sender: Sender,
    phone: str,
    text: str = "Oui",
    *,
    quotes: str | None = None,
    wamid: str | None = None,
    at_ms: int | None = None,
    **inner: Any,
) -> None:
    """A person writes."""
    number = next(_serial)
    payload: dict[str, Any] = {
        "id": wamid or f"wamid.invented{number}",
        "source": phone,
        "type": "text",
        "payload": {"text": text, **inner},
        "sender": {"phone": phone, "name": "Awa"},
    }
    if quotes:
        payload["context"] = {"id": "wamid.quoted", "gsId": quotes}
    post(
        sender, {"app": "DemoApp", "timestamp": at_ms or now_ms(), "version": 2, "type": "message", "payload": payload}
    )


def read_inbox() -> None:
    ingest.run()


def accepted(message: Message, provider_id: str = "") -> Attempt:
    """The message as the provider has accepted it."""
    provider_id = provider_id or f"gs-{message.pk}"
    now = timezone.now()
    Message.objects.filter(pk=message.pk).update(
        status=Status.SUBMITTED, next_attempt_at=None, whatsapp_message_id=provider_id, accepted_at=now
    )
    return Attempt.objects.create(
        message=message,
        sender_id=message.sender_id,
        destination=message.destination,
        state="accepted",
        provider_id=provider_id,
        deadline=now,
        wire_at=now,
    )

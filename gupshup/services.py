"""The client on Django's data: one service for each sender, made anew when its credentials change."""

from __future__ import annotations

from django.utils.functional import SimpleLazyObject

from gupshup.api.client import GupshupService
from gupshup.models import Sender, Template
from gupshup.senders import default_sender

_services: dict[int, tuple[tuple[str, ...], GupshupService]] = {}


def service_for(sender: Sender) -> GupshupService:
    """The client that speaks for a sender; its connections are shared by all callers."""
    known = (
        sender.api_key,
        sender.app_name,
        sender.phone_number,
        sender.api_url,
        sender.customer_id,
        sender.app_id,
    )
    kept = _services.get(sender.pk)
    if kept is None or kept[0] != known:
        kept = (known, _make(sender))
        _services[sender.pk] = kept
    return kept[1]


def _make(sender: Sender) -> GupshupService:
    pk = sender.pk

    def resolve(name: str, language: str) -> str | None:
        return resolve_template(pk, name, language)

    return GupshupService(
        api_key=sender.api_key,
        app_name=sender.app_name,
        phone_number=sender.phone_number,
        api_url=sender.api_url,
        customer_id=sender.customer_id or None,
        app_id=sender.app_id or None,
        resolve_template=resolve,
    )


def resolve_template(sender_id: int, name: str, language: str) -> str | None:
    """Gupshup's id of a template, which fixes the language (gupshup-api 0.7); None when we know none."""
    found = (
        Template.objects.filter(sender_id=sender_id, name=name, language=language)
        .exclude(status=Template.Status.DELETED)
        .order_by("-synced_at")
        .first()
    )
    return found.provider_id if found else None


# The sender of the environment, as the old client's module instance; made on first use.
gupshup_service: GupshupService = SimpleLazyObject(lambda: service_for(default_sender()))  # type: ignore[assignment]

"""Our copy of Gupshup's templates: read whole on demand and on the beat, and moved on by events in between."""

from __future__ import annotations

import logging
from dataclasses import asdict

from django.db import transaction
from django.utils import timezone

from gupshup.api.events import TemplateNews
from gupshup.api.responses import GupshupResponse
from gupshup.api.templates import TemplateInfo
from gupshup.models import Sender, Template
from gupshup.services import service_for
from gupshup.signals import template_changed


log = logging.getLogger("gupshup.templates")


class SyncFailedError(Exception):
    """Gupshup's list could not be read; `response` says why."""

    def __init__(self, response: GupshupResponse) -> None:
        super().__init__(response.error_message or response.error_code or "")
        self.response = response


def sync(sender: Sender) -> int:
    """Read all templates of a sender; answers how many. Those that Gupshup no longer lists are marked deleted.

    Raises SyncFailedError, and then nothing has changed. Needs the sender's app id.
    """
    reply = service_for(sender).templates()
    if reply.value is None:
        raise SyncFailedError(reply.response)
    changed: list[Template] = []
    with transaction.atomic():
        known = {one.provider_id: one for one in Template.objects.select_for_update().filter(sender=sender)}
        for info in reply.value:
            changed += _keep(sender, known.pop(info.id, None), info)
        for gone in known.values():
            if gone.status != Template.Status.DELETED:
                gone.status = Template.Status.DELETED
                gone.save(update_fields=["status"])
                changed.append(gone)
        Sender.objects.filter(pk=sender.pk).update(templates_synced_at=timezone.now())
        _announce(changed)
    return len(reply.value)


def _keep(sender: Sender, known: Template | None, info: TemplateInfo) -> list[Template]:
    """Write one template down; answers it when its status or category has changed."""
    template = known or Template(sender=sender, provider_id=info.id)
    before = (template.status, template.category)
    for name, value in fields_of(info).items():
        setattr(template, name, value)
    template.synced_at = timezone.now()
    template.save()
    return [template] if known is not None and before != (template.status, template.category) else []


def fields_of(info: TemplateInfo) -> dict[str, object]:
    """The columns of a template as Gupshup lists it."""
    return {
        "name": info.name,
        "language": info.language,
        "category": info.category if info.category in Template.Category.values else Template.Category.UNKNOWN,
        "status": status_of(info.status),
        "reason": info.reason,
        "quality": info.quality,
        "body": info.body,
        "header_type": info.header_type,
        "header_text": info.header_text[:200],
        "footer": info.footer[:200],
        "buttons": [asdict(button) for button in info.buttons],
        "params_count": info.params_count,
        "sample": info.sample,
        "media_url": info.media_url,
    }


def status_of(word: str) -> str:
    return word if word in Template.Status.values else Template.Status.UNKNOWN


def follow(sender_id: int, news: TemplateNews) -> bool:
    """Apply news of one template; answers whether it is one of ours. An unknown one comes with the next sync."""
    found = Template.objects.select_for_update().filter(sender_id=sender_id)
    found = found.filter(provider_id=news.template_id) if news.template_id else found.filter(name=news.name)
    if news.language and not news.template_id:
        found = found.filter(language=news.language)
    changed = []
    for template in found:
        before = (template.status, template.category)
        if news.status:
            template.status, template.reason = status_of(news.status), news.reason or ""
        if news.quality:
            template.quality = news.quality[:20]
        if news.category in Template.Category.values:
            template.category = str(news.category)
        template.save()
        if before != (template.status, template.category):
            changed.append(template)
    _announce(changed)
    return bool(found)


def _announce(changed: list[Template]) -> None:
    for template in changed:
        template_changed.send(sender=Template, template=template)


def sync_all() -> None:
    """Read the templates of every sender that has an app id; one that fails is logged and holds up no other."""
    for sender in Sender.objects.exclude(app_id=""):
        try:
            sync(sender)
        except SyncFailedError as error:
            log.warning("templates of %s could not be read: %s", sender, error)

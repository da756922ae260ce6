"""Our copy of Gupshup's templates: read whole on demand and on the beat, and moved on by events in between.

Lists and events cross each other: news that came while a list was on its way counts more than the list, and news that
is older than the last list, or than other news, changes nothing. So a replayed callback cannot pause a campaign.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import connection, models, transaction
from django.utils import timezone

from gupshup.api.drafts import TemplateDraft
from gupshup.api.events import TemplateNews
from gupshup.api.responses import GupshupResponse
from gupshup.api.templates import TemplateInfo
from gupshup.models import Sender, Template
from gupshup.services import service_for
from gupshup.signals import template_changed

log = logging.getLogger("gupshup.templates")

SKEW = timedelta(minutes=10)  # between the provider's clock and ours, and on the way
SECOND = timedelta(seconds=1)  # v3 counts whole seconds, v2 milliseconds
_LOCK = 7_240_316  # any number of our own: two syncs of one sender take turns

# Meta's words in events that Gupshup's list does not have. Words that are neither change nothing.
_MEANINGS = {
    "REINSTATED": Template.Status.APPROVED,
    "UNPAUSED": Template.Status.APPROVED,
    "PENDING_DELETION": Template.Status.DELETED,
    "SANDBOX_REQUESTED": Template.Status.PENDING,
}
Before = tuple[str, str]  # status and category


class SyncFailedError(Exception):
    """Gupshup's list could not be read, or a template was not taken; `response` says why."""

    def __init__(self, response: GupshupResponse) -> None:
        super().__init__(response.error_message or response.error_code or "")
        self.response = response


def sync(sender: Sender) -> int:
    """Read all templates of a sender; answers how many. Those that Gupshup no longer lists are marked deleted.

    Raises SyncFailedError, and then nothing has changed. A list with holes marks nothing deleted, nor does an empty
    one: an account that had templates and lists none is more likely in trouble than cleaned up.
    """
    started = timezone.now()
    reply = service_for(sender).templates()
    if reply.value is None:
        raise SyncFailedError(reply.response)
    with transaction.atomic():
        _take_turns(sender)
        known = {one.provider_id: one for one in _locked().filter(sender=sender)}
        changed = [found for info in reply.value if (found := _keep(sender, known.pop(info.id, None), info, started))]
        if reply.value and not reply.partial:
            changed += _vanished(known.values(), started)
        now = timezone.now()
        Template.objects.filter(sender=sender, provider_id__in=[info.id for info in reply.value]).update(synced_at=now)
        Sender.objects.filter(pk=sender.pk).update(templates_synced_at=now)
        _announce(changed)
    return len(reply.value)


def _take_turns(sender: Sender) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK, sender.pk))


def _locked() -> models.QuerySet[Template]:
    """Rows that nobody else changes; campaigns that point to them may be written all the same."""
    return Template.objects.select_for_update(no_key=True).order_by("id")


def _keep(
    sender: Sender, known: Template | None, info: TemplateInfo, started: datetime
) -> tuple[Template, Before] | None:
    """Write one template down; answers it, and what it was, when a known one has another status or category."""
    template = known or Template(sender=sender, provider_id=info.id)
    before = (template.status, template.category)
    fields = fields_of(info)
    if known is not None and _told_since(known, started):
        for name in ("status", "reason", "category", "category_next", "quality"):
            fields.pop(name)
    changes = {name: value for name, value in fields.items() if getattr(template, name) != value}
    if known is None or changes:
        for name, value in changes.items():
            setattr(template, name, value)
        template.save()
    return (template, before) if known is not None and before != (template.status, template.category) else None


def _told_since(template: Template, started: datetime) -> bool:
    """Did news of this template come while the list was on its way?"""
    return template.told_at is not None and template.synced_at >= started


def _vanished(missing: Iterable[Template], started: datetime) -> list[tuple[Template, Before]]:
    found = []
    for gone in missing:
        if gone.status != Template.Status.DELETED and not _told_since(gone, started) and gone.synced_at < started:
            before = (gone.status, gone.category)
            gone.status = Template.Status.DELETED
            gone.save(update_fields=["status"])
            found.append((gone, before))
    return found


def fields_of(info: TemplateInfo) -> dict[str, object]:
    """The columns of a template as Gupshup lists it."""
    return {
        "name": info.name,
        "language": info.language[:20],
        "category": info.category if info.category in Template.Category.values else Template.Category.UNKNOWN,
        "category_next": _another(info.category_next, info.category),
        "status": status_of(info.status),
        "reason": info.reason,
        "quality": info.quality[:20],
        "body": info.body,
        "header_type": info.header_type,
        "header_text": info.header_text[:200],
        "footer": info.footer[:200],
        "buttons": [asdict(button) for button in info.buttons],
        "params_count": info.params_count,
        "sample": info.sample,
        "media_url": info.media_url,
    }


def _another(category: str | None, present: str) -> str:
    """The category that Meta announces, unless it is the present one."""
    return category if category in Template.Category.values and category != present else ""


def status_of(word: str) -> str:
    """Our word for a status in Gupshup's list; what we do not know cannot be sent."""
    word = _MEANINGS.get(word, word)
    return word if word in Template.Status.values else Template.Status.UNKNOWN


def follow(sender_id: int, news: TemplateNews) -> bool:
    """Apply news of one template in the caller's transaction; answers whether it is one of ours.

    One that we do not know comes with the next sync.
    """
    found = _named(sender_id, news)
    changed = []
    for template in found:
        if _is_stale(template, news.at):
            continue
        before = (template.status, template.category)
        _apply(template, news)
        template.told_at = news.at or template.told_at or timezone.now()
        template.synced_at = max(template.synced_at, timezone.now())
        template.save()
        if before != (template.status, template.category):
            changed.append((template, before))
    _announce(changed)
    return bool(found)


def _named(sender_id: int, news: TemplateNews) -> list[Template]:
    """By Gupshup's id; without one, or when it is not ours, by name and language, of which there is one of each."""
    mine = _locked().filter(sender_id=sender_id)
    if news.template_id and (found := list(mine.filter(provider_id=news.template_id))):
        return found
    if not news.name:
        return []
    named = mine.filter(name=news.name).exclude(status=Template.Status.DELETED)
    return list(named.filter(language=news.language) if news.language else named)


def _is_stale(template: Template, at: datetime | None) -> bool:
    """Older than what we know: told again, or late."""
    if at is None:
        return False
    return at < template.synced_at - SKEW or (template.told_at is not None and at < template.told_at - SECOND)


def _apply(template: Template, news: TemplateNews) -> None:
    status = _MEANINGS.get(news.status or "", news.status)
    if status in Template.Status.values:
        template.status, template.reason = str(status), news.reason or ""
    if news.quality:
        template.quality = news.quality[:20]
    if news.category in Template.Category.values:
        template.category, template.category_next = str(news.category), ""
    elif news.category_next:
        template.category_next = _another(news.category_next, template.category)


def _announce(changed: Iterable[tuple[Template, Before]]) -> None:
    for template, before in changed:
        log.info("template %s: %s, was %s", template.pk, (template.status, template.category), before)
        template_changed.send(sender=Template, template=template, before=before)


def submit(sender: Sender, draft: TemplateDraft) -> Template:
    """Hand a template in for Meta's approval; answers its row, mostly PENDING. Check `draft.check()` first.

    Raises SyncFailedError when Gupshup did not take it, or did not say so clearly: then the next sync tells.
    """
    reply = service_for(sender).create_template(draft)
    if reply.value is None:
        raise SyncFailedError(reply.response)
    fields = fields_of(reply.value)
    drafted = {"body": draft.body, "header_text": draft.header_text, "footer": draft.footer}
    fields |= {name: value for name, value in drafted.items() if not fields[name]}  # the answer may be short
    template, _new = Template.objects.update_or_create(
        sender=sender, provider_id=reply.value.id, defaults=fields | {"synced_at": timezone.now()}
    )
    return template


def sync_all() -> None:
    """Read the templates of every sender that has an app id; one that fails is logged and holds up no other."""
    for sender in Sender.objects.exclude(app_id=""):
        try:
            sync(sender)
        except SyncFailedError as error:
            log.warning("templates of %s could not be read: %s", sender, error)

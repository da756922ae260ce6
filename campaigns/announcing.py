"""What other programs are told (`hooks`): answers, opt-outs, finished campaigns. Written in the caller's transaction.

The shapes are those of the API. Where nobody listens, it costs one small query for a batch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.db import InterfaceError, OperationalError, transaction

from campaigns import reports
from campaigns.models import Campaign, Interaction
from campaigns.serializers import CampaignSerializer, InteractionSerializer
from contacts.models import Contact
from contacts.serializers import ContactSerializer
from hooks import outbox
from hooks.models import Kind
from hooks.outbox import Happening

log = logging.getLogger("campaigns.announcing")

STEP = 1_000


def answered(callback_ids: Iterable[int]) -> None:
    """The interactions that these callbacks brought."""
    if ids := list(callback_ids):
        _tell(Kind.REPLIED, lambda: _answers(ids))


def _tell(kind: Kind, happened: Callable[[], Iterator[Happening]]) -> None:
    """A fault in here is logged; it holds up neither an answer, nor an opt-out, nor the end of a campaign."""
    try:
        with transaction.atomic():
            outbox.tell(kind, happened)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("%s could not be told", kind)


def _answers(callback_ids: Sequence[int]) -> Iterator[Happening]:
    found = Interaction.objects.filter(callback_id__in=callback_ids).select_related("contact", "campaign")
    for interaction in found.order_by("id"):
        campaign = interaction.campaign
        data = {
            "interaction": dict(InteractionSerializer(interaction).data),
            "contact": _contact(interaction.contact),
            "campaign": {"id": campaign.pk, "name": campaign.name} if campaign else None,
        }
        yield Happening(str(interaction.pk), interaction.received_at, data)


def opted_out(contact_ids: Sequence[int]) -> None:
    """These people want nothing more, since just now."""
    _tell(Kind.OPTED_OUT, lambda: _opt_outs(contact_ids))


def _opt_outs(contact_ids: Sequence[int]) -> Iterator[Happening]:
    for start in range(0, len(contact_ids), STEP):
        for contact in Contact.objects.filter(pk__in=contact_ids[start : start + STEP]).order_by("pk"):
            at = contact.opted_out_at or contact.updated_at
            data = {"contact": _contact(contact), "opted_out_at": at, "source": contact.opt_out_source}
            yield Happening(f"{contact.pk} {at.isoformat()}", at, data)


def finished(campaign_ids: Sequence[int]) -> None:
    """These campaigns have just finished. One that is opened again, by a retry, finishes again: another event."""
    _tell(Kind.FINISHED, lambda: _finished(campaign_ids))


def _finished(campaign_ids: Sequence[int]) -> Iterator[Happening]:
    figures = reports.figures_of(campaign_ids)
    for campaign in Campaign.objects.filter(pk__in=campaign_ids).prefetch_related("categories").order_by("pk"):
        data = {
            "campaign": dict(CampaignSerializer(campaign, context={"figures": figures}).data),
            "figures": figures[campaign.pk].as_json(),
        }
        at = campaign.completed_at or campaign.updated_at
        yield Happening(f"{campaign.pk} {campaign.version}", at, data)


def _contact(contact: Contact | None) -> dict[str, Any] | None:
    return None if contact is None else dict(ContactSerializer(contact).data)

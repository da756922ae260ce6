"""An interaction: recorded always, and in the customer service window followed by Message 2, once.

Uniqueness is the database's: the interaction by the provider's inbound id, Message 2 by (campaign, destination, type).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from campaigns import optouts, sql, statuses, texts
from campaigns.models import Campaign, Interaction, Message
from campaigns.signals import work_waits
from campaigns.status import AttemptState, CampaignStatus, Kind, Reason, Status
from contacts.models import Contact
from contacts.phones import country_code
from gupshup.api.events import Inbound
from gupshup.models import Callback

WINDOW = timedelta(hours=24)  # the customer service window: from the person's last message
MAY_YET_ARRIVE = ("131026",)  # reported as failed, and sometimes delivered all the same (gupshup-api 8)

TYPES = {
    "text": Interaction.Type.REPLY,
    "button": Interaction.Type.BUTTON,
    "button_reply": Interaction.Type.BUTTON,
    "list_reply": Interaction.Type.BUTTON,
    "flow": Interaction.Type.BUTTON,
    "reaction": Interaction.Type.REACTION,
    "location": Interaction.Type.LOCATION,
    "contact": Interaction.Type.CONTACT,
    "order": Interaction.Type.ORDER,
    "image": Interaction.Type.MEDIA,
    "audio": Interaction.Type.MEDIA,
    "video": Interaction.Type.MEDIA,
    "file": Interaction.Type.MEDIA,
    "sticker": Interaction.Type.MEDIA,
}


def handle(callback: Callback, inbound: Inbound, may_wait: bool = False) -> bool:
    """Record one inbound message and do what follows, in the caller's transaction. Repeating it changes nothing.

    False when it must be read again: a call to this person has no outcome yet, and may be what they answer. Only with
    `may_wait`; a wish to be left in peace is followed at once all the same.
    """
    if not inbound.is_interaction:
        return True
    at = inbound.at or callback.received_at
    first = _quoted_first(callback.sender_id, inbound)
    if first is None:
        if may_wait and _call_is_open(callback.sender_id, inbound, at):
            optouts.follow_at_once(callback, _people(inbound), inbound.text or "", at)
            return False
        first = _newest(callback.sender_id, inbound, at)
    _follow(callback, inbound, first, at)
    return True


def _follow(callback: Callback, inbound: Inbound, first: Message | None, at: datetime) -> None:
    contact = _contact(inbound, first)
    late = first is not None and not _in_window(first, at)
    interaction = _record(callback, inbound, contact, first, at, late)
    if interaction is None:
        return  # the same message again
    if contact is not None:
        Contact.objects.filter(pk=contact.pk).filter(Q(last_inbound_at=None) | Q(last_inbound_at__lt=at)).update(
            last_inbound_at=at
        )
    if first is not None:
        _answered_is_delivered(first, at, counts=not late)
    if optouts.follow_words(callback, interaction, contact, first):
        return
    if first is None or late or contact is None:
        return
    if queue_second(first, contact, inbound, at):
        Interaction.objects.filter(pk=interaction.pk).update(triggered=True)


def _quoted_first(sender_id: int, inbound: Inbound) -> Message | None:
    """The Message 1 that this quotes, or whose Message 2."""
    quoted = _quoted(sender_id, inbound)
    if quoted is None or quoted.message_type == Kind.MESSAGE_1:
        return quoted
    return Message.objects.filter(
        campaign_id=quoted.campaign_id, destination=quoted.destination, message_type=Kind.MESSAGE_1
    ).first()


def _call_is_open(sender_id: int, inbound: Inbound, at: datetime) -> bool:
    """Whether a Message 1 that was begun before the person wrote may yet turn out to have reached them."""
    return Message.objects.filter(
        contact__in=_people(inbound),
        message_type=Kind.MESSAGE_1,
        attempts__sender_id=sender_id,
        attempts__state__in=(AttemptState.INTENT, AttemptState.UNCERTAIN),
        attempts__wire_at__isnull=False,
        attempts__started_at__range=(at - WINDOW, at + statuses.SKEW),
    ).exists()


def _newest(sender_id: int, inbound: Inbound, at: datetime) -> Message | None:
    """The newest Message 1 to this person that the provider accepted before they wrote: what they probably answer.

    Inside the window or before it: then the answer is late.
    """
    return (
        Message.objects.filter(
            contact__in=_people(inbound),
            sender_id=sender_id,
            message_type=Kind.MESSAGE_1,
            accepted_at__isnull=False,
            accepted_at__lte=at + statuses.SKEW,
        )
        .exclude(~Q(error_code__in=MAY_YET_ARRIVE), status=Status.FAILED)
        .exclude(status=Status.PENDING)  # it was refused after all, and waits to be sent again
        .order_by("-accepted_at", "-id")
        .first()
    )


def _quoted(sender_id: int, inbound: Inbound) -> Message | None:
    ids = list(inbound.quoted_ids)
    if not ids:
        return None
    return _known_by(ids, sender_id) or _adopted_by_quote(sender_id, inbound)


def _known_by(ids: Sequence[str], sender_id: int) -> Message | None:
    return (
        Message.objects.filter(attempts__sender_id=sender_id)
        .filter(Q(attempts__provider_id__in=ids) | Q(attempts__known_as__whatsapp_id__in=ids))
        .order_by("-id")
        .first()
    )


def _adopted_by_quote(sender_id: int, inbound: Inbound) -> Message | None:
    """Who answers a message has received it: an unknown quoted id belongs to the open call to that person."""
    if not inbound.phone or not inbound.quoted_message_id:
        return None
    calls = statuses.open_calls(sender_id, [inbound.phone])
    # Now that the open calls are locked: the answer to another may have been recorded since the first look.
    if calls and (known := _known_by(list(inbound.quoted_ids), sender_id)):
        return known
    for call in sorted(calls, key=lambda one: one.started_at, reverse=True):
        if statuses.adopt(call, [inbound.quoted_message_id]):
            return Message.objects.get(pk=call.message_id)
    return None


def _people(inbound: Inbound) -> QuerySet[Contact]:
    wanted = Q(pk__in=[])
    if inbound.phone:
        wanted |= Q(number=f"+{inbound.phone}") | Q(whatsapp_number=inbound.phone)
    if inbound.user_id:
        wanted |= Q(whatsapp_user_id=inbound.user_id)
    return Contact.objects.filter(wanted)


def _contact(inbound: Inbound, first: Message | None) -> Contact | None:
    """Who wrote: the person we wrote to, else the one with this number or user id, else a new contact."""
    if first is not None and first.contact_id is not None:
        contact = Contact.objects.filter(pk=first.contact_id).first()
        if contact is not None:
            _learn_alias(contact, inbound)
            return contact
    known = _people(inbound).order_by("id").first()
    return known or _new_contact(inbound)


def _learn_alias(contact: Contact, inbound: Inbound) -> None:
    """Brazil, Mexico, Argentina: the WhatsApp id differs from the number dialled (gupshup-api 13)."""
    if inbound.phone and contact.number != f"+{inbound.phone}" and contact.whatsapp_number != inbound.phone:
        Contact.objects.filter(pk=contact.pk).update(whatsapp_number=inbound.phone)
    if inbound.user_id and contact.whatsapp_user_id is None:
        taken = Contact.objects.filter(whatsapp_user_id=inbound.user_id).exists()
        if not taken:
            Contact.objects.filter(pk=contact.pk).update(whatsapp_user_id=inbound.user_id)


def _new_contact(inbound: Inbound) -> Contact | None:
    number = f"+{inbound.phone}" if inbound.phone and 7 <= len(inbound.phone) <= 15 else None
    if number is None and not inbound.user_id:
        return None
    sql.run(
        """INSERT INTO contacts_contact (number, country_code, whatsapp_user_id, whatsapp_number, first_name, last_name,
                  attributes, opt_out_source, invalid_code, created_at, updated_at)
           VALUES (%(number)s, %(country)s, %(user)s, '', %(name)s, '', '{}', '', '', clock_timestamp(),
                   clock_timestamp())
           ON CONFLICT DO NOTHING""",
        {
            "number": number,
            "country": country_code(number) if number else "",
            "user": inbound.user_id or None,
            "name": (inbound.name or "")[:120],
        },
    )
    return _people(inbound).order_by("id").first()


def _in_window(first: Message, at: datetime) -> bool:
    return first.accepted_at is not None and at <= first.accepted_at + WINDOW


def _record(
    callback: Callback, inbound: Inbound, contact: Contact | None, first: Message | None, at: datetime, late: bool
) -> Interaction | None:
    """The interaction's row; None when it stands already."""
    interaction = Interaction(
        sender_id=callback.sender_id,
        contact=contact,
        message=first,
        campaign_id=first.campaign_id if first else None,
        interaction_type=TYPES.get(inbound.kind, Interaction.Type.OTHER),
        content=inbound.text or "",
        media_url=inbound.media_url or "",
        inbound_id=inbound.inbound_id or f"key:{inbound.key}",
        quoted_id=next(iter(inbound.quoted_ids), "")[:200],
        late=late,
        received_at=at,
        callback=callback,
    )
    try:
        with transaction.atomic():
            interaction.save(force_insert=True)
    except IntegrityError:
        return None
    return interaction


def _answered_is_delivered(first: Message, at: datetime, counts: bool) -> None:
    """Who answers has received it. An answer after the window does not count as a reply."""
    statuses.end_retry_of_what_was_answered(first.pk)
    sql.run(
        """UPDATE campaigns_message
              SET status = GREATEST(status, 40), delivered_at = COALESCE(delivered_at, %(at)s),
                  accepted_at = COALESCE(accepted_at, %(at)s), error_code = '', error_message = '', reason = '',
                  replied_at = CASE WHEN %(counts)s THEN LEAST(replied_at, %(at)s) ELSE replied_at END,
                  updated_at = clock_timestamp()
            WHERE id = %(id)s AND status >= 10""",
        {"id": first.pk, "at": at, "counts": counts},
    )


def queue_second(first: Message, contact: Contact, inbound: Inbound, at: datetime) -> bool:
    """Put Message 2 into the outbox, unless the campaign has none, it stands already, or the window has closed."""
    campaign = Campaign.objects.get(pk=first.campaign_id)
    expires = at + WINDOW
    wanted = (
        campaign.message_2.strip()
        and campaign.status in (CampaignStatus.RUNNING, CampaignStatus.PAUSED, CampaignStatus.FINISHED)
        and contact.opted_out_at is None
        and expires > timezone.now()
        and texts.triggers(campaign.trigger, campaign.trigger_words, inbound)
    )
    if not wanted:
        return False
    inserted = sql.run(
        """INSERT INTO campaigns_message (campaign_id, sender_id, contact_id, message_type, destination, params,
                  content, status, next_attempt_at, expires_at)
           VALUES (%(campaign)s, %(sender)s, %(contact)s, 'message_2', %(destination)s, '[]', %(content)s, 0,
                   clock_timestamp() + make_interval(mins => %(delay)s), %(expires)s)
           ON CONFLICT (campaign_id, destination, message_type) DO NOTHING""",
        {
            "campaign": campaign.pk,
            "sender": first.sender_id,
            "contact": contact.pk,
            "destination": first.destination,
            "content": texts.fill(campaign.message_2, first.params, contact),
            "delay": campaign.message_2_delay,
            "expires": expires,
        },
    )
    if not inserted:
        _prolong(first, expires)
        return False
    transaction.on_commit(partial(work_waits.send, sender=None, sender_id=first.sender_id))
    return True


def _prolong(first: Message, expires: datetime) -> None:
    """Each message of the person opens the window anew."""
    Message.objects.filter(
        campaign_id=first.campaign_id,
        destination=first.destination,
        message_type=Kind.MESSAGE_2,
        status=Status.PENDING,
        expires_at__lt=expires,
    ).update(expires_at=expires)


def expire() -> int:
    """Cancel the Messages 2 whose window has closed before they could leave."""
    waiting = Message.objects.filter(
        message_type=Kind.MESSAGE_2, next_attempt_at__isnull=False, expires_at__lte=timezone.now()
    )
    ids: Iterable[int] = list(waiting.order_by("id").values_list("id", flat=True)[:10_000])
    return Message.objects.filter(id__in=ids).cancel(Reason.WINDOW_CLOSED)

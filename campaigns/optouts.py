"""Who wants nothing more: stop words, Meta's own opt-out, the provider's codes. With the proof, and undone by START."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from campaigns import texts
from campaigns.models import Interaction, Message
from campaigns.status import Kind, Reason
from campaigns.statuses import SKEW
from contacts.models import ConsentEvent, Contact
from gupshup.api.events import Consent
from gupshup.models import Callback


def follow_words(callback: Callback, interaction: Interaction, contact: Contact | None, first: Message | None) -> bool:
    """Opt the person out (or in again) when that is all the message says; answers whether it was."""
    if contact is None:
        return False
    person = Contact.objects.filter(pk=contact.pk)
    if texts.says_stop(interaction.content):
        follow_at_once(callback, person, interaction.content, interaction.received_at)
        if first is not None:
            note(first)
        return True
    if texts.says_start(interaction.content):
        return bool(person.opt_in("word", interaction.content, callback_id=callback.pk, at=interaction.received_at))
    return False


def follow_at_once(callback: Callback, people: QuerySet[Contact], text: str, at: datetime) -> None:
    """Opt these people out when that is all the text says; what it answers may still have to be found out."""
    if texts.says_stop(text) and not ConsentEvent.objects.filter(callback_id=callback.pk, contact__in=people).exists():
        Contact.objects.filter(pk__in=people).opt_out("word", text, callback_id=callback.pk, at=at)


def follow_event(callback: Callback, consent: Consent) -> None:
    """Meta's or Gupshup's own opt-out or opt-in."""
    wanted = Contact.objects.none()
    if consent.phone:
        wanted = Contact.objects.filter(number=f"+{consent.phone}") | Contact.objects.filter(
            whatsapp_number=consent.phone
        )
    if consent.user_id:
        wanted = wanted | Contact.objects.filter(whatsapp_user_id=consent.user_id)
    ids = list(wanted.values_list("id", flat=True))
    people, at = Contact.objects.filter(id__in=ids), consent.at or callback.received_at
    evidence = " ".join(filter(None, (consent.via, consent.category, consent.text)))
    if not consent.opted_out:
        people.opt_in(consent.via, evidence, callback_id=callback.pk, at=at)
        return
    people.opt_out(consent.via, evidence, callback_id=callback.pk, at=at)
    sent = Message.objects.filter(contact_id__in=ids, sender_id=callback.sender_id, message_type=Kind.MESSAGE_1)
    first = sent.filter(accepted_at__lte=at + SKEW).order_by("-accepted_at").first()
    if first is not None:
        note(first)


def note(first: Message) -> None:
    """The opt-out counts for the campaign whose Message 1 came last."""
    Message.objects.filter(pk=first.pk, opted_out_at=None).update(opted_out_at=timezone.now())


def cancel_waiting(contact_ids: list[int]) -> int:
    """End what waits for people who opted out; what is being sent goes out."""
    ids = list(
        Message.objects.filter(contact_id__in=contact_ids, next_attempt_at__isnull=False)
        .order_by("id")
        .select_for_update()
        .values_list("id", flat=True)
    )
    return Message.objects.filter(id__in=ids).cancel(Reason.OPTED_OUT)

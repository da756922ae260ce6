"""Contacts are shared, lists are not: who sees a contact, and what taking it away means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from contacts.models import Category, Contact
from contacts.phones import country_code

if TYPE_CHECKING:
    from accounts.models import User


class StillNeeded(Exception):  # noqa: N818 - it is not an error of the program
    """Something depends on what was to be deleted; `code` is stable, the text says what to do."""

    def __init__(self, code: str, text: object) -> None:
        super().__init__(str(text))
        self.code = code


def give(user: User, number: str, first_name: str = "", last_name: str = "") -> tuple[Contact, bool]:
    """The contact with this number, seen by the user from now on; and whether this created it.

    Names fill in what somebody else left empty, and replace nothing.
    """
    try:
        with transaction.atomic():
            created = Contact.objects.create(
                number=number,
                country_code=country_code(number),
                first_name=first_name,
                last_name=last_name,
                created_by=user,
            )
        return created, True
    except IntegrityError:
        known = Contact.objects.get(number=number)
    known.linked_to.add(user)
    Contact.objects.filter(pk=known.pk, first_name="").update(first_name=first_name)
    Contact.objects.filter(pk=known.pk, last_name="").update(last_name=last_name)
    known.refresh_from_db()
    return known, False


def withdraw(user: User, contact: Contact) -> None:
    """Take a contact away from a user; it goes altogether when nobody else has it. Raises StillNeeded.

    Who opted out is kept, unseen, so that a later import does not write to them again.
    """
    with transaction.atomic():
        contact = Contact.objects.select_for_update().get(pk=contact.pk)
        if user.is_super_admin:
            _delete(contact)
            return
        contact.categories.remove(*Category.objects.of(user).filter(contacts=contact))
        contact.linked_to.remove(user)
        Contact.objects.filter(pk=contact.pk, created_by=user).update(created_by=None)
        contact.refresh_from_db(fields=["created_by"])
        if not _is_had(contact) and contact.opted_out_at is None:
            _delete(contact)


def _is_had(contact: Contact) -> bool:
    return contact.created_by_id is not None or contact.linked_to.exists() or contact.categories.exists()


def _delete(contact: Contact) -> None:
    if contact.opted_out_at is not None:
        raise StillNeeded(
            "contact_opted_out",
            _("This person opted out. The record is kept so that nobody writes to them again."),
        )
    if contact.messages.filter(next_attempt_at__isnull=False).exists():
        raise StillNeeded(
            "messages_waiting", _("Messages to this person are waiting. Cancel their campaign, or opt the person out.")
        )
    contact.delete()


def delete_category(category: Category) -> None:
    """Delete a list; its contacts stay. Raises StillNeeded while a campaign that is about to start needs it."""
    with transaction.atomic():
        category = Category.objects.select_for_update().get(pk=category.pk)
        if category.campaigns.filter(status__in=("scheduled", "preparing")).exists():
            raise StillNeeded(
                "category_in_use",
                _("A campaign that is about to start writes to this category. Wait for it, or cancel it."),
            )
        category.delete()

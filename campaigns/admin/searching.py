"""Finding rows among millions by what a person has at hand: a phone number in any spelling, or an id.

Everything here goes through an index: the contact's number, the call's destination, the provider's ids, the row's id.
"""

from __future__ import annotations

import re

from django.conf import settings
from django.db.models import Q, QuerySet

from campaigns.models import Attempt, Message
from contacts.models import Contact
from contacts.phones import Problem, calling_code, normalise
from gupshup.models import Sender

FOUND = 2_000  # messages at most; nobody has had that many
_ROW = re.compile(r"#(\d{1,18})")
_DIGITS = re.compile(r"\D+")


def number_of(term: str) -> str:
    """The E.164 number that somebody means, or "" when it is none."""
    found = normalise(term, settings.DEFAULT_COUNTRY)
    return "" if isinstance(found, Problem) else found


def _readings(term: str) -> set[str]:
    """Digits that somebody may mean, even where the numbering plan knows no such number: old rows are found too."""
    digits = _DIGITS.sub("", term)
    found = {digits, digits.removeprefix("00")}
    if digits.startswith("0") and not digits.startswith("00"):
        found.add(calling_code(settings.DEFAULT_COUNTRY)[1:] + digits[1:])
    return {one for one in found if 7 <= len(one) <= 15}


def people(term: str) -> QuerySet[Contact]:
    """The contacts with this number, under whichever of their two spellings."""
    wanted = Q(pk__in=())
    if number := number_of(term):
        wanted |= Q(number=number) | Q(whatsapp_number=number[1:])
    for digits in _readings(term):
        wanted |= Q(number=f"+{digits}") | Q(whatsapp_number=digits)
    if not term.startswith("+") and any(letter.isalpha() for letter in term):
        wanted |= Q(whatsapp_user_id=term)
    return Contact.objects.filter(wanted)


def message_ids(term: str) -> list[int]:
    """The messages that a search term names exactly."""
    if row := _ROW.fullmatch(term):
        return [int(row[1])]
    ids = list(_calls(term).values_list("message_id", flat=True)[:FOUND])
    ids += (
        Message.objects.filter(contact__in=list(people(term)[:20])).order_by("-id").values_list("id", flat=True)[:FOUND]
    )
    return ids


def attempt_ids(term: str) -> list[int]:
    """The calls that a search term names exactly."""
    return list(_calls(term).values_list("id", flat=True)[:FOUND])


def _calls(term: str) -> QuerySet[Attempt]:
    """Calls to this number, or known to the provider by this id."""
    destinations = _readings(term) | ({number_of(term)[1:]} - {""})
    senders = list(Sender.objects.values_list("id", flat=True))
    named = Q(sender__in=senders) & (Q(provider_id=term) | Q(known_as__whatsapp_id=term))
    wanted = Attempt.objects.filter(named)
    return wanted.union(Attempt.objects.filter(destination__in=destinations)) if destinations else wanted

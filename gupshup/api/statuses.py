"""What Gupshup's statuses mean to us: its words, and what becomes of a message when it says them.

==========  ======================================================  ============  =====================================
word        Gupshup means                                           messageId is  the message becomes
==========  ======================================================  ============  =====================================
submitted,  the answer to our call: it has the message. Whether     messageId     submitted
success     it arrives is told later, by the words below
enqueued    the same, said by callback: it waits at WhatsApp        id            submitted; settles a call whose
                                                                                  answer was lost (uncertain)
sent        WhatsApp has it; the phone may be off                   gsId          sent
delivered   the phone has it                                        gsId          delivered
read        the person opened it; never told when read receipts     gsId          read (delivered is implied: it may
            are off                                                               come later, or not at all)
failed      it will not arrive; ``code`` says why (``errors`` has   id when       failed; or pending again when the
            what we do about each). A delivery may follow all the   Gupshup       code is a passing trouble (three
            same (131026): then the delivery is true                refused, gsId times at most); some codes also stop
                                                                    when WhatsApp the campaign, the sender, or writing
                                                                    did           to this person
mismatch    the person's WhatsApp id is another number (Brazil…)    id or gsId    what it was; the number is remembered
deleted     the *person* deleted a message of his own               none          what it was
others      anything else, and words that we do not know            any           what it was; the callback is kept
==========  ======================================================  ============  =====================================

**Order.** Reports come in any order, more than once, and some never. News only moves a message forward::

    uncertain < submitted < sent < failed < delivered < read

so a late ``sent`` changes nothing, and a delivery beats a failure. An answer of the person counts as a delivery.

**Which id is which** (Gupshup, *Message events*). A send's ``messageId`` comes back as ``id`` in ``enqueued`` and in a
``failed`` that Gupshup itself decided, but as ``gsId`` (v3: ``gs_id``, enterprise: ``externalId``) in everything that
WhatsApp reports; ``id`` is another id there. A week after the send ``gsId`` is no longer given. So a report carries
candidates: first those that may be our ``messageId``, then those that may be the WhatsApp-side id remembered from an
earlier report (``enqueued`` calls it ``whatsappMessageId``).

**Where it happens.** ``layouts`` reads the words, ``campaigns.status`` has our states in their order,
``campaigns.statuses`` applies one to the other. What the *answer* to a call means is in ``responses``, what a *code*
means in ``errors``.
"""

from enum import StrEnum
from typing import Final


class Word(StrEnum):
    """A report's word, whatever the layout and the case it came in. (``mismatch`` is an event of its own.)"""

    ENQUEUED = "enqueued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    DELETED = "deleted"
    OTHER = "other"


# v2 and v3 speak in lower case, the enterprise gateway in capitals; the rest are the same things under other names.
_SYNONYMS: Final = {
    "submitted": Word.ENQUEUED,
    "accepted": Word.ENQUEUED,
    "queued": Word.ENQUEUED,
    "viewed": Word.READ,
    "played": Word.READ,
    "failure": Word.FAILED,
    "undelivered": Word.FAILED,
    "others": Word.OTHER,
}
_WORDS: Final = {word.value: word for word in Word} | _SYNONYMS

# What the enterprise gateway writes as "error" of a message that fared well; it says how, where the word does not.
_FARED: Final = {"000": Word.DELIVERED, "025": Word.SENT, "026": Word.READ}
NO_ERROR: Final = frozenset(_FARED)


def word_of(value: object) -> Word:
    """Our word for theirs, whatever its case; OTHER for everything unknown."""
    return _WORDS.get(value.strip().lower(), Word.OTHER) if isinstance(value, str) else Word.OTHER


def word_of_code(code: str | None) -> Word:
    """How a message of the enterprise gateway fared, by the code alone; OTHER for a failure's code."""
    return _FARED.get(code or "", Word.OTHER)


def is_status(value: object) -> bool:
    """Is this one of the words above?"""
    return isinstance(value, str) and value.strip().lower() in _WORDS

"""What Gupshup's statuses mean to us. The one place where its words become ours.

==========  ==========================================================================  ==============================
word        Gupshup means                                                               we take it as
==========  ==========================================================================  ==============================
enqueued    it has taken the message and given it to WhatsApp's queue                   accepted: it settles a call
                                                                                        whose answer was lost
sent        WhatsApp has it; the phone may be off                                       sent
delivered   the phone has it                                                            delivered
read        the person opened it (never told when read receipts are off); implies       read
            delivered, which may come later or not at all
failed      it will not arrive; ``code`` says why (see ``errors``). A delivery          failed, or waiting when the
            may follow all the same (131026), and then the delivery is true             code is a passing trouble
deleted     the *person* deleted a message of his own; the id is that one's             nothing
other       a word that we do not know                                                  kept, nothing
==========  ==========================================================================  ==============================

Order is not guaranteed, repetitions are usual, ``delivered`` may be missing: news only ever moves a message forward,
``enqueued < sent < failed < delivered < read``.

Which id is which (Gupshup, *Message events*): the send's ``messageId`` comes back as ``id`` in ``enqueued`` and in a
``failed`` that Gupshup itself decided, but as ``gsId`` (v3: ``gs_id``) in everything that WhatsApp reports, where
``id`` is another id. A week after the send ``gsId`` is no longer given. So a report carries candidates: first those
that may be our ``messageId``, then those that may be the WhatsApp-side id remembered from an earlier report.
"""

from enum import StrEnum
from typing import Final


class Word(StrEnum):
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

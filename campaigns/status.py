"""The words for where a message, a campaign or a call stands. Pure.

`Status` is ordered: of two pieces of news about one message the greater wins, whatever the order of arrival. `failed`
stands between `sent` and `delivered`: a late "sent" revives nothing, and a delivery beats a reported failure.
"""

from __future__ import annotations

from django.db.models import IntegerChoices, TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Status(IntegerChoices):
    SKIPPED = -20, _("skipped")
    CANCELLED = -10, _("cancelled")
    PENDING = 0, _("waiting")
    SENDING = 10, _("being sent")
    UNCERTAIN = 15, _("uncertain")
    SUBMITTED = 20, _("accepted")
    SENT = 30, _("sent")
    FAILED = 35, _("failed")
    DELIVERED = 40, _("delivered")
    READ = 50, pgettext_lazy("message", "read")

    @property
    def word(self) -> str:
        """The state's name for programs: `pending`, `uncertain`…"""
        return self.name.lower()


OPEN = (Status.PENDING, Status.SENDING, Status.UNCERTAIN)  # news may still settle these
ACCEPTED = (Status.SUBMITTED, Status.SENT, Status.DELIVERED, Status.READ)
REACHED = (Status.DELIVERED, Status.READ)
PLANNED = tuple(status for status in Status if status is not Status.SKIPPED)

# The provider's words for news, as our states (gupshup-api 7.4: enqueued < sent < delivered < read).
NEWS = {
    "enqueued": Status.SUBMITTED,
    "sent": Status.SENT,
    "failed": Status.FAILED,
    "delivered": Status.DELIVERED,
    "read": Status.READ,
}


class CampaignStatus(TextChoices):
    DRAFT = "draft", _("draft")
    SCHEDULED = "scheduled", _("scheduled")
    PREPARING = "preparing", _("preparing")
    RUNNING = "running", _("running")
    PAUSED = "paused", _("paused")
    FINISHED = "finished", pgettext_lazy("campaign", "finished")
    CANCELLED = "cancelled", pgettext_lazy("campaign", "cancelled")


class AttemptState(TextChoices):
    INTENT = "intent", _("being made")
    ACCEPTED = "accepted", _("accepted")
    NOT_SENT = "not_sent", _("not sent")
    REJECTED = "rejected", _("rejected")
    UNCERTAIN = "uncertain", _("uncertain")
    REFUSED = "refused", _("refused later")
    SUPERSEDED = "superseded", _("replaced by a person")


class Kind(TextChoices):
    """Which message of the campaign."""

    MESSAGE_1 = "message_1", _("Message 1")
    MESSAGE_2 = "message_2", _("Message 2")


class Reason(TextChoices):
    """Why a message was skipped, cancelled or failed without the provider naming a code."""

    NO_NUMBER = "no_number", _("no phone number")
    OPTED_OUT = "opted_out", pgettext_lazy("reason", "opted out")
    INVALID_NUMBER = "invalid_number", _("not on WhatsApp")
    MISSING_VARIABLE = "missing_variable", _("a variable of the template is empty")
    PERSON_CAP = "person_cap", _("already had enough marketing messages")
    CAMPAIGN_CANCELLED = "campaign_cancelled", _("campaign cancelled")
    WINDOW_CLOSED = "window_closed", _("24-hour window closed")
    GIVEN_UP = "given_up", _("given up by a person")
    NO_MORE_TRIES = "no_more_tries", _("not sent after three more tries")

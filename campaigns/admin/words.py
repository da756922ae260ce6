"""What codes and reasons mean, in sentences for marketers: what happened, and what they can do."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import Campaign, Event
from campaigns.status import AttemptState, CampaignStatus, Reason, Status
from gupshup.api import errors
from gupshup.models import Sender
from gupshup.words import in_language

STATUS_COLOURS = {
    CampaignStatus.DRAFT: "default",
    CampaignStatus.SCHEDULED: "info",
    CampaignStatus.PREPARING: "info",
    CampaignStatus.RUNNING: "primary",
    CampaignStatus.PAUSED: "warning",
    CampaignStatus.FINISHED: "success",
    CampaignStatus.CANCELLED: "danger",
}
MESSAGE_COLOURS = {
    Status.SKIPPED: "default",
    Status.CANCELLED: "default",
    Status.PENDING: "default",
    Status.SENDING: "info",
    Status.UNCERTAIN: "warning",
    Status.SUBMITTED: "info",
    Status.SENT: "info",
    Status.FAILED: "danger",
    Status.DELIVERED: "success",
    Status.READ: "primary",
}

ATTEMPT_COLOURS = {
    AttemptState.INTENT: "info",
    AttemptState.ACCEPTED: "success",
    AttemptState.NOT_SENT: "default",
    AttemptState.REJECTED: "danger",
    AttemptState.UNCERTAIN: "warning",
    AttemptState.REFUSED: "danger",
    AttemptState.SUPERSEDED: "default",
}

_SKIPPED: dict[str, str | Promise] = {
    Reason.NO_NUMBER: gettext_lazy("They are known by a WhatsApp name only. Add their phone number to reach them."),
    Reason.OPTED_OUT: gettext_lazy("They asked to receive nothing more. Nobody can override this here."),
    Reason.INVALID_NUMBER: gettext_lazy("WhatsApp does not know these numbers. Check them, or remove these contacts."),
    Reason.MISSING_VARIABLE: gettext_lazy(
        "A field that the text needs is empty. Complete the contacts, or give the variable a replacement text."
    ),
    Reason.PERSON_CAP: gettext_lazy("They have already had as many marketing messages as the sender's limit allows."),
    Reason.CAMPAIGN_CANCELLED: gettext_lazy("The campaign was cancelled before their turn."),
    Reason.WINDOW_CLOSED: gettext_lazy("Message 2 could not leave within 24 hours of their answer."),
    Reason.GIVEN_UP: gettext_lazy("Somebody decided not to send these uncertain messages again."),
    Reason.NO_MORE_TRIES: gettext_lazy("Nothing could be sent in four tries. You can try again later."),
}
_VERBS: dict[str, str | Promise] = {
    "create": gettext_lazy("created the campaign"),
    "edit": gettext_lazy("changed the campaign"),
    "launch": gettext_lazy("launched the campaign"),
    "schedule": gettext_lazy("scheduled the start"),
    "unschedule": gettext_lazy("took the campaign back to draft"),
    "launch_refused": gettext_lazy("The scheduled start was refused"),
    "pause": gettext_lazy("paused the campaign"),
    "resume": gettext_lazy("resumed the campaign"),
    "cancel": gettext_lazy("cancelled the campaign"),
    "resend": gettext_lazy("sent a message again"),
    "give_up": gettext_lazy("gave up an uncertain message"),
    "export": gettext_lazy("exported the rows"),
    "sender_stopped": gettext_lazy("The sender was stopped"),
    "sender_allowed": gettext_lazy("allowed the sender to send again"),
    "secret_rotated": gettext_lazy("replaced the webhook secret"),
    "replay": gettext_lazy("had callbacks read again"),
    "hold": gettext_lazy("held what waited: it may have left before the database was restored"),
    "arm": gettext_lazy("allowed sending from this database"),
}


_WHOLE = frozenset({"launch_refused", "sender_stopped"})  # sentences as they stand


@dataclass(frozen=True)
class Cause:
    """A code or reason with its sentences."""

    code: str
    what: str
    advice: str

    @property
    def provider_code(self) -> str:
        """The code to quote to Gupshup; empty for reasons of our own."""
        return "" if self.code in Reason.values else self.code


def number(n: int) -> str:
    """With the language's thousands separator."""
    return number_format(n, force_grouping=True)


def cause(code: str) -> Cause:
    """What a failed, skipped or cancelled message's cause means; `code` is a Reason or a provider's error code."""
    if code in Reason.values:
        return Cause(code, str(Reason(code).label), str(_SKIPPED.get(code, "")))
    if not code:
        return Cause("", _("No reason was given."), "")
    if code == "restored":  # `holding`'s word
        what = _("The database was restored. Whether this message left after the backup is not known here.")
        return Cause(code, what, _("Compare with Gupshup's reports, then resend it or give it up."))
    if code == "no_answer":  # the reaper's word, for calls whose process died
        return Cause(code, _("The program stopped before an answer came back."), "")
    entry = errors.lookup(code)
    return Cause(code, in_language(entry.what), in_language(entry.advice))


def retry_helps(code: str) -> bool:
    """Whether sending again what failed with this cause can end otherwise, without disturbing people for nothing."""
    if code in Reason.values:
        return code == Reason.NO_MORE_TRIES
    return errors.lookup(code).action not in (
        errors.Action.SUPPRESS,
        errors.Action.SUPPRESS_MARKETING,
        errors.Action.INVALID_NUMBER,
    )


def pause(campaign: Campaign) -> Cause:
    """Why a campaign is paused and what to do."""
    if not campaign.pause_reason:
        return Cause("", _("Somebody paused this campaign."), _("Resume it when you want it to go on."))
    found = cause(campaign.pause_reason)
    return Cause(campaign.pause_reason, found.what, found.advice or _("Put it right, then resume the campaign."))


def stop(sender: Sender) -> Cause:
    """Why a sender is stopped and what to do."""
    found = cause(sender.breaker_code)
    return Cause(sender.breaker_code, found.what, found.advice)


def deed(event: Event) -> str:
    """What was done, without who did it."""
    return str(_VERBS.get(event.verb, event.verb))


def sentence(event: Event) -> str:
    """Who did what; what nobody asked for, the program did."""
    if event.verb in _WHOLE:
        return deed(event)
    who = event.actor.get_full_name() if event.actor else _("The program")
    return f"{who} {deed(event)}"

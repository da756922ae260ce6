"""Key, name, number and app id together; the clock, the wallet, the state of the number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property

from django.utils.translation import gettext as _

from gupshup.api import errors
from gupshup.api.client import GupshupService
from gupshup.api.responses import GupshupResponse, Outcome
from gupshup.diagnosis.finding import Finding, Level, attention, error, ok, why
from gupshup.models import Sender
from gupshup.words import explain, in_language, quoted

# A message that can reach nobody. If Gupshup looks at the key, the name and the number before it looks at this one, its
# answer says whether they are right; that it does is not documented, so a call with a wrong name is held against it.
NOBODY = "0"
NO_TEMPLATE = "00000000-0000-0000-0000-000000000000"
NO_APP = "-not-this-app"

LOW_WALLET = 5.0  # USD: some hundred marketing messages
SKEW = timedelta(seconds=30)
MOST_SKEW = timedelta(minutes=10)  # beyond, reports are no longer matched to calls by time
_REFUSED_BEFORE = ("authentication_failed", "wrong_address", "forbidden")
_MISMATCHES = ("invalid_app_details", "1001")


class Credentials:
    """One call that tells whether the key is good and belongs to this name and number."""

    def __init__(self, service: GupshupService) -> None:
        self.service = service
        self.response = service.send_template(NOBODY, NO_TEMPLATE)
        self.received_at = datetime.now(UTC)

    @property
    def accepted(self) -> bool:
        """Is it worth asking for more?"""
        refused = self.response.error_code in _REFUSED_BEFORE or self.together.code == "key"
        return bool(self.response.http_status) and not refused

    def look(self) -> Iterator[Finding]:
        yield self.together
        yield from self._clock()

    @property
    def agree(self) -> bool:
        return self.together.level is not Level.ERROR

    @cached_property
    def together(self) -> Finding:
        response = self.response
        if response.http_status is None:
            return error(
                "unreachable",
                _("Gupshup cannot be reached at %(address)s.") % {"address": self.service.api_url},
                why(response),
            )
        if response.error_code == "authentication_failed":
            return _refused_key(response)
        if response.error_code in _MISMATCHES:
            return self._mismatch()
        if response.error_code == "wrong_address":
            return error("wrong_address", explain("wrong_address"))
        if response.outcome is Outcome.UNCERTAIN:
            return attention("no_answer", _("Gupshup gave no clear answer. Try again in a few minutes."), why(response))
        if response.outcome is Outcome.SLOW_DOWN:
            return attention("slow_down", _("Gupshup asks us to slow down. Try again in a few minutes."), why(response))
        if response.halts == "sender":
            return error(response.error_code or "refused", _("Gupshup would refuse every message."), why(response))
        given = {"name": self.service.app_name, "number": self.service.phone_number}
        if self._would_tell():
            text = _("Gupshup accepts the key, the app name %(name)s and the number %(number)s together.")
            return ok("credentials", text % given)
        return self._unseen(given)

    def _would_tell(self) -> bool:
        """Would the answer have been another one if the name were wrong?"""
        other = self.service.renamed(f"{self.service.app_name}{NO_APP}")
        return other.send_template(NOBODY, NO_TEMPLATE).error_code in _MISMATCHES

    def _unseen(self, given: dict[str, str]) -> Finding:
        """The trial says nothing of name and number. Does anything else say something of the key?"""
        answers = [self.service.wallet().response]
        if self.service.app_id:
            answers.append(self.service.templates().response)
        if all(response.error_code == "authentication_failed" for response in answers):
            return _refused_key(answers[0])
        advice = _("manage.py check_gupshup --live NUMBER shows it: it sends one message to yourself.")
        return attention(
            "credentials_unseen",
            _("Whether the app name %(name)s and the number %(number)s belong to the key could not be seen.") % given,
            f"{why(self.response)} {advice}".strip(),
        )

    def _mismatch(self) -> Finding:
        """The key is good; which of the others is wrong is only known where Gupshup tells the app's number."""
        given = {"name": self.service.app_name, "number": self.service.phone_number}
        business = self.service.business().value
        if business and business.phone and business.phone != self.service.phone_number:
            return error(
                "phone_number_wrong",
                _("The number %(number)s is not the app's: Gupshup says %(real)s.") % {**given, "real": business.phone},
                _("Correct GUPSHUP_PHONE_NUMBER (or the sender's number)."),
            )
        if business and business.phone:
            return error(
                "app_name_wrong",
                _("The app name %(name)s is not the one that belongs to the key and the number.") % given,
                _("Copy GUPSHUP_APP_NAME from the app's settings on gupshup.io, in exactly these letters."),
            )
        return error(
            "app_mismatch",
            _("The app name %(name)s and the number %(number)s do not belong together, or not to this key.") % given,
            _("On gupshup.io, in the app's settings, compare the name, the number and the key, letter by letter."),
        )

    def _clock(self) -> Iterator[Finding]:
        theirs = self.response.answered_at
        if theirs is None:
            return
        off = self.received_at - theirs
        if abs(off) <= SKEW:
            yield ok("clock", _("The clocks agree."))
            return
        text = _("This machine's clock is %(seconds)d s away from Gupshup's.") % {"seconds": abs(off).total_seconds()}
        advice = _("Set the clock by NTP: 24 h windows and reports are judged by it.")
        yield error("clock", text, advice) if abs(off) > MOST_SKEW else attention("clock", text, advice)


def _refused_key(response: GupshupResponse) -> Finding:
    advice = in_language(errors.lookup("authentication_failed").advice)
    return error("key", _("Gupshup refuses the API key."), f"{advice} {quoted(response)}".strip())


def look(sender: Sender, credentials: Credentials) -> Iterator[Finding]:
    service = credentials.service
    if credentials.agree:
        yield from _app_id(sender, service)
    yield from _number(sender, service)
    yield _health(service)
    yield _wallet(service)


def _app_id(sender: Sender, service: GupshupService) -> Iterator[Finding]:
    business = service.business().value
    if business and business.phone and business.phone != service.phone_number:
        yield error(
            "app_id_other",
            _("The app id belongs to another number: %(real)s.") % {"real": business.phone},
            _("Copy GUPSHUP_APP_ID from the settings of the app %(name)s.") % {"name": sender.app_name},
        )


def _number(sender: Sender, service: GupshupService) -> Iterator[Finding]:
    """How good the number is, and how many people it may write to."""
    ratings = service.ratings().value
    if ratings is None:
        return
    if ratings.quality in ("RED", "LOW"):
        yield attention(
            "quality",
            _("WhatsApp rates this number's quality as low: people block or report its messages."),
            _("Write to fewer, more engaged contacts, or WhatsApp will restrict the number."),
        )
    if ratings.limit is not None and (sender.ceiling is None or sender.ceiling > ratings.limit):
        yield attention(
            "ceiling",
            _("WhatsApp allows this number %(limit)d new recipients in 24 h; the sender's limit is higher.")
            % {"limit": ratings.limit},
            _("Set the sender's limit of new recipients to %(limit)d.") % {"limit": ratings.limit},
        )


def _health(service: GupshupService) -> Finding:
    reply = service.health()
    if reply.value is True:
        return ok("health", _("The app is live on WhatsApp."))
    if reply.value is False:
        return error(
            "not_live",
            _("The app is not live on WhatsApp: nothing can be sent."),
            _("Finish the app's go-live steps on gupshup.io, or ask Gupshup's support."),
        )
    return attention("health", _("Whether the app is live could not be read."), why(reply.response))


def _wallet(service: GupshupService) -> Finding:
    """Unknown is unknown: never a reason to stop."""
    wallet = service.wallet().value
    if wallet is None:
        return attention("wallet_unknown", _("The wallet could not be read."), _("Look at it on gupshup.io."))
    amount = {"balance": f"{wallet.balance:.2f}", "currency": wallet.currency}
    if wallet.balance + wallet.overdraft <= 0:
        return error(
            "wallet_empty",
            _("The wallet is empty (%(balance)s %(currency)s): every message will fail.") % amount,
            _("Top it up on gupshup.io."),
        )
    if wallet.balance + wallet.overdraft < LOW_WALLET:
        return attention(
            "wallet_low", _("The wallet is nearly empty: %(balance)s %(currency)s.") % amount, _("Top it up soon.")
        )
    return ok("wallet", _("The wallet holds %(balance)s %(currency)s.") % amount)

"""What can go wrong, by name, by the last digits of a number, or by chance.

Three families: *calls* (how the answer of a send call goes wrong, before or after the message was
accepted), *reports* (accepted, and reported as failed later), *callbacks* (how webhooks go wrong).
"""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

GATEWAY_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr></body></html>"


@dataclass(frozen=True, slots=True)
class CallFault:
    """`accepts`: the message is taken (written down, reported on), whatever the answer looks like."""

    name: str
    digits: str
    accepts: bool
    status: int = 200
    manner: str = "plain"
    says: str = ""


CALL_FAULTS = (
    CallFault("http_500_before", "6500", False, 500, says="HTTP 500 with an HTML page, message not accepted"),
    CallFault("http_502_before", "6502", False, 502, says="HTTP 502 with an HTML page, message not accepted"),
    CallFault("http_503_before", "6503", False, 503, says="HTTP 503 with an HTML page, message not accepted"),
    CallFault("http_504_before", "6504", False, 504, says="HTTP 504 with an HTML page, message not accepted"),
    CallFault("http_500_after", "7500", True, 500, says="HTTP 500 with an HTML page, message accepted"),
    CallFault("http_502_after", "7502", True, 502, says="HTTP 502 with an HTML page, message accepted"),
    CallFault("http_503_after", "7503", True, 503, says="HTTP 503 with an HTML page, message accepted"),
    CallFault("http_504_after", "7504", True, 504, says="HTTP 504 with an HTML page, message accepted"),
    CallFault("hang_before", "6001", False, manner="hang", says="no answer, message not accepted"),
    CallFault("hang_after", "7001", True, manner="hang", says="no answer, message accepted"),
    CallFault("reset_before", "6002", False, manner="reset", says="connection reset, message not accepted"),
    CallFault("reset_after", "7002", True, manner="reset", says="connection reset, message accepted"),
    CallFault("close_before", "6003", False, manner="close", says="closed without an answer, not accepted"),
    CallFault("close_after", "7003", True, manner="close", says="closed without an answer, accepted"),
    CallFault("garbage_before", "6004", False, says="HTTP 200 with bytes that are no text, not accepted"),
    CallFault("garbage_after", "7004", True, says="HTTP 200 with bytes that are no text, accepted"),
    CallFault("truncated", "7005", True, 202, "truncated", "half of the JSON, then closed; accepted"),
    CallFault("cut_json", "7013", True, 202, says="half of the JSON with a fitting Content-Length; accepted"),
    CallFault("huge", "7006", True, says="a body of 10 MB; accepted"),
    CallFault("no_id", "7007", True, 202, says="success without messageId; accepted"),
    CallFault("drip", "7008", True, 202, "drip", "the right answer, one byte each half second; accepted"),
    CallFault("duplicate_id", "7009", True, 202, says="the messageId of an earlier message; accepted"),
    CallFault("wrong_id_type", "7010", True, 202, says="messageId is a list; accepted"),
    CallFault("empty", "7011", True, 200, says="HTTP 200 with an empty body; accepted"),
    CallFault("html_after", "7012", True, 200, says="HTTP 200 with an HTML page; accepted"),
    CallFault("redirect", "6302", False, 307, says="redirect to another path of the simulator; not accepted"),
    CallFault("http_429", "6429", False, 429, says="Too Many Requests with Retry-After"),
    CallFault("http_429_bare", "6430", False, 429, says="Too Many Requests without Retry-After"),
    CallFault("http_4001", "6404", False, 400, says="HTTP 400 with code 4001"),
    CallFault("http_400", "6400", False, 400, says="Invalid Destination"),
    CallFault("http_400_code", "6449", False, 400, says="HTTP 400 with code 131049"),
    CallFault("http_401", "6401", False, 401, says="Authentication Failed"),
    CallFault("http_200_error", "6200", False, 200, says="HTTP 200 with status error"),
    CallFault("before_answer", "7020", True, 202, says="`enqueued` is delivered before the call is answered"),
)
CALLS = {fault.name: fault for fault in CALL_FAULTS}


@dataclass(frozen=True, slots=True)
class ReportFault:
    """`synchronous`: refused by Gupshup itself. `then`: delivered all the same, a little later."""

    code: int
    digits: str
    reason: str
    synchronous: bool = False
    then: bool = False

    @property
    def name(self) -> str:
        return f"{self.code}_then_delivered" if self.then else str(self.code)


_UNDELIVERABLE = "Message undeliverable: the recipient could not be reached on WhatsApp."
REPORT_FAULTS = (
    ReportFault(500, "0500", "Internal server error", synchronous=True),
    ReportFault(1002, "1002", "Number does not exist on WhatsApp", synchronous=True),
    ReportFault(1003, "1003", "Not enough credits in the wallet", synchronous=True),
    ReportFault(1012, "1012", "Number opted out", synchronous=True),
    ReportFault(4001, "4001", "Rate limited, stop sending", synchronous=True),
    ReportFault(4005, "4005", "Template is paused", synchronous=True),
    ReportFault(470, "0470", "More than 24 hours have passed since the customer last replied to this number"),
    ReportFault(472, "0472", "User's number is part of an experiment"),
    ReportFault(130429, "0429", "Rate limit hit: throughput reached"),
    ReportFault(130472, "1472", "User's number is part of an experiment"),
    ReportFault(131000, "1000", "Something went wrong"),
    ReportFault(131016, "1016", "Service unavailable"),
    ReportFault(131026, "1026", _UNDELIVERABLE),
    ReportFault(131026, "1126", _UNDELIVERABLE, then=True),
    ReportFault(131031, "1031", "Account has been locked"),
    ReportFault(131042, "1042", "Business eligibility: payment issue"),
    ReportFault(131047, "1047", "Re-engagement message: more than 24 hours since the customer last replied"),
    ReportFault(131048, "1048", "Spam rate limit hit for this number"),
    ReportFault(131049, "1049", "Not delivered to keep the ecosystem healthy"),
    ReportFault(131050, "1050", "User has stopped marketing messages from this business"),
    ReportFault(131053, "1053", "Media upload error"),
    ReportFault(131056, "1056", "Too many messages to the same user"),
    ReportFault(132000, "2000", "Number of parameters does not match the template"),
    ReportFault(132001, "2001", "Template does not exist in this language or is not approved"),
    ReportFault(132012, "2012", "Parameter format does not match the template"),
    ReportFault(132015, "2015", "Template is paused"),
    ReportFault(132016, "2016", "Template is disabled"),
    ReportFault(132018, "2018", "Template parameters hold a newline, a tab, more than four spaces, or nothing"),
    ReportFault(133010, "3010", "Number not registered"),
    ReportFault(131009, "1009", "Parameter value is not valid"),
    ReportFault(987654, "9999", "A code that no document knows"),
)
REPORTS = {fault.name: fault for fault in REPORT_FAULTS}

CALLBACK_FAULTS = {
    "shuffle": "the reports of one message come in any order",
    "duplicate": "a callback comes two or three times",
    "delay": "a callback comes 5 to 60 s later",
    "lost": "a callback never comes",
    "no_gs_id": "reports and quotes come without gsId",
    "text_ts": "`ts` and `code` come as text",
    "read_only": "`read` comes without `delivered`",
    "no_enqueued": "`enqueued` does not come",
    "batched": "v3 and enterprise: reports due together come in one POST",
    "burst": "all reports of a message come at the same instant",
}

COUNTED_AS_SENT = ("lost", "duplicate")  # by the ledger, callback by callback

PRESETS = {
    "none": "",
    "mild": "http_500_before=0.01,reset_after=0.005,http_429=0.01,131026=0.02,131049=0.01,callback.duplicate=0.03,"
    "callback.shuffle=0.05,callback.no_gs_id=0.01",
    "storm": "http_500_before=0.02,http_502_after=0.02,hang_after=0.01,reset_before=0.02,reset_after=0.02,"
    "close_after=0.01,garbage_after=0.01,truncated=0.01,no_id=0.01,http_429=0.03,http_429_bare=0.01,131000=0.02,131026=0.03,131049=0.02,"
    "131026_then_delivered=0.02,before_answer=0.02,callback.duplicate=0.2,callback.shuffle=0.3,callback.delay=0.05,"
    "callback.lost=0.01,callback.no_gs_id=0.05,callback.text_ts=0.2,callback.read_only=0.05",
}

ALWAYS, ONCE = "99", "98"  # the two digits before the four that name a fault


def _by_digits() -> dict[str, CallFault | ReportFault]:
    faults: Iterable[CallFault | ReportFault] = (*CALL_FAULTS, *REPORT_FAULTS)
    return {fault.digits: fault for fault in faults}


BY_DIGITS = _by_digits()


class FaultSpecError(ValueError):
    """A `--faults` text that names no fault or holds no probability."""


@dataclass
class Faults:
    """Which faults strike. `chances` by name, 0 to 1; the choice for a call depends on seed, number and count only."""

    seed: int = 0
    chances: dict[str, float] = field(default_factory=dict)
    by_number: bool = True  # whether the last digits of a number may ask for one

    @classmethod
    def parse(cls, spec: str, seed: int = 0) -> "Faults":
        """Read `name=probability,...`, or a preset (`mild`, `storm`), or a mix. Raises FaultSpecError."""
        faults = cls(seed)
        for item in filter(None, (part.strip() for part in spec.split(","))):
            name, equals, chance = item.partition("=")
            if not equals and name in PRESETS:
                faults.chances |= cls.parse(PRESETS[name], seed).chances
            else:
                faults.chances[known(name)] = probability(name, chance if equals else "1")
        return faults

    def of_call(self, destination: str, count: int) -> CallFault | ReportFault | None:
        """What goes wrong with the call number `count` (from 1) to this destination."""
        found = self.asked_by(destination, count)
        if found is not None or not self.chances:
            return found
        dice = random.Random(f"{self.seed}/call/{destination}/{count}")
        point = dice.random()
        for name, chance in self.chances.items():
            if name.startswith("callback."):
                continue
            if point < chance:
                return CALLS.get(name) or REPORTS[name]
            point -= chance
        return None

    def asked_by(self, destination: str, count: int) -> CallFault | ReportFault | None:
        return by_suffix(destination, count) if self.by_number else None

    def callback_dice(self, message_id: str, struck: Counter[str]) -> "CallbackDice":
        return CallbackDice(self.chances, random.Random(f"{self.seed}/callback/{message_id}"), struck)


@dataclass(slots=True)
class CallbackDice:
    """Throws for each way in which the callbacks of one message may go wrong; `struck` counts those that do."""

    chances: dict[str, float]
    dice: random.Random
    struck: Counter[str]

    def strikes(self, name: str) -> bool:
        chance = self.chances.get(f"callback.{name}", 0.0)
        strikes = chance > 0 and self.dice.random() < chance
        if strikes and name not in COUNTED_AS_SENT:
            self.struck[f"callback.{name}"] += 1
        return strikes


def by_suffix(destination: str, count: int) -> CallFault | ReportFault | None:
    """The fault that the last six digits ask for: 99 + four digits always, 98 + four digits on the first call."""
    mark = destination[-6:-4]
    if mark == ALWAYS or (mark == ONCE and count == 1):
        return BY_DIGITS.get(destination[-4:])
    return None


def known(name: str) -> str:
    if name in CALLS or name in REPORTS or name.removeprefix("callback.") in CALLBACK_FAULTS:
        if name in CALLBACK_FAULTS:
            return f"callback.{name}"
        return name
    raise FaultSpecError(f"no fault is called {name!r}; there are: {', '.join(names())}")


def probability(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise FaultSpecError(f"{name}: {text!r} is not a probability") from error
    if not 0 <= value <= 1:
        raise FaultSpecError(f"{name}: a probability lies between 0 and 1, {value} does not")
    return value


def names() -> list[str]:
    return [*CALLS, *REPORTS, *(f"callback.{name}" for name in CALLBACK_FAULTS)]

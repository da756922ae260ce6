"""A campaign's figures as the page and the exported report show them: lines with labels, shares and causes.

Every number comes from `campaigns.reports`; here they only get words, and sums that a reader can check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from campaigns.admin import words
from campaigns.reports import Figures, Group, Rate
from campaigns.status import Status

# The states that make up what was planned, in the order of a message's life, with the tone of their bar.
STATES = (
    (Status.PENDING, "waiting"),
    (Status.SENDING, "moving"),
    (Status.UNCERTAIN, "doubt"),
    (Status.SUBMITTED, "moving"),
    (Status.SENT, "moving"),
    (Status.DELIVERED, "good"),
    (Status.READ, "best"),
    (Status.FAILED, "bad"),
    (Status.CANCELLED, "off"),
)


@dataclass(frozen=True)
class Line:
    """One count with its share (0 to 100) of a whole."""

    label: str
    count: int
    share: float = 0.0
    tone: str = ""
    key: str = ""  # for links: the state's value
    hint: str = ""

    @property
    def width(self) -> str:
        """For CSS: a dot, whatever the language."""
        return f"{self.share:.2f}"


@dataclass(frozen=True)
class CauseLine:
    count: int
    cause: words.Cause


@dataclass(frozen=True)
class RateLine:
    """A rate whose label names what it is a share of."""

    key: str
    label: str
    rate: Rate

    @property
    def percent(self) -> float | None:
        return self.rate.percent


def share(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def funnel(figures: Figures) -> list[Line]:
    """From everybody to those who answered, each a share of the audience."""
    first = figures.first
    steps = (
        ("audience", _("Audience"), first.audience, _("Everybody in the chosen categories, once")),
        ("planned", _("Planned"), first.planned, _("Audience without the skipped")),
        ("accepted", _("Accepted"), first.accepted, _("Gupshup took the message and will deliver it")),
        ("delivered", _("Delivered"), first.reached, _("It reached the phone")),
        ("read", _("Read"), first.by_status[Status.READ], _("At least; some people hide that they have read")),
        ("answered", _("Answered"), first.replied, _("Wrote or pressed a button within 24 hours")),
    )
    return [Line(label, count, share(count, first.audience), key=key, hint=hint) for key, label, count, hint in steps]


def states(group: Group) -> list[Line]:
    """Every state of what was planned; the counts add up to `group.planned`."""
    return [
        Line(
            str(state.label),
            group.by_status[state],
            share(group.by_status[state], group.planned),
            tone,
            str(state.value),
        )
        for state, tone in STATES
    ]


def causes(counts: Mapping[str, int]) -> list[CauseLine]:
    """What lies behind a count, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [CauseLine(count, words.cause(code)) for code, count in ordered if count]


def rates(figures: Figures) -> list[RateLine]:
    found = figures.rates
    labels = {
        "delivery": _("Delivered, of those accepted"),
        "read": _("Read, of those delivered"),
        "reply": _("Answered, of those delivered"),
        "message_2": _("Message 2 accepted, of those who answered"),
        "failure": _("Failed, of those attempted"),
        "opt_out": _("Opted out, of those delivered"),
    }
    return [RateLine(key, label, found[key]) for key, label in labels.items()]


def progress(group: Group) -> float:
    """How much of what was planned is past waiting and sending, 0 to 100. 100 only when all is."""
    done = group.planned - group.count(Status.PENDING, Status.SENDING)
    return share(done, group.planned)

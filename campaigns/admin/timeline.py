"""Everything that happened to one message, in order: calls, reports, answers, decisions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from campaigns.admin import words
from campaigns.models import Attempt, Event, Message
from campaigns.status import AttemptState


@dataclass(frozen=True)
class News:
    at: datetime
    text: str
    detail: str = ""
    tone: str = ""
    step: int = 9  # of a message's usual course


def of_message(message: Message) -> list[News]:
    """Oldest first. Reports tell whole seconds only: within one, the usual course decides."""
    found = [*_calls(message), *_own(message), *_answers(message), *_deeds(message)]
    return sorted(found, key=lambda news: (news.at.replace(microsecond=0), news.step, news.at))


def _own(message: Message) -> Iterator[News]:
    yield News(message.created_at, _("Put on the list"), tone="waiting", step=0)
    reports = (
        (message.accepted_at, _("Accepted by Gupshup"), "moving"),
        (message.sent_at, _("Sent by WhatsApp"), "moving"),
        (message.delivered_at, _("Delivered to the phone"), "good"),
        (message.read_at, _("Read by the person"), "best"),
        (message.opted_out_at, _("Opted out after it"), "bad"),
    )
    for step, (at, text, tone) in enumerate(reports, start=3):
        if at:
            yield News(at, text, tone=tone, step=step)
    if message.failed_at:
        cause = words.cause(message.error_code or message.reason)
        yield News(message.failed_at, _("Failed: %(what)s") % {"what": cause.what}, cause.advice, "bad")


def _calls(message: Message) -> Iterator[News]:
    for n, attempt in enumerate(message.attempts.order_by("id"), 1):
        yield News(attempt.started_at, _("Call %(n)d to Gupshup begun") % {"n": n}, tone="moving", step=1)
        if attempt.finished_at:
            yield News(
                attempt.finished_at,
                _("Call %(n)d: %(state)s") % {"n": n, "state": attempt.get_state_display()},
                _call_detail(attempt),
                {AttemptState.ACCEPTED: "good", AttemptState.UNCERTAIN: "doubt"}.get(
                    AttemptState(attempt.state), "bad"
                ),
                step=2,
            )
        if attempt.released_at:
            yield News(attempt.released_at, _("No report in 24 hours: a person decides"), tone="doubt")
        if attempt.late_news:
            told = _("A report about call %(n)d came after it was replaced: %(news)s")
            yield News(
                attempt.finished_at or attempt.started_at, told % {"n": n, "news": attempt.late_news}, tone="doubt"
            )


def _call_detail(attempt: Attempt) -> str:
    parts = []
    if attempt.http_status:
        parts.append(f"HTTP {attempt.http_status}")
    if attempt.error_code:
        parts.append(f"{attempt.error_code}: {words.cause(attempt.error_code).what}")
    if attempt.error_message:
        parts.append(f"« {attempt.error_message} »")
    if attempt.provider_id:
        parts.append(attempt.provider_id)
    return " · ".join(parts)


def _answers(message: Message) -> Iterator[News]:
    for interaction in message.interactions.order_by("id")[:50]:
        kind = interaction.get_interaction_type_display()
        told = _("Answered after the window (%(kind)s)") if interaction.late else _("Answered (%(kind)s)")
        yield News(interaction.received_at, told % {"kind": kind}, interaction.content, "best")


def _deeds(message: Message) -> Iterator[News]:
    for event in message.events.select_related("actor").order_by("id"):
        yield News(event.at, words.sentence(event), details(event))


def details(event: Event) -> str:
    """What a person wrote, or what the system noted."""
    noted: dict[str, Any] = event.details or {}
    if why := noted.get("why"):
        return f"« {why} »"
    return " · ".join(
        str(noted[key]) for key in ("problems", "pause_reason", "pause_detail", "code", "text") if noted.get(key)
    )

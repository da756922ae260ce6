"""Delivery reports onto messages, set-wise: any order, any repetition of reports gives the same rows.

A report finds its call by the provider's id, then by the WhatsApp-side id. One that names neither of ours adopts the
open call to its destination: that settles uncertain calls, and reports that overtake their call's answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from campaigns import advancing, outcomes, sql
from campaigns.advancing import Heard, News
from campaigns.models import Attempt, Message
from campaigns.status import NEWS, AttemptState, Status
from gupshup.api.errors import Action, lookup

SKEW = timedelta(minutes=10)  # between the provider's clock and ours (reliability: reconciliation)
PAIRED = timedelta(days=8)  # reports bear both ids for a week (gupshup-api 0.4)
NEVER = datetime.max.replace(tzinfo=UTC)
LIVE = (AttemptState.INTENT, AttemptState.ACCEPTED, AttemptState.UNCERTAIN)


@dataclass
class Call:
    """What the application of reports needs of an attempt."""

    id: int
    message_id: int
    campaign_id: int
    state: str
    provider_id: str | None
    whatsapp_id: str | None  # of the ids that WhatsApp knows it by
    destination: str
    started_at: datetime = NEVER  # this and the next are read only where they matter, for adopting
    deadline: datetime = NEVER


def apply(sender_id: int, heard: Sequence[Heard]) -> list[Heard]:
    """Apply reports in the caller's transaction; answers those about no call that we know of."""
    heard = advancing.by_provider_id(sender_id, [one for one in heard if one.report.word in NEWS])
    if not heard:
        return []
    owners = _owners(sender_id, heard)
    if strangers := [one for one in heard if id(one) not in owners]:
        calls = open_calls(sender_id, [one.report.destination for one in strangers])
        # Now that the open calls are locked: the answer to another may have been recorded since the first look.
        owners |= _owners(sender_id, strangers)
        strangers = [one for one in strangers if id(one) not in owners]
        owners |= _adopted(calls, _of_nobody_else(sender_id, strangers) if calls else ())
    told: dict[int, News] = {}
    late: list[tuple[Call, Heard]] = []
    for one in heard:
        if (call := owners.get(id(one))) is None:
            continue
        status = NEWS[one.report.word]
        if call.state in LIVE:
            told.setdefault(call.message_id, News(call.message_id)).add(status, one.at, one.report)
        else:
            late.append((call, one))
    again = {news.message_id: news for news in told.values() if _is_retry(news)}
    _learn_ids(owners, heard)
    _correct_ids(owners, heard)
    advancing.messages([news for news in told.values() if news.message_id not in again])
    _refuse(again.values())
    _consequences(sender_id, [news for news in told.values() if news.rank is Status.FAILED], owners.values())
    for call, one in late:
        _late(call, one)
    return [one for one in heard if id(one) not in owners]


# `times`: started_at and deadline, where they are needed. A call that a restored database may have made (`holding`) was
# made at any time since its message stands.
_TIMES = ", LEAST(a.started_at, CASE WHEN a.error_code = 'restored' THEN m.created_at END), a.deadline"
_CALL = """
    SELECT a.id, a.message_id, m.campaign_id, a.state, a.provider_id, w.whatsapp_id, a.destination{times}
      FROM campaigns_attempt a JOIN campaigns_message m ON m.id = a.message_id
      LEFT JOIN campaigns_whatsappid w ON w.attempt_id = a.id
     WHERE a.sender_id = %(sender)s"""


def _owners(sender_id: int, heard: Sequence[Heard]) -> dict[int, Call]:
    """The calls that reports name by an id, keyed by `id(heard)`."""
    found: dict[int, Call] = {}
    for column, ids_of in (("a.provider_id", _message_ids), ("w.whatsapp_id", _whatsapp_ids)):
        missing = [one for one in heard if id(one) not in found]
        wanted = {value for one in missing for value in ids_of(one)}
        if not wanted:
            continue
        calls: dict[str, list[Call]] = defaultdict(list)
        statement = f"{_CALL.format(times='')} AND {column} = ANY(%(ids)s::text[]) ORDER BY m.id FOR UPDATE OF m"
        for row in sql.rows(statement, {"sender": sender_id, "ids": sql.array(wanted)}):
            call = Call(*row)
            calls[getattr(call, column[2:])].append(call)
        for one in missing:
            for value in ids_of(one):
                if value in calls:
                    found[id(one)] = _best(calls[value], one)
                    break
    return found


def _message_ids(one: Heard) -> tuple[str, ...]:
    return one.report.message_ids


def _whatsapp_ids(one: Heard) -> tuple[str, ...]:
    return one.report.whatsapp_ids


def _best(calls: list[Call], one: Heard) -> Call:
    """Should the provider give one id to two calls: the one to this destination, then the newest."""
    return max(calls, key=lambda call: (call.destination == one.report.destination, call.id))


def open_calls(sender_id: int, destinations: Iterable[str | None]) -> list[Call]:
    """The calls without an outcome to these destinations, their messages locked."""
    rows = sql.rows(
        f"""{_CALL.format(times=_TIMES)}
              AND a.destination = ANY(%(destinations)s) AND a.state IN ('intent', 'uncertain') AND a.wire_at IS NOT NULL
             ORDER BY a.message_id, a.id FOR UPDATE OF m""",
        {"sender": sender_id, "destinations": sorted(set(filter(None, destinations)))},
    )
    return [Call(*row) for row in rows]


def _of_nobody_else(sender_id: int, strangers: Sequence[Heard]) -> list[Heard]:
    """Those reports that cannot be about another message to the same person: an id of the provider's that we do not
    know is a new one, but WhatsApp's may be that of a message whose second id has not passed yet. Those wait for it.
    """
    vague = {one.report.destination for one in strangers if _own_id(one) is None}
    others = sql.rows(
        """SELECT DISTINCT a.destination FROM campaigns_attempt a
            WHERE a.sender_id = %(sender)s AND a.destination = ANY(%(destinations)s)
              AND a.state IN ('accepted', 'refused', 'superseded') AND a.started_at > clock_timestamp() - %(week)s
              AND NOT EXISTS (SELECT 1 FROM campaigns_whatsappid w WHERE w.attempt_id = a.id)""",
        {"sender": sender_id, "destinations": sorted(filter(None, vague)), "week": PAIRED},
    )
    ambiguous = {destination for (destination,) in others}
    return [one for one in strangers if _own_id(one) is not None or one.report.destination not in ambiguous]


def _own_id(one: Heard) -> str | None:
    """The id that is surely the provider's; None when the report names only what WhatsApp may know it by."""
    return next((value for value in one.report.message_ids if value not in one.report.whatsapp_ids), None)


def _adopted(calls: Sequence[Call], strangers: Sequence[Heard]) -> dict[int, Call]:
    """Give reports with unknown ids to the one open call to their destination at that time."""
    adopted: dict[int, Call] = {}
    for one in strangers:
        if not (one.report.destination and (_message_ids(one) or _whatsapp_ids(one))):
            continue
        fits = [call for call in calls if call.destination == one.report.destination and _fits(call, one)]
        if fits:
            call = max(fits, key=lambda call: call.started_at)
            if call.state == AttemptState.ACCEPTED or adopt(call, _message_ids(one)[:1], _whatsapp_ids(one)[:1]):
                adopted[id(one)] = call
    return adopted


def _fits(call: Call, one: Heard) -> bool:
    ids = _message_ids(one)
    if call.provider_id is not None and ids and call.provider_id not in ids:
        return False  # taken by another id in this very batch
    return call.started_at - SKEW <= one.at <= call.deadline + timedelta(days=1) + SKEW


def adopt(call: Call, message_ids: Sequence[str], whatsapp_ids: Sequence[str] = ()) -> bool:
    """The provider accepted this call: it says so under these ids. False when the call was settled meanwhile."""
    provider_id = message_ids[0] if message_ids else call.provider_id
    settled = not sql.run(
        """UPDATE campaigns_attempt
              SET state = 'accepted', provider_id = COALESCE(%(provider)s, provider_id),
                  finished_at = COALESCE(finished_at, clock_timestamp())
            WHERE id = %(id)s AND state IN ('intent', 'uncertain')""",
        {"id": call.id, "provider": provider_id},
    )
    if settled:
        return False
    if whatsapp_ids:
        _learn({call.id: whatsapp_ids[0]})
    call.state, call.provider_id = AttemptState.ACCEPTED, provider_id
    sql.run(
        """UPDATE campaigns_message
              SET status = CASE WHEN reason = 'given_up' THEN 20 ELSE GREATEST(status, 20) END, reason = '',
                  whatsapp_message_id = COALESCE(%(provider)s, whatsapp_message_id),
                  accepted_at = COALESCE(accepted_at, clock_timestamp()), updated_at = clock_timestamp()
            WHERE id = %(id)s AND status >= 10""",
        {"id": call.message_id, "provider": call.provider_id},
    )
    return True


def _learn_ids(owners: dict[int, Call], heard: Iterable[Heard]) -> None:
    """Reports more than a week old carry only the WhatsApp-side id (gupshup-api 0.4): keep it when it passes."""
    known: dict[int, str] = {}
    for one in heard:
        call = owners.get(id(one))
        ids = one.report.whatsapp_ids
        if call is not None and call.whatsapp_id is None and ids and call.provider_id in _message_ids(one):
            known[call.id] = ids[0]
    _learn(known)


def _correct_ids(owners: dict[int, Call], heard: Iterable[Heard]) -> None:
    """A call that was adopted by a report without gsId bears WhatsApp's id for the provider's (gupshup-api 0.4): the
    first report that names both puts it right.
    """
    for one in heard:
        call = owners.get(id(one))
        theirs = one.report.whatsapp_ids
        own = _own_id(one)
        if call is not None and own is not None and call.provider_id in theirs:
            values = {"id": call.id, "message": call.message_id, "wrong": call.provider_id, "right": own}
            sql.run("UPDATE campaigns_attempt SET provider_id = %(right)s WHERE id = %(id)s", values)
            sql.run(
                """UPDATE campaigns_message SET whatsapp_message_id = %(right)s
                    WHERE id = %(message)s AND whatsapp_message_id = %(wrong)s""",
                values,
            )
            call.provider_id = own


def _learn(known: dict[int, str]) -> None:
    """Remember under which id WhatsApp knows each of these calls. What was learnt first stays."""
    if known:
        sql.run(
            """INSERT INTO campaigns_whatsappid (attempt_id, whatsapp_id)
               SELECT * FROM unnest(%(ids)s::bigint[], %(values)s::text[]) AS u (attempt_id, whatsapp_id) ORDER BY 1
                   ON CONFLICT DO NOTHING""",
            {"ids": sql.array(known), "values": sql.array(known.values())},
        )


def _is_retry(news: News) -> bool:
    return news.rank is Status.FAILED and lookup(news.code).retries


def _refuse(refused: Iterable[News]) -> None:
    """The provider took the message and then failed for a passing reason: the call is refused, the message retried."""
    for news in sorted(refused, key=lambda one: one.message_id):
        message = Message.objects.select_for_update().get(pk=news.message_id)
        if Status.SENDING <= message.status < Status.FAILED:
            calls = message.attempts.filter(state__in=LIVE)
            if calls.update(state=AttemptState.REFUSED, error_code=news.code):
                outcomes.refuse([message.pk], news.code, news.reason)


def _consequences(sender_id: int, failed: Sequence[News], calls: Iterable[Call]) -> None:
    """What a failure says beyond its message: of the person, of the template, of the whole account."""
    campaign_of = {call.message_id: call.campaign_id for call in calls}
    by_code: dict[str, list[News]] = defaultdict(list)
    for news in failed:
        by_code[news.code].append(news)
    for code, group in by_code.items():
        entry = lookup(code)
        if entry.action in (Action.INVALID_NUMBER, Action.SUPPRESS, Action.SUPPRESS_MARKETING, Action.WAIT_24H):
            outcomes.apply_to_person([news.message_id for news in group], code)
        elif entry.halts:
            for campaign_id in {campaign_of[news.message_id] for news in group}:
                outcomes.halt(sender_id, campaign_id, code, group[0].reason, campaign_only=entry.halts == "campaign")


def _late(call: Call, one: Heard) -> None:
    """News about a call that was refused or replaced: kept; a delivery ends a retry that has not begun."""
    word = one.report.word
    sql.run("UPDATE campaigns_attempt SET late_news = %(word)s WHERE id = %(id)s", {"id": call.id, "word": word})
    if NEWS[word] < Status.DELIVERED or call.state != AttemptState.REFUSED:
        return
    message = Message.objects.select_for_update().get(pk=call.message_id)
    if message.status == Status.PENDING or (message.status == Status.FAILED and message.reason):
        _end_retry(call.id, message.pk)
        news = News(message.pk)
        news.add(NEWS[word], one.at, one.report)
        advancing.messages([news])


def end_retry_of_what_was_answered(message_id: int) -> bool:
    """Who quotes a message has it, whatever was reported: a retry that has not begun ends. True when there was one."""
    message = Message.objects.select_for_update().get(pk=message_id)
    refused = message.attempts.filter(state=AttemptState.REFUSED).order_by("-id").first()
    if message.status != Status.PENDING or refused is None:
        return False
    _end_retry(refused.pk, message.pk)
    return True


def _end_retry(attempt_id: int, message_id: int) -> None:
    Attempt.objects.filter(pk=attempt_id, state=AttemptState.REFUSED).update(state=AttemptState.ACCEPTED)
    sql.run(
        """UPDATE campaigns_message
              SET status = 20, next_attempt_at = NULL, lease = NULL, lease_until = NULL, reason = '',
                  updated_at = clock_timestamp()
            WHERE id = %(id)s AND status IN (0, 35)""",
        {"id": message_id},
    )

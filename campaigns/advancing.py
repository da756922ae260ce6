"""News onto messages, set-wise: one statement for all reports of a batch that name an accepted call by its id.

That is nearly every report. The statement finds the call, moves the message forward and remembers under which id
WhatsApp knows the call. `statuses` sees to the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from campaigns import sql
from campaigns.status import NEWS, Status
from gupshup.api.layouts.quick import Told


class Report(Protocol):
    """What moves a message, in whichever layout it came."""

    @property
    def word(self) -> str: ...
    @property
    def message_ids(self) -> tuple[str, ...]: ...
    @property
    def whatsapp_ids(self) -> tuple[str, ...]: ...
    @property
    def at(self) -> datetime | None: ...
    @property
    def destination(self) -> str | None: ...
    @property
    def code(self) -> str | None: ...
    @property
    def reason(self) -> str | None: ...


class Heard:
    """A report and when it reached us (Unix time)."""

    __slots__ = ("received", "report")

    def __init__(self, report: Report, received: float) -> None:
        self.report = report
        self.received = received

    @property
    def at(self) -> datetime:
        return self.report.at or datetime.fromtimestamp(self.received, UTC)

    @property
    def seconds(self) -> float:
        """The same as Unix time."""
        report = self.report
        return report.seconds if type(report) is Told else self.at.timestamp()


@dataclass(slots=True)
class News:
    """All that one batch says of one message."""

    message_id: int
    rank: Status = Status.SUBMITTED
    times: dict[Status, datetime] = field(default_factory=dict)
    code: str = ""
    reason: str = ""

    def add(self, status: Status, at: datetime, report: Report) -> None:
        self.rank = max(self.rank, status)
        self.times[status] = min(self.times.get(status, at), at)
        if status is Status.FAILED and not self.code:
            self.code, self.reason = (report.code or "")[:32], (report.reason or "")[:300]


# `told`: what is told as `t (message_id, rank, code, reason, sent_at, delivered_at, read_at, failed_at)`. Moving by a
# maximum, and times by a minimum: any order of reports and any repetition gives the same row.
_MOVE = """
    UPDATE campaigns_message m
       SET status = GREATEST(m.status, t.rank),
           accepted_at = COALESCE(m.accepted_at, clock_timestamp()),
           sent_at = LEAST(m.sent_at, t.sent_at), delivered_at = LEAST(m.delivered_at, t.delivered_at),
           read_at = LEAST(m.read_at, t.read_at), failed_at = LEAST(m.failed_at, t.failed_at),
           error_code = CASE WHEN GREATEST(m.status, t.rank) > 35 THEN '' WHEN m.status < t.rank THEN t.code
                             ELSE m.error_code END,
           error_message = CASE WHEN GREATEST(m.status, t.rank) > 35 THEN '' WHEN m.status < t.rank THEN t.reason
                                ELSE m.error_message END,
           reason = CASE WHEN m.status < t.rank THEN '' ELSE m.reason END,
           updated_at = clock_timestamp()
      FROM {told}
     WHERE m.id = t.message_id AND m.status >= 10
       AND (m.status < t.rank OR m.sent_at > t.sent_at OR m.delivered_at > t.delivered_at OR m.read_at > t.read_at
            OR m.failed_at > t.failed_at
            OR (m.sent_at IS NULL AND t.sent_at IS NOT NULL) OR (m.delivered_at IS NULL AND t.delivered_at IS NOT NULL)
            OR (m.read_at IS NULL AND t.read_at IS NOT NULL) OR (m.failed_at IS NULL AND t.failed_at IS NOT NULL))"""

_BY_MESSAGE = _MOVE.format(
    told="""unnest(%(ids)s::bigint[], %(ranks)s::smallint[], %(codes)s::text[], %(reasons)s::text[],
                   %(sent)s::timestamptz[], %(delivered)s::timestamptz[], %(read)s::timestamptz[],
                   %(failed)s::timestamptz[])
                   AS t (message_id, rank, code, reason, sent_at, delivered_at, read_at, failed_at)"""
)


def messages(told: Sequence[News]) -> int:
    """Move messages forward; answers how many changed. The caller holds their locks."""
    if not told:
        return 0
    told = sorted(told, key=lambda news: news.message_id)
    values: dict[str, Any] = {
        "ids": sql.array([news.message_id for news in told]),
        "ranks": sql.array([news.rank.value for news in told]),
        "codes": sql.array([news.code for news in told]),
        "reasons": sql.array([news.reason for news in told]),
    }
    columns = {"sent": Status.SENT, "delivered": Status.DELIVERED, "read": Status.READ, "failed": Status.FAILED}
    values |= {name: sql.array([news.times.get(status) for news in told]) for name, status in columns.items()}
    return sql.run(_BY_MESSAGE, values)


# The planner would rather read a whole small table than five hundred places of it.
PLAN = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off"

# `calls` is in the order of messages, and the loop over it locks them in this order, as every path does; ids are
# learnt after that. Should the provider give one id to two calls: the one to this destination, then the newest.
_BY_PROVIDER_ID = f"""
    WITH named AS (
        SELECT DISTINCT ON (u.n) u.*, a.id AS call_id, a.message_id, a.state
          FROM unnest(%(ids)s::text[], %(destinations)s::text[], %(ranks)s::smallint[], %(sent)s::float8[],
                      %(delivered)s::float8[], %(read)s::float8[], %(whatsapp_ids)s::text[]) WITH ORDINALITY
               AS u (provider_id, destination, rank, sent, delivered, read, whatsapp_id, n)
          JOIN campaigns_attempt a ON a.sender_id = %(sender)s AND a.provider_id = u.provider_id
         ORDER BY u.n, a.destination = u.destination DESC, a.id DESC),
    calls AS MATERIALIZED (
        SELECT n, call_id, message_id, rank, whatsapp_id, '' AS code, '' AS reason, to_timestamp(sent) AS sent_at,
               to_timestamp(delivered) AS delivered_at, to_timestamp(read) AS read_at, NULL::timestamptz AS failed_at
          FROM named WHERE state = 'accepted' ORDER BY message_id),
    moved AS ({_MOVE.format(told="calls AS t")}
        RETURNING 1),
    learnt AS (
        INSERT INTO campaigns_whatsappid (attempt_id, whatsapp_id)
        SELECT call_id, whatsapp_id FROM calls
         WHERE whatsapp_id <> '' AND (SELECT count(*) FROM moved) IS NOT NULL
            ON CONFLICT DO NOTHING)
    SELECT n FROM generate_series(1, %(count)s) AS n WHERE n NOT IN (SELECT calls.n FROM calls)"""

_COLUMN = {Status.SENT: 2, Status.DELIVERED: 3, Status.READ: 4}


def by_provider_id(sender_id: int, heard: Sequence[Heard]) -> list[Heard]:
    """Apply what names an accepted call by the provider's id and tells of no failure; answers the other reports."""
    told: dict[str, list[Any]] = {}  # by provider's id: rank, destination, the three times, WhatsApp-side id
    users: dict[str, list[Heard]] = {}
    rest: list[Heard] = []
    for one in heard:
        report = one.report
        status = NEWS[report.word]
        ids = report.message_ids
        if status is Status.FAILED or not ids:
            rest.append(one)
            continue
        line = told.get(ids[0])
        if line is None:
            line = told[ids[0]] = [status, report.destination or "", None, None, None, ""]
            users[ids[0]] = [one]
        else:
            users[ids[0]].append(one)
            if status > line[0]:
                line[0] = status
        if not line[5] and (theirs := report.whatsapp_ids):
            line[5] = theirs[0]
        if place := _COLUMN.get(status):
            moment, known = one.seconds, line[place]
            line[place] = moment if known is None or moment < known else known
    for provider_id in _settle(sender_id, told):
        rest += users[provider_id]
    return rest


def _settle(sender_id: int, told: Mapping[str, Sequence[Any]]) -> list[str]:
    """Run the statement; answers the ids under which no accepted call is known."""
    if not told:
        return []
    ids = list(told)
    ranks, destinations, sent, delivered, read, whatsapp_ids = zip(*told.values(), strict=True)
    values = {
        "sender": sender_id,
        "count": len(ids),
        "ids": sql.texts(ids),
        "ranks": sql.array([rank.value for rank in ranks]),
        "destinations": sql.texts(destinations),
        "whatsapp_ids": sql.texts(whatsapp_ids),
        "sent": _moments(sent),
        "delivered": _moments(delivered),
        "read": _moments(read),
    }
    return [ids[n - 1] for (n,) in sql.rows(_BY_PROVIDER_ID, values)]


def _moments(values: Sequence[float | None]) -> str:
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"

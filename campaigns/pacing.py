"""How many messages may leave now, over all workers and machines: a GCRA in the sender's row.

The limit is on arrivals: at most `rate_limit` in any `rate_window` seconds. A slot and its arrival may differ by up to
`slack`, so the interval between slots is (window + slack) / limit, and a slot missed by more than `slack` is given up.
Time is the database's (`clock_timestamp()`); a limiter that cannot be reached grants nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

from django.conf import settings

from campaigns import sql

HORIZON = 0.05  # seconds: slots are taken a few at a time about when due, so that a kill wastes and risks little…
FARTHEST = 0.25  # …but no nearer than the time that beginning a batch takes, or a slow disk would halve the pace
MAX_WAIT = 1.0  # seconds: look again at least this often (the limit may be raised, the breaker closed)

SLACK = "GREATEST(0.04, LEAST(2.0, rate_window / 30))"
# A probing sender gets one slot, and the next only when the probe has had its time.
MAY_SEND = (
    "(breaker = 'closed' OR (breaker = 'probe' AND (breaker_until IS NULL OR breaker_until < clock_timestamp())))"
)
GRANTED = "CASE WHEN breaker = 'probe' THEN 1 ELSE LEAST(%(wanted)s, 1 + floor(%(horizon)s / pace.step)) END"
INTERVAL = f"((rate_window + {SLACK}) / rate_limit * pace_factor)"


def slack(window: float) -> float:
    """Seconds by which a message may miss its slot."""
    return max(0.04, min(2.0, window / 30))


def interval(limit: int, window: float, factor: float = 1.0) -> float:
    """Seconds between slots, such that no window holds more than `limit` arrivals."""
    return (window + slack(window)) / limit * factor


@dataclass(frozen=True)
class Slots:
    """`count` slots, the i-th at `first + i * interval` on this process's monotonic clock.

    `first` is never before the true slot; `earliest` never after it: between them lies the database's answer.
    """

    count: int
    first: float = 0.0
    earliest: float = 0.0
    interval: float = 0.0
    slack: float = 0.0

    def opens(self, i: int) -> float:
        return self.first + i * self.interval

    def closes(self, i: int) -> float:
        return self.earliest + i * self.interval + self.slack


def due(sender_id: int, ahead: float = HORIZON) -> tuple[int, float]:
    """How many slots are due within `ahead` seconds (none when the breaker is not closed), and how long to wait."""
    found = sql.row(
        f"""SELECT CASE WHEN breaker = 'probe' THEN 1 ELSE 1 + floor(%(horizon)s / {INTERVAL})::int END,
                   EXTRACT(EPOCH FROM tat - clock_timestamp())
              FROM gupshup_sender WHERE id = %(sender)s AND {MAY_SEND}""",
        {"sender": sender_id, "horizon": ahead},
    )
    if found is None:
        return 0, MAX_WAIT
    wait = float(found[1]) - ahead
    return (found[0], 0.0) if wait <= 0 else (0, min(MAX_WAIT, max(0.001, wait)))


def take(sender_id: int, wanted: int, ahead: float = HORIZON, lead: float = 0.0) -> Slots:
    """Reserve up to `wanted` slots that are due within `ahead` seconds, the first no sooner than in `lead` seconds: a
    slot that opens while its batch is still being committed would be missed. None when the breaker is not closed.

    The sender's row stays locked until the surrounding transaction ends: take them last.
    """
    before = monotonic()
    found = sql.row(
        f"""
        WITH pace AS (SELECT id, {INTERVAL} AS step, {SLACK} AS slack FROM gupshup_sender WHERE id = %(sender)s)
        UPDATE gupshup_sender s
           SET tat = GREATEST(s.tat, clock_timestamp() + make_interval(secs => %(lead)s))
                     + make_interval(secs => pace.step * {GRANTED}),
               breaker_until = CASE WHEN breaker = 'probe' THEN clock_timestamp() + make_interval(secs => %(probe)s)
                                    ELSE breaker_until END
          FROM pace
         WHERE s.id = pace.id AND {MAY_SEND}
           AND s.tat <= clock_timestamp() + make_interval(secs => %(horizon)s)
        RETURNING {GRANTED}::int, pace.step, pace.slack,
                  EXTRACT(EPOCH FROM s.tat - clock_timestamp())""",
        {
            "sender": sender_id,
            "wanted": wanted,
            "horizon": ahead,
            "lead": lead,
            "probe": settings.SENDING_DEADLINE_SECONDS,
        },
    )
    after = monotonic()
    if found is None:
        return Slots(0)
    count, step, grace, end = found[0], float(found[1]), float(found[2]), float(found[3])
    offset = end - count * step  # the first slot, seconds from the database's now
    return Slots(count, after + offset, before + offset, step, grace)


def push_back(sender_id: int, seconds: float | None) -> None:
    """The provider asks to slow down: no slot before `seconds` from now (one window when it named none)."""
    sql.run(
        """UPDATE gupshup_sender
              SET tat = GREATEST(tat, clock_timestamp() + make_interval(secs => COALESCE(%(seconds)s, rate_window)))
            WHERE id = %(sender)s""",
        {"sender": sender_id, "seconds": seconds},
    )

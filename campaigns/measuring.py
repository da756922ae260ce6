"""Figures for monitoring (`metrics`): what waits, how long, how fast it leaves, what a person must look at."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, Min, Q
from django.utils import timezone

from campaigns import sql
from campaigns.models import Campaign
from campaigns.status import CampaignStatus, Status
from gupshup.models import Callback, Sender
from hooks.models import Delivery, Endpoint
from metrics.registry import Gauge

TAIL = 100_000  # calls at the end of the journal: more than the fastest pace makes in a minute

# From the kept figures, not from the rows: the cost does not grow with the history.
_QUEUE = """
    SELECT c.sender_id, t.message_type, t.status, sum(t.n)::bigint
      FROM (SELECT campaign_id, message_type, status, n FROM campaigns_tally WHERE status = ANY(%(open)s)
            UNION ALL
            SELECT campaign_id, message_type, status, n FROM campaigns_tallydelta WHERE status = ANY(%(open)s)) AS t
      JOIN campaigns_campaign c ON c.id = t.campaign_id GROUP BY 1, 2, 3"""
_OLDEST = """
    SELECT s.id, EXTRACT(EPOCH FROM clock_timestamp() - LEAST(
               (SELECT min(first.at) FROM campaigns_campaign c
                 CROSS JOIN LATERAL (SELECT min(m.next_attempt_at) AS at FROM campaigns_message m
                                      WHERE m.campaign_id = c.id AND m.message_type = 'message_1'
                                        AND m.next_attempt_at IS NOT NULL) AS first
                 WHERE c.sender_id = s.id AND c.status = 'running'),
               (SELECT min(m.next_attempt_at) FROM campaigns_message m
                 WHERE m.sender_id = s.id AND m.message_type = 'message_2' AND m.next_attempt_at IS NOT NULL)))::float
      FROM gupshup_sender s"""
_CALLS = """
    SELECT sender_id, count(*) FROM (
        SELECT sender_id, wire_at FROM campaigns_attempt ORDER BY id DESC LIMIT %(tail)s) AS latest
     WHERE wire_at > clock_timestamp() - interval '60 s' GROUP BY 1"""
WAITS = (Status.PENDING, Status.SENDING, Status.UNCERTAIN)


def collect() -> Iterator[Gauge]:
    """Everything that campaigns can tell. Senders go by the name that people gave them."""
    senders = {sender.pk: sender for sender in Sender.objects.order_by("pk")}
    yield from _queue(senders)
    yield from _pace(senders)
    yield from _inbox()
    yield from _hooks()
    counts = _by_state()
    yield Gauge("campaigns", "Campaigns by state.", [({"state": state}, n) for state, n in counts.items()])


def _by_state() -> dict[str, int]:
    found = dict.fromkeys(CampaignStatus.values, 0)
    found.update(Campaign.objects.order_by().values_list("status").annotate(n=Count("pk")))
    return found


def _name(senders: dict[int, Sender], pk: int) -> dict[str, str]:
    return {"sender": senders[pk].name if pk in senders else str(pk)}


def _queue(senders: dict[int, Sender]) -> Iterator[Gauge]:
    depth = {(pk, kind, status): 0 for pk in senders for kind in ("message_1", "message_2") for status in WAITS}
    for pk, kind, status, n in sql.rows(_QUEUE, {"open": [int(status) for status in WAITS]}):
        depth[pk, kind, Status(status)] = n
    values = [
        ({**_name(senders, pk), "message": kind, "state": status.word}, float(n))
        for (pk, kind, status), n in depth.items()
    ]
    yield Gauge("messages", "Messages that have not come to an end: pending, sending, uncertain.", values)
    ages = [(_name(senders, pk), max(0.0, age or 0.0)) for pk, age in sql.rows(_OLDEST, {})]
    yield Gauge("oldest_due_seconds", "How long the message that is due first has waited; 0 when none is due.", ages)


def _pace(senders: dict[int, Sender]) -> Iterator[Gauge]:
    made = dict(sql.rows(_CALLS, {"tail": TAIL}))
    allowed, slower, stopped = [], [], []
    for pk, sender in senders.items():
        label = _name(senders, pk)
        allowed.append((label, sender.rate_limit / sender.rate_window / sender.pace_factor * 60))
        slower.append((label, sender.pace_factor))
        stopped.append((label, float(sender.breaker != Sender.Breaker.CLOSED)))
    yield Gauge("calls_last_minute", "Calls to the provider in the last 60 s.", [
        (_name(senders, pk), made.get(pk, 0)) for pk in senders
    ])  # fmt: skip
    yield Gauge("pace_allowed_per_minute", "Calls that the pace allows in a minute, slowed down or not.", allowed)
    yield Gauge("pace_factor", "By how much the sender is slowed down; 1 is full pace.", slower)
    yield Gauge("sender_stopped", "1 while the sender's breaker is open or tries again.", stopped)


def _inbox() -> Iterator[Gauge]:
    now = timezone.now()
    found = Callback.objects.unread(now).aggregate(n=Count("pk"), first=Min("received_at"))
    age = (now - found["first"]).total_seconds() if found["first"] else 0.0
    yield Gauge("callbacks_waiting", "Callbacks that are to be read now.", [({}, found["n"])])
    yield Gauge("oldest_callback_seconds", "Age of the oldest of them.", [({}, max(0.0, age))])
    aside = Callback.objects.filter(state=Callback.State.FAILED).count()
    yield Gauge("callbacks_set_aside", "Callbacks that could not be applied and wait for a person.", [({}, aside)])


def _hooks() -> Iterator[Gauge]:
    waiting = Delivery.objects.filter(next_try_at__isnull=False).count()
    ends = Endpoint.objects.aggregate(
        failing=Count("pk", filter=Q(active=True, failing_since__isnull=False)),
        disabled=Count("pk", filter=~Q(disabled_reason="")),
    )
    yield Gauge("hook_deliveries_waiting", "Deliveries of outgoing webhooks that are not made yet.", [({}, waiting)])
    values = [({"state": state}, float(n)) for state, n in ends.items()]
    yield Gauge("hook_endpoints", "Outgoing webhooks in trouble.", values)

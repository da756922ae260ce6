"""How many people may be written to, and who not now: the ceiling of new recipients in a moving 24 h, the people whom
Meta holds back, and when a campaign will end.

WhatsApp counts the unique people outside an open window in 24 h (gupshup-api 11.2). New recipients are counted by the
minute in which they were begun; a minute counts whole until a day after its end, so the true figure is never above.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from campaigns import hours, pacing, sql
from campaigns.models import Campaign, Message
from campaigns.status import Kind, Status
from gupshup.models import Sender

DAY = timedelta(hours=24)
HOLD = DAY  # after Meta refused marketing to a person: 131049, "not before 24 h again" (gupshup-api 10.3)
FORECAST_DAYS = 400

_USED = """
    SELECT COALESCE(sum(n), 0) FROM campaigns_newrecipients
     WHERE sender_id = %(sender)s AND minute > clock_timestamp() - interval '24 hours 1 minute'"""


def room(sender: Sender) -> int | None:
    """How many new recipients the ceiling still allows now; None without a ceiling."""
    if sender.ceiling is None:
        return None
    found = sql.row(_USED, {"sender": sender.pk})
    return max(0, sender.ceiling - int(found[0] if found else 0))


def reserve(sender_id: int, destinations: list[str]) -> set[str]:
    """Those of these destinations that may be written to under the ceiling, in the caller's transaction.

    Rival transactions of one sender wait for each other here, so that the sum is exact.
    """
    sql.run("SELECT pg_advisory_xact_lock(7301, %(sender)s)", {"sender": sender_id})
    known = {
        destination
        for (destination,) in sql.rows(
            """SELECT DISTINCT a.destination FROM campaigns_attempt a
                WHERE a.destination = ANY(%(destinations)s) AND a.sender_id = %(sender)s
                  AND a.started_at > clock_timestamp() - interval '24 hours'
                  AND a.state NOT IN ('not_sent', 'rejected') AND a.error_code <> 'restored'""",
            {"sender": sender_id, "destinations": destinations},
        )
    }
    sender = Sender.objects.only("ceiling").get(pk=sender_id)
    free = room(sender)
    new = [destination for destination in dict.fromkeys(destinations) if destination not in known]
    granted = new if free is None else new[:free]
    if granted:
        sql.run(
            """INSERT INTO campaigns_newrecipients AS r (sender_id, minute, n)
               VALUES (%(sender)s, date_trunc('minute', clock_timestamp()), %(n)s)
               ON CONFLICT (sender_id, minute) DO UPDATE SET n = r.n + EXCLUDED.n""",
            {"sender": sender_id, "n": len(granted)},
        )
    return known | set(granted)


def hold_back(message_ids: Iterable[int]) -> int:
    """No marketing to the people of these failed messages for a day from then; answers how many. Idempotent."""
    return sql.run(
        """INSERT INTO campaigns_heldback AS h (destination, until)
           SELECT m.destination, max(COALESCE(m.failed_at, clock_timestamp())) + %(hold)s
             FROM campaigns_message m WHERE m.id = ANY(%(ids)s) GROUP BY m.destination ORDER BY m.destination
               ON CONFLICT (destination) DO UPDATE SET until = GREATEST(h.until, EXCLUDED.until)""",
        {"ids": list(message_ids), "hold": HOLD},
    )


# Of a message `m`, its campaign's template `t` and a row `h` of its person: may it not leave now?
HOLDS = """h.destination = m.destination AND h.until > clock_timestamp() AND m.message_type = 'message_1'
           AND COALESCE(t.category, '') NOT IN ('UTILITY', 'AUTHENTICATION')"""


def held_back(campaign: Campaign) -> tuple[int, datetime | None]:
    """How many of a campaign's waiting messages are for people whom Meta holds back, and when the last may leave."""
    found = sql.row(
        f"""SELECT count(*), max(h.until)
              FROM campaigns_heldback h
              JOIN campaigns_message m ON m.campaign_id = %(campaign)s AND m.status = 0
              JOIN campaigns_campaign c ON c.id = m.campaign_id
              LEFT JOIN gupshup_template t ON t.id = c.template_id
             WHERE {HOLDS}""",
        {"campaign": campaign.pk},
    )
    return (found[0], found[1]) if found else (0, None)


def forget_old() -> int:
    """Drop what no longer counts."""
    held = sql.run("DELETE FROM campaigns_heldback WHERE until < clock_timestamp()", {})
    old = "DELETE FROM campaigns_newrecipients WHERE minute < clock_timestamp() - interval '3 days'"
    return held + sql.run(old, {})


def forecast(campaign: Campaign) -> datetime | None:
    """About when the last Message 1 will have left, by pace, ceiling and sending hours; None when never (or done).

    It assumes that the sender works for this campaign alone.
    """
    waiting = Message.objects.filter(
        campaign=campaign, message_type=Kind.MESSAGE_1, status__in=(Status.PENDING, Status.SENDING)
    ).count()
    return forecast_for(campaign, waiting)


def forecast_for(campaign: Campaign, people: int) -> datetime | None:
    """About when `people` Messages 1 would have left, beginning now."""
    sender, now = campaign.sender, timezone.now()
    step = pacing.interval(sender.rate_limit, sender.rate_window, sender.pace_factor)
    if people == 0:
        return None
    free = room(sender)
    moment: datetime | None = now
    for _ in range(FORECAST_DAYS):
        moment = hours.next_opening(campaign.hours, campaign.time_zone, moment) if moment else None
        if moment is None:
            return None
        span = _rest_of_opening(campaign, moment)
        today = min(people, int(span / step) + 1, people if free is None else free)
        people -= today
        if people <= 0:
            return moment + timedelta(seconds=step * today)
        moment = _tomorrow(campaign, moment) if free is None or today < free else max(moment + DAY, now + DAY)
        free = sender.ceiling
    return None


def _rest_of_opening(campaign: Campaign, moment: datetime) -> float:
    """Seconds from `moment` to the end of that day's opening."""
    if not campaign.hours:
        return 86_400.0
    local = moment.astimezone(ZoneInfo(campaign.time_zone))
    opened = hours.next_opening(
        campaign.hours, campaign.time_zone, local.replace(hour=0, minute=0, second=0, microsecond=0)
    )
    length = hours.open_seconds(campaign.hours, campaign.time_zone, local.date())
    passed = max(0.0, (moment - opened).total_seconds()) if opened else 0.0
    return max(0.0, length - passed)


def _tomorrow(campaign: Campaign, moment: datetime) -> datetime:
    local = moment.astimezone(ZoneInfo(campaign.time_zone))
    return (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)

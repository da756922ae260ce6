"""When a campaign may send: days and hours in its own time zone, optionally not on public holidays. Pure.

`{"days": [0, 1, 2, 3, 4], "from": "09:00", "to": "19:00", "holidays": "FR"}`; Monday is 0; an empty value means at any
time. `to` before `from` goes over midnight. Message 2 answers a person who has just written, and is not held back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays

ALL_DAYS = frozenset(range(7))
SEARCH = 400  # days looked ahead for an opening


def is_open(hours: Mapping[str, Any], zone: str, now: datetime) -> bool:
    """Whether sending is allowed at `now` (aware)."""
    if not hours:
        return True
    local = now.astimezone(ZoneInfo(zone))
    start, end = _clock(hours.get("from"), time.min), _clock(hours.get("to"), time.max)
    if start <= end:
        return _is_working_day(hours, local.date()) and start <= local.time() < end
    if local.time() >= start:
        return _is_working_day(hours, local.date())
    return local.time() < end and _is_working_day(hours, local.date() - timedelta(days=1))


def next_opening(hours: Mapping[str, Any], zone: str, now: datetime) -> datetime | None:
    """The first moment from `now` on when sending is allowed; None when there is none within a year."""
    if is_open(hours, zone, now):
        return now
    place = ZoneInfo(zone)
    start = _clock(hours.get("from"), time.min)
    today = now.astimezone(place).date()
    for ahead in range(SEARCH):
        day = today + timedelta(days=ahead)
        opening = datetime.combine(day, start, place)
        if opening > now and _is_working_day(hours, day):
            return opening
    return None


def open_seconds(hours: Mapping[str, Any], zone: str, day: date) -> float:
    """How long sending is allowed on a day (hours over midnight count for the day they begin on)."""
    if not hours:
        return 86_400.0
    if not _is_working_day(hours, day):
        return 0.0
    start, end = _clock(hours.get("from"), time.min), _clock(hours.get("to"), time.max)
    length = (end.hour * 3600 + end.minute * 60 + end.second) - (start.hour * 3600 + start.minute * 60)
    return float(length if length > 0 else length + 86_400)


def _is_working_day(hours: Mapping[str, Any], day: date) -> bool:
    days = frozenset(hours.get("days") or ALL_DAYS)
    return day.weekday() in days and not is_holiday(str(hours.get("holidays") or ""), day)


def is_holiday(country: str, day: date) -> bool:
    """Whether a day is a public holiday; an unknown or empty country has none."""
    return bool(country) and day in _calendar(country, day.year)


@lru_cache(maxsize=64)
def _calendar(country: str, year: int) -> frozenset[date]:
    try:
        return frozenset(holidays.country_holidays(country, years=year))
    except NotImplementedError:
        return frozenset()


def _clock(text: Any, default: time) -> time:
    try:
        return time.fromisoformat(str(text)) if text else default
    except ValueError:
        return default

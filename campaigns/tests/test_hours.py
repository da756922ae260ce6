"""Sending hours: in the campaign's own time zone, over midnight, over changes of the clock, without holidays."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from campaigns import hours

OFFICE = {"days": [0, 1, 2, 3, 4], "from": "09:00", "to": "19:00", "holidays": "FR"}
PARIS = "Europe/Paris"

clocks = st.times().map(lambda one: one.strftime("%H:%M"))
plans = st.fixed_dictionaries(
    {"days": st.lists(st.integers(0, 6), min_size=1, unique=True), "from": clocks, "to": clocks},
    optional={"holidays": st.sampled_from(["FR", "BE", "", "XX"])},
)
moments = st.integers(1_704_067_200, 1_893_456_000).map(lambda one: datetime.fromtimestamp(one, UTC))  # 2024 to 2030


def paris(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(PARIS))


def test_without_hours_it_is_always_open():
    assert hours.is_open({}, PARIS, paris(2026, 12, 25, 3))


def test_office_hours_open_and_close_on_the_minute():
    assert not hours.is_open(OFFICE, PARIS, paris(2026, 11, 23, 8, 59))
    assert hours.is_open(OFFICE, PARIS, paris(2026, 11, 23, 9, 0))
    assert hours.is_open(OFFICE, PARIS, paris(2026, 11, 23, 18, 59))
    assert not hours.is_open(OFFICE, PARIS, paris(2026, 11, 23, 19, 0))


def test_a_weekend_and_a_holiday_wait_for_the_next_working_day():
    assert hours.next_opening(OFFICE, PARIS, paris(2026, 11, 21, 10)) == paris(2026, 11, 23, 9)
    assert hours.next_opening(OFFICE, PARIS, paris(2026, 12, 24, 20)) == paris(2026, 12, 28, 9)


def test_hours_over_midnight_belong_to_the_day_they_began_on():
    night = {"days": [4], "from": "22:00", "to": "02:00"}
    assert hours.is_open(night, PARIS, paris(2026, 11, 27, 23))
    assert hours.is_open(night, PARIS, paris(2026, 11, 28, 1))
    assert not hours.is_open(night, PARIS, paris(2026, 11, 28, 23))


@given(plans, moments, st.sampled_from([PARIS, "America/New_York", "Asia/Kolkata"]))
def test_the_next_opening_is_open_and_nothing_before_it_is(plan, now, zone):
    opening = hours.next_opening(plan, zone, now)
    if opening is None:
        return
    assert opening >= now
    local = opening.astimezone(ZoneInfo(zone))
    skipped_hour = local.utcoffset() != (local - timedelta(hours=2)).utcoffset()
    if plan["from"] != plan["to"] and not skipped_hour:
        assert hours.is_open(plan, zone, opening)
    if opening > now:
        assert not hours.is_open(plan, zone, now)


@given(plans, st.dates(date(2024, 1, 1), date(2030, 1, 1)))
def test_a_day_is_open_between_nothing_and_a_whole_day(plan, day):
    assert 0 <= hours.open_seconds(plan, PARIS, day) <= 86_400

"""The order of news, and when to try again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import retries
from campaigns.status import NEWS, Status


@given(st.lists(st.sampled_from(list(NEWS.values())), min_size=1), st.randoms())
def test_the_same_news_in_any_order_with_any_repetition_gives_the_same_status(news, random):
    """Validates: 5.6"""
    shuffled = [*news, *random.choices(news, k=5)]
    random.shuffle(shuffled)
    assert max(shuffled) == max(news)


def test_a_delivery_beats_a_failure_and_a_late_sent_revives_nothing():
    assert Status.SENT < Status.FAILED < Status.DELIVERED < Status.READ


@given(st.integers(min_value=1, max_value=3))
def test_a_refused_message_waits_60_120_240_seconds(refusals):
    """Validates: 6.3 (P10)"""
    assert retries.delay(refusals).total_seconds() == 60 * 2 ** (refusals - 1)


@given(st.integers(min_value=1, max_value=1000))
def test_a_message_is_retried_three_times_and_no_more(refusals):
    """Validates: 6.4 (P10)"""
    assert retries.may_retry(refusals) == (refusals <= 3)


def test_refusals_are_counted_from_one():
    with pytest.raises(ValueError, match="from 1"):
        retries.delay(0)

"""How far ahead slots are taken: longer than nearly every batch lately took to stand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from campaigns.sending import Lead

seconds = st.floats(0.001, 0.2)


@given(steady=seconds)
def test_a_steady_database_is_met_with_its_own_time(steady):
    """Validates: 6.2 (P9)"""
    lead = Lead()
    for _ in range(80):
        lead.note(steady)
    assert abs(lead.seconds - steady) < 0.002


@given(fast=st.floats(0.001, 0.02), slow=st.floats(0.03, 0.2))
def test_one_slow_commit_in_four_makes_the_lead_longer_than_the_mean(fast, slow):
    """Validates: 6.2 (P9)"""
    lead = Lead()
    for n in range(200):
        lead.note(slow if n % 4 == 0 else fast)
    assert lead.seconds > (slow + 3 * fast) / 4 * 1.2


@given(took=st.lists(seconds, min_size=1, max_size=50))
def test_the_lead_is_never_negative_nor_beyond_reason(took):
    """Validates: 6.2 (P9)"""
    lead = Lead()
    for one in took:
        lead.note(one)
        assert 0 <= lead.seconds <= 3 * max(*took, 0.03)

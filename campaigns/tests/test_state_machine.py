"""The engine under any order of steps (docs/chaos.md)."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from campaigns.tests.machine import Engine


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_whatever_happens_in_whatever_order_nobody_is_missed_and_nobody_gets_two():
    """Validates: 5.6, 6.2, 6.3, 6.4 (P7, P10)"""
    run_state_machine_as_test(Engine, settings=settings(stateful_step_count=25))

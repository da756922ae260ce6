from __future__ import annotations

from whatsapp_campaigns.local.checks import Tally, read_results

JUNIT = '<testsuites><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10"/></testsuites>'


def test_what_pytest_wrote_is_counted(tmp_path):
    (tmp_path / "results.xml").write_text(JUNIT)
    assert read_results(tmp_path / "results.xml") == Tally(passed=4, failed=3, skipped=3)


def test_a_pytest_that_did_not_get_so_far_counts_nothing(tmp_path):
    assert read_results(tmp_path / "results.xml") == Tally(0, 0, 0)
    (tmp_path / "results.xml").write_text("<testsuites>")
    assert read_results(tmp_path / "results.xml") == Tally(0, 0, 0)


def test_the_closing_line():
    assert str(Tally(12, 0, 0)) == "12 passed, 0 failed"
    assert str(Tally(12, 1, 2)) == "12 passed, 1 failed, 2 skipped"

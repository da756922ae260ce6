from __future__ import annotations

import pytest
from django.contrib.auth import get_user

from accounts import sessions

pytestmark = pytest.mark.django_db


def set_times(client, **ago: float) -> None:
    session = client.session
    for key, seconds in ago.items():
        session[{"since": sessions.SINCE, "seen": sessions.SEEN}[key]] -= seconds
    session.save()


def test_a_login_goes_on_while_somebody_clicks(as_chief):
    set_times(as_chief, seen=1800)
    before = as_chief.session[sessions.SEEN]
    assert as_chief.get("/admin/").status_code == 200
    assert as_chief.session[sessions.SEEN] > before


def test_a_login_ends_when_nobody_clicks(as_chief, settings):
    set_times(as_chief, seen=settings.SESSION_IDLE_SECONDS + 1)
    assert as_chief.get("/admin/").headers["Location"].startswith("/admin/login/")
    assert not get_user(as_chief).is_authenticated


def test_a_login_ends_after_a_day_of_work_however_busy(as_chief, settings):
    set_times(as_chief, since=settings.SESSION_COOKIE_AGE + 1)
    assert as_chief.get("/admin/").status_code == 302


def test_a_page_that_refreshes_itself_is_no_click(as_chief):
    set_times(as_chief, seen=1800)
    before = as_chief.session[sessions.SEEN]
    as_chief.get("/admin/", headers={"HX-Request": "true"})
    assert as_chief.session[sessions.SEEN] == before


def test_a_page_that_refreshes_itself_is_told_to_reload_when_the_login_is_over(as_chief, settings):
    set_times(as_chief, seen=settings.SESSION_IDLE_SECONDS + 1)
    assert as_chief.get("/admin/", headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"


def test_a_session_of_unknown_age_is_over(as_chief):
    session = as_chief.session
    del session[sessions.SINCE], session[sessions.SEEN]
    session.save()
    assert as_chief.get("/admin/").status_code == 302


def test_a_deactivated_user_is_out_at_once(as_chief, chief, marketer):
    as_chief.force_login(marketer, "django.contrib.auth.backends.ModelBackend")
    marketer.is_active = False
    marketer.save()
    assert as_chief.get("/admin/").status_code == 302

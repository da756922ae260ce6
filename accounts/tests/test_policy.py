"""The reviewed table: every model of ours and of the apps we show, for every role."""

from __future__ import annotations

import pytest
from django.apps import apps

from accounts import policy
from accounts.models import Role, User

NOTHING: frozenset[str] = frozenset()
READ = frozenset({"view"})
ALL = frozenset({"view", "add", "change", "delete"})

# app or app.model -> what an admin (a marketer) may do; a super-admin may do everything everywhere.
ADMIN = {
    "contacts": ALL,
    "campaigns": ALL,
    "gupshup.template": READ | {"add"},
    "gupshup.callback": READ,
    "gupshup.sender": NOTHING,
    "gupshup.arrival": NOTHING,
    "accounts": NOTHING,
    "auth": NOTHING,
    "admin": NOTHING,
    "contenttypes": NOTHING,
    "sessions": NOTHING,
    "axes": NOTHING,
    "django_celery_beat": NOTHING,
    "legacy": NOTHING,
    "hooks": NOTHING,
    "metrics": NOTHING,
}


def allowed(role: str, app: str, model: str) -> frozenset[str]:
    return frozenset(verb for verb in ALL if policy.allows(role, f"{app}.{verb}_{model}"))


@pytest.mark.parametrize("model", apps.get_models(), ids=lambda model: model._meta.label)
def test_the_table_says_what_each_role_may_do(model):
    app, name = model._meta.app_label, model._meta.model_name
    expected = ADMIN[f"{app}.{name}"] if f"{app}.{name}" in ADMIN else ADMIN[app]
    assert allowed(Role.ADMIN, app, name) == expected
    assert allowed(Role.SUPER_ADMIN, app, name) == ALL


def test_every_role_stands_in_the_table():
    assert set(policy.GRANTS) == set(Role.values)


def test_an_unknown_role_may_do_nothing():
    assert not policy.allows("guest", "contacts.view_contact")
    assert not policy.sees("guest", "contacts")


@pytest.mark.parametrize(
    ("app", "seen"), [("contacts", True), ("campaigns", True), ("gupshup", True), ("accounts", False), ("axes", False)]
)
def test_a_marketer_sees_only_the_apps_with_an_open_page(app, seen):
    assert policy.sees(Role.ADMIN, app) is seen
    assert policy.sees(Role.SUPER_ADMIN, app)


def test_a_deactivated_user_may_do_nothing():
    user = User(email="gone@example.com", role=Role.SUPER_ADMIN, is_active=False)
    assert not user.has_perm("contacts.view_contact")
    assert not user.has_module_perms("contacts")
    assert not user.is_staff

from __future__ import annotations

import threading

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection

from accounts.models import LastSuperAdminError, Role, User
from accounts.tests.conftest import PASSWORD

USERS = "/admin/accounts/user/"


def edit(client, user: User, **changes):
    form = {"email": user.email, "first_name": "", "last_name": "", "role": user.role, "is_active": "on"} | changes
    return client.post(f"{USERS}{user.pk}/change/", {key: value for key, value in form.items() if value is not None})


def test_a_super_admin_creates_a_user_who_can_log_in(as_chief):
    form = {"email": "New@Example.com", "role": Role.ADMIN, "password1": PASSWORD, "password2": PASSWORD}
    assert as_chief.post(f"{USERS}add/", form).status_code == 302
    user = User.objects.get(email="new@example.com")
    assert user.check_password(PASSWORD)
    assert user.role == Role.ADMIN


@pytest.mark.parametrize(
    ("email", "password"),
    [("chief@example.com", PASSWORD), ("CHIEF@example.com", PASSWORD), ("a@example.com", ""), ("a@example.com", "123")],
)
def test_a_user_needs_an_address_of_their_own_and_a_good_password(as_chief, email, password):
    form = {"email": email, "role": Role.ADMIN, "password1": password, "password2": password}
    assert as_chief.post(f"{USERS}add/", form).status_code == 200
    assert User.objects.count() == 1


def test_a_super_admin_deactivates_and_promotes_others(as_chief, marketer):
    assert edit(as_chief, marketer, role=Role.SUPER_ADMIN, is_active=None).status_code == 302
    marketer.refresh_from_db()
    assert (marketer.role, marketer.is_active) == (Role.SUPER_ADMIN, False)


def test_a_super_admin_sets_a_password_for_somebody(as_chief, marketer):
    new = "un tout autre mot de passe"
    answer = as_chief.post(f"{USERS}{marketer.pk}/password/", {"password1": new, "password2": new})
    assert answer.status_code == 302
    marketer.refresh_from_db()
    assert marketer.check_password(new)


@pytest.mark.parametrize("path", ["", "add/", "1/change/"])
def test_a_marketer_does_not_get_to_the_users(client, marketer, path):
    client.force_login(marketer, "django.contrib.auth.backends.ModelBackend")
    assert client.get(USERS + path).status_code == 403


def test_nobody_deletes_users_in_the_admin(as_chief, marketer):
    assert as_chief.post(f"{USERS}{marketer.pk}/delete/", {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=marketer.pk).exists()


@pytest.mark.parametrize("change", [{"role": Role.ADMIN}, {"is_active": None}])
def test_the_last_super_admin_stays_one(as_chief, chief, change):
    page = edit(as_chief, chief, **change)
    assert "This is the last active super-admin" in page.content.decode()
    chief.refresh_from_db()
    assert chief.rules


def test_no_path_removes_the_last_super_admin(chief, marketer):
    with pytest.raises(LastSuperAdminError):
        chief.delete()
    with pytest.raises(LastSuperAdminError):
        User.objects.all().delete()
    chief.role = Role.ADMIN
    with pytest.raises(ValidationError):
        chief.save()
    assert User.objects.ruling().count() == 1
    assert User.objects.filter(pk=marketer.pk).delete()[0] == 1


def test_a_super_admin_leaves_when_another_stays(as_chief, chief):
    User.objects.create_user("second@example.com", PASSWORD, role=Role.SUPER_ADMIN)
    assert edit(as_chief, chief, role=Role.ADMIN).status_code == 302
    chief.refresh_from_db()
    assert chief.role == Role.ADMIN


@pytest.mark.django_db(transaction=True)
def test_two_super_admins_who_leave_at_once_do_not_both_leave():
    both = [User.objects.create_user(f"{n}@example.com", role=Role.SUPER_ADMIN) for n in range(2)]
    start = threading.Barrier(2)

    def leave(user: User) -> None:
        user.role = Role.ADMIN
        start.wait(5)
        try:
            user.save()
        except LastSuperAdminError:
            refused.append(user)
        finally:
            connection.close()

    refused: list[User] = []
    threads = [threading.Thread(target=leave, args=(user,)) for user in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(refused) == 1
    assert User.objects.ruling().count() == 1


@pytest.mark.django_db
def test_createsuperuser_needs_only_an_e_mail(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", email="Boss@Example.com", interactive=False, verbosity=0)
    user = User.objects.get()
    assert (user.email, user.role) == ("boss@example.com", Role.SUPER_ADMIN)
    assert user.check_password(PASSWORD)
    with pytest.raises(CommandError):
        call_command("createsuperuser", email="BOSS@example.com", interactive=False, verbosity=0)


@pytest.mark.django_db
def test_two_spellings_of_an_address_are_one_user(marketer):
    with pytest.raises(IntegrityError):
        User.objects.bulk_create([User(email="Marketer@example.com")])


def test_a_user_needs_an_address():
    with pytest.raises(ValueError, match="e-mail"):
        User.objects.create_user("")

"""Bring the database of the embedded default up to date and see that the demo's login works.

A program of its own (`python -m whatsapp_campaigns.local.prepare`): the supervisor itself does not load Django.
"""

from __future__ import annotations

import os

import django


def main() -> None:
    django.setup()
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=1)
    if email := os.environ.get("DEMO_EMAIL"):
        keep_login(email, os.environ["DEMO_PASSWORD"])


def keep_login(email: str, password: str) -> None:
    """The super-admin with this password, whatever became of it before: it is what bin/demo prints."""
    from accounts.models import Role, User

    user = User.objects.filter(email=email).first()
    if user is None:
        User.objects.create_superuser(email, password)
        return
    user.role, user.is_active = Role.SUPER_ADMIN, True
    if not user.check_password(password):
        user.set_password(password)
    user.save()


if __name__ == "__main__":
    main()

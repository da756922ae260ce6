from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import Role, User

PASSWORD = "un mot de passe assez long"


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.LANGUAGE_CODE = "en"


@pytest.fixture
def chief(db) -> User:
    return User.objects.create_user("chief@example.com", PASSWORD, role=Role.SUPER_ADMIN)


@pytest.fixture
def marketer(db) -> User:
    return User.objects.create_user("marketer@example.com", PASSWORD)


@pytest.fixture
def as_chief(client: Client, chief: User) -> Client:
    client.force_login(chief, "django.contrib.auth.backends.ModelBackend")
    return client

"""The API's small world."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.tests.api import World, build_world


@pytest.fixture
def world(db: None, settings: Any) -> World:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # a tenth of a second each, else
    return build_world()

"""A text column that is encrypted at rest (Fernet, keys from FIELD_ENCRYPTION_KEYS, else derived from SECRET_KEY)."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys])


def box() -> MultiFernet:
    """The first key encrypts, all decrypt: put a new one in front to rotate."""
    return _box((*settings.FIELD_ENCRYPTION_KEYS, settings.SECRET_KEY))


class EncryptedTextField(models.TextField):
    """Holds text; stores a token. A token that no key opens reads as an empty text: the key must be entered again."""

    def get_prep_value(self, value: Any) -> Any:
        return box().encrypt(str(value).encode()).decode() if value else ""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str:
        if not value:
            return ""
        try:
            return box().decrypt(value.encode()).decode()
        except InvalidToken:
            return ""

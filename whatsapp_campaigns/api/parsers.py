"""Bodies: JSON within bounds, and files for imports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from whatsapp_campaigns.api.errors import TooLarge

MAX_BODY = 2 * 1024 * 1024  # bytes; 100 000 ids are half of it
MAX_DEPTH = 20


class BoundedJSONParser(JSONParser):
    """JSON in UTF-8, at most MAX_BODY bytes and MAX_DEPTH deep, without what PostgreSQL cannot keep as text."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            raise TooLarge
        try:
            value = json.loads(body.decode("utf-8"), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The body is not JSON in UTF-8.")) from error
        if not _storable(value):
            raise ParseError(_("The body holds characters that cannot be kept (U+0000, halves of surrogate pairs)."))
        return value


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _storable(value: Any, depth: int = 0) -> bool:
    if depth > MAX_DEPTH:
        raise ParseError(_("The body is nested too deeply."))
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, dict):
        return all(_storable(key) and _storable(inner, depth + 1) for key, inner in value.items())
    if isinstance(value, list):
        return all(_storable(inner, depth + 1) for inner in value)
    return True

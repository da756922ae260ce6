"""Ids in addresses: 1 to 2**63 - 1."""

from __future__ import annotations

from django.urls import register_converter

from whatsapp_campaigns.api.fields import MAX_ID


class RowId:
    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        number = int(value)
        if number > MAX_ID:
            raise ValueError(value)
        return number

    def to_url(self, value: int) -> str:
        return str(value)


register_converter(RowId, "id")

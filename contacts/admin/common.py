"""What the pages of contacts share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from django.http import HttpRequest, StreamingHttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import slugify

from contacts import exporting
from contacts.models import Category

if TYPE_CHECKING:
    from accounts.models import User


class Media:
    css = {"all": ("contacts/contacts.css",)}
    js = ("contacts/contacts.js",)


def user_of(request: HttpRequest) -> User:
    return cast("User", request.user)


def chip(category: Category) -> SafeString:
    """A category as a spot of its colour and its name."""
    return format_html(
        '<span class="ct-chip"><span class="ct-spot" style="background:{}"></span>{}</span>',
        category.color,
        category.name,
    )


def chips(categories: Iterable[Category]) -> SafeString:
    return format_html_join(" ", "{}", ((chip(category),) for category in categories))


def download(rows: Iterator[list[Any]], name: str) -> StreamingHttpResponse:
    """A CSV file, sent as it is read."""
    headers = {
        "Content-Disposition": f'attachment; filename="{slugify(name) or "export"}.csv"',
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingHttpResponse(exporting.lines(rows), content_type="text/csv; charset=utf-8", headers=headers)

"""What lists of contacts can be narrowed by. Every value is checked; none reaches SQL as text."""

from __future__ import annotations

from typing import Any

import django_filters
from django.conf import settings
from django.db.models import Q, QuerySet

from contacts.models import Category, Contact, Import
from contacts.phones import normalise
from whatsapp_campaigns.api.filtering import FlagFilter, IdFilter, OneOf, Search, Sorting

LEAST_DIGITS = 4


def search_contacts(contacts: QuerySet, words: str) -> QuerySet:
    """By number in any spelling (or a part of one), else by each word in one of the names."""
    number = normalise(words, settings.DEFAULT_COUNTRY)
    digits = "".join(char for char in words if char.isdecimal() and char.isascii())
    if isinstance(number, str):
        return contacts.filter(number=number)
    if len(digits) >= LEAST_DIGITS and not any(char.isalpha() for char in words):
        return contacts.filter(number__contains=digits.lstrip("0"))
    for word in words.split()[:5]:
        contacts = contacts.filter(Q(first_name__icontains=word) | Q(last_name__icontains=word))
    return contacts


class CategoryFilters(django_filters.FilterSet):
    search = Search(field_name="name", lookup_expr="icontains")
    ordering = Sorting("name", "created_at", "id")

    class Meta:
        model = Category
        fields: tuple[str, ...] = ()


class ContactFilters(django_filters.FilterSet):
    search = Search(method="by_words")
    category_id = IdFilter(method="by_category")
    opted_out = FlagFilter(method="by_consent")
    ordering = Sorting("id", "created_at", "updated_at", "first_name", "last_name")

    class Meta:
        model = Contact
        fields: tuple[str, ...] = ()

    def by_words(self, contacts: QuerySet, name: str, value: str) -> QuerySet:
        return search_contacts(contacts, value)

    def by_consent(self, contacts: QuerySet, name: str, value: bool) -> QuerySet:
        return contacts.filter(opted_out_at__isnull=not value)

    def by_category(self, contacts: QuerySet, name: str, value: Any) -> QuerySet:
        return contacts.filter(pk__in=Contact.categories.through.objects.filter(category_id=value).values("contact_id"))


class ImportFilters(django_filters.FilterSet):
    state = OneOf(choices=Import.State.choices)

    class Meta:
        model = Import
        fields: tuple[str, ...] = ()

"""Categories, contacts and imports, as the API speaks of them."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contacts import countries, phones
from contacts.models import Category, ConsentEvent, Contact, Import, RejectedRow
from contacts.phones import Problem, normalise
from contacts.reasons import Reason
from whatsapp_campaigns.api.errors import Unfit
from whatsapp_campaigns.api.fields import Flag, Moment, Strict, StrictModel, Text, Whole, id_field, id_list

MAX_ATTRIBUTES = 100
OPTIONAL: dict[str, Any] = {"required": False, "allow_blank": True, "allow_null": True}
SHOWN_REJECTED = 100  # rows in an import's own answer


class CategorySerializer(StrictModel):
    name = Text(max_length=120)
    color = serializers.RegexField(
        r"^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})\Z",
        required=False,
        allow_null=True,
        error_messages={"invalid": _("Give a colour such as #25d366.")},
        help_text="#25d366",
    )

    class Meta:
        model = Category
        fields = ("id", "name", "color", "created_by", "created_at", "updated_at")
        read_only_fields = ("id", "created_by", "created_at", "updated_at")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Without a colour a category keeps the one it has."""
        return {name: value for name, value in attrs.items() if value is not None}


class BriefCategorySerializer(StrictModel):
    class Meta:
        model = Category
        fields = ("id", "name", "color")
        read_only_fields = fields


class ContactSerializer(StrictModel):
    """A person. Write `full_number`, or `phone_number` with `country_code` ("+33", or FR); any usual spelling."""

    full_number = Text(source="number", max_length=60, help_text="+33612345678", **OPTIONAL)
    country_code = Text(max_length=60, help_text="+33", **OPTIONAL)
    phone_number = Text(max_length=60, help_text="612345678", **OPTIONAL)
    first_name = Text(max_length=120, **OPTIONAL)
    last_name = Text(max_length=120, **OPTIONAL)
    one_of = ("full_number", "phone_number")

    class Meta:
        model = Contact
        fields = (
            "id",
            "phone_number",
            "country_code",
            "full_number",
            "first_name",
            "last_name",
            "created_by",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("id", "created_by", "created_at", "updated_at")

    def to_representation(self, instance: Contact) -> dict[str, Any]:
        shown = super().to_representation(instance)
        return {**shown, "full_number": instance.number or ""}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """`number` in E.164, when one is given that differs from the contact's."""
        full, phone, country = (attrs.pop(name, None) for name in ("number", "phone_number", "country_code"))
        if self.instance is not None:
            full, phone = self._news(full, phone, country)
        found = {
            name: number
            for name, number in (
                ("full_number", _number("full_number", full, "")),
                ("phone_number", _number("phone_number", phone, country or "")),
            )
            if number
        }
        if len(set(found.values())) > 1:
            raise Unfit("phone_number", _("This is not the number in full_number."), code="bad_number")
        if self.instance is None and not found:
            raise Unfit("phone_number", Reason.NUMBER_MISSING.label, code="bad_number")
        return {**attrs, **({"number": next(iter(found.values()))} if found else {})}

    def _news(self, full: str | None, phone: str | None, country: str | None) -> tuple[str | None, str | None]:
        """What differs from the contact as it is: old clients send everything back and change one field."""
        contact = cast(Contact, self.instance)
        same_country = country in (None, "", contact.country_code)
        if phone == contact.phone_number and same_country:
            phone = None
        elif not phone and not same_country:
            phone = contact.phone_number
        return (None if full == (contact.number or "") else full), phone


def _number(field: str, text: str | None, country: str) -> str:
    """E.164, or "" for none given. Raises Unfit with the reason under the field's name."""
    if not text:
        return ""
    region = countries.find(country) if country else settings.DEFAULT_COUNTRY
    if not region:
        raise Unfit("country_code", Reason.UNKNOWN_COUNTRY.label, code="bad_number")
    found = normalise(text, region)
    if isinstance(found, Problem):
        raise Unfit(field, Reason(found.value).label, code="bad_number")
    return found


class ContactIdsSerializer(Strict):
    """`contact_ids`, or one `contact_id`."""

    contact_ids = id_list(required=False)
    contact_id = id_field(required=False)
    one_of = ("contact_ids", "contact_id")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {"ids": {*attrs.get("contact_ids", ()), *([attrs["contact_id"]] if "contact_id" in attrs else ())}}


class AddedSerializer(Strict):
    category_id = Whole()
    added_count = Whole(help_text="contacts that were not in the category before")
    total_count = Whole(help_text="contacts in the category now")


class ConsentSerializer(StrictModel):
    class Meta:
        model = ConsentEvent
        fields = ("kind", "source", "evidence", "actor", "at")
        read_only_fields = fields


class ProfileSerializer(StrictModel):
    """What is known of a contact beyond the address: attributes for messages, lists, consent."""

    contact_id = Whole(source="id", read_only=True)
    attributes = serializers.DictField(
        child=Text(allow_blank=True, max_length=1000), required=False, help_text="usable as variables in messages"
    )
    categories = BriefCategorySerializer(many=True, read_only=True)
    consents = ConsentSerializer(many=True, read_only=True)

    class Meta:
        model = Contact
        fields = (
            "contact_id",
            "attributes",
            "categories",
            "opted_out_at",
            "opt_out_source",
            "invalid_at",
            "invalid_code",
            "last_inbound_at",
            "consents",
        )
        read_only_fields = (
            "opted_out_at",
            "opt_out_source",
            "invalid_at",
            "invalid_code",
            "last_inbound_at",
        )

    def validate_attributes(self, value: dict[str, str]) -> dict[str, str]:
        if len(value) > MAX_ATTRIBUTES or any(not 0 < len(key) <= 100 for key in value):
            raise Unfit("attributes", _("At most 100 attributes, with names of 1 to 100 characters."))
        return value


class ConsentChangeSerializer(Strict):
    evidence = Text(required=False, allow_blank=True, max_length=500, help_text="how the person said so")


class RejectedRowSerializer(StrictModel):
    row = Text(source="raw")
    message = Text(source="sentence")

    class Meta:
        model = RejectedRow
        fields = ("line", "row", "reason", "message")
        read_only_fields = fields


class ImportSerializer(StrictModel):
    """An import and what became of its rows: `total_rows` = `valid_rows` + `rejected_rows`."""

    import_id = Whole(source="id")
    total_rows = Whole(source="rows")
    valid_rows = serializers.SerializerMethodField()
    created_count = Whole(source="created")
    updated_count = Whole(source="updated")
    unchanged_count = Whole(source="unchanged")
    rejected_rows = Whole(source="rejected")
    percent = Whole()
    is_over = Flag()
    problem_text = Text()
    finished_at = Moment(allow_null=True)
    rejected = serializers.SerializerMethodField()

    class Meta:
        model = Import
        fields = (
            "import_id",
            "filename",
            "state",
            "percent",
            "is_over",
            "problem",
            "problem_text",
            "total_rows",
            "valid_rows",
            "rejected_rows",
            "created_count",
            "updated_count",
            "unchanged_count",
            "rejected",
            "category",
            "region",
            "created_by",
            "created_at",
            "finished_at",
        )
        read_only_fields = fields

    def get_valid_rows(self, job: Import) -> int:
        return job.created + job.updated + job.unchanged

    def get_rejected(self, job: Import) -> list[dict[str, Any]]:
        """The first rejected rows; `/api/imports/{id}/rejected` has all."""
        return list(RejectedRowSerializer(job.rejected_rows.order_by("line", "id")[:SHOWN_REJECTED], many=True).data)


@extend_schema_field({"type": "string", "format": "binary", "minLength": 1})
class UploadField(serializers.FileField):
    """A file; the importer says what is wrong with an empty one."""


class ImportFileSerializer(Strict):
    """multipart/form-data."""

    file = UploadField(allow_empty_file=True, max_length=255, help_text="CSV, or XLSX, with a header line")
    category_id = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    country = serializers.ChoiceField(
        required=False, choices=sorted(phones.regions()), help_text="for numbers written without a country"
    )

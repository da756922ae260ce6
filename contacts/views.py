"""Categories, contacts and imports over HTTP. An admin sees their own, a super-admin everything."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import generics, serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from contacts import arrival, importing, sharing
from contacts.filters import CategoryFilters, ContactFilters, ImportFilters
from contacts.models import Category, Contact, ContactQuerySet, Import, RejectedRow
from contacts.phones import country_code
from contacts.reasons import FileError
from contacts.serializers import (
    AddedSerializer,
    CategorySerializer,
    ConsentChangeSerializer,
    ContactIdsSerializer,
    ContactSerializer,
    ImportFileSerializer,
    ImportSerializer,
    ProfileSerializer,
    RejectedRowSerializer,
)
from whatsapp_campaigns.api.errors import Conflict, Missing, TooLarge, Unfit
from whatsapp_campaigns.api.idempotency import idempotent
from whatsapp_campaigns.api.views import Api, Change, Collection, Listing, Reading, Rows

AT_ONCE = 1024 * 1024  # bytes: a file up to here is imported before the answer (about 20 000 rows, a second)
SOURCE = "api"


class _CategoryView(Rows):
    subject = "contacts.category"
    queryset = Category.objects.none()
    serializer_class = CategorySerializer
    filterset_class = CategoryFilters

    def get_queryset(self) -> QuerySet[Category]:
        return Category.objects.of(self.user).order_by("name", "id")


class Categories(_CategoryView, Collection):
    """The marketer's lists of contacts."""

    @idempotent
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)

    def perform_create(self, serializer: serializers.BaseSerializer) -> None:
        serializer.save(created_by=self.user)


class OneCategory(_CategoryView, Change):
    """One category. Deleting it leaves its contacts."""

    def perform_destroy(self, instance: Category) -> None:
        _or_conflict(sharing.delete_category, instance)


class CategoryContacts(Listing):
    """The contacts in a category."""

    subject = "contacts.contact"
    queryset = Contact.objects.none()
    serializer_class = ContactSerializer
    filterset_class = ContactFilters

    def get_queryset(self) -> QuerySet[Contact]:
        category = _category(self.user, self.kwargs["pk"])
        return category.contacts.order_by("-id")

    @extend_schema(operation_id="add_to_category", request=ContactIdsSerializer, responses=AddedSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Put contacts into the category; those that are in it stay."""
        category = _category(self.user, pk)
        given = ContactIdsSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        wanted: set[int] = given.validated_data["ids"]
        found = set(Contact.objects.of(self.user).filter(pk__in=wanted).values_list("pk", flat=True))
        if missing := wanted - found:
            shown = ", ".join(map(str, sorted(missing)[:10]))
            raise Missing("contact_ids", _("No such contact: %(ids)s.") % {"ids": shown})
        before = category.contacts.filter(pk__in=found).count()
        category.contacts.add(*found)
        body = {
            "category_id": category.pk,
            "added_count": len(found) - before,
            "total_count": category.contacts.count(),
        }
        return Response(body)


class CategoryContact(Api):
    """One contact in a category."""

    subject = "contacts.contact"

    @extend_schema(operation_id="remove_from_category", responses={204: None})
    def delete(self, request: Request, pk: int, contact_id: int) -> Response:
        """Take the contact out of the category; the contact stays."""
        category = _category(self.user, pk)
        contact = get_object_or_404(category.contacts, pk=contact_id)
        category.contacts.remove(contact)
        return Response(status=status.HTTP_204_NO_CONTENT)


class _ContactView(Rows):
    subject = "contacts.contact"
    queryset = Contact.objects.none()
    serializer_class = ContactSerializer
    filterset_class = ContactFilters

    def get_queryset(self) -> QuerySet[Contact]:
        return Contact.objects.of(self.user).order_by("-id")


class Contacts(_ContactView, Collection):
    """People who can be written to."""

    @extend_schema(
        responses={
            201: ContactSerializer,
            200: OpenApiResponse(ContactSerializer, "somebody else had this number: you see the contact from now on"),
        }
    )
    @idempotent
    def post(self, request: Request) -> Response:
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        fields = given.validated_data
        mine = self.get_queryset().filter(number=fields["number"]).first()
        if mine is not None:
            raise Conflict(_("You have a contact with this number already."), "contact_exists", contact_id=mine.pk)
        contact, created = sharing.give(self.user, **fields)
        return Response(self.get_serializer(contact).data, status=201 if created else 200)


class OneContact(_ContactView, Change):
    """One contact. Deleting takes it from your lists, and away for good when nobody else has it."""

    def perform_update(self, serializer: serializers.BaseSerializer) -> None:
        number = serializer.validated_data.get("number")
        changed: dict[str, Any] = {}
        if number and number != cast(Contact, serializer.instance).number:
            # What was learned of the old number says nothing of the new one.
            changed = {
                "country_code": country_code(number),
                "whatsapp_number": "",
                "whatsapp_user_id": None,
                "invalid_at": None,
                "invalid_code": "",
            }
        try:
            with transaction.atomic():
                serializer.save(**changed)
        except IntegrityError as error:
            raise Conflict(_("Another contact has this number."), "contact_exists") from error

    def perform_destroy(self, instance: Contact) -> None:
        _or_conflict(sharing.withdraw, self.user, instance)


class Profile(_ContactView, generics.RetrieveUpdateAPIView):
    """A contact's attributes, lists and consent."""

    serializer_class = ProfileSerializer  # type: ignore[assignment]
    http_method_names = ["get", "head", "patch"]

    def get_queryset(self) -> QuerySet[Contact]:
        return super().get_queryset().prefetch_related("categories", "consents")


class _Consent(Api):
    subject = "contacts.contact"
    verb = "change"

    def _contact(self, request: Request, pk: int) -> tuple[ContactQuerySet, str]:
        contact = get_object_or_404(Contact.objects.of(self.user), pk=pk)
        given = ConsentChangeSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return Contact.objects.filter(pk=contact.pk), given.validated_data.get("evidence", "")


class OptOut(_Consent):
    """The person wants nothing more."""

    @extend_schema(operation_id="opt_out", request=ConsentChangeSerializer, responses=ProfileSerializer)
    def post(self, request: Request, pk: int) -> Response:
        contact, evidence = self._contact(request, pk)
        contact.opt_out(SOURCE, evidence=evidence, actor=self.user)
        return Response(ProfileSerializer(contact.get()).data)


class OptIn(_Consent):
    """The person wants messages again."""

    @extend_schema(operation_id="opt_in", request=ConsentChangeSerializer, responses=ProfileSerializer)
    def post(self, request: Request, pk: int) -> Response:
        contact, evidence = self._contact(request, pk)
        contact.opt_in(SOURCE, evidence=evidence, actor=self.user)
        return Response(ProfileSerializer(contact.get()).data)


class ImportContacts(Api):
    """A file of contacts."""

    subject = "contacts.contact"
    parser_classes = (MultiPartParser,)

    @extend_schema(
        operation_id="import_contacts",
        request={"multipart/form-data": ImportFileSerializer},
        responses={
            200: OpenApiResponse(ImportSerializer, "imported"),
            202: OpenApiResponse(ImportSerializer, "a large file, imported in the background: poll /api/imports/{id}"),
        },
    )
    def post(self, request: Request) -> Response:
        """Import a CSV or XLSX file. Columns are found by their titles, French or English.

        Every row is created, updated, unchanged or rejected with its line and reason. A number that exists already is
        linked and its empty fields are filled in.
        """
        if int(request.META.get("CONTENT_LENGTH") or 0) > arrival.MAX_TEXT + 1024 * 1024:
            raise TooLarge
        given = ImportFileSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        job = self._start(request, **given.validated_data)
        if job.size <= AT_ONCE:
            importing.import_file(job.pk)
        job = Import.objects.defer("content").get(pk=job.pk)
        done = status.HTTP_200_OK if job.is_over else status.HTTP_202_ACCEPTED
        return Response(ImportSerializer(job).data, status=done)

    def _start(self, request: Request, file: Any, category_id: int | None = None, country: str = "") -> Import:
        category = None
        if category_id is not None:
            category = Category.objects.of(self.user).filter(pk=category_id).first()
            if category is None:
                raise Missing("category_id", _("There is no such category, or it is not yours."))
        name = (file.name or "contacts.csv").replace("\0", "")
        try:
            return importing.start_import(
                file.read(), name, country or settings.DEFAULT_COUNTRY, category, created_by=self.user
            )
        except FileError as error:
            raise Unfit("file", error, code=error.reason.value) from error


class _ImportView(Rows):
    subject = "contacts.import"
    queryset = Import.objects.none()

    def get_queryset(self) -> QuerySet[Import]:
        return Import.objects.of(self.user).defer("content").order_by("-id")


@extend_schema_view(get=extend_schema(operation_id="imports"))
class Imports(_ImportView, Listing):
    """Imports, newest first."""

    serializer_class = ImportSerializer
    filterset_class = ImportFilters


class OneImport(_ImportView, Reading):
    """How far an import is, and what became of its rows."""

    serializer_class = ImportSerializer


class RejectedRows(Listing):
    """The rows of a file that became no contact, each with its line and reason."""

    subject = "contacts.import"
    queryset = RejectedRow.objects.none()
    serializer_class = RejectedRowSerializer
    filter_backends = ()

    def get_queryset(self) -> QuerySet[RejectedRow]:
        job = get_object_or_404(Import.objects.of(self.user).defer("content"), pk=self.kwargs["pk"])
        return job.rejected_rows.order_by("line", "id")


def _category(user: User, pk: int) -> Category:
    found = Category.objects.of(user).filter(pk=pk).first()
    if found is None:
        raise NotFound(_("There is no such category, or it is not yours."))
    return found


def _or_conflict(deed: Any, *args: Any) -> None:
    try:
        deed(*args)
    except sharing.StillNeeded as refusal:
        raise Conflict(str(refusal), refusal.code) from refusal

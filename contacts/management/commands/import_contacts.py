"""Import a contacts file from the command line."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import Count

from contacts import importing, phones
from contacts.models import Category, Import
from contacts.reasons import FileError, Reason


class Command(BaseCommand):
    help = "Import contacts from a CSV, XLSX, XLS or ODS file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--region", default=settings.DEFAULT_COUNTRY, help="country of numbers written without one, e.g. FR"
        )
        parser.add_argument("--category", help="name of the category to put everybody in; made if missing")
        parser.add_argument("--user", help="e-mail address of the user who imports")
        parser.add_argument("--wait", action="store_true", help="import here and now, and print the report")

    def handle(self, *, file: Path, region: str, category: str, user: str, wait: bool, **options: Any) -> None:
        if region.upper() not in phones.regions():
            raise CommandError(f"{region} is not a country code such as FR")
        importer = self._user(user)
        try:
            content = file.read_bytes()
            with transaction.atomic():  # no new category for a file that is refused
                listed = self._category(category, importer)
                job = importing.draft_import(content, file.name, region, listed, importer)
        except (OSError, FileError) as error:
            raise CommandError(f"{file}: {error}") from error
        if not wait:
            importing.confirm(job)
            self.stdout.write(f"Import {job.pk} waits for a worker.")
            return
        self._run(job)

    def _run(self, job: Import) -> None:
        """Import here, or wait for the worker that was quicker."""
        Import.objects.filter(pk=job.pk, state=Import.State.DRAFT).update(state=Import.State.WAITING)
        while not importing.import_file(job.pk):
            time.sleep(0.5)
            job.refresh_from_db(fields=["state"])
            if job.is_over:
                break
        job = Import.objects.defer("content").get(pk=job.pk)
        if job.state == Import.State.FAILED:
            raise CommandError(f"{job.filename}: {job.problem_text}")
        self._report(job)

    def _report(self, job: Import) -> None:
        self.stdout.write(
            f"{job.filename}: {job.rows} rows = {job.created} created + {job.updated} updated "
            f"+ {job.unchanged} unchanged + {job.rejected} rejected"
        )
        for reason, count in job.rejected_rows.values_list("reason").annotate(Count("id")).order_by("reason"):
            self.stdout.write(f"  {count:>6}  {reason}: {Reason(reason).label}")

    @staticmethod
    def _user(email: str | None) -> Any:
        if not email:
            return None
        user = get_user_model().objects.filter(email__iexact=email).first()
        if user is None:
            raise CommandError(f"there is no user {email}")
        return user

    @staticmethod
    def _category(name: str | None, user: Any) -> Category | None:
        if not name:
            return None
        found = Category.objects.of(user).filter(name__iexact=name).order_by("id").first()
        return found or Category.objects.create(name=name, created_by=user)

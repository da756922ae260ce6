"""`manage.py check`, as Django has it; `--tag gupshup` also means what only start-up requires."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import check

from gupshup.checks import TAG


class Command(check.Command):
    def handle(self, *app_labels: Any, **options: Any) -> None:
        if TAG in (options["tags"] or ()):
            options["deploy"] = True
        super().handle(*app_labels, **options)

"""What the beat's last self-check found, for whoever asks between two of them."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import models
from django.utils import timezone


class SelfCheck(models.Model):
    """One named promise, and how many rows broke it when it was last looked at."""

    name = models.CharField(max_length=80, primary_key=True)
    offences = models.BigIntegerField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.offences}"


def note(found: Mapping[str, int]) -> None:
    """Keep the outcome of a self-check in place of the one before."""
    now = timezone.now()
    SelfCheck.objects.bulk_create(
        (SelfCheck(name=name, offences=offences, at=now) for name, offences in found.items()),
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["offences", "at"],
    )
    SelfCheck.objects.exclude(name__in=found).delete()

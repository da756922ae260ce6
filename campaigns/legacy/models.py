"""What became of the old system's rows, so that importing again doubles nothing."""

from __future__ import annotations

from django.db import models


class LegacyId(models.Model):
    """One old row and the row that it became here. Messages and interactions need none: their own keys tell."""

    class Kind(models.TextChoices):
        USER = "user"
        CATEGORY = "category"
        CONTACT = "contact"
        CAMPAIGN = "campaign"

    source = models.CharField(max_length=60)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    old_id = models.CharField(max_length=100)
    new_id = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "kind", "old_id"], name="legacy_id_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.old_id} → {self.new_id}"


class LegacyChunk(models.Model):
    """The messages up to the `last`-th of a source stand here as they, and all that they hang on, had this print."""

    source = models.CharField(max_length=60)
    last = models.IntegerField()
    seen = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "last"], name="legacy_chunk_once")]

    def __str__(self) -> str:
        return f"{self.source} …{self.last}"

"""What programs need: keys of their own, requests that may be repeated, gates that count."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

PREFIX = "wck_"
SHOWN = 8  # characters after the prefix that stay readable, to tell keys apart
NOTED_EVERY = timedelta(minutes=1)


class Scope(models.TextChoices):
    """Each includes those before it."""

    READ = "read", pgettext_lazy("scope", "read")
    WRITE = "write", _("read, and change contacts, categories and drafts")
    LAUNCH = "launch", _("everything, sending messages included")


def digest(key: str) -> bytes:
    """Plain SHA-256 is enough: the key has 256 random bits."""
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()


class ApiKeyQuerySet(models.QuerySet):
    def usable(self) -> ApiKeyQuerySet:
        return self.filter(revoked_at__isnull=True, user__is_active=True).filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
        )

    def of_key(self, key: str) -> ApiKey | None:
        """The usable key's row; None for a wrong, revoked or expired one."""
        return self.usable().select_related("user").filter(digest=digest(key)).first()

    def revoke(self) -> int:
        """For good; answers how many were still valid."""
        return self.filter(revoked_at__isnull=True).update(revoked_at=timezone.now())


class ApiKey(models.Model):
    """A program's key. It acts for a user, within its scope; only its hash is kept."""

    name = models.CharField(_("name"), max_length=80, help_text=_("Which program uses it."))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_keys", verbose_name=_("acts for")
    )
    scope = models.CharField(pgettext_lazy("scope", "may"), max_length=8, choices=Scope.choices, default=Scope.READ)
    start = models.CharField(_("begins with"), max_length=16, editable=False)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("valid until"), null=True, blank=True, help_text=_("Empty: until revoked."))
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.name} ({self.start}…)"

    def issue(self) -> str:
        """Give this new row its secret; the answer is the only time that it can be read."""
        key = PREFIX + secrets.token_urlsafe(32)
        self.start, self.digest = key[: len(PREFIX) + SHOWN], digest(key)
        return key

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    def allows(self, wanted: str) -> bool:
        order = Scope.values
        return order.index(self.scope) >= order.index(wanted)

    def note_use(self) -> None:
        """Remember when, to the minute."""
        now = timezone.now()
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - NOTED_EVERY)
        if self.last_used_at is None or self.last_used_at < now - NOTED_EVERY:
            ApiKey.objects.filter(stale, pk=self.pk).update(last_used_at=now)


class IdempotencyKey(models.Model):
    """The answer to a request that a caller may repeat, written in the transaction that did the work."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    request = models.BinaryField(max_length=32)  # SHA-256 of method, address and body
    status = models.SmallIntegerField(default=0)  # 0 only inside the transaction that works on it
    body = models.TextField(default="")
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Gate(models.Model):
    """One counter of `accounts.gates`: when the next pass is free."""

    key = models.BinaryField(primary_key=True, max_length=32)
    tat = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return bytes(self.key).hex()

"""Who may log in. A user's role decides what they may do (`accounts.policy`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import policy


class Role(models.TextChoices):
    SUPER_ADMIN = "super_admin", _("Super-admin")
    ADMIN = "admin", _("Admin")


class LastSuperAdminError(ValidationError):
    """Nobody would be left who may give rights."""

    def __init__(self) -> None:
        super().__init__(
            _("This is the last active super-admin: nobody could give rights any more. Name another one first."),
            code="last_super_admin",
        )


class UserQuerySet(models.QuerySet):
    def ruling(self) -> UserQuerySet:
        """Those who may give rights."""
        return self.filter(role=Role.SUPER_ADMIN, is_active=True)

    def may_leave(self, leaving: Collection[int]) -> None:
        """Raises LastSuperAdminError when these are the last who rule. Locks them, so that two cannot leave at once."""
        ruling = set(self.ruling().order_by("pk").select_for_update().values_list("pk", flat=True))
        if ruling and ruling <= set(leaving):
            raise LastSuperAdminError

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            User.objects.may_leave(list(self.values_list("pk", flat=True)))
            return super().delete()


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Raises ValueError without an e-mail address."""
        if not email:
            raise ValueError("a user needs an e-mail address")
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, role=Role.SUPER_ADMIN, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser):
    email = models.EmailField(_("e-mail address"), unique=True)
    first_name = models.CharField(_("first name"), max_length=80, blank=True)
    last_name = models.CharField(_("last name"), max_length=80, blank=True)
    role = models.CharField(_("role"), max_length=20, choices=Role.choices, default=Role.ADMIN)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    objects = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ("email",)
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        super().clean()
        self.email = self.email.lower()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Raises LastSuperAdminError rather than leave nobody who may give rights."""
        fields = kwargs.get("update_fields")
        with transaction.atomic():
            if self.pk and not self.rules and (fields is None or {"role", "is_active"} & set(fields)):
                User.objects.may_leave([self.pk])
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            User.objects.may_leave([self.pk])
            return super().delete(*args, **kwargs)

    @property
    def rules(self) -> bool:
        """May give rights to others, now."""
        return self.is_super_admin and self.is_active

    @property
    def is_super_admin(self) -> bool:
        return self.role == Role.SUPER_ADMIN

    # -- what Django's admin asks
    @property
    def is_staff(self) -> bool:
        return self.is_active

    @property
    def is_superuser(self) -> bool:
        return self.is_super_admin

    def has_perm(self, perm: str, obj: models.Model | None = None) -> bool:
        return self.is_active and policy.allows(self.role, perm)

    def has_perms(self, perm_list: Iterable[str], obj: models.Model | None = None) -> bool:
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and policy.sees(self.role, app_label)

    def get_full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip() or self.email

    def get_short_name(self) -> str:
        return self.first_name or self.email


# Django looks for an app's models here.
from accounts.programs import ApiKey as ApiKey  # noqa: E402
from accounts.programs import Gate as Gate  # noqa: E402
from accounts.programs import IdempotencyKey as IdempotencyKey  # noqa: E402

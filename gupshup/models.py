"""The provider's side: who sends (Sender), what may be sent first (Template), what arrived (Callback)."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from gupshup.api.templates import SPECIAL
from gupshup.fields import EncryptedTextField


def new_secret() -> str:
    """256 bits, safe in an address."""
    return secrets.token_urlsafe(32)


class Sender(models.Model):
    """One Gupshup app: its number, its credentials, its pace and its breaker."""

    class Breaker(models.TextChoices):
        CLOSED = "closed", _("sending allowed")
        OPEN = "open", _("stopped")
        PROBE = "probe", _("trying one message")

    name = models.CharField(_("name"), max_length=80)
    app_name = models.CharField(_("app name"), max_length=80, unique=True)
    app_id = models.CharField(_("app id"), max_length=64, blank=True, help_text=_("For templates and subscriptions."))
    phone_number = models.CharField(_("phone number"), max_length=16, help_text=_("Digits with country code."))
    api_url = models.URLField(_("API address"), default="https://api.gupshup.io/wa/api/v1")
    customer_id = models.CharField(_("customer id"), max_length=64, blank=True)
    api_key = EncryptedTextField(_("API key"), blank=True)
    webhook_secret = EncryptedTextField(_("webhook secret"), default=new_secret)
    webhook_secret_old = EncryptedTextField(_("previous webhook secret"), blank=True)
    from_environment = models.BooleanField(_("from the .env file"), default=False, editable=False)

    # Pace (campaigns.pacing): at most `rate_limit` messages in any `rate_window` seconds.
    rate_limit = models.PositiveIntegerField(_("messages"), default=25)
    rate_window = models.FloatField(_("in seconds"), default=60)
    tat = models.DateTimeField(_("next free slot"), default=timezone.now, editable=False)
    pace_factor = models.FloatField(_("slowed down by"), default=1.0, editable=False)
    ceiling = models.PositiveIntegerField(
        _("new recipients in 24 h"),
        null=True,
        blank=True,
        default=250,
        help_text=_("WhatsApp's tier; empty: no limit."),
    )
    person_cap = models.PositiveIntegerField(
        _("marketing messages per person"), null=True, blank=True, help_text=_("Over all campaigns; empty: no limit.")
    )
    person_cap_days = models.PositiveIntegerField(_("in days"), default=7)

    breaker = models.CharField(
        _("state"), max_length=8, choices=Breaker.choices, default=Breaker.CLOSED, editable=False
    )
    breaker_code = models.CharField(_("stopped because"), max_length=64, blank=True, editable=False)
    breaker_text = models.CharField(_("provider's words"), max_length=300, blank=True, editable=False)
    breaker_since = models.DateTimeField(_("stopped since"), null=True, editable=False)
    breaker_until = models.DateTimeField(_("next try"), null=True, editable=False)
    breaker_count = models.PositiveIntegerField(default=0, editable=False)

    templates_synced_at = models.DateTimeField(_("templates read"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("sender")
        verbose_name_plural = _("senders")
        ordering = ("id",)
        constraints = [
            models.CheckConstraint(name="sender_rate_positive", condition=Q(rate_limit__gt=0, rate_window__gt=0)),
        ]

    def __str__(self) -> str:
        return self.name or self.app_name

    def __repr__(self) -> str:
        return f"<Sender {self.pk} {self.app_name}>"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The webhook secrets that are valid now: two while one is being replaced."""
        return tuple(secret for secret in (self.webhook_secret, self.webhook_secret_old) if secret)


class Template(models.Model):
    """A copy of one of Gupshup's templates, as of `synced_at`. One template is one language."""

    class Status(models.TextChoices):
        APPROVED = "APPROVED", _("approved")
        PENDING = "PENDING", _("waiting for approval")
        REJECTED = "REJECTED", _("rejected")
        PAUSED = "PAUSED", _("paused by Meta")
        DISABLED = "DISABLED", _("disabled by Meta")
        IN_APPEAL = "IN_APPEAL", _("in appeal")
        FAILED = "FAILED", _("failed")
        DELETED = "DELETED", _("deleted")
        UNKNOWN = "UNKNOWN", _("unknown")

    class Category(models.TextChoices):
        MARKETING = "MARKETING", _("marketing")
        UTILITY = "UTILITY", _("utility")
        AUTHENTICATION = "AUTHENTICATION", _("authentication")
        UNKNOWN = "UNKNOWN", _("unknown")

    sender = models.ForeignKey(Sender, models.CASCADE, related_name="templates", verbose_name=_("sender"))
    provider_id = models.CharField(_("Gupshup id"), max_length=64)
    name = models.CharField(_("name"), max_length=512)
    language = models.CharField(_("language"), max_length=20)
    category = models.CharField(_("category"), max_length=20, choices=Category.choices, default=Category.UNKNOWN)
    status = models.CharField(_("status"), max_length=20, choices=Status.choices, default=Status.UNKNOWN)
    reason = models.TextField(_("reason"), blank=True)
    quality = models.CharField(_("quality"), max_length=20, blank=True)
    body = models.TextField(_("text"))
    header_type = models.CharField(_("header"), max_length=20, blank=True)  # "", TEXT, IMAGE, VIDEO, DOCUMENT, SPECIAL
    header_text = models.CharField(_("header text"), max_length=200, blank=True)
    footer = models.CharField(_("footer"), max_length=200, blank=True)
    buttons = models.JSONField(_("buttons"), default=list, blank=True)
    params_count = models.PositiveSmallIntegerField(_("variables"), default=0)
    sample = models.TextField(_("sample"), blank=True)
    media_url = models.TextField(_("media of the sample"), blank=True)
    raw = models.JSONField(_("as received"), default=dict, blank=True)
    category_next = models.CharField(_("category announced by Meta"), max_length=20, blank=True)
    synced_at = models.DateTimeField(_("read"), default=timezone.now)
    told_at = models.DateTimeField(_("last news"), null=True, editable=False)  # by the provider's clock

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        ordering = ("name", "language")
        constraints = [
            models.UniqueConstraint(fields=["sender", "provider_id"], name="template_once"),
        ]
        indexes = [models.Index(fields=["sender", "name", "language"], name="template_by_name")]

    def __str__(self) -> str:
        return f"{self.name} ({self.language})"

    @property
    def sendable(self) -> bool:
        return self.status == self.Status.APPROVED

    @property
    def obstacle(self) -> str:
        """Why a campaign cannot send it although it may be approved; empty when it can."""
        kinds = {self.header_type, *(str(button.get("kind")) for button in self.buttons if isinstance(button, dict))}
        if not kinds & SPECIAL:
            return ""
        return gettext(
            "This template needs more than texts and a file (%(kinds)s): a map, a carousel, products or the end of an "
            "offer. Campaigns cannot fill these in. Choose another template."
        ) % {"kinds": ", ".join(sorted(kinds & SPECIAL))}


class CallbackQuerySet(models.QuerySet):
    def unread(self, until: datetime | None = None) -> CallbackQuerySet:
        """Not read yet, or to be read again (up to a moment)."""
        again = Q(due_at__isnull=False) if until is None else Q(due_at__lte=until)
        return self.filter(Q(arrival__isnull=False) | again)

    def in_state(self, state: str) -> CallbackQuerySet:
        """As `Callback.condition` says."""
        if state == Callback.State.NEW:
            return self.filter(Q(arrival__isnull=False) | Q(state=state))
        return self.filter(state=state, arrival__isnull=True)

    def replay(self) -> int:
        """Read these bodies again. Every effect is idempotent, so nothing counts twice."""
        return self.update(state=Callback.State.NEW, due_at=timezone.now(), tries=0, error="")


class Callback(models.Model):
    """The inbox: what the provider posted, byte for byte.

    Who has an `Arrival` was not read yet. `due_at`: when it is to be read once more (it waits, or a person asked).
    """

    class State(models.TextChoices):
        NEW = "new", _("new")
        DONE = "done", _("applied")
        WAITING = "waiting", _("waiting for its message")
        FOREIGN = "foreign", _("about no message of ours")
        FAILED = "failed", _("set aside")
        UNKNOWN = "unknown", _("not understood")

    sender = models.ForeignKey(
        Sender,
        models.CASCADE,
        related_name="callbacks",
        verbose_name=_("sender"),
        db_constraint=False,
        db_index=False,  # the unique key begins with it
    )
    raw = models.BinaryField(_("body"), null=True)
    content_type = models.CharField(_("content type"), max_length=100, blank=True, default="", db_default="")
    digest = models.BinaryField(_("SHA-256"), max_length=32)
    copies = models.IntegerField(_("copies"), default=1, db_default=1)
    received_at = models.DateTimeField(_("received"), default=timezone.now, db_default=Now())
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.DONE, db_default=State.DONE)
    due_at = models.DateTimeField(_("to be read again"), null=True)
    tries = models.SmallIntegerField(_("tries"), default=0, db_default=0)
    error = models.TextField(_("error"), blank=True, default="", db_default="")
    handled_at = models.DateTimeField(_("handled"), null=True, blank=True)

    objects = CallbackQuerySet.as_manager()

    class Meta:
        verbose_name = _("callback")
        verbose_name_plural = _("callbacks")
        ordering = ("-id",)
        constraints = [models.UniqueConstraint(fields=["sender", "digest"], name="callback_once")]
        indexes = [
            models.Index(fields=["due_at", "id"], name="callback_due", condition=Q(due_at__isnull=False)),
            models.Index(fields=["state", "id"], name="callback_odd", condition=Q(state__in=("failed", "unknown"))),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def condition(self) -> State:
        """Where it stands, those that nobody has read included."""
        return self.State.NEW if hasattr(self, "arrival") else self.State(self.state)


class Arrival(models.Model):
    """A callback that nobody has read yet; its row goes when it is read. Apart from the inbox, so that reading a
    callback writes neither its body nor its indexes anew.
    """

    callback = models.OneToOneField(Callback, models.CASCADE, primary_key=True, related_name="arrival")

    def __str__(self) -> str:
        return f"#{self.pk}"

"""Who is told of what, and what became of it. The rows are the truth: deliveries wait here until they are made."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from gupshup.fields import EncryptedTextField
from hooks import signing

OVERLAP = timedelta(hours=24)  # for which an old secret still signs beside its successor


class Kind(models.TextChoices):
    """What can be told."""

    FINISHED = "campaign.finished", _("campaign finished")
    REPLIED = "reply.received", _("reply received")
    OPTED_OUT = "contact.opted_out", _("contact opted out")
    TRIAL = "webhook.trial", _("trial")


CHOSEN = tuple((kind.value, kind.label) for kind in Kind if kind != Kind.TRIAL)  # a trial goes to whom it is for


class EndpointQuerySet(models.QuerySet):
    def listening(self, kind: str) -> EndpointQuerySet:
        return self.filter(active=True, events__contains=[kind])

    def due(self) -> EndpointQuerySet:
        """Those with a delivery to be made now, who are not resting after a failure."""
        now = timezone.now()
        waiting = Delivery.objects.filter(endpoint=models.OuterRef("pk"), next_try_at__lte=now)
        rested = Q(rest_until__isnull=True) | Q(rest_until__lte=now)
        return self.filter(rested, models.Exists(waiting), active=True)


class Endpoint(models.Model):
    """An address of another program that is told what happens here."""

    class Disabled(models.TextChoices):
        FAILING = "failing", _("nothing could be delivered for three days")
        GONE = "gone", _("the address answered that it is gone for good (410)")

    name = models.CharField(_("name"), max_length=80, help_text=_("Which program listens there."))
    url = models.CharField(_("address"), max_length=1000, help_text=_("https://… It gets a POST with JSON."))
    events = ArrayField(models.CharField(max_length=40, choices=CHOSEN), verbose_name=_("events"), default=list)
    active = models.BooleanField(_("active"), default=True)
    secret = EncryptedTextField(editable=False)
    old_secret = EncryptedTextField(editable=False, default="")
    old_secret_until = models.DateTimeField(_("old secret ends"), null=True, editable=False)
    failures = models.IntegerField(_("failures in a row"), default=0, editable=False)
    failing_since = models.DateTimeField(_("failing since"), null=True, editable=False)
    rest_until = models.DateTimeField(null=True, editable=False)
    last_success_at = models.DateTimeField(_("last success"), null=True, editable=False)
    disabled_at = models.DateTimeField(_("switched off"), null=True, editable=False)
    disabled_reason = models.CharField(
        _("switched off because"), max_length=10, choices=Disabled.choices, blank=True, editable=False
    )
    disabled_detail = models.CharField(_("last answer"), max_length=200, blank=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        verbose_name = _("outgoing webhook")
        verbose_name_plural = _("outgoing webhooks")
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.name

    @property
    def secrets(self) -> list[str]:
        """Those that sign now, the newest first."""
        old = self.old_secret if self.old_secret_until and self.old_secret_until > timezone.now() else ""
        return [secret for secret in (self.secret, old) if secret]

    def issue(self) -> str:
        """Give this new row its secret; the answer is the only time that it can be read."""
        self.secret = signing.new_secret()
        return self.secret

    def rotate(self) -> str:
        """A new secret; the present one signs beside it for a day. Answers the new one, once."""
        self.old_secret, self.old_secret_until = self.secret, timezone.now() + OVERLAP
        secret = self.issue()
        self.save(update_fields=["secret", "old_secret", "old_secret_until", "updated_at"])
        return secret

    def switch_on(self) -> None:
        """What a person saves as active starts anew, whatever it was switched off for."""
        self.active, self.disabled_at, self.disabled_reason, self.disabled_detail = True, None, "", ""
        self.failures, self.failing_since, self.rest_until = 0, None, None

    @property
    def state(self) -> str:
        if not self.active:
            return "disabled" if self.disabled_reason else "off"
        return "failing" if self.failing_since else "active"


class DeliveryQuerySet(models.QuerySet):
    def again(self) -> int:
        """Make these once more, as they were, with the same id; answers how many. What waits goes at once."""
        return self.update(
            state=Delivery.State.WAITING, next_try_at=timezone.now(), tries=0, claim=None, delivered_at=None
        )


class Delivery(models.Model):
    """One event for one endpoint: its body is frozen, its id the same at each try."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DELIVERED = "delivered", pgettext_lazy("outgoing webhook", "delivered")
        GIVEN_UP = "given_up", _("given up")

    endpoint = models.ForeignKey(
        Endpoint, models.CASCADE, related_name="deliveries", verbose_name=_("outgoing webhook"), db_index=False
    )
    event_id = models.CharField(_("event id"), max_length=64)
    kind = models.CharField(_("event"), max_length=40, choices=Kind.choices)
    body = models.TextField(pgettext_lazy("outgoing webhook", "body"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    tries = models.SmallIntegerField(_("tries"), default=0)
    next_try_at = models.DateTimeField(_("next try"), null=True, default=timezone.now)
    claim = models.UUIDField(null=True)  # whose the present try is
    last_status = models.SmallIntegerField(_("HTTP"), null=True)
    last_error = models.CharField(_("error"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    delivered_at = models.DateTimeField(pgettext_lazy("outgoing webhook", "delivered"), null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "event_id"], name="delivery_once"),
            models.CheckConstraint(
                name="delivery_waits_iff_due",
                condition=Q(state="waiting", next_try_at__isnull=False)
                | (~Q(state="waiting") & Q(next_try_at__isnull=True)),
            ),
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "next_try_at", "id"],
                name="delivery_due",
                condition=Q(next_try_at__isnull=False),
            ),
            models.Index(fields=["created_at"], name="delivery_by_age"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.kind}"


class Try(models.Model):
    """One call to an endpoint and what it answered. Only added to, and pruned."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="log", verbose_name=_("delivery"))
    at = models.DateTimeField(_("when"), default=timezone.now)
    status = models.SmallIntegerField(_("HTTP"), null=True)
    error = models.CharField(_("error"), max_length=200, blank=True)
    milliseconds = models.IntegerField(_("milliseconds"))
    answer = models.CharField(_("answer"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("try")
        verbose_name_plural = _("tries")
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.status or self.error}"


def rest(endpoint_id: int, until: datetime, now: datetime) -> None:
    """A failure: leave this endpoint alone until then, so that one that hangs does not hold up the others."""
    Endpoint.objects.filter(pk=endpoint_id).update(
        failures=F("failures") + 1,
        failing_since=models.functions.Coalesce("failing_since", now),
        rest_until=until,
    )

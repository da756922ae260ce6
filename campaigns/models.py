"""Campaigns and their messages. The rows are the truth: states, outbox, journal, figures.

A QuerySet method changes a row in one UPDATE that names the state it leaves, and answers whether it happened.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.postgres.indexes import HashIndex
from django.db import models, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns.status import AttemptState, CampaignStatus, Kind, Reason, Status
from contacts.models import Category, Contact
from gupshup.api import templates
from gupshup.models import Callback, Sender, Template

if TYPE_CHECKING:
    from accounts.models import User


class CampaignQuerySet(models.QuerySet):
    def of(self, user: User) -> CampaignQuerySet:
        """What this user may see: a super-admin everything, an admin their own."""
        return self if user.is_super_admin else self.filter(created_by=user)

    def launched(self) -> CampaignQuerySet:
        return self.exclude(status__in=(CampaignStatus.DRAFT, CampaignStatus.SCHEDULED))

    def due_to_launch(self) -> CampaignQuerySet:
        return self.filter(status=CampaignStatus.SCHEDULED, scheduled_at__lte=timezone.now())

    def move(self, *leaving: str, to: str, **fields: Any) -> bool:
        """Change state, naming the states that may be left. Of two rivals, one gets True."""
        return (
            self.filter(status__in=leaving).update(
                status=to, version=F("version") + 1, updated_at=timezone.now(), **fields
            )
            > 0
        )


class Campaign(models.Model):
    """One mailing: a template to an audience, and what follows an answer."""

    class Trigger(models.TextChoices):
        ANY = "any", _("any answer")
        BUTTON = "button", _("a given button")
        WORDS = "words", _("given words")

    name = models.CharField(_("name"), max_length=160)
    sender = models.ForeignKey(Sender, models.PROTECT, related_name="campaigns", verbose_name=_("sender"))
    template = models.ForeignKey(Template, models.PROTECT, null=True, blank=True, verbose_name=_("template"))
    template_name = models.CharField(_("template name"), max_length=512, blank=True, editable=False)
    message_1 = models.TextField(_("Message 1"), blank=True, editable=False)
    # One entry for each {{n}}: {"field": "first_name" | "last_name" | "number" | "attributes.<key>" | "", "text": "…"}
    # `text` is the fixed text, or what stands in when the field is empty.
    params: models.JSONField[Any, Any] = models.JSONField(_("variables"), default=list, blank=True)
    header_media = models.URLField(_("header media"), blank=True, max_length=1000)
    message_2 = models.TextField(
        _("Message 2"), blank=True, max_length=4096, help_text=_("Sent once to whoever answers within 24 hours.")
    )
    trigger = models.CharField(_("sent after"), max_length=8, choices=Trigger.choices, default=Trigger.ANY)
    trigger_words = models.TextField(_("buttons or words"), blank=True, help_text=_("One a line."))
    message_2_delay = models.PositiveSmallIntegerField(_("delay in minutes"), default=0)
    categories = models.ManyToManyField(Category, related_name="campaigns", blank=True, verbose_name=_("categories"))
    # Sending hours: {"days": [0..6], "from": "09:00", "to": "19:00", "holidays": "FR"}; empty: at any time.
    hours: models.JSONField[Any, Any] = models.JSONField(_("sending hours"), default=dict, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=40, default="Europe/Paris")

    status = models.CharField(
        _("status"), max_length=10, choices=CampaignStatus.choices, default=CampaignStatus.DRAFT, editable=False
    )
    pause_reason = models.CharField(_("paused because"), max_length=64, blank=True, editable=False)
    pause_detail = models.CharField(_("details"), max_length=300, blank=True, editable=False)
    version = models.IntegerField(default=0, editable=False)
    launch_id = models.UUIDField(_("launch"), null=True, unique=True, editable=False)
    launched_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", editable=False
    )
    # Preparation goes through the contacts in id order: `position` is done, `position_end` was the last at launch.
    position = models.BigIntegerField(default=0, editable=False)
    position_end = models.BigIntegerField(default=0, editable=False)
    resume_at = models.DateTimeField(null=True, editable=False)  # outside sending hours: when they begin again

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)
    scheduled_at = models.DateTimeField(_("start"), null=True, blank=True)
    launched_at = models.DateTimeField(_("launched"), null=True, editable=False)
    completed_at = models.DateTimeField(_("finished"), null=True, editable=False)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ("-id",)
        indexes = [models.Index(fields=["sender", "status"], name="campaign_of_sender")]

    def __str__(self) -> str:
        return self.name

    @property
    def row(self) -> CampaignQuerySet:
        return Campaign.objects.filter(pk=self.pk)

    def pause(self, actor: User | None = None, reason: str = "", detail: str = "") -> bool:
        """Stop claiming; what is being sent goes out. `reason` is empty when a person asked."""
        return self._verb(
            "pause",
            actor,
            CampaignStatus.RUNNING,
            to=CampaignStatus.PAUSED,
            pause_reason=reason,
            pause_detail=detail[:300],
        )

    def resume(self, actor: User | None = None) -> bool:
        return self._verb(
            "resume", actor, CampaignStatus.PAUSED, to=CampaignStatus.RUNNING, pause_reason="", pause_detail=""
        )

    def unschedule(self, actor: User | None = None) -> bool:
        """Back to a draft that can be changed; it starts when a person launches it."""
        return self._verb("unschedule", actor, CampaignStatus.SCHEDULED, to=CampaignStatus.DRAFT)

    def cancel(self, actor: User | None = None) -> bool:
        """End for good. Waiting messages are cancelled by `launching.cancel_waiting`, from here and from the sweep."""
        before_end = (
            CampaignStatus.DRAFT,
            CampaignStatus.SCHEDULED,
            CampaignStatus.PREPARING,
            CampaignStatus.RUNNING,
            CampaignStatus.PAUSED,
        )
        return self._verb("cancel", actor, *before_end, to=CampaignStatus.CANCELLED, completed_at=timezone.now())

    def _verb(self, verb: str, actor: User | None, *leaving: str, to: str, **fields: Any) -> bool:
        with transaction.atomic():
            if not self.row.move(*leaving, to=to, **fields):
                return False
            Event.record(verb, actor=actor, campaign=self, details={k: str(v) for k, v in fields.items() if v})
        self.refresh_from_db()
        return True


class MessageQuerySet(models.QuerySet):
    def advance(self, status: Status, **fields: Any) -> int:
        """Record newer news. Late and repeated reports change nothing."""
        return self.filter(status__gt=Status.PENDING, status__lt=status).update(
            status=status, updated_at=timezone.now(), **fields
        )

    def cancel(self, reason: Reason) -> int:
        """End what waits; what is being sent stays."""
        return self.filter(status=Status.PENDING).update(
            status=Status.CANCELLED,
            reason=reason,
            next_attempt_at=None,
            lease=None,
            lease_until=None,
            updated_at=timezone.now(),
        )


class Message(models.Model):
    """One message to one person: outbox and history in one. Number and variables are frozen at launch."""

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="messages", verbose_name=_("campaign"))
    contact = models.ForeignKey(Contact, models.SET_NULL, null=True, related_name="messages", verbose_name=_("contact"))
    sender = models.ForeignKey(
        Sender, models.PROTECT, related_name="+", db_constraint=False, db_index=False, verbose_name=_("sender")
    )
    message_type = models.CharField(_("message"), max_length=9, choices=Kind.choices, default=Kind.MESSAGE_1)
    destination = models.CharField(_("destination"), max_length=160)  # digits, as the provider writes them
    params: models.JSONField[Any, Any] = models.JSONField(
        _("variables"), default=list, db_default=Value([], models.JSONField())
    )
    content = models.TextField(
        _("text"), blank=True, default="", db_default=""
    )  # Message 2; Message 1 is template + variables

    status = models.SmallIntegerField(
        _("status"), choices=Status.choices, default=Status.PENDING, db_default=Status.PENDING
    )
    reason = models.CharField(_("reason"), max_length=32, choices=Reason.choices, blank=True, default="", db_default="")
    error_code = models.CharField(_("error code"), max_length=32, blank=True, default="", db_default="")
    error_message = models.CharField(_("error"), max_length=300, blank=True, default="", db_default="")
    whatsapp_message_id = models.CharField(_("provider's id"), max_length=128, blank=True, default="", db_default="")
    retry_count = models.SmallIntegerField(_("retries"), default=0, db_default=0)  # refusals so far
    # Not empty exactly while pending: the outbox's indexes stand on this column, so that later news stays cheap.
    next_attempt_at = models.DateTimeField(_("next try"), null=True)
    lease = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(_("expires"), null=True)  # Message 2: end of the customer service window

    created_at = models.DateTimeField(_("created"), default=timezone.now, db_default=Now())
    updated_at = models.DateTimeField(_("updated"), default=timezone.now, db_default=Now())
    accepted_at = models.DateTimeField(_("accepted"), null=True)
    sent_at = models.DateTimeField(_("sent"), null=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True)
    read_at = models.DateTimeField(_("read"), null=True)
    failed_at = models.DateTimeField(_("failed"), null=True)
    replied_at = models.DateTimeField(_("answered"), null=True)
    opted_out_at = models.DateTimeField(_("opted out"), null=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["campaign", "destination", "message_type"], name="message_once_per_person"),
            models.CheckConstraint(
                name="message_waits_iff_pending",
                condition=Q(status=Status.PENDING, next_attempt_at__isnull=False)
                | (~Q(status=Status.PENDING) & Q(next_attempt_at__isnull=True)),
            ),
            models.CheckConstraint(name="message_known_status", condition=Q(status__in=Status.values)),
        ]
        indexes = [
            models.Index(
                fields=["campaign", "next_attempt_at", "id"],
                name="message_1_due",
                condition=Q(next_attempt_at__isnull=False, message_type=Kind.MESSAGE_1),
            ),
            models.Index(
                fields=["sender", "next_attempt_at", "id"],
                name="message_2_due",
                condition=Q(next_attempt_at__isnull=False, message_type=Kind.MESSAGE_2),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_message_type_display()} #{self.pk}"

    @property
    def row(self) -> MessageQuerySet:
        return Message.objects.filter(pk=self.pk)

    @property
    def expired(self) -> bool:
        """A Message 2 whose customer service window has closed."""
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def text(self) -> str:
        """What the person reads: Message 2 as frozen, Message 1 as the template with its variables."""
        if self.content:
            return self.content
        body, params = self.campaign.message_1, self.params
        if len(params) > len(templates.placeholders(body)) and self.campaign.template:
            params = templates.split_params(self.campaign.template.header_text, body, params)[1]
        return templates.render(body, params)


class Attempt(models.Model):
    """One call to the provider, written before it is made. The two partial unique indexes carry the promise."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="attempts", verbose_name=_("message"))
    sender = models.ForeignKey(Sender, models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    destination = models.CharField(_("destination"), max_length=160)
    state = models.CharField(
        _("state"),
        max_length=10,
        choices=AttemptState.choices,
        default=AttemptState.INTENT,
        db_default=AttemptState.INTENT,
    )
    token = models.UUIDField(default=uuid.uuid4)
    started_at = models.DateTimeField(_("begun"), default=timezone.now, db_default=Now())
    wire_at = models.DateTimeField(_("first byte"), null=True)
    deadline = models.DateTimeField(_("answer due by"))
    finished_at = models.DateTimeField(_("ended"), null=True)
    released_at = models.DateTimeField(_("shown to a person"), null=True)  # uncertain for 24 h: destination is free
    http_status = models.SmallIntegerField(_("HTTP"), null=True)
    error_code = models.CharField(_("error code"), max_length=32, blank=True, default="", db_default="")
    error_message = models.CharField(_("error"), max_length=300, blank=True, default="", db_default="")
    provider_id = models.CharField(_("provider's id"), max_length=128, null=True)  # messageId = gsId
    # News about a call that no longer speaks for its message (refused, superseded): kept and shown.
    late_news = models.CharField(_("later news"), max_length=20, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(
                fields=["message"],
                name="one_possible_delivery",
                condition=Q(state__in=(AttemptState.INTENT, AttemptState.ACCEPTED, AttemptState.UNCERTAIN)),
            ),
            models.UniqueConstraint(
                fields=["sender", "destination"],
                name="one_unresolved_call",
                condition=Q(state__in=(AttemptState.INTENT, AttemptState.UNCERTAIN), released_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(
                fields=["sender", "provider_id"], name="attempt_by_provider_id", condition=Q(provider_id__isnull=False)
            ),
            models.Index(fields=["destination", "started_at"], name="attempt_by_destination"),
            models.Index(
                fields=["deadline"],
                name="attempt_unresolved",
                condition=Q(state__in=(AttemptState.INTENT, AttemptState.UNCERTAIN)),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.get_state_display()}"


class WhatsAppId(models.Model):
    """Under which id WhatsApp knows a call: all that reports name after a week. A table of its own, only inserted into:
    in the call's row, each one learnt would rewrite all indexes of the journal. No foreign key: it costs as much again.
    """

    attempt = models.OneToOneField(
        Attempt, models.CASCADE, primary_key=True, related_name="known_as", db_constraint=False
    )
    whatsapp_id = models.CharField(_("WhatsApp-side id"), max_length=160)

    class Meta:
        indexes = [HashIndex(fields=["whatsapp_id"], name="call_by_whatsapp_hash")]  # a third of the cost of a B-tree

    def __str__(self) -> str:
        return self.whatsapp_id


class Interaction(models.Model):
    """Anything a contact did that reached us: a reply, a button, a reaction."""

    class Type(models.TextChoices):
        REPLY = "reply", _("reply")
        BUTTON = "button", _("button")
        REACTION = "reaction", _("reaction")
        MEDIA = "media", _("media")
        LOCATION = "location", _("location")
        CONTACT = "contact", _("contact card")
        ORDER = "order", _("order")
        OTHER = "other", _("other")

    sender = models.ForeignKey(Sender, models.PROTECT, related_name="+", verbose_name=_("sender"))
    contact = models.ForeignKey(
        Contact, models.SET_NULL, null=True, related_name="interactions", verbose_name=_("contact")
    )
    message = models.ForeignKey(
        Message, models.SET_NULL, null=True, blank=True, related_name="interactions", verbose_name=_("answers")
    )
    campaign = models.ForeignKey(
        Campaign, models.CASCADE, null=True, blank=True, related_name="interactions", verbose_name=_("campaign")
    )
    interaction_type = models.CharField(_("type"), max_length=10, choices=Type.choices)
    content = models.TextField(_("content"), blank=True)
    media_url = models.TextField(_("media"), blank=True)
    inbound_id = models.CharField(_("inbound id"), max_length=200)
    quoted_id = models.CharField(_("quoted id"), max_length=200, blank=True)
    late = models.BooleanField(_("after the window"), default=False)
    triggered = models.BooleanField(_("triggered Message 2"), default=False)
    received_at = models.DateTimeField(_("received"))
    callback = models.ForeignKey(Callback, models.SET_NULL, null=True, related_name="+", db_constraint=False)

    class Meta:
        verbose_name = _("interaction")
        verbose_name_plural = _("interactions")
        ordering = ("-id",)
        constraints = [models.UniqueConstraint(fields=["sender", "inbound_id"], name="interaction_once")]

    def __str__(self) -> str:
        return f"{self.get_interaction_type_display()}: {self.content[:40]}"


class Event(models.Model):
    """Who did what. Only added to: the database refuses a change."""

    verb = models.CharField(_("what"), max_length=40)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, verbose_name=_("who"))
    campaign = models.ForeignKey(Campaign, models.CASCADE, null=True, related_name="events", verbose_name=_("campaign"))
    message = models.ForeignKey(Message, models.CASCADE, null=True, related_name="events", verbose_name=_("message"))
    sender = models.ForeignKey(Sender, models.CASCADE, null=True, related_name="events", verbose_name=_("sender"))
    details: models.JSONField[Any, Any] = models.JSONField(_("details"), default=dict)
    at = models.DateTimeField(_("when"), default=timezone.now)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.verb

    @classmethod
    def record(
        cls,
        verb: str,
        *,
        actor: User | None = None,
        campaign: Campaign | None = None,
        message: Message | None = None,
        sender: Sender | None = None,
        details: dict[str, Any] | None = None,
    ) -> Event:
        """Add one line, in the caller's transaction."""
        return cls.objects.create(
            verb=verb, actor=actor, campaign=campaign, message=message, sender=sender, details=details or {}
        )


class TallyBase(models.Model):
    """How many messages of a campaign look alike; a trigger on Message keeps it (migration 0002)."""

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    message_type = models.CharField(max_length=9)
    status = models.SmallIntegerField()
    cause = models.CharField(max_length=32)  # error code, else reason
    replied = models.BooleanField()
    opted_out = models.BooleanField()
    n = models.BigIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.message_type} {self.status} {self.cause}: {self.n}"


class NewRecipients(models.Model):
    """How many new recipients a sender's calls began with in one minute (`campaigns.limits`)."""

    sender = models.ForeignKey(Sender, models.CASCADE, related_name="+", db_index=False)
    minute = models.DateTimeField()
    n = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sender", "minute"], name="new_recipients_once")]

    def __str__(self) -> str:
        return f"{self.minute:%H:%M} {self.n}"


class HeldBack(models.Model):
    """Somebody to whom no marketing is sent until a moment, by any campaign (`campaigns.limits`)."""

    destination = models.CharField(max_length=160, primary_key=True)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"#{self.pk[-2:]} {self.until:%d.%m. %H:%M}"


class Tally(TallyBase):
    """The folded figures."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "message_type", "status", "cause", "replied", "opted_out"], name="tally_once"
            )
        ]


class TallyDelta(TallyBase):
    """Changes not folded yet: only inserted and deleted, so that no row is hot."""

    class Meta:
        indexes = [models.Index(fields=["campaign"], name="tally_delta_campaign")]


def lock_in_order(ids: Iterable[int]) -> list[int]:
    """Lock messages by ascending id (every path does, so none deadlocks); answers those that exist."""
    return list(
        Message.objects.filter(id__in=list(ids)).order_by("id").select_for_update().values_list("id", flat=True)
    )

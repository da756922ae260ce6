"""People, the lists they are in, and whether they may be written to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from contacts import phones
from contacts.reasons import FileReason, Reason
from contacts.signals import opted_out

if TYPE_CHECKING:
    from accounts.models import User


class CategoryQuerySet(models.QuerySet):
    def of(self, user: User | None) -> CategoryQuerySet:
        """What this user may use: a super-admin (or nobody in particular) everything, an admin their own."""
        return self if user is None or user.is_super_admin else self.filter(created_by=user)


class Category(models.Model):
    """The marketers' word for a contact list."""

    name = models.CharField(_("name"), max_length=120)
    color = models.CharField(_("colour"), max_length=7, default="#25d366", help_text=_("For example #25d366."))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects = CategoryQuerySet.as_manager()

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name


class ContactQuerySet(models.QuerySet):
    def of(self, user: User) -> ContactQuerySet:
        """Whom this user sees: a super-admin everybody, an admin those they created, linked or have in a category."""
        if user.is_super_admin:
            return self
        listed = Contact.categories.through.objects.filter(contact_id=OuterRef("pk"), category__created_by=user)
        linked = Contact.linked_to.through.objects.filter(contact_id=OuterRef("pk"), user=user)
        return self.filter(Q(created_by=user) | Exists(listed) | Exists(linked))

    def found_by(self, words: str) -> ContactQuerySet:
        """Whom somebody looks for: a number in any spelling, a part of one, or words of a name."""
        found = phones.normalise(words, settings.DEFAULT_COUNTRY)
        if isinstance(found, str):
            return self.filter(Q(number=found) | Q(whatsapp_number=found[1:]))
        digits = "".join(filter(str.isdecimal, words))
        if len(digits) >= 4 and not any(map(str.isalpha, words)):
            return self.filter(number__contains=digits.lstrip("0"))
        people = self
        for word in words.split():
            people = people.filter(Q(first_name__icontains=word) | Q(last_name__icontains=word))
        return people

    def join(self, category: Category) -> int:
        """Put these people in a category; answers how many were not in it."""
        joined = Contact.categories.through.objects.filter(category=category)
        ids = self.exclude(pk__in=joined.values("contact_id")).order_by("pk").values_list("pk", flat=True)
        rows = [Contact.categories.through(contact_id=pk, category=category) for pk in ids]
        Contact.categories.through.objects.bulk_create(rows, batch_size=5_000, ignore_conflicts=True)
        return len(rows)

    def leave(self, category: Category) -> int:
        """Take these people out of a category; answers how many were in it."""
        return Contact.categories.through.objects.filter(
            category=category, contact_id__in=self.order_by().values("pk")
        ).delete()[0]

    def reachable(self) -> ContactQuerySet:
        """Those a marketing message may be sent to now."""
        return self.filter(number__isnull=False, opted_out_at__isnull=True, invalid_at__isnull=True)

    def opt_out(
        self,
        source: str,
        evidence: str = "",
        actor: User | None = None,
        callback_id: int | None = None,
        at: datetime | None = None,
    ) -> int:
        """Record that these people want nothing more, with the proof; answers how many were new.

        `at` is when they said so (now when not given): what somebody said later stands, whatever arrives first.
        """
        at = at or timezone.now()
        with transaction.atomic():
            ids, changed = self._said(at, opted_out_at__isnull=True)
            Contact.objects.filter(id__in=changed).update(
                opted_out_at=at, opt_out_source=source, updated_at=timezone.now()
            )
            _journal(ids, ConsentEvent.Kind.OPT_OUT, source, evidence, actor, callback_id, at)
            if changed:
                opted_out.send(sender=Contact, contact_ids=changed)
        return len(changed)

    def opt_in(
        self,
        source: str,
        evidence: str = "",
        actor: User | None = None,
        callback_id: int | None = None,
        at: datetime | None = None,
    ) -> int:
        """Undo an opt-out, with the proof; answers how many it changed. `at` as for `opt_out`."""
        at = at or timezone.now()
        with transaction.atomic():
            ids, changed = self._said(at, opted_out_at__isnull=False)
            Contact.objects.filter(id__in=changed).update(
                opted_out_at=None, opt_out_source="", updated_at=timezone.now()
            )
            _journal(ids, ConsentEvent.Kind.OPT_IN, source, evidence, actor, callback_id, at)
        return len(changed)

    def _said(self, at: datetime, **changing: Any) -> tuple[list[int], list[int]]:
        """Lock these people; those who said nothing since `at`, and of them those that it changes."""
        locked = list(self.order_by("id").select_for_update().values_list("id", flat=True))
        said_later = ConsentEvent.objects.filter(contact_id=OuterRef("pk"), at__gt=at)
        ids = list(Contact.objects.filter(id__in=locked).exclude(Exists(said_later)).values_list("id", flat=True))
        return ids, list(Contact.objects.filter(id__in=ids, **changing).values_list("id", flat=True))

    def mark_invalid(self, code: str) -> int:
        """The provider says that these numbers cannot be reached on WhatsApp."""
        now = timezone.now()
        return self.filter(invalid_at__isnull=True).update(invalid_at=now, invalid_code=code, updated_at=now)


def _journal(
    ids: Iterable[int],
    kind: str,
    source: str,
    evidence: str,
    actor: User | None,
    callback_id: int | None,
    at: datetime,
) -> None:
    ConsentEvent.objects.bulk_create(
        ConsentEvent(
            contact_id=pk,
            kind=kind,
            source=source,
            evidence=evidence[:500],
            actor=actor,
            callback_id=callback_id,
            at=at,
        )
        for pk in ids
    )


class Contact(models.Model):
    """A person: an E.164 number, or a WhatsApp user id of somebody who hides theirs."""

    number = models.CharField(
        _("phone number"), max_length=16, null=True, blank=True, help_text=_("E.164: +33612345678")
    )
    country_code = models.CharField(_("country calling code"), max_length=4, blank=True, editable=False)
    whatsapp_user_id = models.CharField(_("WhatsApp user id"), max_length=160, null=True, blank=True, editable=False)
    # The id that WhatsApp uses for this number when it differs (Brazil, Mexico, Argentina): digits.
    whatsapp_number = models.CharField(_("WhatsApp number"), max_length=16, blank=True, editable=False)
    first_name = models.CharField(_("first name"), max_length=120, blank=True)
    last_name = models.CharField(_("last name"), max_length=120, blank=True)
    attributes = models.JSONField(
        _("attributes"), default=dict, blank=True, help_text=_("Further columns, usable as variables in messages.")
    )
    categories = models.ManyToManyField(Category, related_name="contacts", blank=True, verbose_name=_("categories"))

    opted_out_at = models.DateTimeField(_("opted out"), null=True, blank=True, editable=False)
    opt_out_source = models.CharField(_("opt-out source"), max_length=40, blank=True, editable=False)
    invalid_at = models.DateTimeField(_("not on WhatsApp since"), null=True, blank=True, editable=False)
    invalid_code = models.CharField(_("reason"), max_length=20, blank=True, editable=False)
    last_inbound_at = models.DateTimeField(_("last wrote"), null=True, blank=True, editable=False)

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, verbose_name=_("created by")
    )
    # Those who gave a number that somebody else had created already: they see it too.
    linked_to = models.ManyToManyField(
        settings.AUTH_USER_MODEL, related_name="linked_contacts", blank=True, editable=False
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects = ContactQuerySet.as_manager()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ("-id",)
        constraints = [
            # Not unique=True on the fields: its second index, for LIKE, costs an import a tenth of its time.
            models.UniqueConstraint(fields=["number"], name="contact_number_once"),
            models.UniqueConstraint(
                fields=["whatsapp_user_id"],
                name="contact_whatsapp_user_id_once",
                condition=Q(whatsapp_user_id__isnull=False),
            ),
            models.CheckConstraint(
                name="contact_is_somebody", condition=Q(number__isnull=False) | Q(whatsapp_user_id__isnull=False)
            ),
            models.CheckConstraint(
                name="contact_number_is_e164",
                condition=Q(number__isnull=True) | Q(number__regex=r"^\+[1-9][0-9]{6,14}$"),
            ),
        ]
        indexes = [
            models.Index(fields=["whatsapp_number"], name="contact_whatsapp_number", condition=~Q(whatsapp_number="")),
        ]

    def __str__(self) -> str:
        name = f"{self.first_name} {self.last_name}".strip()
        address = self.number or self.whatsapp_user_id or ""
        return f"{name} ({address})" if name else address

    @property
    def phone_number(self) -> str:
        """The national part: the number without its calling code."""
        return (self.number or "").removeprefix(self.country_code)


class ConsentEvent(models.Model):
    """The proof of an opt-out or its undoing. Only added to."""

    class Kind(models.TextChoices):
        OPT_OUT = "out", _("opt-out")
        OPT_IN = "in", _("opt-in")

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="consents", verbose_name=_("contact"))
    kind = models.CharField(_("kind"), max_length=3, choices=Kind.choices)
    source = models.CharField(_("source"), max_length=40)
    evidence = models.CharField(_("evidence"), max_length=500, blank=True)
    callback_id = models.BigIntegerField(_("callback"), null=True, blank=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, verbose_name=_("by"))
    at = models.DateTimeField(_("when"), default=timezone.now)

    class Meta:
        verbose_name = _("consent event")
        verbose_name_plural = _("consent events")
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.source}"

    @property
    def through(self) -> str:
        """How it came, in words for people."""
        kind, _colon, code = self.source.partition(":")
        match kind:
            case "word":
                return gettext("a message of the person")
            case "admin":
                return gettext("entered here by hand")
            case "api":
                return gettext("another program, by the API")
            case "provider":
                return gettext("WhatsApp refused a message (code %(code)s)") % {"code": code}
        return gettext("WhatsApp's own settings")


class ImportQuerySet(models.QuerySet):
    def of(self, user: User) -> ImportQuerySet:
        return self if user.is_super_admin else self.filter(created_by=user)


class Import(models.Model):
    """One contacts file and what became of its rows. The file is kept here: web and worker may be two machines."""

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("import", "to confirm")
        WAITING = "waiting", pgettext_lazy("import", "waiting")
        RUNNING = "running", pgettext_lazy("import", "running")
        FINISHED = "finished", pgettext_lazy("import", "finished")
        FAILED = "failed", pgettext_lazy("import", "failed")

    filename = models.CharField(_("file"), max_length=255)
    content = models.BinaryField(_("content"), null=True)
    region = models.CharField(_("default country"), max_length=2)
    category = models.ForeignKey(Category, models.SET_NULL, null=True, blank=True, verbose_name=_("add to category"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    problem = models.TextField(_("problem"), blank=True)
    layout: models.JSONField[Any, Any] = models.JSONField(_("layout"), default=dict, blank=True)
    rows = models.IntegerField(_("rows read"), default=0)
    size = models.BigIntegerField(_("bytes"), default=0)
    position = models.BigIntegerField(_("bytes read"), default=0)
    line = models.IntegerField(default=1, editable=False)  # the line at `position`
    tries = models.SmallIntegerField(default=0, editable=False)  # takeovers since the last progress
    categories_created = models.IntegerField(default=0, editable=False)
    created = models.IntegerField(pgettext_lazy("rows", "created"), default=0)
    updated = models.IntegerField(pgettext_lazy("rows", "updated"), default=0)
    unchanged = models.IntegerField(pgettext_lazy("rows", "unchanged"), default=0)
    rejected = models.IntegerField(pgettext_lazy("rows", "rejected"), default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, verbose_name=_("imported by")
    )
    created_at = models.DateTimeField(_("asked"), default=timezone.now, editable=False)
    started_at = models.DateTimeField(_("started"), null=True, editable=False)
    heartbeat_at = models.DateTimeField(_("last progress"), null=True, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, editable=False)

    objects = ImportQuerySet.as_manager()

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.filename

    @property
    def percent(self) -> int:
        """How much of the file is done."""
        return 100 if self.state == self.State.FINISHED else self.position * 100 // max(self.size, 1)

    @property
    def is_over(self) -> bool:
        return self.state in (self.State.FINISHED, self.State.FAILED)

    @property
    def problem_text(self) -> str:
        """The sentence for people, in the active language."""
        return str(FileReason(self.problem).label) if self.problem in FileReason.values else self.problem


class RejectedRow(models.Model):
    """A row of a file that became no contact, with the line it stands on and the reason."""

    source = models.ForeignKey(Import, models.CASCADE, related_name="rejected_rows", verbose_name=_("import"))
    line = models.IntegerField(_("line"))
    raw = models.TextField(_("row"))
    reason = models.CharField(_("reason"), max_length=40)
    detail = models.CharField(_("detail"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("rejected row")
        verbose_name_plural = _("rejected rows")
        ordering = ("source", "line")
        indexes = [models.Index(fields=["source", "line"], name="rejected_by_line")]

    def __str__(self) -> str:
        return f"{self.line}: {self.reason}"

    @property
    def sentence(self) -> str:
        """The reason for people, in the active language."""
        return str(Reason(self.reason).label) if self.reason in Reason.values else self.reason

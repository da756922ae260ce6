"""Who a campaign reaches: one query over contacts, annotated with the reason to skip and the rendered variables.

The live count, the pre-flight and the launch all read this query, so that none can disagree with another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    F,
    Func,
    JSONField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, NullIf
from django.utils import timezone

from campaigns.models import Campaign, Message
from campaigns.status import Kind, Reason, Status
from contacts.models import Contact
from gupshup.api.templates import clean_param

PLAIN_FIELDS = ("first_name", "last_name", "number")


@dataclass(frozen=True)
class Reach:
    """How many people: `total` = `planned` + the sum of `skipped` (by reason)."""

    total: int = 0
    planned: int = 0
    skipped: dict[str, int] = field(default_factory=dict)


def members(campaign: Campaign) -> QuerySet[Contact]:
    """Everyone in one of the campaign's categories, once."""
    categories = list(campaign.categories.values_list("id", flat=True))
    membership = Contact.categories.through.objects.filter(contact_id=OuterRef("pk"), category_id__in=categories)
    return Contact.objects.filter(Exists(membership))


def audience(campaign: Campaign) -> QuerySet[Any]:
    """The members with `rendered` (the template's variables, a JSON list of text) and `skip_reason` ("" = planned)."""
    values = [value_of(spec) for spec in campaign.params]
    people = members(campaign).annotate(rendered=Func(*values, function="jsonb_build_array", output_field=JSONField()))
    reasons = [
        When(number__isnull=True, then=Value(Reason.NO_NUMBER.value)),
        When(opted_out_at__isnull=False, then=Value(Reason.OPTED_OUT.value)),
        When(invalid_at__isnull=False, then=Value(Reason.INVALID_NUMBER.value)),
    ]
    for n, (spec, value) in enumerate(zip(campaign.params, values, strict=True)):
        if stand_in(spec):
            continue  # never empty then, and looking at it costs as much as rendering it
        people = people.annotate(**{f"value_{n}": value})
        reasons.append(When(**{f"value_{n}": ""}, then=Value(Reason.MISSING_VARIABLE.value)))
    if campaign.sender.person_cap is not None:
        people = people.annotate(had=messages_had(campaign))
        reasons.append(When(had__gte=campaign.sender.person_cap, then=Value(Reason.PERSON_CAP.value)))
    return people.annotate(skip_reason=Case(*reasons, default=Value(""), output_field=CharField()))


def value_of(spec: dict[str, Any]) -> Combinable:
    """One variable: the field with white space made single spaces (Meta refuses others, 132018), else its stand-in."""
    instead = Value(stand_in(spec), output_field=TextField())
    name = str(spec.get("field", ""))
    if name in PLAIN_FIELDS:
        source: Any = Cast(F(name), TextField())
    elif name.startswith("attributes."):
        source = KeyTextTransform(name.removeprefix("attributes."), "attributes")
    else:
        return instead
    bare = _replaced(_replaced(source, rf"{SPACE}+", " "), EDGE, "")
    return Coalesce(NullIf(bare, Value("")), instead, output_field=TextField())


def stand_in(spec: dict[str, Any]) -> str:
    """The fixed text of a variable, or what stands in when its field is empty."""
    return " ".join(clean_param(spec.get("text", "")).split())


# White space as Unicode has it, whatever PostgreSQL's locale takes for it; the spaces that do not break stay inside.
SPACE = r"[\s\u001c-\u001f\u0085\u2028\u2029]"
INVISIBLE = r"[\s\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff]"
EDGE = f"^{INVISIBLE}+|{INVISIBLE}+$"


def _replaced(source: Any, pattern: str, by: str) -> Func:
    return Func(source, Value(pattern), Value(by), Value("g"), function="regexp_replace", output_field=TextField())


def messages_had(campaign: Campaign) -> Subquery:
    """How many marketing messages a person was sent, or is about to be, in the sender's days."""
    since = timezone.now() - timedelta(days=campaign.sender.person_cap_days)
    counted = (
        Message.objects.filter(contact=OuterRef("pk"), message_type=Kind.MESSAGE_1, created_at__gte=since)
        .exclude(status__in=(Status.SKIPPED, Status.CANCELLED, Status.FAILED))
        .exclude(campaign=campaign)
        .order_by()
        .values("contact")
        .annotate(n=Count("*"))
        .values("n")
    )
    return Subquery(counted)


def count(campaign: Campaign) -> Reach:
    """The audience as it is now."""
    groups = dict(audience(campaign).order_by().values_list("skip_reason").annotate(n=Count("*")))
    planned = groups.pop("", 0)
    return Reach(planned + sum(groups.values()), planned, groups)


def sample(campaign: Campaign, size: int = 3) -> list[Contact]:
    """A few planned people with their rendered variables, for the preview."""
    return list(audience(campaign).filter(Q(skip_reason="")).order_by("id")[:size])

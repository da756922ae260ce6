"""A small world for the API's tests: two marketers, a super-admin, and for each marketer one of everything."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from accounts.models import User
from accounts.programs import ApiKey
from campaigns.models import Attempt, Campaign, Event, Interaction, Message
from campaigns.status import CampaignStatus, Kind, Status
from contacts.models import Category, Contact, Import, RejectedRow
from gupshup.models import Sender, Template
from hooks import outbox
from hooks.models import Delivery, Endpoint

PASSWORD = "un mot de passe 42"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Belongings:
    """What one marketer has."""

    user: User
    category: Category
    contacts: list[Contact]
    campaign: Campaign  # running, with messages in several states
    draft: Campaign  # ready to launch
    messages: list[Message]
    interaction: Interaction
    job: Import


@dataclass
class World:
    root: User
    sender: Sender
    template: Template
    plain: Template
    ann: Belongings
    bob: Belongings
    endpoint: Endpoint
    delivery: Delivery
    keys: dict[str, str] = field(default_factory=dict)

    def as_user(self, user: User) -> APIClient:
        client = APIClient(headers={"Accept-Language": "en"})
        client.force_authenticate(user)
        return client

    def as_program(self, scope: str) -> APIClient:
        """With a key that acts for Ann."""
        if scope not in self.keys:
            key = ApiKey(name=scope, user=self.ann.user, scope=scope)
            self.keys[scope] = key.issue()
            key.save()
        return APIClient(headers={"Accept-Language": "en", "Authorization": f"Api-Key {self.keys[scope]}"})


def build_world() -> World:
    Sender.objects.all().delete()
    sender = Sender.objects.create(
        name="Boutique", app_name="Boutique", phone_number="33700000001", api_url="http://127.0.0.1:9/wa/api/v1"
    )
    template = Template.objects.create(
        sender=sender,
        provider_id="t-1",
        name="offre",
        language="fr",
        category="MARKETING",
        status="APPROVED",
        body="Bonjour {{1}}, une offre vous attend.",
        params_count=1,
    )
    plain = Template.objects.create(
        sender=sender, provider_id="t-2", name="bienvenue", language="fr", status="APPROVED", body="Bienvenue !"
    )
    root = User.objects.create_superuser("chef@example.com", PASSWORD)
    ann, bob = (_belongings(n, sender, template) for n in (1, 2))
    endpoint = Endpoint(name="Caisse", url="https://caisse.example.com/hook", events=["contact.opted_out"])
    endpoint.issue()
    endpoint.save()
    return World(root, sender, template, plain, ann, bob, endpoint, outbox.trial(endpoint))


def _belongings(n: int, sender: Sender, template: Template) -> Belongings:
    user = User.objects.create_user(f"{'ann' if n == 1 else 'bob'}@example.com", PASSWORD)
    category = Category.objects.create(name=f"Liste {n}", color="#25d366", created_by=user)
    contacts = [
        Contact.objects.create(
            number=f"+3363999{n}{i:03d}", country_code="+33", first_name=f"Prénom{i}", created_by=user
        )
        for i in range(4)
    ]
    category.contacts.set(contacts)
    campaign = _campaign(user, sender, template, category, CampaignStatus.RUNNING)
    campaign.message_1, campaign.template_name = template.body, template.name
    campaign.save()
    messages = [
        make_message(campaign, contact, status)
        for contact, status in zip(
            contacts, (Status.READ, Status.FAILED, Status.UNCERTAIN, Status.PENDING), strict=True
        )
    ]
    second = make_message(campaign, contacts[0], Status.SENT, Kind.MESSAGE_2)
    interaction = Interaction.objects.create(
        sender=sender,
        contact=contacts[0],
        message=messages[0],
        campaign=campaign,
        interaction_type="reply",
        content="Oui",
        inbound_id=f"in-{n}",
        received_at=NOON,
        triggered=True,
    )
    Event.record("launch", actor=user, campaign=campaign)
    job = Import.objects.create(
        filename="liste.csv", region="FR", state="finished", rows=1, rejected=1, created_by=user
    )
    RejectedRow.objects.create(source=job, line=2, raw="x;12", reason="too_short")
    draft = _campaign(user, sender, template, category, CampaignStatus.DRAFT)
    return Belongings(user, category, contacts, campaign, draft, [*messages, second], interaction, job)


def _campaign(user: User, sender: Sender, template: Template, category: Category, status: str) -> Campaign:
    campaign = Campaign.objects.create(
        name="Rentrée",
        sender=sender,
        template=template,
        params=[{"field": "first_name", "text": "vous"}],
        message_2="Merci !",
        status=status,
        created_by=user,
    )
    campaign.categories.add(category)
    return campaign


def make_message(campaign: Campaign, contact: Contact, status: Status, kind: str = Kind.MESSAGE_1) -> Message:
    """A message as the engine would leave it in this state, with the call that belongs to it."""
    waits = status == Status.PENDING
    message = Message.objects.create(
        campaign=campaign,
        sender=campaign.sender,
        contact=contact,
        message_type=kind,
        destination=str(contact.number)[1:],
        params=["Prénom"],
        content="Merci !" if kind == Kind.MESSAGE_2 else "",
        status=status,
        next_attempt_at=NOON if waits else None,
        error_code="1002" if status == Status.FAILED else "",
        error_message="no such number" if status == Status.FAILED else "",
        whatsapp_message_id=f"gs-{campaign.pk}-{contact.pk}" if status > Status.UNCERTAIN else "",
        sent_at=NOON if status >= Status.SENT else None,
        delivered_at=NOON if status >= Status.DELIVERED else None,
        read_at=NOON if status == Status.READ else None,
        replied_at=NOON if status == Status.READ else None,
    )
    state = {Status.UNCERTAIN: "uncertain", Status.FAILED: "rejected"}.get(status, "accepted")
    if not waits:
        Attempt.objects.create(
            message=message,
            sender=campaign.sender,
            destination=message.destination,
            state=state,
            provider_id=message.whatsapp_message_id or None,
            deadline=NOON + timedelta(seconds=90),
        )
    return message


def routes() -> dict[tuple[str, str], Any]:
    """(method, name) of everything under /api/, the document and the webhook aside."""
    found: dict[tuple[str, str], Any] = {}
    for pattern in _patterns(get_resolver().url_patterns, ""):
        view = getattr(pattern.callback, "view_class", None)
        inbound = "webhooks/gupshup" in str(pattern.pattern)
        if view is None or pattern.name in ("schema", "docs") or inbound:
            continue
        for method in view.http_method_names:
            if method not in ("head", "options") and hasattr(view, method):
                found[method.upper(), pattern.name] = view
    return found


def _patterns(patterns: list[Any], prefix: str) -> list[URLPattern]:
    found: list[URLPattern] = []
    for one in patterns:
        path = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            if path == "" or path.startswith("api/"):
                found += _patterns(one.url_patterns, path)
        elif path.startswith("api/"):
            found.append(one)
    return found

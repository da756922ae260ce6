"""The old system's tables: which columns an import needs, and which it takes when they are there. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return self.required + self.optional

    @property
    def stage(self) -> str:
        """The name of our temporary copy: all columns as text, with the row's place in the source as `n`."""
        return f"old_{self.name}"


USERS = Table("users", ("id", "email"), ("role", "is_active", "created_at"))
CATEGORIES = Table("categories", ("id", "name"), ("color", "created_by", "created_at", "updated_at"))
CONTACTS = Table(
    "contacts",
    ("id",),
    (
        "phone_number", "country_code", "full_number", "first_name", "last_name", "created_by", "created_at",
        "updated_at",
    ),
)  # fmt: skip
MEMBERSHIPS = Table("category_contacts", ("category_id", "contact_id"))
CAMPAIGNS = Table(
    "campaigns",
    ("id", "name"),
    (
        "message_1", "message_2", "template_name", "status", "total_recipients", "sent_count", "success_count",
        "failed_count", "interaction_count", "created_by", "created_at", "updated_at", "scheduled_at", "completed_at",
    ),
)  # fmt: skip
TARGETS = Table("campaign_categories", ("campaign_id", "category_id"))
MESSAGES = Table(
    "messages",
    ("id", "campaign_id"),
    (
        "contact_id", "message_type", "content", "status", "whatsapp_message_id", "error_message", "retry_count",
        "sent_at", "delivered_at", "read_at", "created_at", "updated_at",
    ),
)  # fmt: skip
INTERACTIONS = Table(
    "interactions",
    ("id",),
    (
        "campaign_id", "contact_id", "message_id", "interaction_type", "content", "whatsapp_message_id", "received_at",
        "created_at",
    ),
)  # fmt: skip
TABLES = (USERS, CATEGORIES, CONTACTS, MEMBERSHIPS, CAMPAIGNS, TARGETS, MESSAGES, INTERACTIONS)

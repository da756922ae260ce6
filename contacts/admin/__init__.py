"""The admin of contacts, categories and imports."""

from contacts.admin.category import CategoryAdmin
from contacts.admin.contact import ContactAdmin
from contacts.admin.imports import ImportAdmin

__all__ = ["CategoryAdmin", "ContactAdmin", "ImportAdmin"]

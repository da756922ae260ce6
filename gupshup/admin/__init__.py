"""The provider's side in the admin: who sends, what may be sent first, what arrived."""

from gupshup.admin.callbacks import CallbackAdmin as CallbackAdmin
from gupshup.admin.senders import SenderAdmin as SenderAdmin
from gupshup.admin.templates import TemplateAdmin as TemplateAdmin

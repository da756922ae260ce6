from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class HooksConfig(AppConfig):
    name = "hooks"
    verbose_name = _("Outgoing webhooks")

    def ready(self) -> None:
        from hooks import checks as checks

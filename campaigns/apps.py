from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = _("Campaigns")

    def ready(self) -> None:
        from campaigns import diagnosing
        from campaigns import receivers as receivers
        from gupshup import diagnosis

        diagnosis.register(diagnosing.look)

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = _("Campaigns")

    def ready(self) -> None:
        from campaigns import diagnosing, measuring
        from campaigns import receivers as receivers
        from gupshup import diagnosis
        from metrics import registry

        diagnosis.register(diagnosing.look)
        registry.register("campaigns", measuring.collect)

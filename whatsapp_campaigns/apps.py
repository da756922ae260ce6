from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class ShellConfig(AppConfig):
    """The house around the apps: theme, error pages, probes. It has no models."""

    name = "whatsapp_campaigns"
    verbose_name = "WhatsApp Campaigns"

    def ready(self) -> None:
        # Named after packages; people read them in the path above a page.
        apps.get_app_config("axes").verbose_name = _("Failed logins")
        apps.get_app_config("django_celery_beat").verbose_name = _("Periodic tasks")
        from campaigns import watching
        from whatsapp_campaigns import health

        for check in (watching.arming, watching.inbox, watching.sending, watching.calls):
            health.register(check.__name__, check)

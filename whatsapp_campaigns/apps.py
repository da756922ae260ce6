from django.apps import AppConfig


class ShellConfig(AppConfig):
    """The house around the apps: theme, error pages, probes. It has no models."""

    name = "whatsapp_campaigns"
    verbose_name = "WhatsApp Campaigns"

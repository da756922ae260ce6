from django.apps import AppConfig


class GupshupConfig(AppConfig):
    name = "gupshup"
    verbose_name = "Gupshup"

    def ready(self) -> None:
        from django.db.models.signals import post_delete, post_migrate, post_save

        from gupshup import checks as checks
        from gupshup.models import Sender
        from gupshup.senders import keep_environment_sender
        from gupshup.webhooks import forget_secrets

        for saved in (post_save, post_delete):
            saved.connect(forget_secrets, sender=Sender)
        post_migrate.connect(keep_environment_sender, sender=self)

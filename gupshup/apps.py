from django.apps import AppConfig


class GupshupConfig(AppConfig):
    name = "gupshup"
    verbose_name = "Gupshup"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from gupshup import checks as checks
        from gupshup.senders import keep_environment_sender

        post_migrate.connect(keep_environment_sender, sender=self)

from django.apps import AppConfig


class Usual(AppConfig):
    name = "campaigns.bench.usual"
    label = "usual"

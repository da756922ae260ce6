"""The webhook's addresses. The one with the secret in its path is the default: pings come without custom headers."""

from django.urls import path

from gupshup.webhooks import GupshupWebhook

webhook = GupshupWebhook.as_view()

urlpatterns = [
    path("api/webhooks/gupshup/<str:secret>", webhook, name="webhook"),
    path("api/webhooks/gupshup", webhook, name="webhook-plain"),
    path("webhooks/gupshup", webhook, name="webhook-short"),
]

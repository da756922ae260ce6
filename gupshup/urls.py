"""The webhook's addresses. The one with the secret in its path is the default: pings come without custom headers.

A final slash is forgiven, since whoever copies the address may add it; a secret of one's own may hold slashes, as those
of `openssl rand -base64` do.
"""

from django.urls import path

from gupshup.webhooks import webhook

urlpatterns = [
    path("api/webhooks/gupshup/<path:secret>/", webhook),
    path("api/webhooks/gupshup/<path:secret>", webhook, name="webhook"),
    path("api/webhooks/gupshup", webhook, name="webhook-plain"),
    path("webhooks/gupshup", webhook, name="webhook-short"),
    path("webhooks/gupshup/", webhook),
    path("webhooks/gupshup/<path:secret>/", webhook),
    path("webhooks/gupshup/<path:secret>", webhook),
]

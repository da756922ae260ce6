"""The webhook's addresses. The one with the secret in its path is the default: pings come without custom headers.

A final slash is forgiven, since whoever copies the address may add it: under /api/ by ApiMiddleware, here by itself.
"""

from django.urls import path

from gupshup.webhooks import webhook

urlpatterns = [
    path("api/webhooks/gupshup/<str:secret>", webhook, name="webhook"),
    path("api/webhooks/gupshup", webhook, name="webhook-plain"),
    path("webhooks/gupshup", webhook, name="webhook-short"),
    path("webhooks/gupshup/", webhook),
    path("webhooks/gupshup/<str:secret>", webhook),
    path("webhooks/gupshup/<str:secret>/", webhook),
]

"""Everything under /api/ but the webhook. Addresses have no final slash; one that has is understood too."""

from django.urls import include, path

from whatsapp_campaigns.api import converters as converters

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("contacts.urls")),
]

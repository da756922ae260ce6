"""Everything under /api/ but the webhook. Addresses have no final slash; one that has is understood too."""

from django.urls import include, path

from whatsapp_campaigns.api import converters as converters
from whatsapp_campaigns.api import schema as schema
from whatsapp_campaigns.api.docs import Document, Page

urlpatterns = [
    path("schema", Document.as_view(), name="schema"),
    path("docs", Page.as_view(), name="docs"),
    path("", include("accounts.urls")),
    path("", include("contacts.urls")),
    path("", include("gupshup.api_urls")),
    path("", include("hooks.urls")),
    path("", include("campaigns.urls")),
]

"""The product's own settings, with one more address: an empty view on the same server."""

from __future__ import annotations

from whatsapp_campaigns.settings import *  # noqa: F403

ROOT_URLCONF = "campaigns.bench.urls"

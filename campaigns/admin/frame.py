"""What every page about one campaign shares: who looks, where pages are, and the theme's frame around them."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest
from django.urls import reverse

from accounts.models import User
from campaigns.models import Campaign


def actor(request: HttpRequest) -> User:
    """The admin lets nobody else in."""
    return cast(User, request.user)


def address(campaign: Campaign, name: str = "change") -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=(campaign.pk,))


def context(model_admin: ModelAdmin, request: HttpRequest, campaign: Campaign, subtitle: str = "") -> dict[str, Any]:
    return {
        **model_admin.admin_site.each_context(request),
        "title": campaign.name,
        "subtitle": subtitle,
        "opts": model_admin.opts,
        "original": campaign,
        "campaign": campaign,
        "media": model_admin.media,
        "show_back_button": True,
    }

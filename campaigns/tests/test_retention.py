"""Old bodies and texts go; states, figures and what needs a person stay."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import reports, retention
from campaigns.models import Interaction, Message
from campaigns.tests.provider import accepted, read_inbox, says
from gupshup.models import Callback

pytestmark = pytest.mark.django_db


def test_old_texts_go_and_figures_stay(sender, launched, settings):
    campaign = launched(people=2)
    message = Message.objects.order_by("id").first()
    accepted(message)
    says(sender, message.destination, "Bonjour")
    read_inbox()
    before = reports.figures(campaign.pk).as_json()
    long_ago = timezone.now() - timedelta(days=400)
    Message.objects.filter(pk=message.pk).update(created_at=long_ago)
    Interaction.objects.update(received_at=long_ago)
    Callback.objects.update(received_at=long_ago)
    assert retention.prune() == 3
    message.refresh_from_db()
    assert (message.params, Interaction.objects.get().content, Callback.objects.count()) == ([], "", 0)
    assert reports.figures(campaign.pk).as_json() == before
    assert retention.prune() == 0


def test_what_needs_a_person_is_kept(sender):
    says(sender, "33639000000")
    Callback.objects.update(state="failed", due_at=None, received_at=timezone.now() - timedelta(days=400))
    retention.prune()
    assert Callback.objects.count() == 1


def test_zero_days_keep_for_ever(sender, settings):
    settings.RETENTION_CALLBACK_DAYS = 0
    says(sender, "33639000000")
    Callback.objects.update(state="done", due_at=None, received_at=timezone.now() - timedelta(days=4000))
    assert retention.prune() == 0

"""The sender of the environment: there after migrate, brought up to date at each start."""

from __future__ import annotations

import pytest

from gupshup import senders
from gupshup.models import Sender

pytestmark = pytest.mark.django_db


@pytest.fixture
def environment(settings):
    """Validates: 1.1"""
    Sender.objects.all().delete()
    settings.GUPSHUP_FROM_ENVIRONMENT = True
    settings.GUPSHUP_API_KEY, settings.GUPSHUP_APP_NAME = "sk_one", "MaBoutique"
    settings.GUPSHUP_PHONE_NUMBER, settings.GUPSHUP_WEBHOOK_SECRET = "+33 7 00 00 00 01", ""
    return settings


def test_it_is_made_once_with_a_secret_of_its_own(environment):
    sender = senders.keep_environment_sender()
    assert (sender.phone_number, sender.api_key, sender.from_environment) == ("33700000001", "sk_one", True)
    assert len(sender.webhook_secret) >= 43
    assert senders.keep_environment_sender().webhook_secret == sender.webhook_secret
    assert Sender.objects.count() == 1


def test_the_environment_wins_and_pace_and_ceiling_stay(environment):
    senders.keep_environment_sender()
    Sender.objects.update(rate_limit=7, ceiling=1000)
    environment.GUPSHUP_API_KEY = "sk_two"
    senders.start()
    sender = Sender.objects.get()
    assert (sender.api_key, sender.rate_limit, sender.ceiling) == ("sk_two", 7, 1000)


def test_without_names_in_the_environment_there_is_none(environment):
    environment.GUPSHUP_FROM_ENVIRONMENT = False
    assert senders.keep_environment_sender() is None
    with pytest.raises(Sender.DoesNotExist):
        senders.default_sender()


def test_a_key_is_stored_encrypted_and_never_shown(environment):
    from django.db import connection

    sender = senders.keep_environment_sender()
    with connection.cursor() as cursor:
        cursor.execute("SELECT api_key, webhook_secret FROM gupshup_sender")
        stored = " ".join(cursor.fetchone())
    assert "sk_one" not in stored
    assert sender.webhook_secret not in stored
    assert "sk_one" not in repr(sender)

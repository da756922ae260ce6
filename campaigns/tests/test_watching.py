"""`/readyz` tells when nobody works, not only when a process is gone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import watching
from campaigns.models import Attempt, Message
from campaigns.tests.provider import accepted, says
from gupshup.models import Callback, Sender

pytestmark = pytest.mark.django_db


def ago(seconds):
    return timezone.now() - timedelta(seconds=seconds)


def test_all_is_well_when_nothing_waits(client, launched):
    launched(people=1)
    assert (watching.inbox(), watching.sending(), watching.calls()) == ("", "", "")
    assert client.get("/readyz").status_code == 200


def test_an_unread_inbox_is_told(client, sender):
    says(sender, "33639000000")
    Callback.objects.update(due_at=ago(100))
    assert "waits 100 s" in watching.inbox()
    assert client.get("/readyz").status_code == 503


def test_due_messages_without_a_worker_are_told(launched):
    launched(people=1)
    Message.objects.update(next_attempt_at=ago(1000))
    Sender.objects.update(tat=ago(1000))
    assert watching.sending() == "1 senders have due messages and no worker"


def test_calls_without_an_end_are_told(launched):
    launched(people=1)
    accepted(Message.objects.get())
    Attempt.objects.update(state="intent", deadline=ago(1000))
    assert "no sweep runs" in watching.calls()

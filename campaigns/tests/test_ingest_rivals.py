"""Answers and reports of the same people, read by many workers at once: nobody waits for another in a circle."""

from __future__ import annotations

import logging
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from campaigns import ingest, invariants
from campaigns.models import Interaction, Message
from campaigns.status import Status
from campaigns.tests.provider import accepted, report, says
from gupshup.models import Callback

PEOPLE, WORKERS = 90, 6


@pytest.mark.django_db(transaction=True)
def test_a_backlog_of_answers_and_reports_is_read_by_rivals_without_circles(sender, launched, monkeypatch, caplog):
    """Validates: 5.6 (P7). Each answer moves the row that reports in other workers' hands move too."""
    launched(people=PEOPLE)
    told = []
    for message in Message.objects.order_by("id"):
        accepted(message, f"gs-{message.pk}-0123456")
        told += [("sent", message), ("delivered", message), ("read", message), ("answer", message)]
    random.Random(5).shuffle(told)
    for word, message in told:
        if word == "answer":
            says(sender, message.destination, "Oui", wamid=f"wamid.{message.pk}.1")
        else:
            report(sender, word, gs_id=f"gs-{message.pk}-0123456", other=f"wa-{message.pk}-987654")
    monkeypatch.setattr(ingest, "BATCH", 40)

    def work(_):
        try:
            return ingest.run()
        finally:
            connection.close()

    with caplog.at_level(logging.INFO, "campaigns.ingest"), ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(WORKERS)))
    ingest.run()
    circles = [entry for entry in caplog.records if "read again" in entry.message]
    assert len(circles) <= 3
    assert set(Message.objects.filter(message_type="message_1").values_list("status", flat=True)) == {Status.READ}
    assert Message.objects.filter(message_type="message_2").count() == PEOPLE
    assert Interaction.objects.count() == PEOPLE
    assert {callback.condition for callback in Callback.objects.all()} == {Callback.State.DONE}
    assert not any(invariants.check().values())

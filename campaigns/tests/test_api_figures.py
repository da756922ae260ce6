"""The old statistics, against a model of the old system that knows nothing of our code."""

from __future__ import annotations

from collections import Counter

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from campaigns import reports
from campaigns.models import Campaign, Message
from campaigns.status import Kind, Status
from campaigns.tests.api import NOON
from contacts.models import Contact

pytestmark = pytest.mark.django_db

# The old system's word for each of our states, written down once more: the model must not lean on our table.
OLD = {
    "PENDING": "pending",
    "SENDING": "pending",
    "UNCERTAIN": "pending",
    "SUBMITTED": "sent",
    "SENT": "sent",
    "FAILED": "failed",
    "CANCELLED": "failed",
    "DELIVERED": "delivered",
    "READ": "read",
}


class OldSystem:
    """Each Message 1 counts in exactly one of five, by its present status."""

    def __init__(self) -> None:
        self.first: dict[int, str] = {}

    def stats(self) -> dict[str, float]:
        counts = Counter(OLD[name] for name in self.first.values() if name in OLD)
        total = sum(counts.values())
        found: dict[str, float] = {f"{word}_count": counts[word] for word in set(OLD.values())}
        reached = counts["delivered"] + counts["read"]
        return {**found, "total_recipients": total, "success_rate": reached / total * 100 if total else 0.0}


states = st.sampled_from([status.name for status in Status])


@given(
    planned=st.lists(states, max_size=12),
    moves=st.lists(st.tuples(st.integers(0, 11), states), max_size=12),
    seconds=st.lists(states, max_size=4),
    fold=st.booleans(),
)
def test_the_old_counters_are_those_of_the_old_system(world, planned, moves, seconds, fold):
    """Validates: 7.5 (P12)"""
    with transaction.atomic():
        campaign, model = world.ann.draft, OldSystem()
        rows = [_add(campaign, n, name, Kind.MESSAGE_1) for n, name in enumerate(planned)]
        model.first = dict(enumerate(planned))
        for n, name in enumerate(seconds):
            _add(campaign, n, name, Kind.MESSAGE_2)
        for n, name in moves:
            if n < len(rows):
                waits = {"next_attempt_at": NOON if name == "PENDING" else None}
                Message.objects.filter(pk=rows[n]).update(status=Status[name], **waits)
                model.first[n] = name
        if fold:
            reports.fold()
        client = world.as_user(world.ann.user)
        stats = client.get(reverse("api:campaign-stats", args=(campaign.pk,))).json()
        shown = client.get(reverse("api:campaign", args=(campaign.pk,))).json()
        transaction.set_rollback(True)
    expected = model.stats()
    assert stats == {"campaign_id": campaign.pk, **expected}
    assert {name: shown[name] for name in expected if name != "pending_count"} == {
        name: value for name, value in expected.items() if name != "pending_count"
    }
    five = ("pending_count", "sent_count", "delivered_count", "read_count", "failed_count")
    assert sum(stats[name] for name in five) == stats["total_recipients"]


def _add(campaign: Campaign, n: int, name: str, kind: str) -> int:
    message = Message.objects.create(
        campaign=campaign,
        sender=campaign.sender,
        message_type=kind,
        destination=f"336{n:08d}",
        status=Status[name],
        next_attempt_at=NOON if name == "PENDING" else None,
    )
    return message.pk


@pytest.mark.parametrize("status", ["pending", "sent", "delivered", "read", "failed"])
def test_the_list_of_messages_and_its_count_and_the_stats_agree(world, status):
    client = world.as_user(world.ann.user)
    listed = client.get(reverse("api:messages"), {"status": status}).json()
    stats = client.get(reverse("api:message-stats")).json()
    assert {row["status"] for row in listed["results"]} <= {status}
    assert len(listed["results"]) == listed["count"] == stats[f"{status}_count"]


def test_who_was_skipped_is_no_recipient(world):
    _add(world.ann.campaign, 0, "SKIPPED", Kind.MESSAGE_1)
    client = world.as_user(world.ann.user)
    before = client.get(reverse("api:messages")).json()
    assert "skipped" not in {row["status"] for row in before["results"]}
    skipped = client.get(reverse("api:messages"), {"state": "skipped"}).json()
    assert (skipped["count"], skipped["results"][0]["state"]) == (1, "skipped")


def test_reading_a_page_of_campaigns_never_reads_messages(world):
    """Validates: 7 (figures are kept, not counted)"""
    client = world.as_user(world.root)
    for url in (reverse("api:campaigns"), reverse("api:message-stats"), reverse("api:messages")):
        with CaptureQueriesContext(connection) as asked:
            assert client.get(url).status_code == 200
        counting = [one["sql"] for one in asked if "COUNT(" in one["sql"] and "campaigns_message" in one["sql"]]
        assert not counting
        assert len(asked) < 10


def test_a_page_has_at_most_50_rows(world):
    Campaign.objects.bulk_create(
        Campaign(name=f"C{n}", sender=world.sender, created_by=world.ann.user) for n in range(60)
    )
    client = world.as_user(world.ann.user)
    first = client.get(reverse("api:campaigns"), {"page_size": 500}).json()
    assert (len(first["results"]), first["count"]) == (50, 62)
    second = client.get(first["next"]).json()
    ids = [row["id"] for row in first["results"] + second["results"]]
    assert len(set(ids)) == 62
    assert ids == sorted(ids, reverse=True)


def test_campaigns_are_found_by_name_state_and_category(world):
    client = world.as_user(world.ann.user)

    def found(**wanted: object) -> set[int]:
        return {row["id"] for row in client.get(reverse("api:campaigns"), wanted).json()["results"]}

    running, draft = world.ann.campaign.pk, world.ann.draft.pk
    assert found(status="sending") == found(state="running") == {running}
    assert found(status="draft") == {draft}
    assert found(search="rentr") == {running, draft}
    assert found(search="%") == set()
    assert found(category_id=world.ann.category.pk) == {running, draft}
    assert found(category_id=world.bob.category.pk) == set()
    assert found(created_before="2020-01-01T00:00:00Z") == set()


def test_contacts_are_found_by_number_in_any_spelling_and_by_words(world):
    client = world.as_user(world.ann.user)
    anne = Contact.objects.create(
        number="+33612345678", country_code="+33", first_name="Anne", last_name="Le Goff", created_by=world.ann.user
    )

    def found(search: str) -> set[int]:
        return {row["id"] for row in client.get(reverse("api:contacts"), {"search": search}).json()["results"]}

    for spelling in ("06 12 34 56 78", "+33 6 12 34 56 78", "0033612345678", "goff anne", "2345678"):
        assert found(spelling) == {anne.pk}
    assert found("_") == set()

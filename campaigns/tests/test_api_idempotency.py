"""A POST that is repeated under one Idempotency-Key, also at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from accounts.programs import IdempotencyKey
from campaigns.models import Campaign, Event, Message
from campaigns.status import CampaignStatus
from contacts.models import Category

KEY = {"Idempotency-Key": "commande-42"}


def launch(world, key=KEY, **changes):
    body = {"name": "Soldes", "message_1": "Bienvenue !", "category_ids": [world.ann.category.pk], **changes}
    return world.as_user(world.ann.user).post(reverse("api:campaigns"), body, format="json", headers=key)


def test_the_same_request_again_does_nothing_and_gets_the_same_answer(world):
    first, again = launch(world), launch(world)
    assert first.status_code == again.status_code == 202
    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Campaign.objects.filter(name="Soldes").count() == 1


def test_another_request_under_the_same_key_is_refused(world):
    launch(world)
    other = launch(world, name="Autre")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert not Campaign.objects.filter(name="Autre").exists()


def test_a_refused_request_can_be_put_right_under_the_same_key(world):
    assert launch(world, message_1="jamais vu").status_code == 422
    assert not IdempotencyKey.objects.exists()
    assert launch(world).status_code == 202


def test_a_key_belongs_to_its_user(world):
    launch(world)
    body = {"name": "Nouveaux"}
    answer = world.as_user(world.bob.user).post(reverse("api:categories"), body, format="json", headers=KEY)
    assert answer.status_code == 201


def test_a_key_is_forgotten_after_three_days(world):
    launch(world)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(days=4))
    assert launch(world).status_code == 202
    assert Campaign.objects.filter(name="Soldes").count() == 2


@pytest.mark.parametrize("key", ["", " ", "é", "x" * 256, "a b"])
def test_a_key_is_up_to_255_printable_characters(world, key):
    assert launch(world, {"Idempotency-Key": key}).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_rivals_under_one_key_launch_one_campaign_and_get_one_answer(world):
    def ask(_: int):
        try:
            answer = launch(world)
            return answer.status_code, answer.content
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        answers = set(pool.map(ask, range(12)))
    assert {status for status, _ in answers} == {202}
    assert len(answers) == 1
    campaign = Campaign.objects.get(name="Soldes")
    assert Event.objects.filter(campaign=campaign, verb="launch").count() == 1
    assert Message.objects.filter(campaign=campaign).count() == 4


@pytest.mark.django_db(transaction=True)
def test_rivals_without_a_key_launch_a_draft_once(world):
    url = reverse("api:campaign-launch", args=(world.ann.draft.pk,))

    def ask(_: int) -> int:
        try:
            return world.as_user(world.ann.user).post(url, {}, format="json").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        answers = sorted(pool.map(ask, range(12)))
    assert answers == [202] + [409] * 11
    assert Campaign.objects.get(pk=world.ann.draft.pk).status != CampaignStatus.DRAFT


def test_a_category_is_made_once(world):
    client = world.as_user(world.ann.user)
    for _ in range(3):
        client.post(reverse("api:categories"), {"name": "Nouveaux"}, format="json", headers=KEY)
    assert Category.objects.filter(name="Nouveaux").count() == 1

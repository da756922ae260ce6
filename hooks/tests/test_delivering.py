"""What happened is told: once to each, at least; again for three days; without harm to anybody else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import monotonic, time

import pytest
from django.db import connection, transaction
from django.utils import timezone

from gupshup.tests.api.servers import answering, reply
from hooks import delivering, outbox, retention
from hooks.models import Delivery, Endpoint, Kind, Try
from hooks.outbox import Happening
from hooks.reaching import Answer

pytestmark = pytest.mark.django_db(transaction=True)


def tell(key: str = "1", kind: Kind = Kind.REPLIED) -> int:
    return outbox.tell(kind, lambda: [Happening(key, timezone.now(), {"text": "Où ?"})])


def verify(secret: str, request) -> bool:
    """What a receiver does, from the scheme's text."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    heads = request.headers
    signed = f"{heads['webhook-id']}.{heads['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    fresh = abs(time() - int(heads["webhook-timestamp"])) < 300
    return fresh and f"v1,{expected}" in heads["webhook-signature"].split(" ")


def make_due() -> None:
    """As if the time until the next try had passed."""
    Delivery.objects.filter(state="waiting").update(next_try_at=timezone.now())
    Endpoint.objects.update(rest_until=None)


def test_an_event_reaches_everybody_who_listens_signed(receiver, make_endpoint):
    first, second, other = receiver(), receiver(), receiver()
    one, two = make_endpoint(first.url()), make_endpoint(second.url(), events=["reply.received"])
    make_endpoint(other.url(), events=["campaign.finished"])
    make_endpoint(other.url(), active=False)
    assert tell() == 2
    assert delivering.run() == 2
    assert verify(one.secret, first.requests[0])
    assert verify(two.secret, second.requests[0])
    assert not verify(one.secret, second.requests[0])
    assert other.requests == []
    said = json.loads(first.requests[0].body)
    assert (said["type"], said["data"]) == ("reply.received", {"text": "Où ?"})
    assert set(Delivery.objects.values_list("state", "tries", "last_status")) == {("delivered", 1, 204)}
    assert first.requests[0].headers["webhook-id"] == second.requests[0].headers["webhook-id"]
    assert delivering.run() == 0


def test_where_nobody_listens_nothing_is_built(db, django_assert_num_queries):
    def never():
        raise AssertionError

    with django_assert_num_queries(1):
        assert outbox.tell(Kind.REPLIED, never) == 0


def test_what_is_told_stands_or_falls_with_what_it_tells(receiver, make_endpoint):
    make_endpoint(receiver().url())
    with transaction.atomic():
        assert tell() == 1
        transaction.set_rollback(True)
    assert not Delivery.objects.exists()


def test_the_same_happening_is_told_once_however_often_it_is_written(receiver, make_endpoint):
    server = receiver()
    make_endpoint(server.url())
    for _ in range(3):
        tell("7")
    delivering.run()
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["500 Oh", "404 No", "302 Found", "429 Slow"])
def test_what_is_not_taken_is_tried_again_with_the_same_id_and_body(receiver, make_endpoint, status):
    answers = iter([reply(b"no", status), reply(b"no", status), reply(b"", "200 OK")])
    server = receiver(lambda connection, request: connection.sendall(next(answers)))
    make_endpoint(server.url())
    tell()
    for n in (1, 2, 3):
        assert delivering.run() == 1
        assert delivering.run() == 0, "not before its time"
        assert Try.objects.count() == n
        make_due()
    assert len({(request.headers["webhook-id"], request.body) for request in server.requests}) == 1
    assert list(Try.objects.order_by("id").values_list("status", flat=True)) == [int(status[:3])] * 2 + [200]
    assert Delivery.objects.get().state == "delivered"
    assert Endpoint.objects.get().failing_since is None


def test_the_delays_grow_for_three_days_and_then_it_is_given_up():
    delays = [delivering.delay(n) for n in range(1, 12)]
    known = [each for each in delays if each is not None]
    assert known == sorted(known)
    assert 2.7 * 86_400 < sum(known) < 3.5 * 86_400
    assert delays[len(known) :] == [None] * (11 - len(known))
    assert delivering.delay(1, asked=900) == 900


def test_after_three_days_of_failures_the_endpoint_is_switched_off_with_the_reason(receiver, make_endpoint):
    server = receiver(status="500 Oh")
    endpoint = make_endpoint(server.url())
    tell()
    for _ in range(10):
        make_due()
        delivering.run()
        Endpoint.objects.filter(failing_since__isnull=False).update(failing_since=timezone.now() - timedelta(days=3))
    delivery = Delivery.objects.get()
    endpoint.refresh_from_db()
    assert (delivery.state, delivery.tries) == ("given_up", 10)
    assert (endpoint.active, endpoint.state, endpoint.disabled_reason) == (False, "disabled", "failing")
    assert endpoint.disabled_detail == "HTTP 500"
    assert tell("later") == 0
    endpoint.switch_on()
    endpoint.save()
    assert Delivery.objects.all().again() == 1
    delivering.run()
    assert len(server.requests) == 11


def test_410_switches_off_at_once(receiver, make_endpoint):
    endpoint = make_endpoint(receiver(status="410 Gone").url())
    tell()
    delivering.run()
    endpoint.refresh_from_db()
    assert (endpoint.active, endpoint.disabled_reason) == (False, "gone")


def test_a_receiver_that_hangs_holds_up_nobody_else(receiver, make_endpoint, monkeypatch):
    monkeypatch.setattr(delivering.reaching.post, "__defaults__", (1.5,))
    hanging = receiver(lambda connection, request: connection.recv(1) and None)
    well = receiver()
    bad = make_endpoint(hanging.url())
    make_endpoint(well.url())
    for n in range(40):
        tell(str(n))
    run = threading.Thread(target=lambda: (delivering.run(seconds=3), connection.close()))
    begun = monotonic()
    run.start()
    while len(well.requests) < 40 and monotonic() - begun < 20:
        run.join(0.01)
    assert monotonic() - begun < 1.5, "the others did not wait for the one that hangs"
    run.join()
    assert len(hanging.requests) <= delivering.TO_ONE
    bad.refresh_from_db()
    assert bad.rest_until is not None
    assert Delivery.objects.filter(state="delivered").count() == 40


def test_of_two_deliverers_one_makes_each_delivery(receiver, make_endpoint):
    server = receiver()
    make_endpoint(server.url())
    for n in range(60):
        tell(str(n))

    def deliver(_: int) -> int:
        try:
            return delivering._run(10)  # as another process would: beside the lock of this one
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(deliver, range(4))) == 60
    ids = [request.headers["webhook-id"] for request in server.requests]
    assert len(ids) == len(set(ids)) == 60


KILLED = """
import os, signal, django
django.setup()
from django.db import connection
from hooks import delivering
connection.settings_dict["NAME"] = os.environ["TEST_DATABASE"]
delivering.record = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
delivering.run()
"""


def test_who_is_killed_between_call_and_record_costs_nothing_but_a_second_call_with_the_same_id(
    receiver, make_endpoint, settings
):
    server = receiver()
    make_endpoint(server.url())
    tell()
    there = connection.settings_dict
    environment = os.environ | {
        "DATABASE_URL": f"postgresql://{there['USER']}:{there['PASSWORD']}@{there['HOST']}:{there['PORT']}/{there['NAME']}",
        "TEST_DATABASE": there["NAME"],
        "HOOKS_ALLOWED_NETWORKS": "127.0.0.0/8",
        "SECRET_KEY": settings.SECRET_KEY,
        "DJANGO_SETTINGS_MODULE": "whatsapp_campaigns.settings",
        "WHATSAPP_CAMPAIGNS_LOCAL": "1",
    }
    killed = subprocess.run([sys.executable, "-c", KILLED], env=environment, cwd=settings.BASE_DIR, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert len(server.requests) == 1
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.tries) == ("waiting", 1)
    assert delivery.next_try_at > timezone.now() + timedelta(seconds=60)
    assert delivering.run() == 0
    make_due()
    assert delivering.run() == 1
    assert len({request.headers["webhook-id"] for request in server.requests}) == 1
    assert Delivery.objects.get().state == "delivered"


def test_an_answer_that_comes_after_the_claim_ran_out_takes_nothing_from_its_successor(receiver, make_endpoint):
    endpoint = make_endpoint(receiver().url())
    tell()
    (late,) = delivering.claim(endpoint, 1)
    make_due()
    (present,) = delivering.claim(endpoint, 1)
    delivering.record(late, Answer(500, "", 1))
    assert Delivery.objects.get().claim == present.token
    delivering.record(present, Answer(204, "", 1))
    delivering.record(late, Answer(500, "", 1))
    assert Delivery.objects.get().state == "delivered"


def test_a_secret_that_is_replaced_signs_beside_its_successor_for_a_day(receiver, make_endpoint):
    server = receiver()
    endpoint = make_endpoint(server.url())
    old, new = endpoint.secret, endpoint.rotate()
    tell("1")
    delivering.run()
    assert verify(old, server.requests[0])
    assert verify(new, server.requests[0])
    Endpoint.objects.update(old_secret_until=timezone.now() - timedelta(seconds=1))
    tell("2")
    delivering.run()
    assert verify(new, server.requests[1])
    assert not verify(old, server.requests[1])


def test_a_network_that_is_not_allowed_any_more_is_not_called(receiver, make_endpoint, settings):
    server = receiver()
    make_endpoint(server.url())
    settings.HOOKS_ALLOWED_NETWORKS = []
    tell()
    delivering.run()
    assert server.requests == []
    assert "refused" in Delivery.objects.get().last_error


def test_old_deliveries_go_and_those_that_wait_stay(receiver, make_endpoint, settings):
    endpoint = make_endpoint(receiver().url())
    off = make_endpoint(receiver().url())
    tell("old")
    delivering.run()
    tell("waits")
    Endpoint.objects.filter(pk=off.pk).update(active=False)
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=31))
    tell("new")
    settings.RETENTION_HOOK_DAYS = 0
    assert retention.prune() == 0
    settings.RETENTION_HOOK_DAYS = 30
    assert retention.prune() == 3
    assert Delivery.objects.filter(endpoint=endpoint).count() == 2
    assert not Try.objects.exists()


def test_what_an_endpoint_answers_is_logged_and_what_it_costs(receiver, make_endpoint):
    make_endpoint(receiver(answering(reply("dé\0jà".encode(), "500 Oh", Connection="close"))).url())
    tell()
    delivering.run()
    log = Try.objects.get()
    assert (log.status, log.answer, log.milliseconds >= 0) == (500, "déjà", True)

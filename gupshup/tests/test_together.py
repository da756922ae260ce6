"""Several requests share one commit: each answers for itself, and nobody answers 200 before his row stands."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic, sleep

import psycopg
import pytest
from django.db import DataError, OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from gupshup import webhooks
from gupshup.models import Callback, Sender
from gupshup.tests.test_webhooks import SECRET, database_url, post

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def plain_http(settings):
    settings.SECURE_SSL_REDIRECT = False
    settings.GUPSHUP_ALLOWED_ADDRESSES = []
    webhooks.forget_secrets()
    yield
    webhooks.forget_secrets()


class Caller(threading.Thread):
    """One web thread with one callback; `status` is its answer, `line` its connection."""

    def __init__(self, body: bytes) -> None:
        super().__init__(daemon=True)
        self.body = body
        self.status = 0
        self.line: BaseDatabaseWrapper | None = None

    def run(self) -> None:
        from django.test import Client

        Sender.objects.exists()  # as whatever a request looks up first
        self.line = connections_of_this_thread()
        try:
            self.status = post(Client(), body=self.body).status_code
        finally:
            connection.close()


def connections_of_this_thread() -> BaseDatabaseWrapper:
    from django.db import connections

    return connections["default"]


def eventually(holds: Callable[[], bool], seconds: float = 20) -> bool:
    until = monotonic() + seconds
    while not holds():
        if monotonic() > until:
            return False
        sleep(0.01)
    return True


def start(*bodies: bytes) -> list[Caller]:
    callers = [Caller(body) for body in bodies]
    for caller in callers:
        caller.start()
    return callers


def ended(callers: list[Caller]) -> list[int]:
    for caller in callers:
        caller.join(30)
    return [caller.status for caller in callers]


def waiting() -> int:
    return len(webhooks._together._waiting)


@pytest.fixture
def held(sender, monkeypatch):
    """The first commit waits until `go` is set; `batches` are the bodies of each commit."""
    webhooks.owner(SECRET)  # known from here on
    go, batches, insert = threading.Event(), [], webhooks.insert

    def slow(posts):
        batches.append(sorted(one.body for one in posts))
        if len(batches) == 1:
            go.wait(30)
        insert(posts)

    monkeypatch.setattr(webhooks, "_together", webhooks.Together())
    monkeypatch.setattr(webhooks, "insert", slow)
    return go, batches


def begin(batches, *bodies: bytes) -> tuple[list[Caller], list[Caller]]:
    """One whose commit is under way, and others who wait for theirs."""
    first = start(b"first")
    assert eventually(lambda: len(batches) == 1)
    others = start(*bodies)
    assert eventually(lambda: waiting() == len(bodies))
    return first, others


def test_who_arrives_during_a_commit_shares_the_next_one(held):
    go, batches = held
    first, others = begin(batches, b"a", b"b", b"c", b"c")
    assert [one.status for one in (*first, *others)] == [0] * 5  # no answer before the commit
    go.set()
    assert ended([*first, *others]) == [200] * 5
    assert batches == [[b"first"], [b"a", b"b", b"c", b"c"]]
    assert sorted(Callback.objects.values_list("copies", flat=True)) == [1, 1, 1, 2]


def test_who_waits_holds_no_connection(held):
    """With more threads than the pool has connections, the writer would find none."""
    go, batches = held
    first, others = begin(batches, b"a", b"b")
    assert eventually(lambda: all(one.line is not None and one.line.connection is None for one in others))
    go.set()
    assert ended([*first, *others]) == [200] * 3


def test_a_commit_that_failed_is_told_to_each_and_the_next_one_stands(held, monkeypatch):
    go, batches = held
    insert = webhooks.insert

    def fail_second(posts):
        if len(batches) == 1:
            batches.append([])
            raise OperationalError("the connection was cut")
        insert(posts)

    first, others = begin(batches, b"a", b"b")
    monkeypatch.setattr(webhooks, "insert", fail_second)
    go.set()
    assert ended(first) == [200]
    assert ended(others) == [503, 503]
    assert ended(start(b"later")) == [200]
    assert sorted(bytes(raw) for raw in Callback.objects.values_list("raw", flat=True)) == [b"first", b"later"]


def test_what_cannot_be_written_costs_its_neighbours_nothing(held, monkeypatch):
    go, batches = held
    insert = webhooks.insert

    def poisoned(posts):
        if any(one.body == b"poison" for one in posts):
            raise DataError("invalid")
        insert(posts)

    first, others = begin(batches, b"a", b"poison", b"b")
    monkeypatch.setattr(webhooks, "insert", poisoned)
    go.set()
    assert ended([*first, *others]) == [200, 200, 503, 200]
    assert sorted(bytes(raw) for raw in Callback.objects.values_list("raw", flat=True)) == [b"a", b"b", b"first"]


def test_a_writer_who_does_not_come_back_holds_up_nobody_for_ever(held, monkeypatch):
    monkeypatch.setattr(webhooks, "WAIT", 0.5)
    go, batches = held
    first, others = begin(batches, b"a", b"b")
    assert ended(others) == [503, 503]
    assert ended(start(b"later")) == [200]  # writes although the first is still at it
    go.set()
    assert ended(first) == [200]
    assert waiting() == 0
    assert ended(start(b"last")) == [200]
    assert sorted(bytes(raw) for raw in Callback.objects.values_list("raw", flat=True)) == [b"first", b"last", b"later"]


def test_more_share_than_fit_into_one_commit(held, monkeypatch):
    monkeypatch.setattr(webhooks, "TOGETHER", 2)
    go, batches = held
    first, others = begin(batches, *(b"%d" % n for n in range(7)))
    go.set()
    assert ended([*first, *others]) == [200] * 8
    assert [len(batch) for batch in batches] == [1, 2, 2, 2, 1]


def test_large_bodies_are_not_gathered_without_end(held, monkeypatch):
    monkeypatch.setattr(webhooks, "TOGETHER_BYTES", 100)
    go, batches = held
    first, others = begin(batches, b"x" * 60, b"y" * 60, b"z" * 400)
    go.set()
    assert ended([*first, *others]) == [200] * 4
    assert [len(batch) for batch in batches] == [1, 1, 1, 1]


def test_many_threads_and_many_rounds_keep_every_callback(sender):
    bodies = [[b"%d-%d" % (caller, n) for n in range(15)] for caller in range(12)]
    refused: list[int] = []

    def work(mine: list[bytes]) -> None:
        from django.test import Client

        client = Client()
        for body in mine:
            status = post(client, body=body).status_code
            # Seen by another connection: the answer came after the commit.
            with psycopg.connect(database_url()) as other:
                found = other.execute("SELECT count(*) FROM gupshup_callback WHERE raw = %s", [body]).fetchone()
            if status != 200 or found != (1,):
                refused.append(status)
        connection.close()

    threads = [threading.Thread(target=work, args=(mine,)) for mine in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert refused == []
    assert Callback.objects.count() == 180


def test_a_copy_of_what_was_read_is_not_read_again(sender):
    from django.test import Client

    assert post(Client()).status_code == 200
    assert Callback.objects.unread().count() == 1
    Callback.objects.get().arrival.delete()
    assert post(Client()).status_code == 200
    assert Callback.objects.unread().count() == 0
    assert Callback.objects.get().copies == 2

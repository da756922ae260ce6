"""Crashes, takeovers and rivals, on real transactions."""

from __future__ import annotations

import datetime
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from contacts import importing
from contacts.models import Category, Contact, Import
from contacts.reasons import FileReason

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]


def file_of(count: int, first: int = 0, name: str = "Zoé") -> bytes:
    rows = "".join(f"{name} {i};06123{i:05};Nice\n" for i in range(first, first + count))
    return ("Prénom;Téléphone;Ville\n" + rows + "Léo;abc;Nice\n").encode()


def waiting(content: bytes, category: Category | None = None) -> Import:
    job = importing.draft_import(content, "clients.csv", "FR", category)
    Import.objects.filter(pk=job.pk).update(state=Import.State.WAITING)
    return job


def silent(job: Import) -> None:
    """As if nothing had been heard from the worker for long."""
    Import.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - datetime.timedelta(hours=1))


def together(*works: Any) -> list[Any]:
    """Run them at once, each in a thread with its own connection; their answers."""
    answers: list[Any] = [None] * len(works)
    gate = threading.Barrier(len(works))

    def call(i: int) -> None:
        gate.wait()
        try:
            answers[i] = works[i]()
        except Exception as error:
            answers[i] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=call, args=(i,)) for i in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


def figures(job: Import) -> tuple[Any, ...]:
    job.refresh_from_db()
    return job.state, job.rows, job.created, job.updated, job.unchanged, job.rejected


def test_of_two_workers_one_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "CHUNK_ROWS", 50)
    job = waiting(file_of(500))
    answers = together(*[lambda: importing.import_file(job.pk)] * 4)
    assert sorted(map(str, answers)) == ["False", "False", "False", "True"]
    assert figures(job) == ("finished", 501, 500, 0, 0, 1)
    assert Contact.objects.count() == 500


def test_a_crash_between_chunks_repeats_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "CHUNK_ROWS", 50)
    job = waiting(file_of(500))
    progress, calls = importing._progress, []

    def crash(*args: Any) -> None:
        calls.append(1)
        if len(calls) in (3, 6):  # everything of the chunk is written, nothing committed
            raise ConnectionError
        progress(*args)

    monkeypatch.setattr(importing, "_progress", crash)
    for done in (100, 200):
        with pytest.raises(ConnectionError):
            importing.import_file(job.pk)
        assert figures(job) == ("running", done, done, 0, 0, 0)
        assert not importing.import_file(job.pk)  # its worker may still live
        assert importing.waiting() == []
        silent(job)
        assert importing.waiting() == [job.pk]
    assert importing.import_file(job.pk)
    assert figures(job) == ("finished", 501, 500, 0, 0, 1)
    assert Contact.objects.count() == 500
    assert job.rejected_rows.count() == 1


def test_a_worker_that_wakes_up_after_a_takeover_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "CHUNK_ROWS", 100)
    job = waiting(file_of(500))
    read, frozen, thaw = importing._read, threading.Event(), threading.Event()

    def freeze(*args: Any) -> Any:
        chunk = read(*args)
        if threading.current_thread() is sleeper and not frozen.is_set():
            frozen.set()
            thaw.wait(30)
        return chunk

    answers: list[Any] = []

    def work() -> None:
        answers.append(importing.import_file(job.pk))
        connections.close_all()

    monkeypatch.setattr(importing, "_read", freeze)
    sleeper = threading.Thread(target=work)
    sleeper.start()
    assert frozen.wait(30)
    silent(job)
    assert importing.import_file(job.pk)
    thaw.set()
    sleeper.join(30)
    assert answers == [False]
    assert figures(job) == ("finished", 501, 500, 0, 0, 1)
    assert job.rejected_rows.count() == 1


def test_two_imports_of_the_same_people_create_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "CHUNK_ROWS", 40)
    category = Category.objects.create(name="Salon")
    jobs = [waiting(file_of(400), category), waiting(file_of(400, first=200), category)]
    assert together(*[lambda job=job: importing.import_file(job.pk) for job in jobs]) == [True, True]
    for job in jobs:
        assert figures(job)[:2] == ("finished", 401)
        assert job.created + job.updated + job.unchanged == 400
    assert sum(job.created for job in jobs) == Contact.objects.count() == 600
    assert sum(job.unchanged for job in jobs) == 200
    assert category.contacts.count() == 600


def test_a_contact_made_by_hand_meanwhile_is_not_counted_as_created(monkeypatch: pytest.MonkeyPatch) -> None:
    job = waiting(b"tel;nom\n0612345678;Roux\n0612345678;Petit\n0612345679;Roux\n")
    present = importing._present

    def meanwhile(numbers: Any) -> Any:
        found = present(numbers)
        together(lambda: Contact.objects.create(number="+33612345678"))
        return found

    monkeypatch.setattr(importing, "_present", meanwhile)
    assert importing.import_file(job.pk)
    assert figures(job) == ("finished", 3, 1, 2, 0, 0)
    assert Contact.objects.get(number="+33612345678").last_name == "Petit"


def test_an_import_that_fails_at_one_place_again_and_again_says_so_and_can_be_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = waiting(file_of(10))

    def fail(*args: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(importing, "_progress", fail)
        for _ in range(importing.MOST_TRIES):
            with pytest.raises(RuntimeError):
                importing.import_file(job.pk)
            silent(job)
        assert importing.import_file(job.pk)
    assert figures(job) == ("failed", 0, 0, 0, 0, 0)
    assert job.problem == FileReason.INTERNAL
    assert importing.retry(job)
    assert not importing.retry(job)
    assert importing.import_file(job.pk)
    assert figures(job) == ("finished", 11, 10, 0, 0, 1)


def test_the_sweep_brings_imports_to_their_end_without_a_broker() -> None:
    asked, left, draft = (
        waiting(file_of(5)),
        waiting(file_of(5, 100)),
        importing.draft_import(file_of(5), "c.csv", "FR"),
    )
    Import.objects.filter(pk=left.pk).update(state=Import.State.RUNNING)
    silent(left)
    assert importing.resume_orphans(inline=True) == 2
    assert [figures(job)[0] for job in (asked, left, draft)] == ["finished", "finished", "draft"]
    Import.objects.filter(pk=draft.pk).update(created_at=timezone.now() - datetime.timedelta(days=2))
    assert importing.resume_orphans() == 0
    assert not Import.objects.filter(pk=draft.pk).exists()


def test_a_process_without_a_broker_imports_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "CHUNK_ROWS", 100)
    monkeypatch.setattr(importing, "PIECE", 0)
    monkeypatch.setattr(importing, "nudge", lambda import_id: False)
    job = waiting(file_of(250))
    assert importing.resume_orphans() == 1
    assert figures(job) == ("waiting", 100, 100, 0, 0, 0)
    assert [importing.resume_orphans() for _ in range(3)] == [1, 1, 0]
    assert figures(job) == ("finished", 251, 250, 0, 0, 1)


def test_a_killed_worker_costs_nothing() -> None:
    """kill -9 of a real process in the middle of a file."""
    job = waiting(file_of(30_000))
    program = textwrap.dedent(f"""
        import django; django.setup()
        from contacts import importing
        importing.CHUNK_ROWS = 500
        importing.import_file({job.pk})
    """)
    url = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**connection.settings_dict)
    environment = {**os.environ, "DATABASE_URL": url}
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment)
    until = monotonic() + 60
    while monotonic() < until and figures(job)[1] < 2_000:
        pass
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    state, rows, created, *_ = figures(job)
    assert state == "running"
    assert 2_000 <= rows == created < 30_000
    silent(job)
    assert importing.import_file(job.pk)
    assert figures(job) == ("finished", 30_001, 30_000, 0, 0, 1)
    assert Contact.objects.count() == 30_000

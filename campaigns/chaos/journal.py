"""What each process was doing, in a file of its own: appended before and after, so that a kill loses nothing.

The oracle reads it to tell an honest *uncertain* (a worker died between wire mark and record) from a false one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, time
from typing import Any


class Journal:
    """One process's lines. Each is one `write` to a file opened for appending."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def note(self, did: str, **facts: Any) -> None:
        line = {"did": did, "pid": os.getpid(), "at": time(), **facts}
        os.write(self._handle, json.dumps(line).encode() + b"\n")


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Every line of every journal below `folder`; one torn by a kill is passed over."""
    for path in sorted(folder.glob("*.journal")):
        for line in path.read_bytes().split(b"\n"):
            try:
                yield json.loads(line)
            except ValueError:
                continue


def watch_sending(journal: Journal) -> None:
    """Write down begin, mark, call and record of this process, from outside."""
    from campaigns import outbox, outcomes, sending

    outbox.begin = _begin(journal, outbox.begin)
    outbox.mark = _mark(journal, outbox.mark)
    sending.call = _call(journal, sending.call)
    outcomes.record = _record(journal, outcomes.record)


def _begin(journal: Journal, begin: Any) -> Any:
    def watched(sender_id: int, lease: Any, messages: Any, *further: Any) -> Any:
        journal.note("begin", messages=[message.id for message in messages])
        begun = begin(sender_id, lease, messages, *further)
        journal.note("begun", pairs=[[item.message.id, item.attempt_id] for item in begun or ()])
        return begun

    return watched


def _mark(journal: Journal, mark: Any) -> Any:
    def watched(begun: Any) -> Any:
        attempts = [item.attempt_id for item in begun]
        journal.note("mark", attempts=attempts)
        try:
            kept = mark(begun)
        except Exception as error:
            journal.note("mark_lost", attempts=attempts, why=type(error).__name__)
            raise
        journal.note("marked", attempts=[item.attempt_id for item in kept])
        return kept

    return watched


def _call(journal: Journal, call: Any) -> Any:
    def watched(service: Any, use: Any, item: Any, *further: Any) -> Any:
        started = max(monotonic(), item.opens)
        response = call(service, use, item, *further)
        journal.note(
            "answered",
            attempt=item.attempt_id,
            outcome=str(response.outcome),
            code=response.error_code,
            seconds=monotonic() - started,
        )
        return response

    return watched


def _record(journal: Journal, record: Any) -> Any:
    def watched(sender_id: int, answers: Any) -> Any:
        record(sender_id, answers)
        journal.note("recorded", attempts=[answer.attempt_id for answer in answers])

    return watched

"""The ledger: what was accepted, refused and reported, written down before anybody is told.

Append-only. With a file, each line is one JSON object and is handed to the operating system (one `write`)
before the acceptance is answered, so killing any process loses nothing that a client may believe. The same
file, given again at the next start, is read first: the ledger outlives the process.
"""

import json
import os
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from gupshup.simulator.clock import Clock

RANK = {"submitted": 0, "enqueued": 1, "sent": 2, "failed": 3, "delivered": 4, "read": 5}


@dataclass(slots=True)
class Accepted:
    """One accepted message. `kind` template | session; `at` wall seconds, `mono` monotonic seconds of its arrival;
    `calls`: the how-manieth call to this destination it was; `answer_fault`: the fault that struck.

    `state` is the best news so far by the order of `RANK`, `told` the best that a subscriber answered with 2xx,
    `reports` all news in the order in which they happened.
    """

    seq: int
    at: float
    mono: float
    app: str
    kind: str
    source: str
    destination: str
    template_id: str | None
    params: list[str] | None
    message: dict[str, Any] | None
    message_id: str
    answer_fault: str | None
    calls: int
    state: str = "submitted"
    told: str = "submitted"
    code: str | None = None
    reports: list[str] = field(default_factory=list)

    def line(self) -> dict[str, Any]:
        return {"record": "accepted"} | {name: getattr(self, name) for name in ACCEPTED_FIELDS}

    def view(self) -> dict[str, Any]:
        news = {"state": self.state, "told": self.told, "code": self.code, "reports": self.reports}
        return self.line() | news

    def note(self, word: str, code: str | None) -> None:
        if word not in self.reports:
            self.reports.append(word)
        if RANK.get(word, -1) > RANK[self.state]:
            self.state, self.code = word, code

    def note_told(self, word: str) -> None:
        if RANK.get(word, -1) > RANK[self.told]:
            self.told = word

    @property
    def content(self) -> str:
        """What tells two messages to one person apart: the template, or the text."""
        if self.kind == "template":
            return f"template {self.template_id}"
        return json.dumps(self.message, ensure_ascii=False, sort_keys=True)


ACCEPTED_FIELDS = tuple(one.name for one in fields(Accepted) if one.name not in ("state", "told", "code", "reports"))


@dataclass(slots=True)
class Refused:
    """One call that was not accepted: what was answered (`status`, `reason`) and the fault that struck, if any."""

    seq: int
    at: float
    mono: float
    app: str | None
    kind: str
    path: str
    destination: str
    status: int
    reason: str
    fault: str | None

    def line(self) -> dict[str, Any]:
        return {"record": "refused"} | asdict(self)

    def view(self) -> dict[str, Any]:
        return self.line()


@dataclass(slots=True)
class Callback:
    """One event for one subscription. `state`: pending | answered (2xx came) | dropped (given up) | lost (a fault:
    never sent). `sha256` of the body, so that a receiver's inbox can be compared byte for byte."""

    seq: int
    at: float
    mono: float
    event: str
    word: str
    layout: str
    subscription: str
    message_id: str | None
    destination: str | None
    detail: dict[str, Any] | None
    sha256: str
    state: str
    attempts: list[dict[str, Any]] = field(default_factory=list)
    changed: int = 0

    def line(self) -> dict[str, Any]:
        return {"record": "callback"} | {name: getattr(self, name) for name in CALLBACK_FIELDS}

    def view(self) -> dict[str, Any]:
        return self.line() | {"attempts": self.attempts}


CALLBACK_FIELDS = tuple(one.name for one in fields(Callback) if one.name not in ("attempts", "changed"))


class Ledger:
    """`keep=False` keeps counts only (for benchmarks of millions). Raises OSError when the file cannot be written."""

    def __init__(self, clock: Clock, path: Path | None = None, keep: bool = True) -> None:
        self.clock = clock
        self.keep = keep
        self.seq = 0
        self._file: int | None = None
        self.clear()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                self._load(path)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def clear(self) -> None:
        """Forget what is in memory; the file keeps it, with a line that says so."""
        self.accepted: list[Accepted] = []
        self.refused: list[Refused] = []
        self.callbacks: list[Callback] = []
        self.by_message: dict[str, Accepted] = {}
        self.counts: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        if self._file is not None:
            self._write({"record": "cleared", "seq": self._next(), "at": self.clock.wall()})

    def _next(self) -> int:
        self.seq += 1
        return self.seq

    def accept(self, mono: float, **values: Any) -> Accepted:
        """Write an acceptance down. `mono` is the arrival; the wall time is that of the arrival too."""
        at = self.clock.wall() - (time.monotonic() - mono)
        entry = Accepted(seq=self._next(), at=at, mono=mono, **values)
        if self._file is not None:
            self._write(entry.line())
        self._keep_accepted(entry)
        return entry

    def refuse(self, mono: float, **values: Any) -> None:
        entry = Refused(seq=self._next(), at=self.clock.wall(), mono=mono, **values)
        if self._file is not None:
            self._write(entry.line())
        self._keep_refused(entry)

    def emit(self, **values: Any) -> Callback:
        """Write down that a callback is about to be sent."""
        seq = self._next()
        entry = Callback(seq=seq, changed=seq, at=self.clock.wall(), mono=time.monotonic(), **values)
        if self._file is not None:
            self._write(entry.line())
        self._keep_callback(entry)
        return entry

    def attempt(self, callback: Callback, answer: int | str, seconds: float, state: str) -> None:
        """Write down what a receiver answered: a status, or why there was none."""
        seq = self._next()
        line = {"seq": seq, "at": self.clock.wall(), "answer": answer, "seconds": round(seconds, 4)}
        if self._file is not None:
            self._write({"record": "attempt", "callback": callback.seq, "state": state} | line)
        self._keep_attempt(callback, line, state)

    def _keep_accepted(self, entry: Accepted) -> None:
        self.counts["accepted"] += 1
        self.counts[f"accepted_{entry.kind}"] += 1
        if entry.answer_fault:
            self.faults[entry.answer_fault] += 1
        if self.keep:
            self.accepted.append(entry)
            self.by_message.setdefault(entry.message_id, entry)

    def _keep_refused(self, entry: Refused) -> None:
        self.counts["refused"] += 1
        if entry.fault:
            self.faults[entry.fault] += 1
        if self.keep:
            self.refused.append(entry)

    def _keep_callback(self, entry: Callback) -> None:
        self.counts["callbacks"] += 1
        if self.keep:
            self.callbacks.append(entry)
        if entry.state == "lost":
            self.faults["callback.lost"] += 1

    def _keep_attempt(self, callback: Callback, line: dict[str, Any], state: str) -> None:
        callback.attempts.append(line)
        callback.state, callback.changed = state, line["seq"]
        self.counts["attempts"] += 1
        message = self.by_message.get(callback.message_id or "")
        if message is not None and callback.event == "status" and state == "answered":
            message.note_told(callback.word)

    def _write(self, line: dict[str, Any]) -> None:
        data = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
        if self._file is not None and os.write(self._file, data) != len(data):
            raise OSError("the ledger could not be written whole")

    def _load(self, path: Path) -> None:
        """Take up what an earlier process wrote. A last line torn by a kill is closed and passed over."""
        data = path.read_bytes()
        if data and not data.endswith(b"\n"):
            with path.open("ab") as file:
                file.write(b"\n")
        known: dict[int, Callback] = {}
        for raw in data.split(b"\n"):
            try:
                line = json.loads(raw)
            except ValueError:
                continue
            self.seq = max(self.seq, int(line.get("seq", 0)))
            self._take_up(line, known)

    def _take_up(self, line: dict[str, Any], known: dict[int, Callback]) -> None:
        record = line.pop("record", "")
        if record == "accepted":
            self._keep_accepted(Accepted(**line))
        elif record == "refused":
            self._keep_refused(Refused(**line))
        elif record == "callback":
            callback = known[line["seq"]] = Callback(**line, changed=line["seq"])
            self._keep_callback(callback)
            self.note_report(callback.message_id, callback.event, callback.word, (callback.detail or {}).get("code"))
        elif record == "attempt" and line["callback"] in known:
            state, callback = line.pop("state"), known[line.pop("callback")]
            self._keep_attempt(callback, line, state)
        elif record == "cleared":
            self.clear()

    def note_report(self, message_id: str | None, event: str, word: str, code: str | None) -> None:
        entry = self.by_message.get(message_id or "")
        if entry is not None and event == "status":
            entry.note(word, code)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def pages(self, since: int = 0, only: frozenset[str] = frozenset(), size: int = 200) -> Iterator[bytes]:
        """The whole ledger after entry `since` as JSON, in pieces, as it stood when the first piece was asked for."""
        yield b'{"seq": %d' % self.seq
        lists: dict[str, Iterable[Any]] = {
            "accepted": [one for one in self.accepted if one.seq > since],
            "refused": [one for one in self.refused if one.seq > since],
            "callbacks": [one for one in self.callbacks if one.changed > since],
        }
        for name, entries in lists.items():
            if not only or name in only:
                yield b', "%b": ' % name.encode()
                yield from _array(entries, size)
        if not only or "people" in only:
            yield b', "people": ' + json.dumps(self.people(since), ensure_ascii=False).encode()
        yield b"}\n"

    def people(self, since: int = 0) -> dict[str, dict[str, Any]]:
        """For each destination what it was sent and what it sent."""
        people: dict[str, dict[str, Any]] = {}
        for entry in self.accepted:
            if entry.seq > since:
                person = people.setdefault(entry.destination, _nobody())
                person[f"{entry.kind}s"] += 1
                person["messages"].append({"message_id": entry.message_id, "kind": entry.kind, "state": entry.state})
        for number, messages in written([one for one in self.callbacks if one.seq > since]).items():
            people.setdefault(number, _nobody())["wrote"] = list(messages.values())
        return people

    def summary(self, window: float = 60.0, since: int = 0) -> dict[str, Any]:
        """The figures that an auditor asks for first."""
        accepted = [one for one in self.accepted if one.seq > since]
        refused = [one for one in self.refused if one.seq > since]
        callbacks = [one for one in self.callbacks if one.seq > since]
        contents = Counter((one.destination, one.content) for one in accepted)
        wrote = written(callbacks, without=("welcome",))
        kinds = Counter((one.destination, one.kind) for one in accepted)

        return {
            "seq": self.seq,
            "accepted": len(accepted) if self.keep else self.counts["accepted"],
            "accepted_template": sum(one.kind == "template" for one in accepted),
            "accepted_session": sum(one.kind == "session" for one in accepted),
            "refused": len(refused) if self.keep else self.counts["refused"],
            "refused_by_reason": Counter(one.reason for one in refused),
            "unique_destinations": len({one.destination for one in accepted}),
            "max_per_destination_and_content": max(contents.values(), default=0),
            "max_templates_per_destination": most(kinds, "template"),
            "max_sessions_per_destination": most(kinds, "session"),
            "repeated": [[*key, count] for key, count in contents.most_common(20) if count > 1],
            "window_seconds": window,
            "worst_window_accepted": worst_window([one.mono for one in accepted], window),
            "worst_window_calls": worst_window([one.mono for one in accepted] + [one.mono for one in refused], window),
            "states": Counter(one.state for one in accepted),
            "told": Counter(one.told for one in accepted),
            "states_template": Counter(one.state for one in accepted if one.kind == "template"),
            "states_session": Counter(one.state for one in accepted if one.kind == "session"),
            "failed_by_code": Counter(one.code for one in accepted if one.state == "failed"),
            "callbacks": len(callbacks),
            "callbacks_by_type": Counter(f"{one.event}/{one.word}" for one in callbacks),
            "callbacks_by_state": Counter(one.state for one in callbacks),
            "inbound_messages": sum(map(len, wrote.values())),
            "people_who_wrote": len(wrote),
            "people_heard": sum(any(one["told"] for one in messages.values()) for messages in wrote.values()),
            "faults": self.faults,
        }


def most(counts: Counter[tuple[str, str]], kind: str) -> int:
    """The most messages of one kind that anybody got."""
    return max((count for (_, which), count in counts.items() if which == kind), default=0)


def written(callbacks: list[Callback], without: tuple[str, ...] = ()) -> dict[str, dict[str, dict[str, Any]]]:
    """What people wrote: by number, then by inbound id. `told`: some subscriber answered it with 2xx."""
    people: dict[str, dict[str, dict[str, Any]]] = {}
    for callback in callbacks:
        words = callback.detail or {}
        if callback.event == "message" and words["type"] not in without:
            messages = people.setdefault(callback.destination or "", {})
            message = messages.setdefault(words["id"], words | {"told": False})
            message["told"] = message["told"] or callback.state == "answered"
    return people


def _nobody() -> dict[str, Any]:
    return {"templates": 0, "sessions": 0, "messages": [], "wrote": []}


def _array(entries: Iterable[Any], size: int) -> Iterator[bytes]:
    page: list[str] = []
    start = "["
    for entry in entries:
        page.append(json.dumps(entry.view(), ensure_ascii=False))
        if len(page) == size:
            yield (start + ",\n".join(page)).encode("utf-8", "replace")
            start, page = ",\n", []
    yield ((start if page or start == "[" else "") + ",\n".join(page) + "]").encode("utf-8", "replace")


def worst_window(times: list[float], window: float) -> int:
    """The most of these times that fall into any half-open span of `window` seconds."""
    inside: deque[float] = deque()
    worst = 0
    for moment in sorted(times):
        inside.append(moment)
        while moment - inside[0] >= window:
            inside.popleft()
        worst = max(worst, len(inside))
    return worst

"""A load generator in one thread: `python -m campaigns.bench.load '{"port": …}'`, standard library only.

closed    each connection posts again as soon as it is answered
offered   `rate` a second on a fixed schedule; latency counts from the scheduled instant, waiting included

Bodies are message-events in the provider's v2 layout, each with ids of its own; with `known` messages they are about
these in turn (those that `roles.fill_accepted` makes), first `sent` for each, then `delivered`, then `read`.
"""

from __future__ import annotations

import hashlib
import json
import select
import socket
import sys
import uuid
from collections import deque
from time import monotonic, time
from typing import Any

BODY = (
    b'{"app":"DemoCampagnes","timestamp":%d,"version":2,"type":"message-event","payload":{"id":"%s","gsId":"%s",'
    b'"type":"%s","destination":"%s","payload":{"ts":%d},'
    b'"conversation":{"id":"%s","expiresAt":1790000000,"type":"marketing"},'
    b'"pricing":{"policy":"PMP","category":"marketing"}}}'
)
WORDS = (b"sent", b"delivered", b"read")
HEAD = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Load:
    """Posts over kept connections, and what came back."""

    def __init__(self, port: int, path: str, connections: int, known: int = 0) -> None:
        self.port, self.path, self.known = port, path.encode(), known
        self.before_burst: list[float] = []
        self.run_id = uuid.uuid4().hex[:20].encode()
        self.poll = select.epoll() if hasattr(select, "epoll") else select.poll()
        self.sockets: dict[int, socket.socket] = {}
        self.answers: dict[int, bytes] = {}
        self.begun: dict[int, float] = {}
        self.free: deque[int] = deque()
        self.latencies: list[float] = []
        self.refused = 0
        self.posted = 0
        for _ in range(connections):
            self._connect()

    def _connect(self) -> None:
        one = socket.create_connection(("127.0.0.1", self.port))
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sockets[one.fileno()] = one
        self.answers[one.fileno()] = b""
        self.free.append(one.fileno())
        self.poll.register(one.fileno(), select.POLLIN)

    def post(self, since: float) -> None:
        """One post on a free connection; its latency counts from `since`."""
        number = self.free.popleft()
        self.posted += 1
        serial = b"%s-%012d" % (self.run_id, self.posted)
        now = int(time() * 1000)
        their_id, our_id, word, place = serial, serial, b"delivered", self.posted
        if self.known:
            turn, place = divmod(self.posted - 1, self.known)
            place, word = place + 1, WORDS[turn % 3]
            our_id = str(uuid.UUID(hashlib.md5(b"%d" % place, usedforsecurity=False).hexdigest())).encode()
            their_id = b"w-%s-%012d" % (self.run_id, place)
        phone = b"3363%08d" % (place % 100_000_000)
        body = BODY % (now, their_id, our_id, word, phone, now // 1000, serial)
        self.begun[number] = since
        try:
            self.sockets[number].sendall(HEAD % (self.path, len(body)) + body)
        except OSError:
            self._lost(number)

    def wait(self, seconds: float) -> None:
        """Take what is answered now; wait for something at most so long."""
        scale = 1 if isinstance(self.poll, select.epoll) else 1000
        for number, _ in self.poll.poll(max(0.0, seconds) * scale):
            try:
                data = self.sockets[number].recv(65536)
            except OSError:
                data = b""
            if not data:
                self._lost(number)
                continue
            answer = self.answers[number] + data
            head, found, rest = answer.partition(b"\r\n\r\n")
            if not found or len(rest) < _length(head):
                self.answers[number] = answer
                continue
            self.answers[number] = b""
            if head[9:10] == b"2":
                self.latencies.append(monotonic() - self.begun.pop(number))
            else:
                self.begun.pop(number)
                self.refused += 1
            self.free.append(number)

    def _lost(self, number: int) -> None:
        """A connection that the server closed: a post under way on it counts as refused."""
        if self.begun.pop(number, None) is not None:
            self.refused += 1
        elif number in self.free:
            self.free.remove(number)
        self.poll.unregister(number)
        self.sockets.pop(number).close()
        del self.answers[number]
        self._connect()

    def closed(self, seconds: float) -> float:
        began = monotonic()
        while (now := monotonic()) < began + seconds:
            while self.free:
                self.post(now)
            self.wait(0.1)
        return monotonic() - began

    def offered(self, seconds: float, rate: float, burst: int = 0) -> float:
        """The schedule; `burst` posts are due all at once in its middle."""
        began = monotonic()
        total = int(rate * seconds)
        due = sorted([began + i / rate for i in range(total)] + [began + seconds / 2] * burst)
        sent, last = 0, began + seconds
        until = last + 30
        while sent < len(due) or self.begun:
            now = monotonic()
            if now > until:
                break
            if burst and not self.before_burst and now >= began + seconds / 2:
                self.before_burst = list(self.latencies)
            while sent < len(due) and due[sent] <= now and self.free:
                self.post(due[sent])
                sent += 1
            self.wait(min(0.05, due[sent] - monotonic()) if sent < len(due) and self.free else 0.05)
        self.refused += len(due) - sent + len(self.begun)
        return monotonic() - began


def _length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    return int(lowered[at + 15 :].split(b"\r", 1)[0]) if at >= 0 else 0


def measure(
    port: int,
    path: str,
    connections: int,
    seconds: float,
    rate: float = 0.0,
    burst: int = 0,
    warm: float = 0.0,
    known: int = 0,
) -> dict[str, Any]:
    """Run one measurement; times in milliseconds."""
    load = Load(port, path, connections, known)
    if warm:
        load.closed(warm)
        while load.begun:
            load.wait(0.1)
        load.latencies.clear()
        load.refused = load.posted = 0
        load.run_id = uuid.uuid4().hex[:20].encode()
    took = load.offered(seconds, rate, burst) if rate else load.closed(seconds)
    times, before = sorted(load.latencies), sorted(load.before_burst or load.latencies)
    offered = int(rate * seconds) + burst
    in_time = min(1.0, len(times) / offered * min(1.0, (seconds + 1) / took)) if rate else 1.0
    return {
        "answered": len(times),
        "refused": load.refused,
        "per_second": len(times) / took,
        "done_of_offered": in_time,
        "p50": 1000 * times[len(times) // 2] if times else None,
        "p99": 1000 * times[int(len(times) * 0.99)] if times else None,
        "slowest": 1000 * times[-1] if times else None,
        "p50_before_burst": 1000 * before[len(before) // 2] if before else None,
        "p99_before_burst": 1000 * before[int(len(before) * 0.99)] if before else None,
    }


if __name__ == "__main__":
    print(json.dumps(measure(**json.loads(sys.argv[1]))))

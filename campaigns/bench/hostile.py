"""Bodies that somebody might post: `python -m campaigns.bench.hostile '{"port": …, "path": …, "count": …}'`.

Four kinds, by chance from a seed: a usual body with one mutation (60 of 100), JSON with hostile leaves (25), random
bytes (10), abused lengths, encodings and transfers (5). The last line of standard output says how they were answered.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, time
from typing import Any

THREADS = 8
LEAVES: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**19, 10**400, 1e308, "", " ", "null", "undefined", "\x00", "\ud800", "\udfff\ud800",
    "\u202e\u2066", "'; DROP TABLE campaigns_message; --", "{{7*7}}", "<script>alert(1)</script>", "é" * 300,
    "9" * 5_000, "x" * 70_000, "-1", "1e999", "1580546677791", "0000", [], {}, [[]], {"": ""},
    "../../etc/passwd", "\r\nX: y",
)  # fmt: skip
NAMES = (
    "app", "timestamp", "version", "type", "payload", "id", "gsId", "destination", "source", "sender", "phone", "name",
    "text", "context", "ts", "code", "reason", "response", "entry", "changes", "value", "messages", "statuses",
    "errors", "object", "externalId", "eventType", "botname", "messageobj", "mobile", "userId", "url", "title",
    "postbackText",
)  # fmt: skip
WORDS = (
    "message-event",
    "message",
    "user-event",
    "preference-event",
    "template-event",
    "account-event",
    "billing-event",
)
INNER = (
    "text",
    "image",
    "button_reply",
    "list_reply",
    "location",
    "contact",
    "reaction",
    "order",
    "sent",
    "read",
    "failed",
)


def usual(chance: random.Random) -> dict[str, Any]:
    """A report or a message as Gupshup's pages write them, with invented values."""
    now, number = int(time()), f"3363{chance.randrange(10**8):08d}"
    payload: dict[str, Any] = {"id": f"{chance.getrandbits(128):032x}", "type": chance.choice(INNER)}
    if chance.random() < 0.6:
        word = "message-event"
        payload |= {"gsId": f"{chance.getrandbits(128):032x}", "destination": number, "payload": {"ts": now}}
        payload["type"] = chance.choice(("sent", "delivered", "read", "failed", "enqueued"))
    else:
        word = chance.choice(WORDS)
        payload |= {"source": number, "payload": {"text": "Oui"}, "sender": {"phone": number, "name": "Awa"}}
    return {"app": "DemoCampagnes", "timestamp": now * 1000, "version": 2, "type": word, "payload": payload}


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a body with each of its keys."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def mutated(chance: random.Random) -> bytes:
    body = usual(chance)
    where, key = chance.choice(list(places(body)))
    what = chance.randrange(6)
    if what == 0:
        del where[key]
    elif what == 1:
        where[key] = chance.choice(LEAVES)
    elif what == 2 and isinstance(where, dict):
        where[chance.choice(NAMES)] = where.pop(key)
    elif what == 3:
        where[key] = [where[key]] * chance.randrange(4)
    elif what == 4:
        where[key] = json.dumps(where[key])
    raw = json.dumps(body).encode()
    if what == 5:
        at = chance.randrange(len(raw))
        raw = raw[:at] + chance.randbytes(chance.randrange(4)) + raw[at + chance.randrange(3) :]
    return raw


def grown(chance: random.Random, depth: int = 0) -> Any:
    """JSON of the provider's own names and kinds, and of everything else at its leaves."""
    kind = chance.random()
    if depth > 5 or kind < 0.3:
        return chance.choice(LEAVES)
    if kind < 0.4:
        return chance.choice((*WORDS, *INNER, "whatsapp_business_account"))
    if kind < 0.5:
        return [grown(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {chance.choice(NAMES): grown(chance, depth + 1) for _ in range(chance.randrange(1, 6))}


def odd(chance: random.Random) -> bytes:
    """Encodings, depths and sizes."""
    body = json.dumps(usual(chance))
    kinds = (
        lambda: body.encode("utf-16"),
        lambda: body.encode("utf-32"),
        lambda: b"\xef\xbb\xbf" + body.encode(),
        lambda: gzip.compress(body.encode()),
        lambda: b"[" * chance.randrange(1, 200_000),
        lambda: b'{"a":' * chance.randrange(1, 50_000),
        lambda: b"9" * chance.randrange(1, 100_000),
        lambda: (body[:-1] + ',"x":NaN}').encode(),
        lambda: (body[:-1] + "," + body[1:]).encode(),
        lambda: b"x" * chance.randrange(900_000, 1_100_000),
        lambda: b"",
    )
    return chance.choice(kinds)()


def request(chance: random.Random, path: str) -> bytes:
    """One whole request; of those with a body as long as they say, all must be answered."""
    kind = chance.random()
    if kind < 0.60:
        body = mutated(chance)
    elif kind < 0.85:
        body = json.dumps(grown(chance)).encode()
    elif kind < 0.95:
        body = chance.randbytes(chance.randrange(2_000))
    else:
        body = odd(chance)
    types = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=", "", ";;;")
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {chance.choice(types)}\r\n"
    if kind >= 0.95 and chance.random() < 0.4:
        wrong = (
            "Content-Length: -5",
            "Content-Length: x",
            "Transfer-Encoding: chunked",
            "Content-Length: 5\r\nX: \x00",
        )
        return head.encode() + chance.choice(wrong).encode() + b"\r\nConnection: close\r\n\r\n" + body[:1000]
    if kind >= 0.95 and chance.random() < 0.3:
        pieces = b"".join(
            b"%x\r\n%s\r\n" % (len(body[at : at + 999]), body[at : at + 999]) for at in range(0, 9990, 999)
        )
        return head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + (pieces if body else b"") + b"0\r\n\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


class Line:
    """One connection, made anew when the server ended it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket: socket.socket | None = None

    def ask(self, said: bytes) -> str:
        """The status, or `none`: the connection ended without an answer."""
        try:
            self.socket = self.socket or socket.create_connection(("127.0.0.1", self.port), timeout=60)
            answer = self._ask(self.socket, said)
        except OSError:
            answer = b""
        status = answer[9:12].decode("latin-1")
        if self.socket and (not status.startswith("2") or b"close" in answer.lower()):
            self.socket.close()
            self.socket = None
        return status or "none"

    def _ask(self, line: socket.socket, said: bytes) -> bytes:
        with contextlib.suppress(OSError):  # refused before it was said to the end: the answer may be there
            line.sendall(said)
            if b"\r\nConnection: close\r\n" in said[:1000]:
                line.shutdown(socket.SHUT_WR)  # what is missing will not come
        answer = b""
        while b"\r\n\r\n" not in answer:
            if not (more := line.recv(65536)):
                break
            answer += more
        return answer  # our answers have no body, refusals of the server end the connection


def post_all(port: int, path: str, count: int, seed: int) -> Counter[str]:
    chance = random.Random(seed)  # noqa: S311 - the same bodies for the same seed
    line, found = Line(port), Counter[str]()
    for _ in range(count):
        found[line.ask(request(chance, path))] += 1
    return found


def measure(port: int, path: str, count: int, seed: int = 1) -> dict[str, Any]:
    """So many requests over a few connections; how often each status came, and how fast."""
    began = monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        parts = list(pool.map(lambda n: post_all(port, path, count // THREADS, seed * 1000 + n), range(THREADS)))
    total = sum(parts, Counter[str]())
    return {"statuses": dict(total), "posted": total.total(), "per_second": total.total() / (monotonic() - began)}


if __name__ == "__main__":
    print(json.dumps(measure(**json.loads(sys.argv[1]))))

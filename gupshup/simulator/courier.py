"""Callbacks on their way: a time table, a bounded number of POSTs at once, retries with growing pauses."""

import asyncio
import heapq
import itertools
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

from gupshup.simulator.clock import Clock
from gupshup.simulator.ledger import Callback, Ledger
from gupshup.simulator.server import RefusedError, split_chunks

MAX_ANSWER = 1024 * 1024


class ExchangeError(Exception):
    """No answer: refused, reset, closed, unreadable."""


class Exchange(asyncio.Protocol):
    """One kept connection to a receiver; one request at a time."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[int] | None = None
        self._buffer = bytearray()
        self.reusable = True
        self.answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def ask(self, data: bytes) -> "asyncio.Future[int]":
        """Send a request; the future is its status. It raises ExchangeError when none comes."""
        self._answer = asyncio.get_running_loop().create_future()
        self._buffer.clear()
        if self.transport.is_closing():
            self._fail("connection closed")
        else:
            self.transport.write(data)
        return self._answer

    def _fail(self, why: str) -> None:
        self.reusable = False
        if self._answer and not self._answer.done():
            self._answer.set_exception(ExchangeError(why))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > MAX_ANSWER:
            self._fail("answer too long")
            self.transport.abort()
            return
        self._read(ended=False)

    def eof_received(self) -> None:
        self._read(ended=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._read(ended=True)
        self._fail(f"connection lost: {exc}" if exc else "connection closed")

    def _read(self, ended: bool) -> None:
        """Look whether the answer is whole."""
        if self._answer is None or self._answer.done():
            return
        try:
            status = whole_answer(self._buffer, ended)
        except (RefusedError, ValueError):
            self._fail("unreadable answer")
            self.transport.abort()
            return
        if status is not None:
            close = b"connection: close" in bytes(self._buffer[:4096]).lower() or self._buffer.startswith(b"HTTP/1.0")
            self.reusable = self.reusable and not (close or ended)
            self.answered += 1
            self._answer.set_result(status)


def whole_answer(data: bytearray, ended: bool) -> int | None:
    """The status of an answer that has arrived whole, else None. Raises ValueError or RefusedError on nonsense."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    lines = bytes(data[:end]).decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ")[1])
    if 100 <= status < 200:
        del data[: end + 4]
        return whole_answer(data, ended)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    rest = data[end + 4 :]
    if status in (204, 304):
        return status
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return status if split_chunks(rest) else None
    if "content-length" in headers:
        return status if len(rest) >= int(headers["content-length"]) else None
    return status if ended else None


class Receivers:
    """Connections to receivers, kept for reuse."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, str, int], list[Exchange]] = {}
        self._tls: ssl.SSLContext | None = None

    async def post(self, url: str, body: bytes, content_type: str, headers: dict[str, str]) -> int:
        """The status of one POST. Raises ExchangeError, OSError, ValueError; the time limit is the caller's."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        key = (parts.scheme, parts.hostname or "", port)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"POST {path} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}", "User-Agent: Gupshup-Simulator"]
        lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}", "Accept: */*"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        data = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8") + body
        return await self._ask(key, data)

    async def _ask(self, key: tuple[str, str, int], data: bytes) -> int:
        while True:
            exchange = await self._connection(key)
            used = exchange.answered
            try:
                status = await exchange.ask(data)
            except ExchangeError:
                if used:  # a kept connection that the receiver had closed meanwhile: not its answer to this
                    continue
                raise
            except asyncio.CancelledError:
                exchange.transport.abort()
                raise
            if exchange.reusable:
                self._idle.setdefault(key, []).append(exchange)
            else:
                exchange.transport.close()
            return status

    async def _connection(self, key: tuple[str, str, int]) -> Exchange:
        kept = self._idle.get(key, [])
        while kept:
            exchange = kept.pop()
            if exchange.reusable and not exchange.transport.is_closing():
                return exchange
        scheme, host, port = key
        if scheme == "https" and self._tls is None:
            self._tls = ssl.create_default_context()
        context = self._tls if scheme == "https" else None
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(Exchange, host, port, ssl=context))[1]

    def close(self) -> None:
        for kept in self._idle.values():
            for exchange in kept:
                exchange.transport.abort()
        self._idle.clear()


@dataclass(slots=True)
class Parcel:
    """One callback to deliver. `done` is told the outcome of the first attempt."""

    url: str
    body: bytes
    content_type: str
    headers: dict[str, str]
    records: list[Callback]
    attempts: int = 0
    done: "asyncio.Future[None] | None" = None


@dataclass
class Courier:
    """`timeout` and `pause` in real seconds; each pause between attempts is three times the one before."""

    clock: Clock
    ledger: Ledger
    concurrency: int = 32
    timeout: float = 10.0
    retries: int = 4
    pause: float = 2.0
    receivers: Receivers = field(default_factory=Receivers)

    def __post_init__(self) -> None:
        self._table: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._alarm: asyncio.TimerHandle | None = None
        self._ready: deque[Parcel] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def later(self, delay: float, action: Callable[[], object]) -> None:
        """Do something `delay` simulated seconds from now; what is due at one instant is done together."""
        self._book(time.monotonic() + self.clock.real(delay), action)

    def _book(self, due: float, action: Callable[[], object]) -> None:
        heapq.heappush(self._table, (due, next(self._numbers), action))
        if self._table[0][0] == due:
            self._set_alarm()

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._table:
            delay = max(0.0, self._table[0][0] - time.monotonic())
            self._alarm = asyncio.get_running_loop().call_later(min(delay, 3600.0), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        now = time.monotonic()
        while self._table and self._table[0][0] <= now:
            heapq.heappop(self._table)[2]()
        self._set_alarm()

    def send(self, parcel: Parcel) -> None:
        """Deliver as soon as one of the places is free."""
        self._ready.append(parcel)
        self._pump()

    def _pump(self) -> None:
        while self._ready and len(self._tasks) < self.concurrency:
            task = asyncio.get_running_loop().create_task(self._deliver(self._ready.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._pump()

    async def _deliver(self, parcel: Parcel) -> None:
        parcel.attempts += 1
        began = time.monotonic()
        answer = await self._attempt(parcel)
        good = isinstance(answer, int) and 200 <= answer < 300
        last = parcel.attempts > self.retries
        state = "answered" if good else "dropped" if last else "pending"
        for record in parcel.records:
            self.ledger.attempt(record, answer, time.monotonic() - began, state)
        if parcel.done is not None and not parcel.done.done():
            parcel.done.set_result(None)
        if state == "pending":
            due = time.monotonic() + self.pause * 3 ** (parcel.attempts - 1)
            self._book(due, lambda: self.send(parcel))

    async def _attempt(self, parcel: Parcel) -> int | str:
        try:
            async with asyncio.timeout(self.timeout):
                return await self.receivers.post(parcel.url, parcel.body, parcel.content_type, parcel.headers)
        except TimeoutError:
            return "timeout"
        except (ExchangeError, OSError, ValueError) as error:
            return f"{type(error).__name__}: {error}"

    async def ping(self, url: str, body: bytes, content_type: str) -> int | str:
        """One POST outside the queue: the status, or why there was none."""
        return await self._attempt(Parcel(url, body, content_type, {}, []))

    def queue(self, horizon: float = 3600.0) -> dict[str, float | int | None]:
        """What is still to come. `later`: what is due in more than `horizon` real seconds (not counted as pending)."""
        limit = time.monotonic() + horizon
        soon = sum(due <= limit for due, _, _ in self._table)
        waiting = len(self._ready)
        return {
            "pending_callbacks": soon + waiting + len(self._tasks),
            "scheduled": soon,
            "waiting": waiting,
            "in_flight": len(self._tasks),
            "later": len(self._table) - soon,
            "next_in": round(self._table[0][0] - time.monotonic(), 3) if self._table else None,
        }

    def rescale(self, factor: float) -> None:
        """Bring all that is booked nearer or farther, after a change of speed."""
        now = time.monotonic()
        self._table = [(now + (due - now) * factor, number, action) for due, number, action in self._table]
        heapq.heapify(self._table)
        self._set_alarm()

    def forget(self) -> None:
        """Drop all that is scheduled or waiting."""
        self._table.clear()
        self._ready.clear()
        self._set_alarm()

    def stop(self) -> None:
        self.forget()
        for task in self._tasks:
            task.cancel()
        self.receivers.close()

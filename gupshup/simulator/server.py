"""An HTTP/1.1 server, small and fast: keep-alive, pipelining, Content-Length and chunked bodies, size caps.

A handler is a plain function from `Request` to `Reply`. It has decided (and written down) everything
when it returns; the `Reply` then says how badly the answer travels: late, drop by drop, cut short, never.
"""

import asyncio
import json
import socket
import struct
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qs, parse_qsl

MAX_HEAD = 64 * 1024
MAX_BODY = 16 * 1024 * 1024
REASONS = {status.value: status.phrase for status in HTTPStatus}
HANG_SECONDS = 120.0
DRIP_SECONDS = 0.5


class RefusedError(Exception):
    """A request that cannot be read; `status` is what to answer before closing."""

    def __init__(self, status: int) -> None:
        super().__init__(REASONS[status])
        self.status = status


class Request:
    """One request: `path` without query, header names in lower case, `arrived` on the monotonic clock."""

    __slots__ = ("arrived", "body", "headers", "method", "path", "query_string", "version")

    def __init__(self, method: str, target: str, version: str, headers: dict[str, str]) -> None:
        self.method = method
        self.path, _, self.query_string = target.partition("?")
        self.version = version
        self.headers = headers
        self.body = b""
        self.arrived = 0.0

    def form(self) -> dict[str, str]:
        """The form fields, the last of each name; a `+` is a space; undecodable bytes are replaced."""
        text = self.body.decode("utf-8", "replace")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=1000))

    def query(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(self.query_string, keep_blank_values=True).items()}

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ValueError."""
        data = json.loads(self.body.decode("utf-8"))
        if not isinstance(data, dict):
            raise ValueError("the body must be a JSON object")
        return data

    @property
    def keeps_alive(self) -> bool:
        wish = self.headers.get("connection", "").lower()
        return "close" not in wish and (self.version != "HTTP/1.0" or "keep-alive" in wish)


@dataclass(slots=True)
class Reply:
    """An answer and the way it travels.

    `manner`: plain | hang (nothing is written) | reset (RST) | close (FIN) | drip (a byte at a time) |
    truncated (half the body, then FIN). `delay` in seconds. `first` is awaited before anything is written.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    manner: str = "plain"
    stream: Iterator[bytes] | None = None
    first: Callable[[], Awaitable[None]] | None = None

    @property
    def at_once(self) -> bool:
        return self.manner == "plain" and not self.delay and self.stream is None and self.first is None

    def head(self, keep_alive: bool) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Unknown')}"]
        if self.content_type:
            lines.append(f"Content-Type: {self.content_type}")
        lines.append("Transfer-Encoding: chunked" if self.stream is not None else f"Content-Length: {len(self.body)}")
        lines.extend(f"{name}: {value}" for name, value in self.headers)
        if not keep_alive:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def json_reply(data: object, status: int = 200, **more: Any) -> Reply:
    return Reply(status, json.dumps(data, ensure_ascii=False).encode(), **more)


Handler = Callable[[Request], Reply]


class Connection(asyncio.Protocol):
    """One client. Requests of a connection are answered in their order, one at a time."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._handle = server.handle
        self._buffer = bytearray()
        self._request: Request | None = None
        self._length = 0  # of the awaited body; -1 means chunked
        self._busy = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._writable = asyncio.Event()
        self._writable.set()
        self.last_seen = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._writable.set()
        if not self._lost.done():
            self._lost.set_result(None)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    @property
    def idle(self) -> bool:
        return not self._busy and not self._buffer and self._request is None

    def data_received(self, data: bytes) -> None:
        self.last_seen = time.monotonic()
        self._buffer += data
        if self._busy:
            if len(self._buffer) > MAX_HEAD:
                self.transport.pause_reading()
            return
        self._advance()

    def _advance(self) -> None:
        """Serve the whole requests that have arrived, until one takes time."""
        while not self._busy and not self.transport.is_closing():
            try:
                request = self._take()
            except RefusedError as error:
                self.transport.write(Reply(error.status).head(keep_alive=False))
                self.transport.close()
                return
            if request is None:
                return
            self._serve(request)

    def _take(self) -> Request | None:
        """The next whole request, or None when bytes are still to come. Raises RefusedError."""
        if self._request is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > MAX_HEAD:
                    raise RefusedError(431)
                return None
            self._open(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
        request = cast(Request, self._request)
        body = self._take_chunked() if self._length < 0 else self._take_sized()
        if body is None:
            return None
        request.body, request.arrived, self._request = body, time.monotonic(), None
        return request

    def _open(self, head: bytes) -> None:
        """Read a head and learn how long its body is."""
        first, *lines = head.decode("latin-1").lstrip("\r\n").split("\r\n")
        words = first.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise RefusedError(400)
        headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise RefusedError(400)
            headers[name.lower()] = value.strip()
        self._length = body_length(headers)
        self._request = Request(words[0], words[1], words[2], headers)
        if headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take_sized(self) -> bytes | None:
        if len(self._buffer) < self._length:
            return None
        body = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        return body

    def _take_chunked(self) -> bytes | None:
        found = split_chunks(self._buffer)
        if found is None:
            if len(self._buffer) > MAX_BODY:
                raise RefusedError(413)
            return None
        body, used = found
        del self._buffer[:used]
        return body

    def _serve(self, request: Request) -> None:
        try:
            reply = self._handle(request)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            reply = Reply(500, b"simulator error, see its stderr", "text/plain")
        if not reply.at_once:
            self._busy = True
            task = asyncio.get_running_loop().create_task(self._travel(request, reply))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        keep = request.keeps_alive
        self.transport.write(reply.head(keep) + (b"" if request.method == "HEAD" else reply.body))
        if not keep:
            self.transport.close()

    async def _travel(self, request: Request, reply: Reply) -> None:
        """Let an answer travel in its manner; then look at what else has arrived."""
        if reply.first is not None:
            await reply.first()
        if reply.delay:
            await asyncio.sleep(reply.delay)
        keep = request.keeps_alive and reply.manner in ("plain", "drip")
        if not self.transport.is_closing():
            await self._perform(reply, keep)
        self._busy = False
        self.last_seen = time.monotonic()
        if not keep:
            self.transport.close()
        if not self.transport.is_closing():
            self.transport.resume_reading()
            self._advance()

    async def _perform(self, reply: Reply, keep: bool) -> None:
        match reply.manner:
            case "hang":
                await asyncio.wait({self._lost}, timeout=self._server.hang_seconds)
            case "reset":
                reset(self.transport)
            case "close":
                self.transport.close()
            case "truncated":
                self.transport.write(reply.head(keep_alive=False) + reply.body[: len(reply.body) // 2])
            case "drip":
                await self._drip(reply.head(keep) + reply.body)
            case _ if reply.stream is not None:
                await self._stream(reply, keep)
            case _:
                self.transport.write(reply.head(keep) + reply.body)

    async def _drip(self, data: bytes) -> None:
        for start in range(len(data)):
            if self.transport.is_closing():
                return
            self.transport.write(data[start : start + 1])
            await asyncio.wait({self._lost}, timeout=self._server.drip_seconds)

    async def _stream(self, reply: Reply, keep: bool) -> None:
        self.transport.write(reply.head(keep))
        for piece in reply.stream or ():
            if self.transport.is_closing():
                return
            if piece:
                self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await self._writable.wait()
            await asyncio.sleep(0)
        self.transport.write(b"0\r\n\r\n")


def body_length(headers: dict[str, str]) -> int:
    """Bytes of body that the head announces, -1 for chunked. Raises RefusedError."""
    if "transfer-encoding" in headers:
        if headers["transfer-encoding"].lower() != "chunked":
            raise RefusedError(501)
        return -1
    text = headers.get("content-length", "0")
    if not text.isdecimal():
        raise RefusedError(400)
    if int(text) > MAX_BODY:
        raise RefusedError(413)
    return int(text)


def split_chunks(data: bytes | bytearray) -> tuple[bytes, int] | None:
    """The body of a chunked message and the bytes it took, or None when unfinished. Raises RefusedError."""
    body, at = bytearray(), 0
    while (end := data.find(b"\r\n", at)) >= 0:
        try:
            size = int(bytes(data[at:end]).split(b";")[0], 16)
        except ValueError as error:
            raise RefusedError(400) from error
        if size == 0:
            tail = data.find(b"\r\n\r\n", end)  # the empty line after the last chunk and any trailers
            return (bytes(body), tail + 4) if tail >= 0 else None
        at = end + 2 + size + 2
        if len(data) < at:
            return None
        body += data[end + 2 : at - 2]
        if len(body) > MAX_BODY:
            raise RefusedError(413)
    return None


def reset(transport: asyncio.Transport) -> None:
    """Close with an RST, so that the other side reads `connection reset by peer`."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Server:
    """Listens, and closes connections that have been idle for `keep_alive` seconds."""

    def __init__(self, handle: Handler, keep_alive: float = 75.0) -> None:
        self.handle = handle
        self.keep_alive = keep_alive
        self.hang_seconds = HANG_SECONDS
        self.drip_seconds = DRIP_SECONDS
        self.connections: set[Connection] = set()
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; port 0 takes a free one. Returns the address in use. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), host, port, backlog=1024)
        self._sweeper = loop.create_task(self._sweep())
        address = self._server.sockets[0].getsockname()
        return address[0], address[1]

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self.keep_alive / 2))
            oldest = time.monotonic() - self.keep_alive
            for connection in list(self.connections):
                if connection.idle and connection.last_seen < oldest:
                    connection.transport.close()

    async def stop(self) -> None:
        if self._sweeper:
            self._sweeper.cancel()
        self._server.close()
        for connection in list(self.connections):
            connection.transport.abort()
        await self._server.wait_closed()

"""Small HTTP servers on raw sockets, each misbehaving in its own way."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

OK = b'{"status":"submitted","messageId":"0c7f9b7e-3f0c-4f5c-9d3e-6a1b2c3d4e5f"}'
Handler = Callable[[socket.socket, "Request"], bool | None]


@dataclass
class Request:
    """One request as it came over the wire."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        fields = parse_qs(self.body.decode(), keep_blank_values=True, strict_parsing=bool(self.body))
        return {name: values[0] for name, values in fields.items()}


@dataclass
class Server:
    """Where it listens and what it got. ``stop`` is set when the test ends: handlers that hang wait for it."""

    port: int
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def url(self, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}/wa/api/v1"


def reply(body: bytes = OK, status: str = "202 Accepted", **headers: str) -> bytes:
    """A whole HTTP answer; underscores in header names become dashes."""
    given = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    given.update({name.replace("_", "-"): value for name, value in headers.items()})
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def answering(answer: bytes) -> Handler:
    """Always the same answer; the connection stays open."""

    def handle(connection: socket.socket, _request: Request) -> bool:
        connection.sendall(answer)
        return True

    return handle


@contextmanager
def serving(handler: Handler, *, context: ssl.SSLContext | None = None, until: bytes = b"\r\n\r\n") -> Iterator[Server]:
    """A server in threads. The handler gets each whole request; True keeps the connection for the next.

    A request's head ends at ``until``; the empty one is for bytes that are no HTTP.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener.getsockname()[1])
    threading.Thread(target=_accept, args=(listener, server, handler, context, until), daemon=True).start()
    try:
        yield server
    finally:
        server.stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _accept(
    listener: socket.socket, server: Server, handler: Handler, context: ssl.SSLContext | None, until: bytes
) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        server.connections += 1
        threading.Thread(target=_serve, args=(connection, server, handler, context, until), daemon=True).start()


def _serve(
    connection: socket.socket, server: Server, handler: Handler, context: ssl.SSLContext | None, until: bytes
) -> None:
    try:
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        while request := _read(connection, until):
            server.requests.append(request)
            if not handler(connection, request):
                break
    except OSError:
        pass
    finally:
        connection.close()


def _read(connection: socket.socket, until: bytes) -> Request | None:
    data = b""
    while not data or until not in data:
        piece = connection.recv(65_536)
        if not piece:
            return None
        data += piece
    if not until:
        return Request("", {}, data)
    head, _, body = data.partition(until)
    line, *rest = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (text.partition(": ") for text in rest)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65_536)
    return Request(line, headers, body)


def reset(connection: socket.socket) -> None:
    """Close with a RST, as a crashed peer does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()

"""One HTTP exchange with a deadline for the whole of it, and proof of whether anything left us.

``requests`` limits the time of each read, not of the call, follows redirects, and does not tell a refused connection
from a lost one. Here the connection itself watches the clock at every read and write, and raises a flag just before
the first byte of a request is written: flag down means *not sent*, for whatever reason; flag up means *it may have
arrived*. Nothing is ever tried twice.

One pool of connections for each thread; connections are kept for four seconds, under the keep-alive of usual servers:
a request written to a connection that the server is just closing would be lost in doubt.
"""

import http.client
import io
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

log: Final = logging.getLogger("gupshup.api")

CAP: Final = 65_536  # bytes of an answer that are read
IDLE: Final = 4.0  # seconds


@dataclass
class Exchange:
    """One call: what is sent, until when, and how far it came."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    connect_timeout: float
    deadline: float  # by time.monotonic()
    before_first_byte: Callable[[], bool] | None = None
    cap: int = CAP
    wired: bool = False  # the first byte may have left

    def remaining(self) -> float:
        """Seconds left; raises TimeoutError when there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("deadline")
        return left


@dataclass(frozen=True)
class Answer:
    """What came back. ``complete`` is False when the body broke off or went over the cap."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    complete: bool


class NotAnsweredError(Exception):
    """No status line came. ``code`` is one of the catalogue's words for calls; ``sent`` tells whether a byte left."""

    def __init__(self, code: str, sent: bool) -> None:
        super().__init__(code)
        self.code = code
        self.sent = sent


class _FencedError(Exception):
    """The caller's last look said no."""


def _allowed(fence: Callable[[], bool]) -> bool:
    """A fence that cannot be asked says no."""
    try:
        return fence()
    except Exception as error:
        log.warning("fence failed: %s", type(error).__name__)
        return False


_now = threading.local()  # .exchange: the one this thread is in


def _exchange() -> Exchange:
    exchange: Exchange = _now.exchange
    return exchange


class _TimedReader(io.RawIOBase):
    """Reads a socket, each time with no more than what is left of the whole call."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._inner = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_exchange().remaining())
        return self._inner.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
        super().close()


class _TimedSocket:
    """What http.client wants of a socket in order to read an answer from it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._sock))


class _TimedAnswer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(_TimedSocket(sock), *args, **kwargs)  # type: ignore[arg-type]


class _Timed:
    """A connection that keeps to the exchange's deadline and marks the first byte. Mixed into urllib3's classes."""

    response_class = _TimedAnswer
    last_used = 0.0

    def _new_conn(self: Any) -> socket.socket:
        """Connect to one of the host's addresses, within the connect timeout for all of them together."""
        exchange = _exchange()
        try:
            addresses = socket.getaddrinfo(self._dns_host, self.port, 0, socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(self.host, self, socket.gaierror(str(error))) from error
        until = time.monotonic() + min(exchange.connect_timeout, exchange.remaining())
        failure: OSError = OSError("no address")
        for family, kind, protocol, _name, address in addresses:
            left = until - time.monotonic()
            if left <= 0:
                raise ConnectTimeoutError(self, "connect timeout")
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(left)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.connect(address)
                sock.settimeout(max(0.001, until - time.monotonic()))  # what is left is for the TLS handshake
                return sock
            except TimeoutError as error:
                sock.close()
                failure = error
            except OSError as error:
                sock.close()
                failure = error
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, "connect timeout") from failure
        raise NewConnectionError(self, "connection failed") from failure

    @property
    def is_connected(self: Any) -> bool:
        """Alive, and used lately. urllib3 asks before it takes a connection from the pool."""
        return time.monotonic() - self.last_used < IDLE and bool(super().is_connected)  # type: ignore[misc]

    def send(self: Any, data: Any) -> None:
        exchange = _exchange()
        if not exchange.wired:
            self._first_byte(exchange)
        self.sock.settimeout(exchange.remaining())
        super().send(data)  # type: ignore[misc]

    def _first_byte(self: Any, exchange: Exchange) -> None:
        """The last moment at which nothing has left: everything that may still say no is asked here."""
        if self.sock is None:
            self.connect()
        exchange.remaining()
        if exchange.before_first_byte is not None:
            if not _allowed(exchange.before_first_byte):
                raise _FencedError
            if self.last_used and not self.is_connected:  # the server closed it while the fence was asked
                self.sock.close()  # and not self.close(), which would forget the request under way
                self.connect()
            exchange.remaining()
        exchange.wired = True

    def getresponse(self: Any) -> HTTPResponse:
        response: HTTPResponse = super().getresponse()  # type: ignore[misc]
        self.last_used = time.monotonic()
        return response


class _TimedHTTPConnection(_Timed, HTTPConnection):  # type: ignore[misc]
    pass


class _TimedHTTPSConnection(_Timed, HTTPSConnection):  # type: ignore[misc]
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _TimedHTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _TimedHTTPSConnection


class _Adapter(HTTPAdapter):
    """requests' adapter over the connections above: no retries, no cookies."""

    def __init__(self) -> None:
        super().__init__(pool_connections=8, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        response = requests.Response()
        response.status_code = resp.status
        response.headers = CaseInsensitiveDict(resp.headers)
        response.raw = resp
        return response


def _session() -> requests.Session:
    """This thread's session. A forked child starts afresh: a shared socket would mix two processes' answers."""
    if getattr(_now, "pid", None) != os.getpid():
        session = requests.Session()
        session.trust_env = False  # no proxy, no .netrc of the environment between us and the provider
        session.mount("https://", _Adapter())
        session.mount("http://", _Adapter())
        _now.session, _now.pid = session, os.getpid()
    found: requests.Session = _now.session
    return found


def close() -> None:
    """Close this thread's connections."""
    if getattr(_now, "session", None) is not None:
        _now.session.close()
        _now.pid = None


def perform(exchange: Exchange, *, verify: bool | str = True) -> Answer:
    """Make one call. Raises NotAnsweredError when no answer came, for whatever reason; nothing else.

    A status line counts as an answer even when the body after it breaks off.
    """
    request = requests.PreparedRequest()
    request.method, request.url, request.body = exchange.method, exchange.url, exchange.body
    request.headers = exchange.headers  # type: ignore[assignment]  # a dict serves, and is faster
    _now.exchange = exchange
    try:
        # the adapter and not Session.send: that one reads the whole body of a redirect, however long
        adapter = _session().get_adapter(exchange.url)
        limits = (exchange.connect_timeout, exchange.connect_timeout)
        response = adapter.send(request, stream=True, timeout=limits, verify=verify)
    except Exception as error:
        raise NotAnsweredError(_code(error, exchange), exchange.wired) from None
    finally:
        _now.exchange = None
    return _read(response, exchange)


def _read(response: requests.Response, exchange: Exchange) -> Answer:
    raw = response.raw
    if response.status_code < 200:  # something else will follow on this connection: nobody may read it as his answer
        raw.close()
        return Answer(response.status_code, response.headers, b"", False)
    pieces: list[bytes] = []
    size, complete = 0, False
    _now.exchange = exchange
    try:
        while size <= exchange.cap:
            piece = raw.read1(exchange.cap + 1 - size, decode_content=True)
            if not piece:
                complete = True
                break
            pieces.append(piece)
            size += len(piece)
    except Exception:  # broken off, or out of time: what came is judged as it is
        complete = False
    finally:
        if not complete:
            raw.close()
        _now.exchange = None
    return Answer(response.status_code, response.headers, b"".join(pieces)[: exchange.cap], complete)


def _code(error: BaseException, exchange: Exchange) -> str:
    """The catalogue's word for a call without an answer."""
    causes = list(_causes(error))
    if exchange.wired:
        timed_out = any(isinstance(cause, TimeoutError | ReadTimeoutError) for cause in causes)
        return "read_timeout" if timed_out else "connection_lost"
    for kinds, code in _BEFORE:
        if any(isinstance(cause, kinds) for cause in causes):
            return code
    return "not_connected"


_BEFORE: Final[tuple[tuple[tuple[type[BaseException], ...], str], ...]] = (
    ((_FencedError,), "fenced"),
    ((NameResolutionError, socket.gaierror), "dns"),
    ((SSLError, ssl.SSLError), "tls"),
    ((NewConnectionError, ConnectionRefusedError), "connect_refused"),  # before its parent class, the next one
    ((ConnectTimeoutError, TimeoutError), "connect_timeout"),
)


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what it was made of: requests and urllib3 wrap it as cause, context, reason or argument."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting and len(found) < 20:
        item = waiting.pop()
        if not isinstance(item, BaseException) or item in found:
            continue
        found.append(item)
        waiting += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
    return found

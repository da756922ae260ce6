"""One POST to an address that somebody typed in: never into our own network, never longer or larger than is healthy.

The name is resolved once, every address that it has is judged, and the connection goes to one of those: a name that
means something else a moment later does not matter. Redirects are not followed, proxies of the environment not asked.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
MOST_READ = 2_000  # bytes of the answer that are looked at
AGENT = "whatsapp-campaigns"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Refused(Exception):  # noqa: N818 - it is not an error of the program
    """This address is not called; the text says why."""


@dataclass(frozen=True)
class Answer:
    """What came of one call. `status` is None when nothing was answered; `error` then says why."""

    status: int | None
    error: str
    milliseconds: int
    text: str = ""
    retry_after: int = 0  # seconds that the receiver asks for

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def allowed_networks() -> list[Network]:
    return [
        ipaddress.ip_network(text.strip(), strict=False) for text in settings.HOOKS_ALLOWED_NETWORKS if text.strip()
    ]


def check(url: str) -> SplitResult:
    """The parts of an address that may be called as far as its text tells. Raises Refused."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise Refused("not a web address") from None
    if parts.scheme not in ("https", "http") or not host:
        raise Refused("not a web address")
    if any(char.isspace() or not char.isprintable() or ord(char) > 126 for char in url):
        raise Refused("not a web address")
    if parts.username is not None or parts.password is not None:
        raise Refused("an address with a password")
    if parts.fragment or port == 0:
        raise Refused("not a web address")
    if parts.scheme == "http" and not settings.DEBUG and not settings.HOOKS_ALLOWED_NETWORKS:
        raise Refused("not https")
    inside = f".{host.lower().rstrip('.')}".endswith((".localhost", ".local", ".internal"))
    if inside and not settings.HOOKS_ALLOWED_NETWORKS:
        raise Refused("an address inside our own network")
    literal = _literal(host)
    if literal is not None:
        judge(literal, parts.scheme)
    return parts


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def judge(address: Address, scheme: str) -> None:
    """Raises Refused for what is not the public internet, unless HOOKS_ALLOWED_NETWORKS has it."""
    for one in _meant(address):
        if any(one in network for network in allowed_networks() if network.version == one.version):
            continue
        if not one.is_global or one.is_multicast or one.is_reserved:
            raise Refused("an address inside our own network")
        if scheme != "https" and not settings.DEBUG:
            raise Refused("not https")


_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))


def _meant(address: Address) -> list[Address]:
    """The address, or the IPv4 address that it carries: both ways of writing one lead to the same machine."""
    if not isinstance(address, ipaddress.IPv6Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if any(address in network for network in _NAT64) or 0xFFFF < int(address) <= 0xFFFFFFFF:
        return [address, ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    inner = address.sixtofour or (address.teredo[1] if address.teredo else None)
    return [address] if inner is None else [address, inner]


def resolve(parts: SplitResult) -> list[Address]:
    """Every address of the name, each of them allowed. Raises Refused, or OSError when there is none."""
    found = socket.getaddrinfo(parts.hostname, parts.port or _port(parts.scheme), type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        judge(address, parts.scheme)
    return list(dict.fromkeys(addresses))


def _port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def post(url: str, body: bytes, headers: Mapping[str, str], total: float = TOTAL_SECONDS) -> Answer:
    """Call once; whatever happens is an answer."""
    begun = monotonic()

    def after(status: int | None, error: str = "", text: str = "", wait: int = 0) -> Answer:
        return Answer(status, error[:200], int((monotonic() - begun) * 1000), text, wait)

    try:
        parts = check(url)
        addresses = resolve(parts)
        status, text, wait = _exchange(parts, addresses, body, headers, begun + total)
        return after(status, "", text, wait)
    except Refused as refusal:
        return after(None, f"refused: {refusal}")
    except TimeoutError:
        return after(None, "no answer in time")
    except (OSError, http.client.HTTPException, ValueError) as error:
        late = monotonic() - begun >= total
        return after(None, "no answer in time" if late else f"{type(error).__name__}: {error}")


def _exchange(
    parts: SplitResult, addresses: Sequence[Address], body: bytes, headers: Mapping[str, str], until: float
) -> tuple[int, str, int]:
    line = [_connect(parts, addresses, until)]
    watch = threading.Timer(max(0.1, until - monotonic()), lambda: _cut(line[0]))  # it may drip a byte a second
    watch.daemon = True
    watch.start()
    try:
        if parts.scheme == "https":
            line[0] = _wrapped(line[0], parts.hostname or "")
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or _port(parts.scheme))
        connection.sock = line[0]
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        given = {"Host": _host(parts), "Content-Type": "application/json", "User-Agent": AGENT, "Connection": "close"}
        connection.request("POST", path, body, {**given, **headers})
        response = connection.getresponse()
        text = response.read(MOST_READ).decode("utf-8", "replace").replace("\0", "")
        return response.status, text, _seconds(response.getheader("Retry-After"))
    finally:
        watch.cancel()
        line[0].close()


def _wrapped(sock: socket.socket, host: str) -> ssl.SSLSocket:
    """TLS on this connection; the handshake comes with the first byte, under the watch."""
    return ssl.create_default_context().wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)


def _host(parts: SplitResult) -> str:
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return f"{name}:{parts.port}" if parts.port else name


def _connect(parts: SplitResult, addresses: Sequence[Address], until: float) -> socket.socket:
    """The first of these addresses that takes a connection. Raises OSError."""
    trouble: OSError = OSError("the name has no address")
    for address in addresses:
        seconds = min(CONNECT_SECONDS, until - monotonic())
        if seconds <= 0:
            raise TimeoutError
        try:
            sock = socket.create_connection((str(address), parts.port or _port(parts.scheme)), seconds)
            sock.settimeout(max(0.1, until - monotonic()))
            return sock
        except OSError as error:
            trouble = error
    raise trouble


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _seconds(text: str | None) -> int:
    return min(int(text), 86_400) if text and text.isascii() and text.isdigit() and len(text) < 8 else 0

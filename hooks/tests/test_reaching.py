"""Calls go to the public internet, to the address that was judged, for a bounded time; nothing else is reached."""

from __future__ import annotations

import ipaddress
import socket
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gupshup.tests.api.certificates import make_certificate
from gupshup.tests.api.servers import reply, reset, serving
from hooks import reaching
from hooks.reaching import Refused, check, judge, post


@pytest.fixture
def strict(settings):
    settings.HOOKS_ALLOWED_NETWORKS = []
    return settings


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "https://", "//example.com", "https:/x",
        "https://user:pass@example.com/", "https://user@example.com", "https://example.com/#x", "https://a b/",
        "https://example.com:99999/", "https://example.com:0/", "https://exa\tmple.com/", "https://localhost/",
        "https://app.localhost:8000/", "https://db.internal/", "https://127.0.0.1/", "https://0.0.0.0/",
        "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest/meta-data/",
        "https://[fe80::1]/", "https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://100.64.0.1/",
        "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://[fd00::1]/", "https://224.0.0.1/",
        "https://255.255.255.255/", "https://[::127.0.0.1]/", "javascript:alert(1)", "",
    ],
)  # fmt: skip
def test_addresses_that_are_never_called(strict, url):
    with pytest.raises(Refused):
        check(url)
    assert post(url, b"{}", {}).error.startswith("refused: ")


@pytest.mark.parametrize("url", ["https://example.com", "https://example.com:8443/a?b=c", "https://8.8.8.8/x"])
def test_public_addresses_may_be_called(strict, url):
    assert check(url).hostname


@given(st.ip_addresses())
def test_no_address_inside_passes_however_it_is_written(address):
    """Validates: SSRF is refused. What Python calls not global, or carries such an address, is inside."""
    inside = not address.is_global
    try:
        judge(address, "https")
        passed = True
    except Refused:
        passed = False
    assert not (passed and inside and address not in ipaddress.ip_network("127.0.0.0/8"))


@given(st.ip_addresses(v=4).filter(lambda a: not a.is_global and a.packed[0] != 127))
def test_an_inner_address_in_ipv6_clothes_is_refused(inner):
    number = int(inner)
    for dressed in (
        ipaddress.IPv6Address((0xFFFF << 32) | number),
        ipaddress.IPv6Address((0x64FF9B << 96) | number),
        ipaddress.IPv6Address((0x2002 << 112) | (number << 80)),
    ):
        with pytest.raises(Refused):
            judge(dressed, "https")


def names(monkeypatch, known):
    """A resolver that knows these names, and numbers; answers the list of names that it is asked for."""
    asked, real = [], socket.getaddrinfo

    def lookup(host, port, *args, **kwargs):
        if host[0].isdigit():
            return real(host, port, *args, **kwargs)
        asked.append(host)
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(reaching.socket, "getaddrinfo", lookup)
    return asked


def test_a_name_that_leads_inside_is_refused_even_if_another_of_its_addresses_is_public(strict, monkeypatch):
    names(monkeypatch, {"evil.example": ["8.8.8.8", "10.0.0.1"]})
    assert post("https://evil.example/", b"{}", {}).error == "refused: an address inside our own network"


def test_the_address_that_was_judged_is_the_one_called(receiver, monkeypatch):
    """A name that means something else at a second look is looked up once."""
    server = receiver()
    asked = names(monkeypatch, {"hook.example": ["127.0.0.1"]})
    assert post(f"http://hook.example:{server.port}/x?y=1", b"{}", {}).status == 204
    assert asked == ["hook.example"]
    assert server.requests[0].headers["host"] == f"hook.example:{server.port}"
    assert server.requests[0].line == "POST /x?y=1 HTTP/1.1"


def test_a_name_that_does_not_exist_is_an_answer(strict, monkeypatch):
    names(monkeypatch, {})
    assert "gaierror" in post("https://gone.example/", b"{}", {}).error


def test_a_redirect_is_not_followed(receiver):
    inner = receiver()
    outer = receiver(status="302 Found", Location=inner.url())
    answer = post(outer.url(), b"{}", {})
    assert (answer.status, answer.ok, inner.requests) == (302, False, [])


def hang(connection, request):
    connection.recv(1)


def drip(connection, request):
    connection.settimeout(0.1)
    while True:
        connection.sendall(b"H")
        try:
            if connection.recv(1) == b"":
                return
        except TimeoutError:
            continue


@pytest.mark.parametrize("handler", [hang, drip])
def test_a_receiver_that_hangs_or_drips_ends_in_time(receiver, handler):
    begun = monotonic()
    answer = post(receiver(handler).url(), b"{}", {}, total=0.6)
    assert (answer.status, answer.error) == (None, "no answer in time")
    assert monotonic() - begun < 3


def test_an_endless_answer_is_read_no_further_than_needed(receiver):
    def endless(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n" + b"x" * 100_000)

    answer = post(receiver(endless).url(), b"{}", {}, total=5)
    assert (answer.status, len(answer.text)) == (200, reaching.MOST_READ)


@pytest.mark.parametrize(
    "handler", [lambda c, r: reset(c), lambda c, r: c.sendall(b"garbage\r\n\r\n"), lambda c, r: None]
)
def test_broken_receivers_are_answers(receiver, handler):
    answer = post(receiver(handler).url(), b"{}", {}, total=5)
    assert answer.status is None
    assert answer.error


def test_a_port_that_nobody_listens_on_is_an_answer():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "ConnectionRefusedError" in post(f"http://127.0.0.1:{port}/", b"{}", {}).error


def test_https_proves_who_answers(tmp_path, monkeypatch):
    certificate = make_certificate(tmp_path)

    def answer(connection, request):
        connection.sendall(reply(b"", "204 No Content"))

    with serving(answer, context=certificate.server) as server:
        refused = post(server.url("https"), b"{}", {}, total=5)
        assert "CERTIFICATE_VERIFY_FAILED" in refused.error
        monkeypatch.setenv("SSL_CERT_FILE", certificate.path)
        assert post(server.url("https"), b"{}", {}, total=5).status == 204

"""The webhook keeps every byte of whoever knows the secret, nothing of anybody else, and tells nobody the secret."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from urllib.parse import quote

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from conftest import ROOT, wait_for
from gupshup import webhooks
from gupshup.logs import HideSecrets
from gupshup.models import Callback, Sender
from gupshup.senders import retire_old_secret, rotate_secret

SECRET = "a-secret-for-tests"
OTHER_SECRET = "another-secret-for-tests"
ADDRESS = f"/api/webhooks/gupshup/{SECRET}"
BODY = json.dumps({"app": "DemoApp", "type": "user-event", "payload": {"type": "sandbox-start"}}).encode()
ADDRESSES = ("/api/webhooks/gupshup", "/webhooks/gupshup")


@pytest.fixture(autouse=True)
def plain_http(settings):
    settings.SECURE_SSL_REDIRECT = False
    settings.GUPSHUP_ALLOWED_ADDRESSES = []
    webhooks.forget_secrets()
    yield
    webhooks.forget_secrets()


@pytest.fixture
def other(sender):
    return Sender.objects.create(
        name="Autre", app_name="OtherApp", phone_number="33700000002", webhook_secret=OTHER_SECRET
    )


def post(client: Client, address: str = ADDRESS, body: bytes = BODY, **headers: str):
    content_type = headers.pop("content_type", "application/json")
    return client.post(address, body, content_type=content_type, headers=headers)


# --- who may speak -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        (ADDRESS, {}),
        (ADDRESS + "/", {}),
        (f"/webhooks/gupshup/{SECRET}", {}),
        (f"/webhooks/gupshup/{SECRET}/", {}),
        *((address, {"X-Webhook-Secret": SECRET}) for address in ADDRESSES),
        *((f"{address}/", {"X-Webhook-Secret": SECRET}) for address in ADDRESSES),
        *((f"{address}?token={SECRET}", {}) for address in ADDRESSES),
    ],
)
def test_the_secret_may_stand_in_path_header_or_query(client, sender, address, headers):
    """Validates: 4.6"""
    answer = post(client, address, **headers)
    assert (answer.status_code, answer.content) == (200, b"")
    callback = Callback.objects.get()
    assert (bytes(callback.raw), callback.sender_id, callback.copies) == (BODY, sender.pk, 1)
    assert bytes(callback.digest) == hashlib.sha256(BODY).digest()


@pytest.mark.parametrize("secret", ["s2/Zk+9a==", "a b?c#d", "50%/é"])
def test_a_secret_of_ones_own_may_hold_any_character(client, sender, secret):
    """As those of `openssl rand -base64` do."""
    Sender.objects.filter(pk=sender.pk).update(webhook_secret=secret)
    webhooks.forget_secrets()
    assert post(client, reverse("webhook", args=(secret,))).status_code == 200
    assert post(client, f"{reverse('webhook', args=(secret,))}x").status_code == 401
    assert Callback.objects.count() == 1


WRONG = ["wrong", SECRET[:-1], SECRET + "x", SECRET.upper(), " ", "\0", "é", "a" * 10_000, "%", "..", "null"]


@pytest.mark.parametrize("secret", WRONG, ids=lambda one: repr(one[:20]))
@pytest.mark.parametrize("place", ["path", "header", "query"])
def test_without_the_secret_nothing_is_kept(client, sender, place, secret):
    header = secret.encode("ascii", "ignore").decode().replace("\0", "")
    address, headers = {
        "path": (f"/api/webhooks/gupshup/{quote(secret, safe='')}", {}),
        "header": ("/api/webhooks/gupshup", {"X-Webhook-Secret": header}),
        "query": (f"/webhooks/gupshup?token={quote(secret, safe='')}", {}),
    }[place]
    assert post(client, address, **headers).status_code in (401, 404)  # ".." leaves the address
    assert not Callback.objects.exists()


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_secret_at_all_is_no_secret(client, sender, address):
    Sender.objects.update(webhook_secret="", webhook_secret_old="")
    webhooks.forget_secrets()
    for headers in ({}, {"X-Webhook-Secret": ""}):
        assert post(client, address, **headers).status_code == 401
    assert post(client, f"{address}?token=").status_code == 401
    assert not Callback.objects.exists()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"])
@pytest.mark.parametrize("secret", [SECRET, "wrong", ""])
def test_only_a_post_is_a_callback(client, sender, method, secret):
    address = f"/api/webhooks/gupshup/{secret}".rstrip("/")
    answer = client.generic(method, address, BODY, content_type="application/json")
    assert answer.status_code == (200 if method in ("GET", "HEAD") else 405)
    assert answer.content == b""
    assert not Callback.objects.exists()


def test_the_secret_of_one_sender_reaches_the_rows_of_that_sender_only(client, sender, other):
    body = json.dumps({"app": other.app_name, "appId": other.app_id, "phone": other.phone_number}).encode()
    assert post(client, ADDRESS, body).status_code == 200
    assert post(client, f"/api/webhooks/gupshup/{OTHER_SECRET}", body).status_code == 200
    assert [one.copies for one in Callback.objects.all()] == [1, 1]
    assert set(Callback.objects.values_list("sender_id", flat=True)) == {sender.pk, other.pk}


def test_two_secrets_are_valid_while_one_is_replaced(client, sender):
    rotate_secret(sender)
    new = f"/api/webhooks/gupshup/{sender.webhook_secret}"
    assert sender.webhook_secret != SECRET
    assert len(sender.webhook_secret) >= 43  # 256 bits
    assert [post(client, address).status_code for address in (ADDRESS, new)] == [200, 200]
    retire_old_secret(sender)
    assert [post(client, address).status_code for address in (ADDRESS, new)] == [401, 200]
    assert Callback.objects.get().copies == 3


def test_every_new_sender_has_a_secret_of_its_own(db):
    made = [Sender.objects.create(name="x", app_name=f"App{n}", phone_number="33700000003") for n in range(2)]
    assert all(len(sender.webhook_secret) >= 43 for sender in made)
    assert made[0].webhook_secret != made[1].webhook_secret
    assert not Sender.objects.filter(webhook_secret=made[0].webhook_secret).exists()  # encrypted at rest


def test_secrets_are_compared_in_constant_time(sender, other, monkeypatch):
    """Every secret is looked at whole, whichever fits: no early end tells how much was right."""
    seen: list[bytes] = []

    def compare(one: bytes, two: bytes) -> bool:
        seen.append(one)
        return one == two

    monkeypatch.setattr(webhooks.hmac, "compare_digest", compare)
    assert webhooks.owner(SECRET) == sender.pk
    assert seen == [SECRET.encode(), OTHER_SECRET.encode()]


@pytest.mark.parametrize(
    ("allowed", "address", "status"),
    [
        ([], "203.0.113.9", 200),
        (["34.202.224.208", "52.66.99.126"], "34.202.224.208", 200),
        (["34.202.224.208"], "203.0.113.9", 401),
        (["203.0.113.0/24"], "203.0.113.9", 200),
        (["2001:db8::/32"], "2001:db8::7", 200),
        (["34.202.224.208"], "unix:", 401),
    ],
)
def test_source_addresses_may_be_listed(client, sender, settings, allowed, address, status):
    settings.GUPSHUP_ALLOWED_ADDRESSES = allowed
    answer = client.post(ADDRESS, BODY, content_type="application/json", REMOTE_ADDR=address)
    assert answer.status_code == status
    assert Callback.objects.exists() is (status == 200)


def test_behind_a_proxy_the_address_is_the_one_that_the_proxy_saw(client, sender, settings):
    settings.GUPSHUP_ALLOWED_ADDRESSES = ["34.202.224.208"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    forged = {"X-Forwarded-For": "34.202.224.208, 203.0.113.9"}
    honest = {"X-Forwarded-For": "203.0.113.9, 34.202.224.208"}
    assert post(client, **forged).status_code == 401
    assert post(client, **honest).status_code == 200


# --- what is kept ------------------------------------------------------------------------------------------------

BODIES = {
    "empty": b"",
    "NUL": b"\0",
    "NUL in JSON": b'{"type":"message","payload":{"text":"\\u0000\0"}}',
    "not UTF-8": b"\xff\xfe\xfa",
    "UTF-16": json.dumps({"type": "message"}).encode("utf-16"),
    "half a surrogate": b'{"a":"\\ud800"}',
    "compressed": gzip.compress(BODY),
    "deep": b"[" * 100_000,
    "endless number": b"9" * 100_000,
    "multipart": b'--x\r\nContent-Disposition: form-data; name="response"\r\n\r\n[]\r\n--x--\r\n',
    "form": b"response=%5B%5D&mobile=%ff",
    "as much as may be": b"x" * webhooks.MAX_BODY,
}


@pytest.mark.parametrize("name", BODIES)
def test_the_bytes_are_kept_as_they_came(client, sender, name):
    assert post(client, body=BODIES[name]).status_code == 200
    assert bytes(Callback.objects.get().raw) == BODIES[name]


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "text/plain; charset=no-such-charset",
        "application/json; charset=utf-16",
        "x" * 5_000,
        ";;;",
        "application/json\0",
        "\xe9\xff",
    ],
)
def test_no_content_type_costs_a_callback(client, sender, content_type):
    request = RequestFactory().post(ADDRESS, BODY, content_type="application/json")
    request.META["CONTENT_TYPE"] = content_type
    assert webhooks.webhook(request, SECRET).status_code == 200
    callback = Callback.objects.get()
    assert bytes(callback.raw) == BODY
    assert callback.content_type == content_type.replace("\0", "")[:100]


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png;q=0", "nonsense", "*/*", ""])
def test_whatever_the_caller_would_like_to_read_it_is_served(client, sender, accept):
    """Gupshup's User-Agent and Accept are not documented: nothing in them may refuse an event."""
    headers = {"Accept": accept, "User-Agent": "", "Accept-Language": "\xff;q=x", "Cookie": "=;;a"}
    assert post(client, f"/webhooks/gupshup?format=xml&token={SECRET}", **headers).status_code == 200


def test_the_same_bytes_twice_are_one_row_and_a_count(client, sender):
    for _ in range(3):
        assert post(client).status_code == 200
    assert post(client, body=BODY + b" ").status_code == 200
    assert sorted(Callback.objects.values_list("copies", flat=True)) == [1, 3]


@pytest.mark.django_db(transaction=True)
def test_the_same_bytes_at_the_same_instant_are_one_row(sender):
    start = threading.Barrier(8)
    statuses: list[int] = []

    def call() -> None:
        start.wait(10)
        try:
            statuses.append(post(Client()).status_code)
        finally:
            connection.close()

    rivals = [threading.Thread(target=call) for _ in range(8)]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join(20)
    assert statuses == [200] * 8
    assert Callback.objects.get().copies == 8


def test_a_body_over_the_cap_is_refused(client, sender):
    assert post(client, body=b"x" * (webhooks.MAX_BODY + 1)).status_code == 413
    assert not Callback.objects.exists()


def test_the_body_of_a_stranger_is_not_even_read(sender):
    request = RequestFactory().post("/webhooks/gupshup", BODY, content_type="application/json")
    assert webhooks.webhook(request, "wrong").status_code == 401
    assert request.read() == BODY


class Broken:
    def read(self, *_: object) -> bytes:
        raise ConnectionResetError


@pytest.mark.parametrize("length", ["7", "not a number", "", "-1"])
def test_a_broken_connection_is_no_server_error(sender, length):
    request = RequestFactory().post(ADDRESS, BODY, content_type="application/json")
    request.META["CONTENT_LENGTH"] = length
    request._stream = Broken()
    assert webhooks.webhook(request, SECRET).status_code == 400
    assert not Callback.objects.exists()


@given(
    body=st.binary(max_size=2_000) | st.text(max_size=500).map(str.encode),
    content_type=st.sampled_from(["application/json", "application/x-www-form-urlencoded", "", "\xff"]),
)
def test_any_body_is_answered_at_once(sender, body, content_type):
    """Validates: 4.6 (P8)"""
    began = monotonic()
    request = RequestFactory().post(ADDRESS, body, content_type="application/json")
    request.META["CONTENT_TYPE"] = content_type
    answer = webhooks.webhook(request, SECRET)
    assert monotonic() - began < 20
    assert (answer.status_code, answer.content) == (200, b"")
    assert Callback.objects.filter(digest=hashlib.sha256(body).digest()).exists()


# --- when the database does not take it --------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_table_that_is_locked_is_told_in_time(client, sender, monkeypatch):
    """Validates: 4.6 (P8). 503 has the provider send it again; waiting for ever would lose it."""
    monkeypatch.setattr(webhooks, "PATIENCE", "200ms")
    assert post(client, body=b"before").status_code == 200
    with psycopg.connect(database_url()) as rival:
        rival.execute("LOCK TABLE gupshup_callback IN ACCESS EXCLUSIVE MODE")
        began = monotonic()
        assert post(client, body=b"during").status_code == 503
        assert monotonic() - began < 20
        rival.rollback()
    assert post(client, body=b"during").status_code == 200
    assert [bytes(one.raw) for one in Callback.objects.order_by("id")] == [b"before", b"during"]


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_cut_is_told_and_replaced(client, sender):
    assert post(client, body=b"before").status_code == 200
    with psycopg.connect(database_url(), autocommit=True) as rival:
        rival.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
            "pg_backend_pid()"
        )
    assert post(client, body=b"during").status_code == 503

    def kept_again() -> bool:
        connection.close()  # as the end of a request does; the pool finds its other dead connections one by one
        began = monotonic()
        status = post(client, body=b"during").status_code
        assert monotonic() - began < 20
        return status == 200

    assert wait_for(kept_again, 60)
    assert Callback.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_row_that_stands_is_a_success_whatever_the_nudge_does(client, sender):
    def fail(**_: object) -> None:
        raise RuntimeError("no thread to be had")

    webhooks.callback_kept.connect(fail)
    try:
        assert post(client).status_code == 200
    finally:
        webhooks.callback_kept.disconnect(fail)
    assert Callback.objects.exists()


# --- the secret stays secret -------------------------------------------------------------------------------------


def test_no_log_line_holds_the_secret(client, sender, settings, caplog, monkeypatch):
    settings.ALLOWED_HOSTS = ["testserver"]
    caplog.handler.addFilter(HideSecrets())
    caplog.set_level(logging.DEBUG)
    post(client)
    post(client, body=b"x" * (webhooks.MAX_BODY + 1))
    post(client, f"/webhooks/gupshup/{SECRET}/more")  # 404
    post(client, f"/webhooks/gupshup/{SECRET}", Host="stranger.example")  # 400
    post(client, f"/nowhere?token={SECRET}")
    client.put(ADDRESS)
    monkeypatch.setattr(webhooks, "_KEEP", "SELECT 1/0, %s, %s, %s, %s, %s")
    assert post(client).status_code == 503
    said = "\n".join(f"{record.getMessage()} {record.exc_text or ''}" for record in caplog.records)
    assert "Not Found" in said
    assert "a callback was not kept" in said
    assert SECRET not in said


# --- under the server of production ------------------------------------------------------------------------------


def database_url() -> str:
    """The test database, for another process."""
    known = connection.settings_dict
    where = {"user": known["USER"], "password": known["PASSWORD"], "port": known["PORT"], "host": known["HOST"]}
    query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in where.items() if value)
    return f"postgresql:///{known['NAME']}?{query}"


def django_url() -> str:
    known = {name: quote(str(value), safe="") for name, value in connection.settings_dict.items() if name.isupper()}
    return f"postgresql://{known['USER']}:{known['PASSWORD']}@{known['HOST']}:{known['PORT']}/{known['NAME']}"


@dataclass
class Server:
    """gunicorn with our application; `log` is all that it writes."""

    port: int
    log: str

    def connect(self) -> socket.socket:
        found = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return found

    def say(self, *pieces: bytes) -> int:
        """The status that these bytes are answered with; 0 for none."""
        with self.connect() as line:
            try:
                for piece in pieces:
                    line.sendall(piece)
            except OSError:
                pass  # an answer may come before everything was said
            return status_of(line)


def status_of(line: socket.socket) -> int:
    said = b""
    try:
        while b"\r\n" not in said and (more := line.recv(4096)):
            said += more
    except OSError:
        pass
    return int(said.split()[1]) if said.startswith(b"HTTP/1.") else 0


@pytest.fixture
def server(transactional_db, sender, tmp_path) -> Iterator[Server]:
    log = tmp_path / "gunicorn.log"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GUPSHUP_")},
            "DATABASE_URL": django_url(),
            "WHATSAPP_CAMPAIGNS_LOCAL": "1",
            "SECRET_KEY": settings.SECRET_KEY,
            "HTTPS": "0",
            "CELERY_BROKER_URL": "memory://",
            "GUPSHUP_API_KEY": sender.api_key,
            "GUPSHUP_APP_NAME": sender.app_name,
            "GUPSHUP_PHONE_NUMBER": sender.phone_number,
            "GUPSHUP_API_URL": sender.api_url,
            "GUPSHUP_WEBHOOK_SECRET": SECRET,
        }
        command = [sys.executable, "-m", "gunicorn", "whatsapp_campaigns.wsgi", "--bind", f"fd://{listener.fileno()}"]
        command += ["--worker-class", "gthread", "--threads", "8", "--no-control-socket", "--log-level", "warning"]
        with log.open("wb") as file:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=file, stderr=file, pass_fds=(listener.fileno(),)
            )
        server = Server(listener.getsockname()[1], str(log))
        try:
            assert wait_for(lambda: server.say(b"GET /healthz HTTP/1.0\r\n\r\n"), 60) == 200, log.read_text()
            yield server
        finally:
            process.terminate()
            process.wait(20)


def head(*lines: str, address: str = ADDRESS) -> bytes:
    return "\r\n".join((f"POST {address} HTTP/1.1", "Host: localhost", *lines, "", "")).encode("latin-1")


def chunks(body: bytes, size: int) -> bytes:
    parts = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def kept() -> list[bytes]:
    return [bytes(one.raw) for one in Callback.objects.order_by("id")]


def test_bodies_arrive_whole_under_the_server_of_production(server):
    """One server for all of these: starting it takes longer than they do."""
    chunked = "Transfer-Encoding: chunked"
    long = b"y" * webhooks.MAX_BODY
    assert server.say(head(f"Content-Length: {len(BODY)}"), BODY) == 200
    assert server.say(head(chunked), chunks(BODY + b"1", 7)) == 200
    assert server.say(head(chunked), chunks(long, 65_536)) == 200
    assert server.say(head("Content-Length: 0")) == 200
    assert server.say(head(f"Content-Length: {len(BODY)}", "Expect: 100-continue"), BODY) in (100, 200)
    assert kept() == [BODY, BODY + b"1", long, b""]
    assert Callback.objects.get(digest=hashlib.sha256(BODY).digest()).copies == 2
    Callback.objects.all().delete()

    refused = {
        "too long": server.say(head(f"Content-Length: {len(long) + 1}"), long + b"y"),
        "too long in chunks": server.say(head(chunked), chunks(long + b"y", 65_536)),
        "a gigabyte announced": server.say(head("Content-Length: 1000000000"), long, long),
        "no chunk": server.say(head(chunked), b"zz\r\nhello\r\n"),
        "negative": server.say(head("Content-Length: -5"), BODY),
        "no number": server.say(head("Content-Length: 5x"), BODY),
        "twice": server.say(head("Content-Length: 5", "Content-Length: 6"), BODY),
        "both": server.say(head(f"Content-Length: {len(BODY)}", chunked), chunks(BODY, 9)),
        "stranger in chunks": server.say(head(chunked, address="/webhooks/gupshup/wrong"), chunks(BODY, 9)),
        "NUL in the path": server.say(head("Content-Length: 0", address="/webhooks/gupshup/%00")),
        "not UTF-8 in the path": server.say(head("Content-Length: 0", address="/webhooks/gupshup/%ff%fe")),
        "raw bytes in the path": server.say(head("Content-Length: 0", address="/webhooks/gupshup/\xff\xfe")),
        "raw bytes in the query": server.say(head("Content-Length: 0", address="/webhooks/gupshup?token=\xff&%ff=%00")),
        "a thousand fields": server.say(head("Content-Length: 0", address="/webhooks/gupshup?" + "a=1&" * 1_500)),
    }
    assert {name: status for name, status in refused.items() if not 400 <= status < 500} == {}
    assert kept() == []


def test_a_body_that_breaks_off_or_comes_slowly_harms_nobody(server):
    half = head(f"Content-Length: {len(BODY)}") + BODY[:20]
    with server.connect() as broken:
        broken.sendall(half)
    with server.connect() as broken:
        broken.sendall(head("Transfer-Encoding: chunked") + b"5\r\nhal")
    slow = [server.connect() for _ in range(6)]
    for line in slow:
        line.sendall(half)
    began = monotonic()
    assert server.say(head("Content-Length: 6"), b"honest") == 200  # while the others keep their threads
    assert monotonic() - began < 20
    for byte in BODY[20:]:
        slow[0].sendall(bytes([byte]))
    assert status_of(slow[0]) == 200
    for line in slow:
        line.close()
    assert kept() == [b"honest", BODY]
    with open(server.log) as log:
        assert SECRET not in log.read()


def test_the_address_to_enter_at_gupshup_is_the_one_with_the_secret():
    assert reverse("webhook", args=(SECRET,)) == ADDRESS

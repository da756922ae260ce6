"""The webhook: check the secret, keep the bytes, answer 200 with an empty body. Nothing else happens in the request.

Gupshup signs nothing (gupshup-api 0.8), so a long secret in the address is the check; a header or a query parameter may
carry it instead. Slow answers delay all later events of the app, and anything but 2xx is sent again or lost.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from threading import Lock, Semaphore
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connection
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from rest_framework.request import Request
from rest_framework.views import APIView

from gupshup.models import Sender
from gupshup.signals import callback_kept

log = logging.getLogger("gupshup.webhooks")

MAX_BODY = 1024 * 1024  # bytes; the largest documented body, 20 enterprise reports, is under 20 kB
MEMORY = 5.0  # seconds that the senders' secrets are kept, so that a request reads only one table

# With the database, once for those who write already and once for us: Gupshup waits 10 s, and sends refused ones again.
PATIENCE = "4s"

# One round trip and one implicit transaction.
_KEEP = """
    SET LOCAL statement_timeout = %s;
    WITH kept AS (
        INSERT INTO gupshup_callback (sender_id, raw, content_type, digest, copies) VALUES {rows}
        ON CONFLICT (sender_id, digest) DO UPDATE SET copies = gupshup_callback.copies + EXCLUDED.copies
        RETURNING id, xmax = 0 AS is_new)
    INSERT INTO gupshup_arrival (callback_id) SELECT id FROM kept WHERE is_new"""
_ROW = "(%s, %s, %s, %s, %s)"
WAIT = 9.0  # seconds for the turn in the next commit; the provider waits 10
TOGETHER = 100  # callbacks in one commit at most
TOGETHER_BYTES = 4 * MAX_BODY


class GupshupWebhook(APIView):
    """POST: a callback. GET: 200, for people and monitors that look whether the address lives."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Nothing of what the framework does first: the secret is the login, and no Accept header may be refused."""

    def get(self, request: Request, secret: str = "") -> HttpResponse:
        return HttpResponse()

    def post(self, request: Request, secret: str = "") -> HttpResponse:
        return receive(request._request, secret)

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return HttpResponse(status=405)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response._has_been_logged = True  # Django would log the path, and so the secret
        return response


webhook = GupshupWebhook.as_view()


def receive(request: HttpRequest, secret: str = "") -> HttpResponse:
    """401 without a valid secret (and no row), 4xx for a body that cannot be had, 503 when the row did not commit, else
    200. The body is read, and at most one byte over the cap, only when the secret is right.
    """
    given = secret or request.headers.get("X-Webhook-Secret", "") or request.GET.get("token", "")
    try:
        sender_id = owner(given)
        if sender_id is None or not welcome(request):
            raise RefusedError(401, "no valid secret" if sender_id is None else "an address that is not on the list")
        keep(sender_id, _body(request), request.META.get("CONTENT_TYPE", ""))
    except RefusedError as refused:
        log.warning("a call was refused: %s", refused)
        return HttpResponse(status=refused.status)
    except DatabaseError as error:
        log.error("a callback was not kept (%s); the provider is asked to send it again", type(error).__name__)
        return HttpResponse(status=503)
    return HttpResponse()


class RefusedError(Exception):
    """Nothing was kept; `status` is the answer."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def keep(sender_id: int, body: bytes, content_type: str) -> None:
    """One committed inbox row; the same bytes again only raise its count. Raises the database's errors."""
    digest = hashlib.sha256(body).digest()
    _together.write(Post(sender_id, body, content_type.replace("\0", "")[:100], digest))
    callback_kept.send_robust(sender=None)


@dataclass(eq=False)
class Post:
    """A callback on its way into the inbox, and the thread that waits for it."""

    sender_id: int
    body: bytes
    content_type: str
    digest: bytes
    turn: Semaphore = field(default_factory=lambda: Semaphore(0))
    written: bool = False
    error: Exception | None = None


class Together:
    """Callbacks that arrive while a commit is under way share the next one. Nobody returns before his is committed.

    There is no thread behind it: whoever finds nobody writing writes for all who wait, on his own connection. Who waits
    holds none, or the writer might find the pool empty; and waits no longer than the provider does.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: list[Post] = []
        self._writing_since: float | None = None

    def write(self, post: Post) -> None:
        """Returns once the row is committed, else raises the database's error."""
        with self._lock:
            self._waiting.append(post)
            # A writer who does not come back (a connection that nobody ends) must not hold up everybody else.
            leads = self._writing_since is None or monotonic() > self._writing_since + WAIT
            if leads:
                self._writing_since = monotonic()
        until = monotonic() + WAIT
        while not post.written:
            if leads:
                self._write_those_who_wait()
            else:
                _give_connection_back()
                if not post.turn.acquire(timeout=max(0.0, until - monotonic())):
                    self._leave(post)
                    raise OperationalError("the commit before ours did not end")
            leads = not leads and not post.written  # it is written, or it is our turn to write
        if isinstance(post.error, OperationalError | InterfaceError):
            raise post.error  # the database's trouble: everybody's
        if post.error is not None:
            insert([post])  # perhaps a neighbour's fault: each for himself

    def _write_those_who_wait(self) -> None:
        batch = self._take()
        error: Exception | None = OperationalError("the writing was interrupted")
        try:
            if batch:
                insert(batch)
            error = None
        except Exception as raised:
            error = raised
        finally:
            for post in batch:
                post.error, post.written = error, True
                post.turn.release()
            with self._lock:
                self._hand_over()

    def _hand_over(self) -> None:
        """The next one's turn. The lock is held."""
        self._writing_since = monotonic() if self._waiting else None
        if self._waiting:
            self._waiting[0].turn.release()

    def _leave(self, post: Post) -> None:
        """Wait no more. Should it be written all the same, the provider's second try only raises its count."""
        with self._lock:
            if post in self._waiting:
                self._waiting.remove(post)
                if post.turn.acquire(blocking=False):  # just now it became our turn
                    self._hand_over()

    def _take(self) -> list[Post]:
        """The first of those who wait, as many as may share a commit."""
        with self._lock:
            size = count = 0
            for post in self._waiting[:TOGETHER]:
                size += len(post.body)
                if count and size > TOGETHER_BYTES:
                    break
                count += 1
            batch, self._waiting = self._waiting[:count], self._waiting[count:]
            return batch


def _give_connection_back() -> None:
    """To the pool, for those who write; a test's own transaction stays."""
    if not connection.in_atomic_block:
        connection.close()


def insert(posts: Sequence[Post]) -> None:
    """One statement, one commit. Rows in one order, so that no two processes wait for each other in a circle."""
    ordered = sorted(posts, key=lambda post: (post.sender_id, post.digest))
    values: list[Any] = [PATIENCE]
    rows = 0
    for _, same in groupby(ordered, key=lambda post: (post.sender_id, post.digest)):
        post, *copies = same
        values += (post.sender_id, post.body, post.content_type, post.digest, 1 + len(copies))
        rows += 1
    with connection.cursor() as cursor:
        cursor.execute(_KEEP.format(rows=", ".join([_ROW] * rows)), values)


_together = Together()


PATHS = ("/api/webhooks/gupshup", "/webhooks/gupshup")


class WebhookFirst:
    """The provider's posts pass by sessions, languages, logins and the rest, which have nothing to say to a program:
    a slow answer holds back all later events. Outermost middleware; what must be redirected to HTTPS goes the long way.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method != "POST" or not request.path_info.startswith(PATHS):
            return self.get_response(request)
        if settings.SECURE_SSL_REDIRECT and not request.is_secure():
            return self.get_response(request)
        try:
            found = resolve(request.path_info)
        except Resolver404:
            return self.get_response(request)
        answer: HttpResponse = found.func(request, *found.args, **found.kwargs)
        answer.headers.setdefault("Content-Length", str(len(answer.content)))  # else the server answers in chunks
        return answer


def _body(request: HttpRequest) -> bytes:
    """The bytes as they came. Raises RefusedError for too many, and for a body that broke off."""
    source: Any = request
    announced = request.META.get("CONTENT_LENGTH") or ""
    if not announced and request.headers.get("Transfer-Encoding"):
        # Django reads nothing of a body without a length; servers that end it by themselves say so.
        if not request.META.get("wsgi.input_terminated"):
            raise RefusedError(411, "a body without a length")
        source = request.META["wsgi.input"]
    try:
        body: bytes = source.read(MAX_BODY + 1)
    except Exception as error:  # the connection's trouble, or what the server's own parser of chunks raises
        raise RefusedError(400, f"a body that broke off ({type(error).__name__})") from None
    if len(body) > MAX_BODY:
        raise RefusedError(413, "a body that is too long")
    if announced.isdecimal() and len(body) < int(announced):
        raise RefusedError(400, "a body that broke off")
    return body


_known: list[tuple[float, list[tuple[int, bytes]]]] = []
_reading = Lock()


def owner(given: str) -> int | None:
    """The sender that this secret belongs to; compared in constant time. Two may be valid while one is replaced."""
    if not given:
        return None
    found = None
    for sender_id, secret in _secrets():
        if hmac.compare_digest(secret, given.encode("utf-8", "replace")):
            found = sender_id
    return found


def _secrets() -> list[tuple[int, bytes]]:
    if (known := _known[:1]) and (known[0][0] > monotonic() or _reading.locked()):
        return known[0][1]  # what was known a moment ago will do while another looks whether it still holds
    if not _reading.acquire(timeout=WAIT):
        raise OperationalError("the senders could not be read")
    try:
        if (known := _known[:1]) and known[0][0] > monotonic():
            return known[0][1]  # somebody has just looked
        rows = [(sender.pk, secret.encode()) for sender in Sender.objects.all() for secret in sender.secrets]
        _known[:] = [(monotonic() + MEMORY, rows)]
        return rows
    finally:
        _reading.release()


@receiver((post_save, post_delete), sender=Sender)
def forget_secrets(**_: Any) -> None:
    """Read the secrets again at the next request (a sender was saved)."""
    _known.clear()


def welcome(request: HttpRequest) -> bool:
    """Whether the source address is on the optional list (GUPSHUP_ALLOWED_ADDRESSES; empty: all are)."""
    allowed = settings.GUPSHUP_ALLOWED_ADDRESSES
    if not allowed:
        return True
    address = request.META.get("REMOTE_ADDR", "")
    if settings.SECURE_PROXY_SSL_HEADER:  # behind one proxy: it appends the address it saw
        address = request.headers.get("X-Forwarded-For", address).rsplit(",", 1)[-1].strip()
    try:
        return any(ipaddress.ip_address(address) in ipaddress.ip_network(net, strict=False) for net in allowed)
    except ValueError:
        return False

"""Our own webhook, called as Gupshup would call it: with the secret, and without."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from hashlib import sha256
from time import monotonic, sleep, time
from urllib.parse import urlsplit, urlunsplit

import requests
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from gupshup.diagnosis.finding import Finding, attention, error, ok
from gupshup.models import Callback, Sender, new_secret
from gupshup.senders import webhook_address

TIMEOUT = 10  # seconds: as long as Gupshup waits
SLOW = 1.0
READING = 6.0  # seconds in which a worker has surely read what is in the inbox
SET_PUBLIC_URL = gettext_lazy(
    "Set PUBLIC_URL to the address under which the web process is reached from outside: https://campagnes.example.com"
)


def look(sender: Sender) -> Iterator[Finding]:
    if not sender.webhook_secret:
        yield without_secret()
        return
    address = webhook_address(sender)
    if sender.webhook_secret_old:
        yield attention(
            "secret_old",
            _("Two webhook secrets are valid: the old one has not been ended yet."),
            _("Use --fix, then end the old secret on the sender's page."),
        )
    if not settings.PUBLIC_URL:
        yield attention(
            "public_url_missing", _("PUBLIC_URL is not set: the webhook cannot be tried."), str(SET_PUBLIC_URL)
        )
        yield ok("webhook", _("The webhook's address at Gupshup ends in: %(path)s") % {"path": address})
        return
    yield from outside(sender, address)
    yield from _answers(sender, address)
    yield ok("webhook", _("The webhook's address at Gupshup: %(url)s") % {"url": address})


def without_secret() -> Finding:
    return error(
        "secret_missing",
        _("The sender has no webhook secret, or the stored one can no longer be read: every callback is refused."),
        _("Replace the secret on the sender's page, or set GUPSHUP_WEBHOOK_SECRET, then use --fix."),
    )


def outside(sender: Sender, address: str) -> Iterator[Finding]:
    """Can somebody else reach this address at all? Against a Gupshup on this machine, nobody else must."""
    parts = urlsplit(address)
    if _is_private(urlsplit(sender.api_url).hostname):
        return
    if parts.scheme != "https":
        yield error(
            "webhook_http", _("PUBLIC_URL does not begin with https: Gupshup accepts only https."), str(SET_PUBLIC_URL)
        )
    if _is_private(parts.hostname):
        yield error(
            "webhook_private",
            _("%(host)s is an address of this machine or network: Gupshup cannot reach it.") % {"host": parts.hostname},
            str(SET_PUBLIC_URL),
        )


def _is_private(host: str | None) -> bool:
    try:
        return not ipaddress.ip_address(host or "").is_global
    except ValueError:
        return host in (None, "localhost") or "." not in str(host)


def _answers(sender: Sender, address: str) -> Iterator[Finding]:
    ping = _ping()
    began = monotonic()
    status, trouble = _post(address, ping)
    seconds = monotonic() - began
    if status != 200:
        yield _refused(status, trouble)
        return
    stranger = urlunsplit(urlsplit(address)._replace(path=reverse("webhook", args=(new_secret(),))))
    if (open_status := _post(stranger, ping)[0]) != 401:
        yield error(
            "webhook_open",
            _("The webhook answers %(status)s to a call with a wrong secret; it must answer 401.")
            % {"status": open_status},
            _("Something in front of the web process answers in its place."),
        )
        return
    if seconds > SLOW:
        yield attention(
            "webhook_slow",
            _("The webhook answers after %(seconds).1f s; Gupshup recommends less than 1 s.") % {"seconds": seconds},
            _("Slow answers delay all later events: look at the load of the web process and the database."),
        )
    else:
        yield ok("webhook_answers", _("The webhook answers, and refuses wrong secrets."))
    yield _is_read(sender, ping)


def _ping() -> bytes:
    """As Gupshup's own ping: nothing happens but that it is read."""
    payload = {"phone": "callbackSetPhone", "type": "sandbox-start"}
    return json.dumps(
        {"timestamp": int(time() * 1000), "version": 2, "type": "user-event", "payload": payload}
    ).encode()


def _post(address: str, body: bytes) -> tuple[int, str]:
    """HTTP status, or 0 and what came in its way."""
    try:
        answer = requests.post(
            address, body, headers={"Content-Type": "application/json"}, timeout=TIMEOUT, allow_redirects=False
        )
    except requests.RequestException as trouble:
        return 0, type(trouble).__name__
    return answer.status_code, ""


def _is_read(sender: Sender, ping: bytes) -> Finding:
    """Does anybody read the inbox? The ping is in it."""
    rows = Callback.objects.filter(sender=sender, digest=sha256(ping).digest())
    until = monotonic() + READING
    while (is_unread := rows.unread().exists()) and monotonic() < until:
        sleep(0.2)
    if not rows.exists():
        return error(
            "webhook_database",
            _("The webhook answered, but its row is not in this database."),
            _("The web process and this command have different settings: compare their DATABASE_URL."),
        )
    if is_unread:
        return attention(
            "inbox_unread",
            _("Nobody reads the callbacks that arrive: reports and answers wait."),
            _("Start Celery's worker and beat, or manage.py dispatch."),
        )
    return ok("inbox", _("Callbacks are read as they arrive."))


def _refused(status: int, trouble: str) -> Finding:
    """Our own address does not take a callback; the status tells where to look."""
    if status == 0:
        return error(
            "webhook_unreachable",
            _("The webhook cannot be reached from here (%(trouble)s).") % {"trouble": trouble},
            _("See that the web process runs and that PUBLIC_URL, the proxy and the certificate are right."),
        )
    if status == 401 and settings.GUPSHUP_ALLOWED_ADDRESSES:
        return attention(
            "webhook_list",
            _("The webhook takes calls from listed addresses only, so it could not be tried from here."),
            _("GUPSHUP_ALLOWED_ADDRESSES must hold every address of Gupshup; they change now and then."),
        )
    advice = {
        301: _("It redirects: behind a proxy that ends https, set BEHIND_PROXY=1."),
        302: _("It redirects: PUBLIC_URL must be the final address."),
        308: _("It redirects: PUBLIC_URL must be the final address."),
        400: _("Add the host name to ALLOWED_HOSTS."),
        401: _("The web process uses another database, SECRET_KEY or FIELD_ENCRYPTION_KEYS: it knows another secret."),
        404: _("PUBLIC_URL leads to another program, or the proxy changes the path."),
        503: _("The web process runs, but cannot write to the database."),
    }.get(status, _("See the log of the web process and of the proxy."))
    return error("webhook_refused", _("The webhook answers %(status)d instead of 200.") % {"status": status}, advice)

"""Credentials, and the one way in which a call is made, sorted and logged."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, Final, Self
from urllib.parse import quote, quote_plus, urlsplit

from gupshup.api import transport
from gupshup.api.errors import Words, lookup
from gupshup.api.messages import encode
from gupshup.api.responses import GupshupResponse, Outcome, failure, sort_answer
from gupshup.api.transport import Exchange, NotAnsweredError

log: Final = logging.getLogger("gupshup.api")

API_URL: Final = "https://api.gupshup.io/wa/api/v1"
CONNECT_TIMEOUT: Final = 5.0
DEADLINE: Final = 30.0
Fence = Callable[[], bool]

_FORM: Final = "application/x-www-form-urlencoded"
_NUMBERS: Final = re.compile(r"\+?\d[\d\s().-]{4,}\d")
# ids that surely hold no telephone number, as a wamid does: UUIDs, and the enterprise gateway's pairs
_NEUTRAL: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\d{16,20}-\d{16,20}")


class Caller:
    """One Gupshup app and the way to talk to it. Safe in threads; cheap to make (connections belong to the thread)."""

    def __init__(
        self,
        api_key: str,
        app_name: str,
        phone_number: str,
        api_url: str = API_URL,
        customer_id: str | None = None,
        app_id: str | None = None,
        *,
        connect_timeout: float = CONNECT_TIMEOUT,
        deadline: float = DEADLINE,
        verify: bool | str = True,
    ) -> None:
        """``phone_number`` is the sender's; times are seconds: for the connection, and for the whole of a call.

        ``verify`` may name a file of certificates to trust in place of the usual ones.
        """
        self._api_key = api_key.strip()
        self.app_name = app_name
        self.phone_number = self.format_phone_number(phone_number)
        self.api_url = (api_url or API_URL).strip().rstrip("/")
        self.customer_id = customer_id
        self.app_id = app_id
        self.connect_timeout = connect_timeout
        self.deadline = deadline
        self.verify = verify
        self._headers = {
            "apikey": self._api_key.encode("ascii", "ignore").decode(),
            "Content-Type": _FORM,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "whatsapp-campaigns",
        }
        self._root = _root(self.api_url)
        self._fixed = self._beginning()

    def _beginning(self) -> str:
        """What the form of every send begins with."""
        fields = (("channel", "whatsapp"), ("source", self.phone_number), ("src.name", self.app_name))
        return "&".join(f"{name}={quote_plus(value, errors='replace')}" for name, value in fields)

    def renamed(self, app_name: str) -> Self:
        """The same account under another app name."""
        other = copy(self)
        other.app_name = app_name
        other._fixed = other._beginning()
        return other

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.app_name}>"

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a send, key included."""
        return dict(self._headers)

    @staticmethod
    def format_phone_number(phone: str) -> str:
        """The number as Gupshup takes it: its digits, no ``+`` nor anything else."""
        return "".join(letter for letter in str(phone) if letter in "0123456789")

    def _call(
        self,
        what: str,
        method: str,
        url: str,
        form: str | bytes | None = None,
        *,
        sends: bool = False,
        before_first_byte: Fence | None = None,
        content_type: str = _FORM,
        cap: int = transport.CAP,
    ) -> GupshupResponse:
        """Make one call; never raises for what network or provider do. One log line, with nothing personal in it."""
        body = form.encode() if isinstance(form, str) else form
        headers = dict(self._headers)
        if body is None:
            del headers["Content-Type"]
        else:
            headers["Content-Type"] = content_type
            headers["Content-Length"] = str(len(body))
        started = time.monotonic()
        exchange = Exchange(
            method, url, headers, body, self.connect_timeout, started + self.deadline, before_first_byte, cap
        )
        try:
            answer = transport.perform(exchange, verify=self.verify)
        except NotAnsweredError as error:
            outcome = Outcome.UNCERTAIN if error.sent else Outcome.NOT_SENT
            response = failure(outcome, error.code, lookup(error.code).what.en)
        else:
            text = self._without_key(answer.body)
            response = sort_answer(answer.status, answer.headers, text, sends=sends, complete=answer.complete)
        self._log(what, response, time.monotonic() - started)
        return response

    def _without_key(self, body: bytes) -> bytes:
        """An answer that repeats our key must not carry it into a log or a row."""
        key = self._headers["apikey"].encode()
        return body.replace(key, b"***") if len(key) >= 6 and key in body else body

    def _log(self, what: str, response: GupshupResponse, seconds: float) -> None:
        level = logging.INFO if response.success else logging.WARNING
        if not log.isEnabledFor(level):
            return
        said = _NUMBERS.sub("…", response.error_message or "")[:200].replace("\n", " ").replace("\r", " ")
        known = response.message_id if response.message_id and _NEUTRAL.fullmatch(response.message_id) else None
        log.log(
            level,
            "%s app=%s outcome=%s http=%s code=%s id=%s ms=%d%s",
            what,
            self.app_name,
            response.outcome,
            response.http_status,
            response.error_code,
            known,
            seconds * 1_000,
            f" said={said!r}" if said else "",
        )

    def _refuse(self, what: str, code: str, outcome: Outcome = Outcome.REJECTED) -> GupshupResponse:
        """An answer of our own: the call was not worth making."""
        entry = lookup(code)
        words: Words = entry.what
        response = failure(outcome, code, words.en, halts=entry.halts if outcome is Outcome.HALT else None)
        self._log(what, response, 0)
        return response

    def _url(self, path: str, **query: object) -> str:
        """An address beside the send base, whichever base that is. Values are escaped, also inside the path."""
        pairs = "&".join(f"{name}={quote_plus(str(value))}" for name, value in query.items() if value is not None)
        return f"{self._root}{path}{'?' if pairs else ''}{pairs}"


def form_of(fields: Mapping[str, Any]) -> str:
    """A form body: None is left out, truth is written ``true``, objects and lists travel as JSON text."""
    return "&".join(
        f"{quote_plus(name)}={quote_plus(_field(value), errors='replace')}"
        for name, value in fields.items()
        if value is not None
    )


def segment(value: object) -> str:
    """One segment of a path; nothing in it can leave its place."""
    return quote(str(value), safe="")


def _field(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else encode(value)


def _root(api_url: str) -> str:
    """What stands before ``/wa/api/v1`` or ``/sm/api/v1``: the place where management addresses begin."""
    for base in ("/wa/api/", "/sm/api/"):
        head, found, _ = api_url.partition(base)
        if found:
            return head
    parts = urlsplit(api_url)
    return f"{parts.scheme}://{parts.netloc}"

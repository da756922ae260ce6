"""The account's other calls: templates, wallet, health, quality, subscriptions, media. All may be repeated at will.

Addresses of the self-serve API (``/wa/app/{appId}/...``). Where only the partner API is documented (health, ratings,
wallet of an app) the same path is asked on our host first; ``Reply.value`` is None when no address knew it.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from gupshup.api.calls import Caller, form_of, segment
from gupshup.api.drafts import TemplateDraft
from gupshup.api.messages import encode
from gupshup.api.reading import (
    capitals,
    first,
    id_of,
    integer_of,
    line_of,
    list_of,
    number_of,
    object_of,
    phone_of,
    tier_of,
    truth_of,
    url_of,
)
from gupshup.api.responses import GupshupResponse, Outcome, Reply
from gupshup.api.templates import TemplateInfo, parse_template

PAGE: Final = 100
_MOST_PAGES: Final = 100
_LONGEST_LIST: Final = 16 * 1024 * 1024  # bytes; an account may have 6 000 templates, and paging may be ignored
_NOWHERE: Final = frozenset({404, 405})
_REFUSED: Final = _NOWHERE | {400, 401, 403}  # new apps have no old addresses, and our key may be no partner's

# What a campaign needs to hear. Sent, Delivered and Read are off by default; FAILED must be named since February 2025.
NEEDED_MODES: Final = ("MESSAGE", "ENQUEUED", "SENT", "DELIVERED", "READ", "FAILED", "TEMPLATE", "ACCOUNT", "OTHERS")
_TO_BE_NAMED: Final = frozenset({"FAILED", "BILLING"})

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Wallet:
    """Money left, in ``currency`` (Gupshup's is USD)."""

    balance: float
    currency: str = "USD"
    overdraft: float = 0.0


@dataclass(frozen=True, slots=True)
class Ratings:
    """The number's quality (GREEN, YELLOW, RED) and how many people may be written to in 24 h; None: not told."""

    quality: str = ""
    limit: int | None = None
    unlimited: bool = False
    old_limit: int | None = None
    event: str = ""


@dataclass(frozen=True, slots=True)
class Business:
    """The WhatsApp business account behind the app, as far as Gupshup tells."""

    phone: str | None = None
    name: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where Gupshup posts what. ``version`` is 2 or 3; modes are names in capitals."""

    id: str
    url: str
    version: int
    modes: frozenset[str]
    tag: str = ""
    active: bool = True

    def missing(self, needed: Iterable[str] = NEEDED_MODES) -> tuple[str, ...]:
        """The needed modes that are not on. ALL is all but what must be named since February 2025."""
        covered = {mode for mode in needed if mode not in _TO_BE_NAMED} if "ALL" in self.modes else set()
        return tuple(mode for mode in needed if mode not in self.modes | covered)


class AccountCalls(Caller):
    """Reads and settings of one app. They need ``app_id``; without it the answer says so and no call is made."""

    def templates(self) -> Reply[tuple[TemplateInfo, ...]]:
        """Every template, all pages; without an app id from the old list by app name, which new apps do not have."""
        if not self.app_id:
            response = self._get("templates", f"/sm/api/v1/template/list/{segment(self.app_name)}")
            reply = _reply(response, _templates)
            return replace(reply, partial=reply.value is not None and len(reply.value) < _listed(response))
        found: dict[str, TemplateInfo] = {}
        partial, unread = True, 0
        path = f"/wa/app/{segment(self.app_id)}/template"
        for number in range(_MOST_PAGES):
            response = self._get("templates", path, pageNo=number, pageSize=PAGE)
            page = _reply(response, _templates)
            if page.value is None:
                if number == 0 and response.http_status == 400:  # pages that count from 1
                    continue
                return page  # and never half a list: what is missing in it would pass for deleted
            news = [info for info in page.value if info.id not in found]
            found.update({info.id: info for info in news})
            unread += _listed(response) - len(page.value)
            if _is_last(number, _listed(response), bool(news)):
                partial = unread > 0
                break
        return Reply(response, tuple(found.values()), partial)

    def template(self, template_id: str) -> Reply[TemplateInfo]:
        """One template by Gupshup's id."""
        response = self._get("template_one", self._app_path(f"/template/{segment(template_id)}"))
        return _reply(response, lambda fields: parse_template(fields.get("template") or fields))

    def create_template(self, draft: TemplateDraft) -> Reply[TemplateInfo]:
        """Submit a template for approval; it comes back PENDING. Check ``draft.check()`` first."""
        response = self._post("template_create", self._app_path("/template"), draft.form())
        return _reply(response, lambda fields: parse_template(fields.get("template")))

    def upload_media(self, content: bytes, filename: str, content_type: str) -> Reply[str]:
        """Upload a file; the id or handle to use in a header or as a template's sample."""
        if not self.app_id:
            return Reply(self._refuse("media", "app_id_missing"))
        boundary = secrets.token_hex(16)
        name = "".join(letter for letter in filename if letter.isalnum() or letter in "._- ")[-100:] or "file"
        kind = "".join(letter for letter in content_type if letter.isalnum() or letter in "/.+-") or "text/plain"
        body = (
            (
                f'--{boundary}\r\nContent-Disposition: form-data; name="file_type"\r\n\r\n{kind}\r\n'
                f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
                f"Content-Type: {kind}\r\n\r\n"
            ).encode()
            + content
            + f"\r\n--{boundary}--\r\n".encode()
        )
        url = self._url(f"/wa/{segment(self.app_id)}/wa/media/")
        response = self._call("media", "POST", url, body, content_type=f"multipart/form-data; boundary={boundary}")
        return _reply(response, _media_id)

    def mark_read(self, message_id: str) -> GupshupResponse:
        """Show a contact's message as read."""
        path = self._app_path(f"/msg/{segment(message_id)}/read")
        if path is None:
            return self._refuse("mark_read", "app_id_missing")
        return self._call("mark_read", "PUT", self._url(path), "")

    # --- account -------------------------------------------------------------------------------------------------

    def wallet(self) -> Reply[Wallet]:
        """What is left in the wallet. Unknown is unknown: never a reason to stop by itself."""
        places = ["/sm/api/v2/wallet/balance"]
        if self.app_id:
            app = segment(self.app_id)
            places += [f"/wa/app/{app}/wallet/balance", f"/partner/app/{app}/wallet/balance"]
        return self._ask("wallet", places, _wallet, elsewhere=_REFUSED)

    def health(self) -> Reply[bool]:
        """Is the app live at WhatsApp? False also when Gupshup answers that it is not."""
        reply = self._ask("health", self._either("/health"), lambda fields: truth_of(fields.get("healthy")))
        if reply.response.error_code == "app_not_live":
            return Reply(reply.response, False)
        return reply

    def ratings(self) -> Reply[Ratings]:
        """The number's quality and messaging limit, as of Gupshup's last news."""
        return self._ask("ratings", self._either("/ratings"), _ratings)

    def business(self) -> Reply[Business]:
        """Which number and name belong to the app id."""
        return self._ask("business", self._either("/waba/info"), _business)

    # --- subscriptions -------------------------------------------------------------------------------------------

    def subscriptions(self) -> Reply[tuple[Subscription, ...]]:
        """Every subscription of the app (at most five; each gets every event)."""
        response = self._get("subscriptions", self._app_path("/subscription"))
        return _reply(response, _subscriptions)

    def set_subscription(
        self,
        url: str,
        *,
        modes: Sequence[str] = NEEDED_MODES,
        tag: str = "campaigns",
        version: int = 2,
        active: bool = True,
        headers: Mapping[str, str] | None = None,
        subscription_id: str | None = None,
    ) -> Reply[Subscription]:
        """Make a subscription, or change the one with that id. Gupshup calls ``url`` at once and wants 2xx.

        Modes travel as comma-separated text: a JSON list is silently ignored (glific #5433). ``headers`` are added to
        every callback, but do not depend on them: the two ways of writing them were both seen to fail.
        """
        path = self._app_path("/subscription" + (f"/{segment(subscription_id)}" if subscription_id else ""))
        form = {
            "url": url,
            "version": str(version),
            "modes": ",".join(modes),
            "tag": tag,
            "showOnUI": True,
            "active": active,
            "doCheck": True,
            "meta": encode({"headers": dict(headers)}) if headers else None,
        }
        method = "PUT" if subscription_id else "POST"
        response = self._post("subscription_set", path, form, method=method)
        return _reply(response, lambda fields: _subscription(fields.get("subscription")))

    def delete_subscription(self, subscription_id: str) -> GupshupResponse:
        """Remove one subscription. Without an id nothing is called: the bare address would remove them all."""
        path = self._app_path(f"/subscription/{segment(subscription_id)}")
        if path is None or not subscription_id:
            return self._refuse("subscription_delete", "subscription_missing" if path else "app_id_missing")
        return self._call("subscription_delete", "DELETE", self._url(path))

    # --- the ways to call ----------------------------------------------------------------------------------------

    def _app_path(self, rest: str) -> str | None:
        return f"/wa/app/{segment(self.app_id)}{rest}" if self.app_id else None

    def _either(self, rest: str) -> list[str]:
        return [f"{base}/{segment(self.app_id)}{rest}" for base in ("/wa/app", "/partner/app")] if self.app_id else []

    def _get(self, what: str, path: str | None, **query: object) -> GupshupResponse:
        if path is None:
            return self._refuse(what, "app_id_missing")
        return self._call(what, "GET", self._url(path, **query), cap=_LONGEST_LIST)

    def _post(self, what: str, path: str | None, form: Mapping[str, Any], *, method: str = "POST") -> GupshupResponse:
        if path is None:
            return self._refuse(what, "app_id_missing")
        return self._call(what, method, self._url(path), form_of(form))

    def _ask(
        self,
        what: str,
        places: Sequence[str],
        read: Callable[[Mapping[str, Any]], Value | None],
        elsewhere: frozenset[int] = _NOWHERE,
    ) -> Reply[Value]:
        """The first place that knows the answer; the last place's answer when none does. ``elsewhere``: HTTP statuses
        that say nothing but that this place is the wrong one."""
        reply: Reply[Value] = Reply(self._refuse(what, "app_id_missing")) if not places else _nothing()
        for place in places:
            reply = _reply(self._get(what, place), read)
            if reply.ok or reply.response.http_status not in elsewhere:
                return reply
        return reply


def _is_last(number: int, size: int, news: bool) -> bool:
    """Whether pages count from 0 or 1 is not sure: page 0 may be empty, or the same as page 1."""
    if number == 0:
        return 0 < size != PAGE
    return size != PAGE or (number > 1 and not news)


def _nothing() -> Reply[Any]:
    return Reply(GupshupResponse(False, outcome=Outcome.NOT_SENT, error_code="not_connected"))


def _reply(response: GupshupResponse, read: Callable[[Mapping[str, Any]], Value | None]) -> Reply[Value]:
    """The value in a good answer. One that does not hold it is no success: it was not understood."""
    if not response.success:
        return Reply(response)
    value = read(object_of(response.raw_response))
    if value is None:
        unread = GupshupResponse(
            False, None, "bad_answer", None, response.raw_response, Outcome.UNCERTAIN, response.http_status
        )
        return Reply(unread)
    return Reply(response, value)


def _templates(fields: Mapping[str, Any]) -> tuple[TemplateInfo, ...] | None:
    """The list; one entry that cannot be read does not cost the others."""
    listed = fields.get("templates")
    if not isinstance(listed, list):
        return None
    return tuple(info for entry in listed if (info := parse_template(entry)))


def _listed(response: GupshupResponse) -> int:
    return len(list_of(object_of(response.raw_response).get("templates")))


def _wallet(fields: Mapping[str, Any]) -> Wallet | None:
    inner = object_of(fields.get("walletResponse")) or fields
    balance = number_of(first(inner, "currentBalance", "balance"))
    if balance is None:
        return None
    return Wallet(balance, line_of(inner.get("currency"), 16) or "USD", number_of(inner.get("overDraftLimit")) or 0.0)


def _ratings(fields: Mapping[str, Any]) -> Ratings | None:
    inner = object_of(fields.get("ratings")) or fields
    limit, unlimited = tier_of(inner.get("currentLimit"))
    return Ratings(
        quality=capitals(inner.get("phoneQuality")) or "",
        limit=limit,
        unlimited=unlimited,
        old_limit=tier_of(inner.get("oldLimit"))[0],
        event=capitals(inner.get("event")) or "",
    )


def _business(fields: Mapping[str, Any]) -> Business | None:
    inner = object_of(fields.get("wabaInfo")) or fields
    found = Business(
        phone=phone_of(inner.get("phone")),
        name=line_of(inner.get("wabaName"), 256) or "",
        status=capitals(inner.get("accountStatus")) or "",
    )
    return found if found != Business() else None


def _subscriptions(fields: Mapping[str, Any]) -> tuple[Subscription, ...] | None:
    listed = fields.get("subscriptions")
    if not isinstance(listed, list):
        return None
    return tuple(found for entry in listed if (found := _subscription(entry)))


def _subscription(entry: object) -> Subscription | None:
    fields = object_of(entry)
    own_id, url = id_of(fields.get("id")), url_of(fields.get("url"))
    if not (own_id and url):
        return None
    given = fields.get("modes")
    modes = given.split(",") if isinstance(given, str) else list_of(given)
    return Subscription(
        id=own_id,
        url=url,
        version=integer_of(fields.get("version")) or 2,
        modes=frozenset(mode.strip().upper() for mode in modes if isinstance(mode, str)),
        tag=line_of(fields.get("tag"), 256) or "",
        active=truth_of(fields.get("active")) is not False,
    )


def _media_id(fields: Mapping[str, Any]) -> str | None:
    handle = object_of(fields.get("handleId"))
    found = first(fields, "mediaId", "id") or first(handle, "message") or fields.get("handleId")
    return line_of(found, 4_096)  # a handle for a sample has some hundred characters

"""Where Gupshup posts what happens: which subscription is ours, what it lacks, and putting it right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from django.utils.translation import gettext as _

from gupshup.api.account import NEEDED_MODES, Subscription
from gupshup.api.client import GupshupService
from gupshup.diagnosis.finding import Finding, attention, error, ok, why
from gupshup.diagnosis.reach import SET_PUBLIC_URL, without_secret
from gupshup.models import Sender
from gupshup.senders import webhook_address

MOST = 5  # for an app, Gupshup's limit
TAG = "campaigns"
VERSION = 2
# Without these, figures stay empty and failures unseen; without the others, some news comes later or not at all.
VITAL = ("SENT", "DELIVERED", "READ", "FAILED")


@dataclass(frozen=True)
class Aim:
    """Where a subscription points, seen from this sender."""

    subscription: Subscription
    right_secret: bool
    webhook: bool  # some webhook address of this product
    right_host: bool  # scheme, host and the path before the webhook's

    @property
    def ours(self) -> bool:
        return self.webhook and self.right_secret and self.right_host


def aim_of(sender: Sender, subscription: Subscription) -> Aim:
    parts, home = urlsplit(subscription.url), urlsplit(webhook_address(sender))
    before, found, rest = parts.path.rstrip("/").partition("/webhooks/gupshup")
    given = unquote(rest.strip("/")) or "".join(parse_qs(parts.query).get("token", ()))
    prefix = home.path.partition("/api/webhooks/gupshup")[0]  # of PUBLIC_URL
    return Aim(
        subscription,
        right_secret=given in sender.secrets,
        webhook=bool(found),
        right_host=not home.netloc
        or (
            (parts.scheme, parts.netloc.lower()) == (home.scheme, home.netloc.lower())
            and before in (prefix, f"{prefix}/api")
        ),
    )


def shown(subscription: Subscription) -> str:
    """Where it points, without a secret that may stand in it."""
    parts = urlsplit(subscription.url)
    before, found, _secret = parts.path.partition("/webhooks/gupshup")
    path = f"{before}{found}/…" if found else parts.path[:40]
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{path}"


def look(sender: Sender, service: GupshupService) -> Iterator[Finding]:
    reply = service.subscriptions()
    if reply.value is None:
        yield attention(
            "subscriptions_unknown",
            _("The subscriptions could not be read."),
            f"{why(reply.response)} {_('Look at them on gupshup.io.')}",
        )
        return
    yield from judge(sender, reply.value)


def judge(sender: Sender, listed: Sequence[Subscription]) -> Iterator[Finding]:
    """What is wrong with this list; one good word when nothing is."""
    aims = [aim_of(sender, one) for one in listed]
    ours = [aim.subscription for aim in aims if aim.ours]
    active = [one for one in ours if one.active]
    if not active:
        yield _nothing_comes(aims)
        return
    found = [*_twice(active), *_modes(active), *_versions(active)]
    yield from found
    if not found:
        yield ok("subscription", _("Gupshup posts everything that is needed to our webhook."))


def _nothing_comes(aims: Sequence[Aim]) -> Finding:
    """No active subscription of ours: say what there is instead."""
    fix = _("manage.py check_gupshup --fix sets the subscription.")
    if not aims:
        return error("no_subscription", _("There is no subscription: no report and no answer will ever reach us."), fix)
    others = ", ".join(shown(aim.subscription) for aim in aims)
    if any(aim.ours for aim in aims):
        return error("subscription_inactive", _("The subscription to our webhook is switched off."), fix)
    if any(aim.webhook and aim.right_host for aim in aims):
        return error(
            "subscription_secret",
            _("The subscription to our webhook has a wrong secret: Gupshup's calls are refused (%(url)s).")
            % {"url": others},
            fix,
        )
    return error(
        "subscription_elsewhere", _("No subscription points to our webhook, only to %(url)s.") % {"url": others}, fix
    )


def _twice(active: Sequence[Subscription]) -> Iterator[Finding]:
    versions = sorted({one.version for one in active})
    fix = _("manage.py check_gupshup --fix keeps one and removes the others.")
    if len(versions) > 1:
        names = " + ".join(f"v{version}" for version in versions)
        yield error(
            "subscription_versions",
            _("Subscriptions of several versions (%(versions)s) point to our webhook: every event comes twice.")
            % {"versions": names},
            fix,
        )
    elif len(active) > 1:
        yield error(
            "subscription_twice",
            _("%(n)d subscriptions point to our webhook: every event comes several times.") % {"n": len(active)},
            fix,
        )


def _modes(active: Sequence[Subscription]) -> Iterator[Finding]:
    missing = set(NEEDED_MODES).intersection(*(one.missing() for one in active))
    vital = [mode for mode in VITAL if mode in missing]
    others = [mode for mode in NEEDED_MODES if mode in missing and mode not in VITAL]
    fix = _(
        "manage.py check_gupshup --fix names them. FAILED must be named; SENT, DELIVERED and READ are off at first."
    )
    if vital:
        text = _("The subscription lacks modes without which figures stay empty: %(modes)s.")
        yield error("subscription_modes", text % {"modes": ", ".join([*vital, *others])}, fix)
    elif others:
        text = _("The subscription lacks modes: %(modes)s. Some news will not reach us.")
        yield attention("subscription_modes", text % {"modes": ", ".join(others)}, fix)


def _versions(active: Sequence[Subscription]) -> Iterator[Finding]:
    for one in active:
        if one.version not in (2, 3):
            yield attention(
                "subscription_version",
                _("The subscription has version %(version)d; versions 2 and 3 are documented.")
                % {"version": one.version},
                _("manage.py check_gupshup --fix sets version 2."),
            )


# -- putting it right


def fix(sender: Sender, service: GupshupService) -> Iterator[Finding]:
    """One subscription to our webhook, version 2, every mode that is needed, as text. What is changed or removed is
    said; subscriptions that point elsewhere stay.
    """
    address = webhook_address(sender)
    if not urlsplit(address).netloc:
        yield error(
            "public_url_missing", _("PUBLIC_URL is not set: Gupshup cannot be told where to post."), str(SET_PUBLIC_URL)
        )
        return
    if not sender.webhook_secret:
        yield without_secret()
        return
    reply = service.subscriptions()
    if reply.value is None:
        yield error("subscriptions_unknown", _("The subscriptions could not be read."), why(reply.response))
        return
    mine = [one for one in reply.value if _is_meant_for_us(sender, one)]
    if not mine and len(reply.value) >= MOST:
        urls = ", ".join(map(shown, reply.value))
        yield error(
            "subscriptions_full",
            _("The app has %(n)d subscriptions already, and Gupshup allows no more: %(urls)s.")
            % {"n": len(reply.value), "urls": urls},
            _("Remove one on gupshup.io, then try again."),
        )
        return
    yield from _set(sender, service, address, mine, {one.tag for one in reply.value})


def _is_meant_for_us(sender: Sender, subscription: Subscription) -> bool:
    aim = aim_of(sender, subscription)
    return aim.webhook and (aim.right_host or aim.right_secret)


def _set(
    sender: Sender, service: GupshupService, address: str, mine: Sequence[Subscription], tags: set[str]
) -> Iterator[Finding]:
    keep = min(mine, key=lambda one: (one.version != VERSION, not one.active)) if mine else None
    reply = service.set_subscription(
        address,
        tag=keep.tag if keep and keep.tag else _free_tag(tags),
        version=VERSION,
        subscription_id=keep.id if keep else None,
    )
    if reply.value is None:
        advice = _(
            "Gupshup calls the address when it is set, and wants 2xx: the web process must run and be reachable."
        )
        yield error(
            "subscription_not_set",
            _("Gupshup did not take the subscription. %(why)s") % {"why": why(reply.response)},
            advice,
        )
        return
    yield ok("subscription_set", _("The subscription is set: version 2, modes %(modes)s.") % {"modes": _said_modes()})
    for extra in (one for one in mine if one is not keep):
        response = service.delete_subscription(extra.id)
        names = {"version": extra.version, "url": shown(extra)}
        if response.success:
            yield ok("subscription_removed", _("Removed: another subscription, version %(version)d, %(url)s.") % names)
        else:
            text = _("Another subscription, version %(version)d, %(url)s, could not be removed.") % names
            yield error("subscription_not_removed", text, why(response))


def _free_tag(taken: set[str]) -> str:
    """Gupshup says that tags are unique."""
    candidates = [TAG, *(f"{TAG}-{n}" for n in range(2, MOST + 2))]
    return next(tag for tag in candidates if tag not in taken)


def _said_modes() -> str:
    return ", ".join(NEEDED_MODES)

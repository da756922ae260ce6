"""Is a sender set up well? One sentence for each thing that was looked at, with what to do where something is wrong.

`of(sender)` asks Gupshup and our own address; it changes nothing. `manage.py check_gupshup` prints it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from gupshup.diagnosis import account, reach, settings, subscriptions, templates
from gupshup.diagnosis.finding import Finding, Level
from gupshup.models import Sender
from gupshup.services import service_for

__all__ = ["Finding", "Level", "of", "register"]

Check = Callable[[Sender], Iterable[Finding]]
_checks: list[Check] = []


def register(check: Check) -> None:
    """Ask `check` too: for apps that may import this one. Call it in `AppConfig.ready`."""
    _checks.append(check)


def of(sender: Sender) -> Iterator[Finding]:
    """Everything there is to say, in the order in which to put it right."""
    yield from settings.look(sender)
    service = service_for(sender)
    credentials = account.Credentials(service)
    yield from credentials.look()
    if credentials.accepted and sender.app_id:
        yield from account.look(sender, credentials)
        yield from templates.look(sender, service)
        yield from subscriptions.look(sender, service)
    yield from reach.look(sender)
    for check in _checks:
        yield from check(sender)

"""Guessing passwords is slow, at the API and at the admin's login alike: for one name, and from one address.

Who mistypes is never in the way of this; who guesses, is. A stranger who guesses at somebody's name from many addresses
slows that name down, so an address from which its owner has logged in before does not wait with the strangers.
"""

from __future__ import annotations

from django.http import HttpRequest

from accounts import gates
from accounts.clients import address
from accounts.gates import Limit

OF_PAIR = Limit("login of one name from one address", 10, 60)
OF_NAME = Limit("login of one name", 20, 30)
FROM_ADDRESS = Limit("login from one address", 60, 1)
KNOWN = "somebody logged in from there"
KNOWN_SECONDS = 30 * 86_400


def wait(request: HttpRequest, email: str, pair: bool = True) -> float:
    """Take the passes for one try; 0, or the seconds until there is one. No password is looked at before.

    `pair` is False where another guard counts the failures of one name from one address.
    """
    name, where = email.strip().lower(), address(request)
    limits: list[tuple[Limit, tuple[str, ...]]] = [(FROM_ADDRESS, (where,))]
    if pair:
        limits.append((OF_PAIR, (name, where)))
    if not gates.remembers(KNOWN, name, where):
        limits.append((OF_NAME, (name,)))
    for limit, who in limits:
        if seconds := gates.enter(limit, *who):
            return seconds
    return 0


def welcome(request: HttpRequest, email: str) -> None:
    """It was the right password."""
    name, where = email.strip().lower(), address(request)
    gates.forgive(OF_PAIR, name, where)
    gates.remember(KNOWN, KNOWN_SECONDS, name, where)

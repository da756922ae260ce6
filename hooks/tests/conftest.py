from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gupshup.tests.api.servers import Handler, Server, answering, reply, serving
from hooks.models import CHOSEN, Endpoint


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    """The receivers of these tests listen on this machine, without TLS."""
    settings.HOOKS_ALLOWED_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def receiver() -> Iterator[Callable[..., Server]]:
    """Start a receiver: `receiver(handler)`, or one that answers 204 to everything."""
    with _many() as start:
        yield start


@contextmanager
def _many() -> Iterator[Callable[..., Server]]:
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(handler: Handler | None = None, status: str = "204 No Content", **headers: str) -> Server:
            answers = answering(reply(b"", status, Connection="close", **headers))
            return stack.enter_context(serving(handler or answers))

        yield start


@pytest.fixture
def make_endpoint(db: None) -> Callable[..., Endpoint]:
    def make(url: str, **fields: Any) -> Endpoint:
        endpoint = Endpoint(name="caisse", url=url, **{"events": [value for value, _ in CHOSEN], **fields})
        endpoint.issue()
        endpoint.save()
        return endpoint

    return make

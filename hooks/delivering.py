"""Making the deliveries that are due: claimed in one commit, called outside of any, recorded in another.

Who is killed between the call and the record has perhaps delivered: the claim runs out and the delivery is made once
more, with the same id. At least once, then; receivers know the id.
"""

from __future__ import annotations

import logging
import secrets
import uuid
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from time import monotonic, time
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from hooks import reaching, signing
from hooks.models import Delivery, Endpoint, Try, rest
from hooks.reaching import Answer

log = logging.getLogger("hooks.delivering")

PARALLEL = 8  # calls at once in this process
TO_ONE = 4  # of them to one endpoint; to one that failed last: a single one
LEASE = timedelta(seconds=90)  # longer than a call with its name's look-up can take
HOUR = 3600
# Seconds before the second, third … try: three days in all, as the scheme's authors advise.
DELAYS = (5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
JITTER = 0.1
LONGEST_REST = 600  # seconds that a failing endpoint is left alone
HOPELESS = timedelta(days=3)  # without any success: the endpoint is switched off
_CHANCE = secrets.SystemRandom()
_ONE_RUN = Lock()  # in this process: endpoints that hang take one thread of a worker, not all


@dataclass(frozen=True)
class Claimed:
    """A delivery that is ours to make, with what is needed for it."""

    pk: int
    token: uuid.UUID
    endpoint_id: int
    url: str
    secrets: tuple[str, ...]
    event_id: str
    body: bytes
    tries: int


_CLAIM = """
    UPDATE hooks_delivery SET next_try_at = clock_timestamp() + %(lease)s, claim = %(token)s, tries = tries + 1
     WHERE id IN (SELECT id FROM hooks_delivery
                   WHERE endpoint_id = %(endpoint)s AND next_try_at <= clock_timestamp() AND {which}
                   ORDER BY next_try_at, id LIMIT %(most)s FOR UPDATE SKIP LOCKED)
    RETURNING id, event_id, body, tries"""


def run(seconds: float = 20) -> int:
    """Make what is due, for about `seconds`; answers how many calls were made. One run at a time in a process."""
    if not _ONE_RUN.acquire(blocking=False):
        return 0
    try:
        return _run(seconds)
    finally:
        _ONE_RUN.release()


def _run(seconds: float) -> int:
    if not Endpoint.objects.due().exists():
        return 0
    until, done = monotonic() + seconds, 0
    flights: dict[Future[Answer], Claimed] = {}
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="hook") as pool:
        while True:
            if monotonic() < until:
                flights |= {pool.submit(call, claimed): claimed for claimed in _claim_more(flights)}
            if not flights:
                return done
            for landed in wait(flights, timeout=1, return_when=FIRST_COMPLETED).done:
                record(flights.pop(landed), landed.result())
                done += 1


def _claim_more(flights: dict[Future[Answer], Claimed]) -> list[Claimed]:
    under_way = [claimed.endpoint_id for claimed in flights.values()]
    free = PARALLEL - len(under_way)
    found: list[Claimed] = []
    for endpoint in Endpoint.objects.due().order_by("last_success_at", "pk") if free else ():
        room = (1 if endpoint.failing_since else TO_ONE) - under_way.count(endpoint.pk)
        if (most := min(room, free - len(found))) > 0:
            found += claim(endpoint, most)
    return found


def claim(endpoint: Endpoint, most: int, only: int | None = None) -> list[Claimed]:
    """Take deliveries of this endpoint (or the one with this id), so that no rival has them."""
    token = uuid.uuid4()
    values: dict[str, Any] = {"lease": LEASE, "token": token, "endpoint": endpoint.pk, "most": most, "only": only}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM.format(which="true" if only is None else "id = %(only)s"), values)
        rows = cursor.fetchall()
    signing_now = tuple(endpoint.secrets)
    return [
        Claimed(pk, token, endpoint.pk, endpoint.url, signing_now, event_id, body.encode(), tries)
        for pk, event_id, body, tries in rows
    ]


def call(claimed: Claimed) -> Answer:
    """The POST itself, signed now; no database here. Whatever happens is an answer."""
    try:
        headers = signing.headers(claimed.secrets, claimed.event_id, int(time()), claimed.body)
        if not claimed.secrets:
            return Answer(None, "the secret cannot be read: make a new one", 0)
        return reaching.post(claimed.url, claimed.body, headers)
    except Exception as error:  # a fault of ours must not end the run of the others
        log.exception("delivery %s could not be made", claimed.pk)
        return Answer(None, type(error).__name__, 0)


def record(claimed: Claimed, answer: Answer) -> None:
    """Keep what came of it. A claim that has run out, and was taken by another, changes only the log."""
    with transaction.atomic():
        if not Delivery.objects.select_for_update().filter(pk=claimed.pk).values_list("pk"):
            return  # pruned, or its endpoint was deleted meanwhile
        Try.objects.create(
            delivery_id=claimed.pk,
            status=answer.status,
            error=answer.error,
            milliseconds=answer.milliseconds,
            answer=answer.text[:500],
        )
        log.info("delivery %s: %s in %d ms", claimed.pk, answer.status or answer.error, answer.milliseconds)
        if answer.ok:
            _succeeded(claimed, answer)
        else:
            _failed(claimed, answer)


def _succeeded(claimed: Claimed, answer: Answer) -> None:
    now = timezone.now()
    Delivery.objects.filter(pk=claimed.pk).exclude(state=Delivery.State.DELIVERED).update(
        state=Delivery.State.DELIVERED,
        next_try_at=None,
        claim=None,
        delivered_at=now,
        last_status=answer.status,
        last_error="",
    )
    Endpoint.objects.filter(pk=claimed.endpoint_id).update(
        failures=0, failing_since=None, rest_until=None, last_success_at=now
    )


def _failed(claimed: Claimed, answer: Answer) -> None:
    now, wait_ = timezone.now(), delay(claimed.tries, answer.retry_after)
    over = wait_ is None
    Delivery.objects.filter(pk=claimed.pk, claim=claimed.token, state=Delivery.State.WAITING).update(
        state=Delivery.State.GIVEN_UP if over else Delivery.State.WAITING,
        next_try_at=None if wait_ is None else now + timedelta(seconds=wait_),
        claim=None,
        last_status=answer.status,
        last_error=answer.error,
    )
    endpoint = Endpoint.objects.select_for_update().get(pk=claimed.endpoint_id)
    pause = min(2.0 ** min(endpoint.failures, 20), LONGEST_REST)
    rest(endpoint.pk, now + timedelta(seconds=pause), now)
    if answer.status == 410:
        _switch_off(endpoint, Endpoint.Disabled.GONE, answer)
    elif over and endpoint.failing_since is not None and endpoint.failing_since <= now - HOPELESS:
        _switch_off(endpoint, Endpoint.Disabled.FAILING, answer)


def delay(tries: int, asked: int = 0) -> float | None:
    """Seconds until the next try after so many, or None to give up. `asked` is the receiver's own wish."""
    if tries > len(DELAYS):
        return None
    planned = DELAYS[tries - 1]
    return max(planned * _CHANCE.uniform(1 - JITTER, 1 + JITTER), asked)


def _switch_off(endpoint: Endpoint, reason: str, answer: Answer) -> None:
    detail = f"HTTP {answer.status}" if answer.status is not None else answer.error
    off = Endpoint.objects.filter(pk=endpoint.pk, active=True).update(
        active=False, disabled_at=timezone.now(), disabled_reason=reason, disabled_detail=detail[:200]
    )
    if off:
        log.error("outgoing webhook %s was switched off: %s (%s)", endpoint.pk, reason, detail)


def make_now(delivery: Delivery) -> Answer | None:
    """Make this delivery at once, whatever the rest of the run does; None when somebody else is at it."""
    found = claim(delivery.endpoint, 1, delivery.pk)
    if not found:
        return None
    answer = call(found[0])
    record(found[0], answer)
    return answer

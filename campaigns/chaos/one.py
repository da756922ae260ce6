"""One run from plan to result, with its folder: removed when clean, kept with all evidence when not."""

from __future__ import annotations

import importlib
import shutil
import traceback
from collections import Counter
from pathlib import Path
from time import monotonic

from django.core.handlers.wsgi import WSGIHandler
from django.urls import get_resolver

from campaigns.chaos import evidence, oracle
from campaigns.chaos.evidence import Evidence
from campaigns.chaos.plan import Plan
from campaigns.chaos.play import PEOPLES, NotQuietError, Run
from campaigns.chaos.results import Result
from campaigns.chaos.world import World

# What is imported at the first call only: by the pool of connections, and where a nudge is published.
LATE = ("psycopg_pool", "celery.app.amqp", "celery.app.events", "celery.app.routes", "celery.backends.base",
        "celery.contrib.django.task", "kombu.transport.memory", "kombu.transport.redis", "encodings.utf_8_sig",
        "celery.apps.worker", "celery.worker.worker", "celery.concurrency.thread")  # fmt: skip


def preload() -> WSGIHandler:
    """Import what the children would import, once."""
    handler = WSGIHandler()
    assert get_resolver().url_patterns
    for name in LATE:
        importlib.import_module(name)
    return handler


def run(world: World, plan: Plan, handler: WSGIHandler, kept: Path, *, keep: bool = False) -> Result:
    folder = world.folder / "runs" / str(plan.seed)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = monotonic()
    one = Run(world, plan, folder, handler)
    result = Result(plan.seed, plan.family, 0.0)
    try:
        provider = one.play()
        try:
            _judge(one, evidence.gather(one, provider), result)
        finally:
            provider.stop()
    except NotQuietError as error:
        result.wrong["becomes_quiet"] = [str(error)]
    except Exception as error:
        (folder / "harness.log").write_text(traceback.format_exc())
        result.wrong["harness"] = [f"{type(error).__name__}: {error}"]
    result.seconds = round(monotonic() - began, 2)
    if keep or not result.ok:
        _keep(one, result, kept)
    shutil.rmtree(folder, ignore_errors=True)
    return result


def _judge(one: Run, found: Evidence, result: Result) -> None:
    result.wrong.update(oracle.judge(found))
    fired = Counter(one.fired)
    result.enabled = sorted(one.plan.enabled(fired.pop("workers trapped"), fired.pop("webs trapped")))
    fired.update(found.ledger_faults)
    fired.update(f"trap:{line['point']}" for line in found.lines["trap"])
    fired.update(name for name in PEOPLES if found.lines[name])
    states = Counter(attempt["state"] for attempt in found.attempts.values())
    result.facts = {
        "recipients": len(found.messages),
        "calls": len(found.accepted) + len(found.refused),
        "accepted": len(found.accepted),
        "callbacks": len(found.inbox),
        "deaths": fired.pop("deaths by SIGKILL", 0),
        "freezes": len(one.freezes),
        "faults": sum(found.ledger_faults[name] for name in one.plan.faults if name in found.ledger_faults),
        "kinds_enabled": len(one.plan.faults),
        "kinds_fired": sum(fired[name] > 0 for name in one.plan.faults),
        "samples": len(found.lines["sample"]),
        "uncertain": states["uncertain"],
        "not_sent": states["not_sent"],
    }
    result.fired = dict(sorted(fired.items()))


def _keep(one: Run, result: Result, kept: Path) -> None:
    target = kept / f"{result.family}-{result.seed}"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(one.folder, target)
    (target / "result.json").write_text(result.line())
    evidence.keep(one, target)

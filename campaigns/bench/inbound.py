"""`bin/bench inbound`: the webhook beside the usual view, under two servers; the inbox onto the rows; the report."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from campaigns.bench.rig import SECRET, Rig, note
from campaigns.bench.table import Report, interleave, ratio
from whatsapp_campaigns.local.processes import free_port

OURS = f"/api/webhooks/gupshup/{SECRET}"
CONNECTIONS = 32
KEPT = "gunicorn"  # what the product is run by; why: docs/performance.md


def gunicorn(application: str, port: int, workers: int, threads: int) -> list[str]:
    command = [sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{port}", "--backlog", "512"]
    command += ["--worker-class", "gthread", "--workers", str(workers), "--threads", str(threads)]
    return [*command, "--no-control-socket", "--log-level", "warning"]


def granian(application: str, port: int, workers: int, threads: int) -> list[str]:
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", str(workers), "--blocking-threads", str(threads), "--no-access-log"]
    return [*command, "--log-level", "warning", f"{application}:application"]


def endpoint(rig: Rig, report: Report, quick: bool) -> None:
    """Full speed, then at what is offered."""
    note("servers")
    rig.role("usual_tables", settings="campaigns.bench.usual.settings")
    rig.role("sender_for_inbound")
    workers = max(2, min(4, os.cpu_count() or 2))
    ours = {"DJANGO_SETTINGS_MODULE": "campaigns.bench.settings"}
    usual = {"DJANGO_SETTINGS_MODULE": "campaigns.bench.usual.settings"}
    ports = {name: free_port() for name in ("gunicorn", "granian", "usual")}
    product = "whatsapp_campaigns.wsgi"
    with contextlib.ExitStack() as servers:
        start = servers.enter_context
        start(rig.serve(gunicorn(product, ports["gunicorn"], workers, 16), ports["gunicorn"], "/healthz", **ours))
        start(rig.serve(granian(product, ports["granian"], workers, 16), ports["granian"], "/healthz", **ours))
        view = "campaigns.bench.usual.views"
        start(rig.serve(gunicorn(view, ports["usual"], workers, 16), ports["usual"], "/webhook", **usual))
        full_speed(rig, report, ports, 1.5 if quick else 3.0, 2 if quick else 5)
        for rate in (240, 1000):
            for name in ("granian", KEPT):
                offered(rig, report, name, ports[name], rate, 5 if quick else 20)


def load(rig: Rig, port: int, path: str, **options: Any) -> dict[str, Any]:
    asked = {"port": port, "path": path, "connections": CONNECTIONS, **options}
    found: dict[str, Any] = json.loads(rig.run([sys.executable, "-m", "campaigns.bench.load", json.dumps(asked)]))
    return found


def full_speed(rig: Rig, report: Report, ports: dict[str, int], seconds: float, rounds: int) -> None:
    """As fast as each answers."""
    note("full speed")
    variants = {
        "gunicorn": (ports["gunicorn"], OURS, "our endpoint, gunicorn gthread"),
        "granian": (ports["granian"], OURS, "our endpoint, granian"),
        "empty_gunicorn": (ports["gunicorn"], "/bench/empty", "empty view, gunicorn gthread"),
        "empty_granian": (ports["granian"], "/bench/empty", "empty view, granian"),
        "usual": (ports["usual"], "/webhook", "plain DRF view, save(), gunicorn gthread"),
    }
    asked = {"seconds": seconds, "warm": 0.7}
    found = interleave(
        rounds,
        {name: partial(load, rig, port, path, **asked) for name, (port, path, _) in variants.items()},
    )
    speeds = {name: [one["per_second"] for one in results] for name, results in found.items()}
    for name, (_, _, words) in variants.items():
        results = found[name]
        report.add(words, f"endpoint_{name}", speeds[name], "requests/s")
        for percentile in ("p50", "p99"):
            report.add(
                f"{words}, {percentile}", f"endpoint_{name}_{percentile}", [one[percentile] for one in results], "ms"
            )
    refused = sum(one["refused"] for results in found.values() for one in results)
    report.goal("answers that were not 2xx", "endpoint_refused", refused, "<=", 0)
    for name in ("gunicorn", "granian"):
        report.add(
            f"our endpoint, {name} ÷ its empty view",
            f"endpoint_{name}_of_empty",
            ratio(speeds[name], speeds[f"empty_{name}"]),
        )
        report.add(
            f"our endpoint, {name} ÷ plain DRF view", f"endpoint_{name}_of_usual", ratio(speeds[name], speeds["usual"])
        )
    report.goal(
        f"our endpoint ({KEPT}) ÷ plain DRF view",
        "endpoint_of_usual",
        ratio(speeds[KEPT], speeds["usual"]),
        ">=",
        2.5,
    )


def offered(rig: Rig, report: Report, server: str, port: int, rate: int, seconds: int) -> None:
    """So many a second; the bounds are those of the server that we keep."""
    note(f"{rate}/s offered to {server}")
    found = load(rig, port, OURS, seconds=seconds, rate=rate, warm=0.5)
    name = f"{rate}/s offered"
    if server != KEPT:
        for percentile in ("p50", "p99"):
            report.add(
                f"{name} to {server}, {percentile}", f"{server}_{rate}_{percentile}", found[percentile] or 0, "ms"
            )
        return
    report.goal(f"{name}: done ÷ offered", f"offered_{rate}", found["done_of_offered"], ">=", 0.99)
    report.goal(f"{name}: p50 (ms)", f"offered_{rate}_p50", found["p50"], "<=", 250)
    report.goal(f"{name}: p99 (ms)", f"offered_{rate}_p99", found["p99"], "<=", 50 if rate == 240 else 1000)
    report.goal(f"{name}: not 2xx", f"offered_{rate}_refused", found["refused"], "<=", 0)


def statuses(rig: Rig, report: Report, quick: bool) -> None:
    """One status for each message: from the inbox, event by event through the ORM, and as one bare UPDATE."""
    messages, rounds = (50_000, 1) if quick else (1_000_000, 1)
    workers = max(1, min(4, os.cpu_count() or 1))

    def fresh() -> None:
        rig.role("fill_accepted", messages=messages)

    def ours() -> dict[str, Any]:
        fresh()
        rig.role("fill_inbox")
        found: dict[str, Any] = rig.role("ingest", workers=workers)
        delivered = rig.sql("SELECT count(*) FROM campaigns_message WHERE status = 40")[0][0]
        assert (delivered, found["callbacks"]) == (messages, messages), (delivered, found)
        return found

    def bare(trigger: bool) -> Any:
        fresh()
        return rig.role("bare_update", trigger=trigger)

    def usual() -> Any:
        return rig.role("usual_statuses", events=500 if quick else 3000)

    note(f"{messages:,} statuses, {workers} workers")
    found = interleave(
        rounds, {"ours": ours, "usual": usual, "bare": lambda: bare(False), "triggered": lambda: bare(True)}
    )
    speeds = {name: [one["per_second"] for one in results] for name, results in found.items()}
    report.add(f"ingest of {messages:,} statuses, {workers} workers", "ingest", speeds["ours"], "statuses/s")
    report.add(
        "ingest: CPU of our processes", "ingest_cpu_us", [one["cpu"] * 1e6 for one in found["ours"]], "µs/status"
    )
    report.add("get() + save() for each", "ingest_usual", speeds["usual"], "statuses/s")
    report.add("one bare UPDATE, without the trigger", "ingest_bare", speeds["bare"], "messages/s")
    report.add("one bare UPDATE, with the trigger", "ingest_bare_trigger", speeds["triggered"], "messages/s")
    report.add(
        "ingest ÷ bare UPDATE with the trigger", "ingest_of_triggered", ratio(speeds["ours"], speeds["triggered"])
    )
    report.goal("ingest ÷ get() + save()", "ingest_of_usual", ratio(speeds["ours"], speeds["usual"]), ">=", 40)
    report.goal(
        "ingest ÷ bare UPDATE without the trigger", "ingest_of_bare", ratio(speeds["ours"], speeds["bare"]), ">=", 0.4
    )


def pages(rig: Rig, report: Report, quick: bool) -> None:
    """The page of a campaign, small and large."""
    sizes = [10_000, 100_000 if quick else 1_000_000]
    note("report pages")
    campaigns = rig.role("fill_reports", sizes=sizes)["campaigns"]
    found = rig.role("report_pages", campaigns=campaigns, times=20)
    for what, key in (("report page", "pages"), ("figures alone", "figures")):
        for size, seconds in zip(sizes, found[key], strict=True):
            report.add(f"{what}, {size:,} messages", f"{key}_{size}_ms", seconds * 1000, "ms")
    small, large = found["pages"]
    report.goal(f"report page: {sizes[1]:,} ÷ {sizes[0]:,}", "report_growth", large / small, "<=", 1.5)


PARTS: dict[str, Callable[[Rig, Report, bool], None]] = {"webhook": endpoint, "statuses": statuses, "reports": pages}

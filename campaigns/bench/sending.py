"""`bin/bench sending`: the engine beside a bare loop of calls and beside one task for each message; the pace; the
claim; the launch.
"""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import Any

from campaigns.bench.rig import Rig, Simulator, note
from campaigns.bench.table import Report, interleave, ratio

THREADS = 64
USUAL = {0: ["-P", "prefork", "--concurrency", "2"], 300: ["-P", "threads", "--concurrency", "64"]}


def calls(rig: Rig, report: Report, quick: bool) -> None:
    simulator = Simulator(rig, "--no-ledger")
    try:
        for latency, ours, usual in ((0, 1500, 300), (300, 1000, 500)):
            three_ways(rig, report, simulator, latency, *((ours // 3, usual // 3, 1) if quick else (ours, usual, 3)))
    finally:
        simulator.stop()


def three_ways(
    rig: Rig, report: Report, simulator: Simulator, latency: int, ours: int, usual: int, rounds: int
) -> None:
    """Messages a second and CPU a message at one latency, three ways."""
    note(f"calls at {latency} ms")
    simulator.switch(latency=[latency / 1000, latency / 1000])
    api_url = simulator.api_url

    def engine() -> dict[str, Any]:
        rig.role("prepare_campaign", people=ours, api_url=api_url)
        before = rig.database_seconds()
        found: dict[str, Any] = rig.role("engine", threads=THREADS, seconds=300)
        return {**found, "database": (rig.database_seconds() - before) / found["messages"]}

    found = interleave(
        rounds,
        {
            "raw": lambda: rig.role("raw", api_url=api_url, threads=THREADS, messages=ours),
            "engine": engine,
            "usual": lambda: rig.role(
                "usual_tasks",
                settings="campaigns.bench.usual.settings",
                api_url=api_url,
                messages=usual,
                options=USUAL[latency],
            ),
        },
    )
    speeds = {name: [one["per_second"] for one in results] for name, results in found.items()}
    names = {"raw": f"bare requests loop, {THREADS} threads", "engine": "our engine", "usual": "one Celery task each"}
    for name, words in names.items():
        report.add(f"{latency} ms: {words}", f"{name}_{latency}", speeds[name], "messages/s")
        cpu = [one["cpu"] * 1e6 for one in found[name]]
        report.add(f"{latency} ms: {words}, CPU", f"{name}_{latency}_cpu_us", cpu, "µs/message")
    database = [one["database"] * 1e6 for one in found["engine"]]
    report.add(f"{latency} ms: our engine, in the database", f"engine_{latency}_database_us", database, "µs/message")
    given_up = [one["given_up"] * 100 for one in found["engine"]]
    report.add(f"{latency} ms: our engine, slots given up", f"engine_{latency}_given_up_percent", given_up, "%")
    least = 0.4 if latency == 0 else 0.6
    part = ratio(speeds["engine"], speeds["raw"])
    report.goal(f"{latency} ms: engine ÷ bare loop", f"engine_of_raw_{latency}", part, ">=", least)
    times = ratio(speeds["engine"], speeds["usual"])
    if latency == 0:
        report.goal("0 ms: engine ÷ one task each", "engine_of_usual_0", times, ">=", 3)
    else:  # both do little but wait: 64 threads make 213 calls a second at most
        report.add(f"{latency} ms: engine ÷ one task each", f"engine_of_usual_{latency}", times)


def pace(rig: Rig, report: Report, quick: bool) -> None:
    """80 a second, as the provider sees it arrive."""
    note("pace at 80/s")
    rate, seconds = 80, 6 if quick else 20
    simulator = Simulator(rig)
    try:
        rig.role("prepare_campaign", people=rate * seconds, api_url=simulator.api_url, rate_limit=rate)
        rig.role("engine", threads=32, seconds=300)
        arrivals = sorted(one["mono"] for one in simulator.get("/ledger?only=accepted")["accepted"])
        worst = simulator.get("/ledger/summary?window=1")["worst_window_calls"]
    finally:
        simulator.stop()
    achieved = (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])
    report.add("80/s: achieved", "pace_achieved", achieved, "messages/s")
    report.goal("80/s: achieved ÷ configured", "pace_ratio", achieved / rate, ">=", 0.95)
    report.goal("80/s: most arrivals in any second", "pace_worst", worst, "<=", rate)


def claims(rig: Rig, report: Report, quick: bool) -> None:
    """A claim of 200 from queues of three lengths, and from one whose head an old snapshot keeps from vacuum."""
    sizes = (10_000, 50_000, 200_000) if quick else (10_000, 1_000_000, 5_000_000)
    urls = {}
    for size in sizes:
        note(f"a queue of {size:,}")
        urls[size] = rig.copy_database(f"queue_{size}")
        rig.role("fill_outbox", url=urls[size], waiting=size)
    note("claims")
    times, rounds = (10, 2) if quick else (20, 5)
    found = interleave(rounds, {str(n): partial(rig.role, "claim", url=urls[n], times=times) for n in sizes})
    spans = {name: [one["seconds"] * 1000 for one in results] for name, results in found.items()}
    for size in sizes:
        report.add(f"claim of 200, {size:,} waiting", f"claim_{size}_ms", spans[str(size)], "ms")
    growth = ratio(spans[str(sizes[-1])], spans[str(sizes[0])])
    report.goal(f"claim: {sizes[-1]:,} ÷ {sizes[0]:,} waiting", "claim_growth", growth, "<=", 1.5)
    note("claims under an old snapshot")
    old = rig.role("claim_under_snapshot", url=urls[sizes[1]], messages=sizes[1] // 2)
    report.add("old snapshot: claim, first tenth", "claim_snapshot_first_ms", old["first"] * 1000, "ms")
    report.add("old snapshot: claim, last tenth", "claim_snapshot_last_ms", old["last"] * 1000, "ms")
    report.goal("old snapshot: last ÷ first tenth", "claim_snapshot", old["last"] / old["first"], "<=", 1.5)
    for size in sizes:
        rig.sql(f"DROP DATABASE queue_{size} WITH (FORCE)", rig.url.rpartition("/")[0] + "/postgres")


def launches(rig: Rig, report: Report, quick: bool) -> None:
    """A campaign's messages from its people: ours, one bare statement, and bulk_create."""
    people = 100_000 if quick else 1_000_000
    note(f"launch of {people:,}")
    rig.role("make_people", people=people)
    found = interleave(
        1 if quick else 3,
        {
            "bare": lambda: rig.role("launch_bare"),
            "ours": lambda: rig.role("launch_ours"),
            "bulk": lambda: rig.role("launch_bulk", people=people // 10),
        },
    )
    speeds = {name: [one["per_second"] for one in results] for name, results in found.items()}
    assert all(one["messages"] == people for one in found["ours"])
    report.add(f"launch of {people:,}: bare INSERT … SELECT", "launch_bare", speeds["bare"], "messages/s")
    report.add(f"launch of {people:,}: ours", "launch_ours", speeds["ours"], "messages/s")
    report.add("launch: bulk_create(batch_size=5000)", "launch_bulk", speeds["bulk"], "messages/s")
    report.goal("launch: ours ÷ bare", "launch_of_bare", ratio(speeds["ours"], speeds["bare"]), ">=", 0.55)
    report.goal("launch: ours ÷ bulk_create", "launch_of_bulk", ratio(speeds["ours"], speeds["bulk"]), ">=", 4)
    grown = median(one["grown_mb"] for one in found["ours"])
    report.goal("launch: our process grew by (MB)", "launch_grown_mb", grown, "<=", 20)


PARTS = {"calls": calls, "pace": pace, "claim": claims, "launch": launches}

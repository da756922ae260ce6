"""The results of many runs: one JSON line each, taken up again, and summed up with the bound that they prove."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Result:
    """One run. `fired`: what really happened; `enabled`: what could have; `wrong`: findings by check."""

    seed: int
    family: str
    seconds: float
    facts: dict[str, int] = field(default_factory=dict)
    fired: dict[str, int] = field(default_factory=dict)
    enabled: list[str] = field(default_factory=list)
    wrong: dict[str, list[str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.wrong

    @property
    def replay(self) -> str:
        """The further arguments that this run needs to be played again."""
        if self.family.startswith("broker"):
            return " --broker"
        if not self.family.startswith("point-"):
            return ""
        point, _, passing = self.family.removeprefix("point-").rpartition("-")
        return f" --points {point}:{passing}"

    def line(self) -> str:
        return json.dumps({"ok": self.ok, **asdict(self)})

    @classmethod
    def from_line(cls, line: str) -> Result:
        data = json.loads(line)
        data.pop("ok", None)
        return cls(**data)


def load(path: Path | None) -> list[Result]:
    """The runs that a file holds; none when there is no file."""
    if path is None or not path.exists():
        return []
    return [Result.from_line(line) for line in path.read_text().splitlines() if line.strip()]


def coverage(results: Iterable[Result]) -> dict[str, tuple[int, int, int]]:
    """For everything that some run enabled: (runs that enabled it, of these runs that saw it, times in all runs)."""
    enabled: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for result in results:
        enabled.update(result.enabled)
        seen.update(name for name in result.enabled if result.fired.get(name))
        times.update(result.fired)
    return {name: (enabled[name], seen[name], times[name]) for name in sorted(enabled)}


def table(results: list[Result]) -> str:
    """The coverage as lines of text, what never fired last."""
    found = sorted(coverage(results).items(), key=lambda item: (item[1][1] == 0, item[0]))
    lines = [f"{'':34} {'enabled':>8} {'seen':>6} {'times':>7}"]
    lines += [f"{name:34} {on:8} {seen:6} {times:7}{'' if seen else '  never'}" for name, (on, seen, times) in found]
    return "\n".join(lines)


def never_fired(results: Iterable[Result]) -> list[str]:
    """What some run enabled and no run saw."""
    return [name for name, (_, _, times) in coverage(results).items() if not times]


def summary(results: list[Result]) -> dict[str, Any]:
    """Sums over all runs. `bound`: with no failure in N runs, at 95 % the share of runs that fail is below 3/N."""
    failed = [result for result in results if not result.ok]
    facts: Counter[str] = Counter()
    fired: Counter[str] = Counter()
    for result in results:
        facts.update(result.facts)
        fired.update(result.fired)
    return {
        "runs": len(results),
        "failed": len(failed),
        "failed_seeds": [result.seed for result in failed],
        "bound": round(3 / len(results), 5) if results and not failed else None,
        "seconds_per_run": round(sum(result.seconds for result in results) / max(1, len(results)), 2),
        "facts": dict(sorted(facts.items())),
        "fired": dict(sorted(fired.items())),
        "never_fired": never_fired(results),
    }

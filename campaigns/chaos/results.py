"""The results of many runs: one JSON line each, taken up again, and summed up with the bound that they prove."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MEASURED = ("recipients", "calls", "accepted", "callbacks", "samples", "uncertain", "adopted")


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


def never_fired(results: Iterable[Result]) -> list[str]:
    """What some run enabled and no run saw."""
    enabled: set[str] = set()
    fired: Counter[str] = Counter()
    for result in results:
        enabled |= set(result.enabled)
        fired.update(result.fired)
    return sorted(name for name in enabled if not fired[name])


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

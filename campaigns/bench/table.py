"""Medians, ratios and the table. Rounds are interleaved (A B C, A B C); a ratio is the median of the rounds' ratios."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

Rounds = list[float]


def interleave(rounds: int, variants: dict[str, Callable[[], Any]]) -> dict[str, list[Any]]:
    """Run every variant once in each round; answers the results by variant, in the order of the rounds."""
    found: dict[str, list[Any]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, run in variants.items():
            found[name].append(run())
    return found


def ratio(part: Sequence[float], whole: Sequence[float]) -> float:
    """The median of the ratios within each round."""
    return median(a / b for a, b in zip(part, whole, strict=True))


@dataclass
class Report:
    """Lines for people, and the same figures for programs."""

    title: str
    lines: list[tuple[str, str]] = field(default_factory=list)
    goals: list[tuple[str, float, str, float]] = field(default_factory=list)  # name, value, ">=" or "<=", bound
    figures: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, key: str, values: Sequence[float] | float, unit: str = "") -> None:
        """One measured figure: the median, and the least and greatest when there were several rounds."""
        rounds = [values] if isinstance(values, int | float) else list(values)
        middle = median(rounds)
        spread = f"   ({short(min(rounds))} to {short(max(rounds))})" if len(rounds) > 1 else ""
        self.lines.append((name, f"{short(middle)} {unit}{spread}".rstrip()))
        self.figures[key] = round(middle, 6)

    def goal(self, name: str, key: str, value: float, bound: str, limit: float) -> None:
        """A figure that has a bound: at least (`>=`) or at most (`<=`) `limit`."""
        self.goals.append((name, value, bound, limit))
        self.figures[key] = round(value, 6)

    def text(self) -> str:
        names = [line[0] for line in self.lines] + [goal[0] for goal in self.goals]
        width = max(map(len, names), default=0)
        body = [f"{name:<{width}}  {value}" for name, value in self.lines]
        for name, value, bound, limit in self.goals:
            verdict = "reached" if met(value, bound, limit) else "NOT REACHED"
            body.append(f"{name:<{width}}  {short(value)}   ({bound} {short(limit)}: {verdict})")
        return "\n".join([self.title, "", *body])

    @property
    def missed(self) -> list[str]:
        return [name for name, value, bound, limit in self.goals if not met(value, bound, limit)]


def met(value: float, bound: str, limit: float) -> bool:
    return value >= limit if bound == ">=" else value <= limit


def short(value: float) -> str:
    """Three figures that matter."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"

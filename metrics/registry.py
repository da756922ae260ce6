"""Figures by name, in the text format of Prometheus. Apps register what they can tell; nothing here knows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

PREFIX = "whatsapp_campaigns_"


@dataclass(frozen=True)
class Gauge:
    """One figure that goes up and down, with a value for each set of labels."""

    name: str
    about: str
    values: Sequence[tuple[Mapping[str, str], float]]


# Answers figures within milliseconds, whatever the size of the database. No personal data, no secrets.
Collector: TypeAlias = Callable[[], Iterable[Gauge]]

_collectors: dict[str, Collector] = {}


def register(name: str, collector: Collector) -> None:
    """Ask `collector` at each scrape. A name that is taken gets the new one. Called in `AppConfig.ready`."""
    _collectors[name] = collector


def collectors() -> Mapping[str, Collector]:
    return _collectors


def text(gauges: Iterable[Gauge]) -> str:
    """The text that is scraped."""
    return "".join(f"{line}\n" for gauge in gauges for line in _lines(gauge))


def _lines(gauge: Gauge) -> Iterator[str]:
    name = PREFIX + gauge.name
    yield f"# HELP {name} {_escaped(gauge.about)}"
    yield f"# TYPE {name} gauge"
    for labels, value in gauge.values:
        told = ",".join(f'{key}="{_escaped(label, quoted=True)}"' for key, label in labels.items())
        yield f"{name}{{{told}}} {_number(value)}" if told else f"{name} {_number(value)}"


def _escaped(given: str, quoted: bool = False) -> str:
    found = given.replace("\\", "\\\\").replace("\n", "\\n")
    return found.replace('"', '\\"') if quoted else found


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))

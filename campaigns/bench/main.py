"""`bin/bench (sending|inbound) [--json] [--quick] [--only PART,…]`: see `bin/bench --help`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from campaigns.bench import endurance, inbound, sending
from campaigns.bench.rig import Rig, machine
from campaigns.bench.table import Report
from whatsapp_campaigns.local.bootstrap import HELP, ROOT, Problem
from whatsapp_campaigns.local.stack import open_home, throwaway_folder
from whatsapp_campaigns.local.supervisor import Stopped, stop_on_signals

Part = Callable[[Rig, Report, bool], None]
BENCHMARKS: dict[str, dict[str, Part]] = {
    "sending": {**sending.PARTS},
    "inbound": {**inbound.PARTS, **endurance.PARTS},
}
ON_REQUEST = frozenset(endurance.PARTS)  # long: run only when they are named


def main(arguments: list[str]) -> int:
    """The exit code: 0 when the measurement ran, whatever it found; its table says what was reached."""
    rest, only = _only(arguments)
    minutes, rest = _minutes(rest)
    names = [each for each in rest if not each.startswith("-")]
    wrong = len(names) != 1 or names[0] not in BENCHMARKS or set(rest) - {names[0], "--json", "--quick"}
    if wrong or set(only) - set(BENCHMARKS[names[0]]):
        print(HELP["bench"], file=sys.stderr)
        return 2
    stop_on_signals()
    quick = "--quick" in arguments
    command = " ".join(["bin/bench", *(each for each in arguments if each != "--json")])
    began = time.monotonic()
    report = Report(f"{command}, {time.strftime('%Y-%m-%d %H:%M')}, {machine()}")
    try:
        home = open_home(ROOT)
        with throwaway_folder(home, "bench") as folder:
            rig = Rig(folder, home)
            rig.minutes = minutes
            rig.start()
            try:
                for part, measure in BENCHMARKS[names[0]].items():
                    if part in only or (not only and part not in ON_REQUEST):
                        measure(rig, report, quick)
            finally:
                print(report.text(), flush=True)
    except Problem as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Stopped):
        return 130
    print(f"\n{time.monotonic() - began:.0f} s")
    if "--json" in arguments:
        print(json.dumps({"benchmark": names[0], "quick": quick, **report.figures, "missed": report.missed}))
    return 0


def _only(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The arguments less `--only PART,…`, and the parts that it names (none: all)."""
    if "--only" not in arguments:
        return arguments, []
    at = arguments.index("--only")
    return arguments[:at] + arguments[at + 2 :], "".join(arguments[at + 1 : at + 2]).split(",")


def _minutes(arguments: list[str]) -> tuple[float, list[str]]:
    """How long the soak lasts (`--minutes N`; 30), and the other arguments."""
    if "--minutes" not in arguments:
        return 30.0, arguments
    at = arguments.index("--minutes")
    try:
        return float("".join(arguments[at + 1 : at + 2])), arguments[:at] + arguments[at + 2 :]
    except ValueError:
        return 30.0, arguments  # refused as an unknown argument


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`bin/bench (sending|inbound) [--json] [--quick]`: see `bin/bench --help`."""

from __future__ import annotations

import json
import sys
import time

from campaigns.bench import inbound, sending
from campaigns.bench.rig import Rig, machine
from campaigns.bench.table import Report
from whatsapp_campaigns.local.bootstrap import HELP, ROOT, Problem
from whatsapp_campaigns.local.stack import open_home, throwaway_folder
from whatsapp_campaigns.local.supervisor import Stopped, stop_on_signals

BENCHMARKS = {"sending": sending.run, "inbound": inbound.run}


def main(arguments: list[str]) -> int:
    """The exit code: 0 when the measurement ran, whatever it found; its table says what was reached."""
    names = [each for each in arguments if not each.startswith("-")]
    if len(names) != 1 or names[0] not in BENCHMARKS or set(arguments) - {names[0], "--json", "--quick"}:
        print(HELP["bench"], file=sys.stderr)
        return 2
    stop_on_signals()
    quick = "--quick" in arguments
    command = f"bin/bench {names[0]}{' --quick' if quick else ''}"
    began = time.monotonic()
    report = Report(f"{command}, {time.strftime('%Y-%m-%d %H:%M')}, {machine()}")
    try:
        home = open_home(ROOT)
        with throwaway_folder(home, "bench") as folder:
            rig = Rig(folder, home)
            rig.start()
            try:
                BENCHMARKS[names[0]](rig, report, quick)
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

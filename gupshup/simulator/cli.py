"""The command line: flags only, no environment, no settings."""

import argparse
import asyncio
import dataclasses
import gc
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from gupshup.simulator.account import LAYOUTS, App, Rate
from gupshup.simulator.clock import Clock
from gupshup.simulator.control import Control, set_webhook
from gupshup.simulator.courier import Courier
from gupshup.simulator.faults import Faults
from gupshup.simulator.ledger import Ledger
from gupshup.simulator.management import Management
from gupshup.simulator.people import PROFILES, Profile
from gupshup.simulator.routes import Router
from gupshup.simulator.sending import Sending
from gupshup.simulator.server import Server
from gupshup.simulator.story import Story

DEFAULT_APP, DEFAULT_KEY, DEFAULT_SOURCE = "DemoCampagnes", "sk_simulator", "33700000000"
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """`300` and `300ms` are milliseconds, `2s`, `1.5m`, `1h` what they say. Raises ValueError."""
    for unit, factor in UNITS.items():
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    return float(text) / 1000


def span(text: str) -> tuple[float, float]:
    """`300` or `100-500` (units as in `seconds`) as (least, most) seconds."""
    least, dash, most = text.partition("-")
    low, high = seconds(least), seconds(most if dash else least)
    if not 0 <= low <= high:
        raise ValueError(text)
    return low, high


def profile_of(text: str) -> Profile:
    try:
        return Profile.load(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def faults_of(text: str) -> Faults:
    try:
        return Faults.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All flags, for `python -m gupshup.simulator` and the management command alike."""
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    add("--port", type=int, default=8900, help="port to listen on, 0 for a free one (default 8900)")
    add("--port-file", type=Path, metavar="FILE", help="write the port here once it is known")
    add("--webhook", default="", metavar="URL", help="where callbacks go, as one subscription for everything")
    add("--layout", choices=LAYOUTS, default="v2", help="layout of the callbacks to --webhook (default v2)")
    add("--latency", type=span, default=(0.0, 0.0), metavar="MS", help="answer sends after 300, or 100-500 (ms)")
    add("--faults", type=faults_of, default=Faults(), metavar="SPEC", help="name=probability,... or mild, storm")
    add("--plain-numbers", action="store_true", help="no number asks for a fault, whatever its last digits are")
    add("--seed", type=int, default=0, help="the same seed gives the same people and faults (default 0)")
    add("--behaviour", type=profile_of, default=PROFILES["default"], metavar="SPEC",
        help=f"who the people are: {', '.join(PROFILES)}, name=weight,..., JSON, or a JSON file")  # fmt: skip
    add("--speed", type=float, default=1.0, metavar="FACTOR", help="simulated seconds in one real second (default 1)")
    add("--timestamps", choices=("real", "simulated"), default="real", help="the time that callbacks bear")
    add("--clock-offset", type=float, default=0.0, metavar="S", help="seconds that this Gupshup's clock is ahead")
    add("--callback-delay", type=span, metavar="MS", help="from acceptance to `enqueued`, as --latency; simulated")
    add("--callback-timeout", type=float, default=10.0, metavar="S", help="real seconds for a receiver (default 10)")
    add("--callback-retries", type=int, default=4, metavar="N", help="further attempts after the first (default 4)")
    add(
        "--callback-pause",
        type=float,
        default=2.0,
        metavar="S",
        help="real seconds before the first retry, tripled each time",
    )
    add("--callback-concurrency", type=int, default=32, metavar="N", help="POSTs at one time (default 32)")
    add("--quiet-callbacks", action="store_true", help="benchmarks: accept and answer, report nothing")
    add("--rate", type=Rate.parse, default=Rate(), metavar="N/s", help="429 above 20/s, 25/m, 1000/h")
    add("--app", default=DEFAULT_APP, metavar="NAME", help=f"app name (default {DEFAULT_APP})")
    add("--app-id", default="", metavar="UUID", help="app id (default: made from the name)")
    add("--source", default=DEFAULT_SOURCE, metavar="NUMBER", help=f"the sender's number (default {DEFAULT_SOURCE})")
    add("--api-key", default=DEFAULT_KEY, metavar="KEY", help=f"the key to accept (default {DEFAULT_KEY})")
    add("--wallet", type=float, metavar="USD", help="money in the wallet (default: never runs dry)")
    add("--price", type=float, default=0.01, metavar="USD", help="price of a template (default 0.01)")
    add("--ledger-file", type=Path, metavar="FILE", help="append the ledger here, one JSON object a line")
    add("--no-ledger", action="store_true", help="benchmarks: keep counts only")
    add("--keep-alive", type=float, default=75.0, metavar="S", help="close idle connections after (default 75)")


class Simulator:
    """All parts of one local Gupshup, put together from parsed flags. Raises OSError for the ledger's file."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        clock = Clock(options.speed, options.clock_offset, options.timestamps == "simulated")
        ledger = Ledger(clock, options.ledger_file, keep=not options.no_ledger)
        self.courier = Courier(
            clock, ledger, options.callback_concurrency, options.callback_timeout,
            options.callback_retries, options.callback_pause,
        )  # fmt: skip
        profile: Profile = options.behaviour
        if options.callback_delay:
            profile = dataclasses.replace(profile, enqueued=options.callback_delay)
        faults = Faults(options.seed, options.faults.chances, by_number=not options.plain_numbers)
        self.story = Story(clock, ledger, self.courier, faults, profile)
        self.story.quiet = options.quiet_callbacks
        app = self._app(options)
        self.apps = {app.name: app}
        sending = Sending(self.apps, ledger, self.story)
        sending.latency = options.latency
        management = Management(self.story)
        control = Control(self.apps, sending, self.story, management)
        self.server = control.server = Server(Router(self.apps, sending, management, control), options.keep_alive)

    def _app(self, options: argparse.Namespace) -> App:
        app = App(options.app, options.api_key, options.source, options.app_id, options.wallet, options.price)
        app.rate = options.rate
        if options.webhook:
            set_webhook(app, options.webhook, options.layout)
        return app

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        host, port = await self.server.start(self.options.host, self.options.port)
        self.story.recall(self.apps)
        if self.options.port_file:
            self.options.port_file.write_text(f"{port}\n")
        app = next(iter(self.apps.values()))
        print(
            f"Gupshup simulator ready at http://{host}:{port} (app {app.name}, id {app.id}, key {app.key})", flush=True
        )
        await stop.wait()
        await self.server.stop()
        self.courier.stop()
        self.story.ledger.close()


def run(options: argparse.Namespace) -> int:
    """The process exit code: 0 after a clean end, 1 when it could not start."""
    try:
        simulator = Simulator(options)
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)
        asyncio.run(simulator.run())
    except OSError as error:
        print(f"gupshup_simulator: {error}", file=sys.stderr)
        return 1
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m gupshup.simulator", description="A local Gupshup.")
    add_arguments(parser)
    return run(parser.parse_args(arguments))

"""What bin/demo runs: the whole product on this machine, on the embedded servers and against the simulator only."""

from __future__ import annotations

import argparse
import contextlib
import secrets
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from whatsapp_campaigns.local import environment, programs
from whatsapp_campaigns.local.bootstrap import ROOT, Problem, say
from whatsapp_campaigns.local.stack import (
    Servers,
    hold,
    new_settings,
    open_home,
    reset,
    stop_all,
    throwaway_folder,
)
from whatsapp_campaigns.local.supervisor import Stopped, Supervisor, end_leftovers, stop_on_signals, undisturbed

EMAIL = "demo@example.com"
INTERRUPTED = 130


def main(arguments: list[str]) -> int:
    options, rest = _parser().parse_known_args(arguments)
    if rest and not options.once:
        _parser().error(f"? {' '.join(rest)}")
    stop_on_signals()
    try:
        home = open_home(ROOT)
        if options.reset:
            reset(home)
            say(".data/ est effacé.", ".data/ is removed.")
        elif options.stop:
            stop_all(home)
            say("Tout est arrêté.", "Everything is stopped.")
        elif options.once:
            return once(home, options, rest)
        else:
            serve(home, options.port)
    except Problem as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Stopped):
        return INTERRUPTED if options.once else 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("bin/demo", add_help=False, allow_abbrev=False)
    kind = parser.add_mutually_exclusive_group()
    for name in ("--once", "--stop", "--reset"):
        kind.add_argument(name, action="store_true")
    parser.add_argument("--port", type=int)
    parser.add_argument("--contacts", type=lambda name: Path(name).resolve())
    parser.add_argument("--seed", type=int)
    return parser


# -- bin/demo


def serve(home: Path, port: int | None) -> None:
    """Run until Ctrl-C or SIGTERM. A second one in the same clone only says where the first is."""
    held = hold(home)
    if held is None:
        _say_running(environment.load(ROOT))
        return
    with held:
        end_leftovers(home)  # of a supervisor that was killed
        servers = Servers(home, home=home)
        try:
            with programs.listen(port) as listener:
                known = environment.load(ROOT)
                login = {"DEMO_EMAIL": EMAIL, "DEMO_PASSWORD": secrets.token_urlsafe(9)}
                settings = {**new_settings(), **login, **known, **programs.addresses(listener, known)}
                say("Démarrage de PostgreSQL et de Valkey…", "Starting PostgreSQL and Valkey…")
                settings.update(servers.start())
                environment.write(environment.file_of(ROOT), settings)
                supervisor = Supervisor(home, home / "logs", ROOT, environment.for_programs(settings))
                supervisor.servers = (servers.postgres, servers.valkey)
                with _stopped_at_the_end(supervisor):
                    _bring_up(supervisor, settings, listener)
                    supervisor.wait_until(lambda: False)
        finally:
            with undisturbed():
                servers.stop()


def _bring_up(supervisor: Supervisor, settings: dict[str, str], listener: socket.socket) -> None:
    say("Préparation de la base…", "Preparing the database…")
    programs.run_to_end("prepare", [sys.executable, "-m", "whatsapp_campaigns.local.prepare"], supervisor)
    say("Démarrage des processus…", "Starting the processes…")
    programs.start_all(supervisor, settings, listener)
    say("Campagne d'exemple, la première fois…", "A sample campaign, the first time…")
    programs.run_to_end("seed", programs.manage("seed_demo"), supervisor)
    print(
        f"\n  {settings['PUBLIC_URL']}/\n  {settings['DEMO_EMAIL']}   {settings['DEMO_PASSWORD']}\n",
        file=sys.stderr,
        flush=True,
    )
    say(
        f"Ctrl-C arrête tout ; les journaux sont dans {supervisor.logs}.",
        f"Ctrl-C stops everything; the logs are in {supervisor.logs}.",
    )


@contextlib.contextmanager
def _stopped_at_the_end(supervisor: Supervisor) -> Iterator[None]:
    try:
        yield
    finally:
        with undisturbed():
            if supervisor.children:
                say("Arrêt…", "Stopping…")
            supervisor.stop()


def _say_running(settings: dict[str, str]) -> None:
    address = settings.get("PUBLIC_URL", "…")
    say(
        f"La démo de ce clone tourne déjà : {address}/ ({EMAIL}, {settings.get('DEMO_PASSWORD', '…')}).",
        f"This clone's demo is running already: {address}/",
    )


# -- bin/demo --once


def once(home: Path, options: argparse.Namespace, rest: list[str]) -> int:
    """One campaign to its end on a database of its own; answers the exit code of `manage.py run_once`."""
    if options.contacts and not options.contacts.is_file():
        raise Problem(f"Pas de fichier {options.contacts}.", f"No file {options.contacts}.")
    command = programs.manage("run_once", *rest)
    if options.contacts:
        command += ["--contacts", str(options.contacts)]
    chance = [] if options.seed is None else ["--seed", str(options.seed)]
    with throwaway_folder(home, "once") as folder, programs.listen() as listener:
        settings = {**new_settings(), **programs.addresses(listener, {})}
        settings.update(Servers(folder, home=home, throwaway=True).start())
        logs = home / "logs-once"  # they outlive the run, until the next
        shutil.rmtree(logs, ignore_errors=True)
        supervisor = Supervisor(folder, logs, ROOT, environment.for_programs(settings))
        try:
            programs.run_to_end("prepare", [sys.executable, "-m", "whatsapp_campaigns.local.prepare"], supervisor)
            programs.start_all(supervisor, settings, listener, *chance)
            return programs.run_watched(command, supervisor)
        finally:
            with undisturbed():
                supervisor.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

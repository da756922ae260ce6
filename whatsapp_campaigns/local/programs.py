"""The processes that make up the product, as the embedded default runs them: their commands stand only here."""

from __future__ import annotations

import http.client
import socket
import sys
from pathlib import Path

from whatsapp_campaigns.local.bootstrap import ROOT, Problem
from whatsapp_campaigns.local.processes import free_port, make_folder, spawn_tied, tail
from whatsapp_campaigns.local.supervisor import Child, Supervisor, end_group

FIRST_PORT = 8000
SECONDS_TO_START = 90.0


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def listen(port: int | None = None) -> socket.socket:
    """The web's listening socket: on `port`, else on the first free one from 8000 on. Raises Problem.

    The supervisor holds it, so that no two clones get the same and a restart of the web refuses nobody.
    """
    candidates = [port] if port is not None else [*range(FIRST_PORT, FIRST_PORT + 100), 0]
    for candidate in candidates:
        try:
            return socket.create_server(("127.0.0.1", candidate), backlog=512)
        except (OSError, OverflowError) as error:
            reason = error
    raise Problem(
        f"Le port {candidates[0]} n'est pas disponible ({reason}). Choisissez-en un autre : bin/demo --port N.",
        f"Port {candidates[0]} is not available ({reason}). Choose another: bin/demo --port N.",
    )


def addresses(web: socket.socket, known: dict[str, str]) -> dict[str, str]:
    """The settings that name our own addresses. The simulator keeps its port over restarts when it can."""
    port = web.getsockname()[1]
    simulator = free_port(*([int(known["SIMULATOR_PORT"])] if "SIMULATOR_PORT" in known else []))
    return {
        "WEB_PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SIMULATOR_PORT": str(simulator),
        "SIMULATOR_URL": f"http://127.0.0.1:{simulator}",
        "GUPSHUP_API_URL": f"http://127.0.0.1:{simulator}/wa/api/v1",
    }


def web(listener: socket.socket) -> Child:
    command = [sys.executable, "-m", "gunicorn", "whatsapp_campaigns.wsgi", "--bind", f"fd://{listener.fileno()}"]
    command += ["--worker-class", "gthread", "--workers", "1", "--threads", "16", "--graceful-timeout", "5"]
    # No access log (the webhook's address holds its secret), no control socket in the person's home.
    command += ["--no-control-socket", "--log-level", "warning"]
    return Child("web", command, sockets=(listener.fileno(),))


def worker() -> Child:
    celery = [sys.executable, "-m", "celery", "-A", "whatsapp_campaigns", "worker"]
    # It may be waiting for the provider: 5 s to connect and 30 s in all.
    return Child("worker", [*celery, "-P", "threads", "--concurrency", "8", "--loglevel", "INFO"], patience=40)


def beat() -> Child:
    celery = [sys.executable, "-m", "celery", "-A", "whatsapp_campaigns", "beat", "--pidfile", ""]
    return Child("beat", [*celery, "-S", "django_celery_beat.schedulers:DatabaseScheduler", "--loglevel", "WARNING"])


def simulator(settings: dict[str, str], ledger: Path, *options: str) -> Child:
    webhook = f"{settings['PUBLIC_URL']}/api/webhooks/gupshup/{settings['GUPSHUP_WEBHOOK_SECRET']}"
    command = manage("gupshup_simulator", "--port", settings["SIMULATOR_PORT"], "--webhook", webhook)
    command += ["--ledger-file", str(ledger), "--api-key", settings["GUPSHUP_API_KEY"]]
    command += ["--app", settings["GUPSHUP_APP_NAME"], "--app-id", settings["GUPSHUP_APP_ID"]]
    # Among thousands of real contacts, some number would end like one that asks for a fault.
    command += ["--source", settings["GUPSHUP_PHONE_NUMBER"], "--plain-numbers", *options]
    return Child("simulator", command)


def start_all(supervisor: Supervisor, settings: dict[str, str], listener: socket.socket, *options: str) -> None:
    """Start the product and the simulator (with these options of its own), and wait until both answer. Raises Problem.

    They are stopped the other way round: no new work, then what is under way, then who answers and who listens.
    """
    ledger = supervisor.folder / "ledger.jsonl"
    children = [web(listener), simulator(settings, ledger, *options), worker(), beat()]
    for child in children:
        supervisor.start(child)
    _await(supervisor, children[1], int(settings["SIMULATOR_PORT"]), "/queue")
    _await(supervisor, children[0], int(settings["WEB_PORT"]), "/admin/login/")


def _await(supervisor: Supervisor, child: Child, port: int, path: str) -> None:
    if not supervisor.wait_until(lambda: answers(port, path), SECONDS_TO_START):
        log = supervisor.log_of(child)
        raise Problem(
            f"« {child.name} » ne répond pas ; le journal : {log}",
            f'"{child.name}" does not answer; the log: {log}\n\n{tail(log)}',
        )


def answers(port: int, path: str) -> bool:
    """Something speaks HTTP there, whatever it says."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def run_to_end(name: str, command: list[str], supervisor: Supervisor) -> None:
    """Run a command of ours with its output in a log. Raises Problem when it fails."""
    make_folder(supervisor.logs)
    log = supervisor.logs / f"{name}.log"
    if run_watched(command, supervisor, log=log):
        raise Problem(f"« {name} » a échoué ; le journal : {log}", f'"{name}" failed; the log: {log}\n\n{tail(log)}')


def run_watched(command: list[str], supervisor: Supervisor, log: Path | None = None) -> int:
    """Run a command while the supervisor goes on with its work; answers the exit code. It leaves with us."""
    process = spawn_tied(command, environment=supervisor.environment, folder=supervisor.root, log=log)
    try:
        supervisor.wait_until(lambda: process.poll() is not None)
    finally:
        end_group(process, patience=5)
    return int(process.returncode)

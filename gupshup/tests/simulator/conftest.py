"""A simulator as its own process, and a receiver for its callbacks."""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

ROOT = Path(__file__).parents[3]
KEY, APP, SOURCE = "sk_test", "TestApp", "33755555555"
DEADLINE = 10.0


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    """The first true value of `condition`. Fails after the deadline."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if value := condition():
            return value
        threading.Event().wait(0.01)
    raise AssertionError(f"waited in vain for {what}")


class Answer:
    """Status, headers and body of an HTTP answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = dict(response.getheaders())
        self.body = response.read()

    def json(self) -> Any:
        return json.loads(self.body)


class Simulator:
    """A running simulator. `process`, `port`, and the calls that tests make."""

    def __init__(self, flags: tuple[str, ...], port_file: Path) -> None:
        port_file.unlink(missing_ok=True)
        account = ("--api-key", KEY, "--app", APP, "--source", SOURCE, "--callback-pause", "0.05")
        command = [sys.executable, "-m", "gupshup.simulator", "--port", "0", "--port-file", str(port_file), *account]
        self.process = subprocess.Popen([*command, *flags], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.greeting = self.process.stdout.readline()
        self.port = int(port_file.read_text())
        self.app_id = self.get("/control").json()["apps"][0]["id"]

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request(method, path, body, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.call("GET", path, headers={"apikey": KEY})

    def form(self, path: str, fields: dict[str, Any], method: str = "POST", key: str = KEY) -> Answer:
        headers = {"apikey": key, "Content-Type": "application/x-www-form-urlencoded"}
        return self.call(method, path, urlencode(fields), headers)

    def steer(self, path: str = "/control", **values: Any) -> Any:
        answer = self.call("POST", path, json.dumps(values))
        assert answer.status < 300, answer.body
        return answer.json()

    def template_id(self, name: str = "bienvenue", language: str = "fr") -> str:
        templates = self.get("/control").json()["apps"][0]["templates"]
        return next(one["id"] for one in templates if (one["elementName"], one["languageCode"]) == (name, language))

    def send(self, number: str, params: list[str] | None = None, **more: Any) -> Answer:
        """One template, `bienvenue` when no `template` is given. `more`: form fields in place of the usual ones."""
        template = {"id": more.pop("template_id", None) or self.template_id(), "params": params or ["Zoé"]}
        fields = {"channel": "whatsapp", "source": SOURCE, "destination": number, "src.name": APP}
        fields |= {"template": json.dumps(template)} | more
        return self.form("/wa/api/v1/template/msg", fields)

    def text(self, destination: str, text: str = "Voici", path: str = "/wa/api/v1/msg") -> Answer:
        fields = {"channel": "whatsapp", "source": SOURCE, "destination": destination, "src.name": APP}
        return self.form(path, fields | {"message": json.dumps({"type": "text", "text": text})})

    def ledger(self, query: str = "") -> Any:
        return self.get(f"/ledger{query}").json()

    def summary(self, query: str = "") -> Any:
        return self.get(f"/ledger/summary{query}").json()

    def wait_for_quiet(self) -> None:
        wait_until(lambda: self.get("/queue").json()["pending_callbacks"] == 0, "an empty queue")

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(DEADLINE)
        self.process.stdout.close()
        return code


class Receiver:
    """A webhook. `bodies` as they came; `answers` are taken first, then 200 for ever."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    receiver.requests.append((self.path, dict(self.headers), body))
                    status = receiver.answers.pop(0) if receiver.answers else 200
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Be quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=abc"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def bodies(self) -> list[Any]:
        """JSON bodies as data, forms as dicts of text."""
        with self.lock:
            return [decoded(headers, body) for _, headers, body in self.requests]

    def statuses(self) -> list[dict[str, Any]]:
        return [one["payload"] for one in self.bodies() if one.get("type") == "message-event"]

    def messages(self) -> list[dict[str, Any]]:
        return [one["payload"] for one in self.bodies() if one.get("type") == "message"]


def decoded(headers: dict[str, str], body: bytes) -> Any:
    if headers["Content-Type"].startswith("application/json"):
        return json.loads(body)
    return {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Simulator]]:
    """Start simulators with flags; all are ended afterwards."""
    running: list[Simulator] = []

    def start(*flags: str) -> Simulator:
        running.append(Simulator(flags, tmp_path / f"port{len(running)}"))
        return running[-1]

    yield start
    for simulator in running:
        if simulator.process.poll() is None:
            assert simulator.stop() == 0


@pytest.fixture
def fast(start: Callable[..., Simulator], receiver: Receiver) -> Callable[..., Simulator]:
    """Start a simulator that reports to `receiver`, two thousand times faster than life."""

    def fast(*flags: str) -> Simulator:
        return start("--webhook", receiver.url, "--speed", "2000", *flags)

    return fast

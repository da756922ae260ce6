"""What every test may lean on: Hypothesis profiles, plain objects of the domain, a local Gupshup over real HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.request import Request, urlopen

import pytest
from hypothesis import HealthCheck, settings

# In continuous integration a failure speaks of the change, not of the dice; elsewhere they are thrown anew.
FIXED = "CI" in os.environ
for name, examples in (("default", 100), ("full", 500)):
    settings.register_profile(
        name, max_examples=examples, deadline=None, derandomize=FIXED, suppress_health_check=list(HealthCheck)
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

ROOT = Path(__file__).parent
APP_ID = "5b2b3a3e-0000-4000-8000-000000000001"


@pytest.fixture(autouse=True, scope="session")
def no_broker() -> None:
    """Nudges go nowhere: what a test needs done it does itself, and the rows must be right without them."""
    from whatsapp_campaigns.celery import app

    app.conf.broker_url = "memory://"


@pytest.fixture
def user(db: None) -> Any:
    from accounts.models import User

    return User.objects.create_superuser("chef@example.com", "un mot de passe 42")


@pytest.fixture
def sender(db: None) -> Any:
    from gupshup.models import Sender

    return Sender.objects.create(
        name="Boutique",
        app_name="DemoApp",
        phone_number="33700000001",
        api_key="sk_test",
        app_id=APP_ID,
        rate_limit=60_000,
        rate_window=60,
        ceiling=None,
        api_url="http://127.0.0.1:9/wa/api/v1",
        webhook_secret="a-secret-for-tests",
    )


@pytest.fixture
def template(sender: Any) -> Any:
    from gupshup.models import Template

    return Template.objects.create(
        sender=sender,
        provider_id="11111111-2222-4333-8444-555555555555",
        name="offre",
        language="fr",
        category="MARKETING",
        status="APPROVED",
        body="Bonjour {{1}}, une offre vous attend.",
        params_count=1,
    )


@pytest.fixture
def make_campaign(sender: Any, template: Any) -> Callable[..., Any]:
    """A draft campaign with its people: `make_campaign(people=3, message_2="Merci")`."""
    from campaigns.models import Campaign
    from contacts.models import Category, Contact

    made = [0]

    def make(people: int = 3, message_2: str = "Merci {{1}} !", **fields: Any) -> Any:
        first = made[0]
        made[0] += people
        category = Category.objects.create(name=f"Clients {first}")
        contacts = Contact.objects.bulk_create(
            Contact(number=f"+336390{first + n:05d}", country_code="+33", first_name=f"Prénom{first + n}")
            for n in range(people)
        )
        category.contacts.add(*contacts)
        campaign = Campaign.objects.create(
            name="Rentrée",
            sender=sender,
            template=template,
            message_2=message_2,
            params=[{"field": "first_name", "text": "vous"}],
            **fields,
        )
        campaign.categories.add(category)
        return campaign

    return make


@pytest.fixture
def launched(make_campaign: Callable[..., Any]) -> Callable[..., Any]:
    """A campaign whose messages stand: launched and prepared."""
    from campaigns import launching

    def make(*args: Any, **fields: Any) -> Any:
        campaign = make_campaign(*args, **fields)
        assert launching.launch(campaign)
        assert launching.prepare(campaign.pk)
        campaign.refresh_from_db()
        return campaign

    return make


@dataclass
class Simulator:
    """A local Gupshup in its own process."""

    url: str

    @property
    def api_url(self) -> str:
        return f"{self.url}/wa/api/v1"

    def get(self, path: str) -> Any:
        with urlopen(f"{self.url}{path}", timeout=10) as answer:
            return json.load(answer)

    def post(self, path: str, **body: Any) -> Any:
        request = Request(f"{self.url}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=10) as answer:
            return json.load(answer)


def wait_for(what: Callable[[], Any], seconds: float = 20) -> Any:
    """The first true answer of `what`; fails after `seconds`."""
    import threading

    until, rest = monotonic() + seconds, threading.Event()
    while monotonic() < until:
        if found := what():
            return found
        rest.wait(0.02)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


@pytest.fixture
def start_simulator(tmp_path: Path) -> Iterator[Callable[..., Simulator]]:
    """Start a simulator with command-line flags: `start_simulator("--behaviour", "all-reply")`."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*flags: str) -> Simulator:
        port_file = tmp_path / f"port-{len(started)}"
        with (tmp_path / f"simulator-{len(started)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "gupshup.simulator", "--port", "0", "--port-file", str(port_file), *flags],
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )
        started.append(process)
        port = wait_for(lambda: port_file.exists() and port_file.read_text().strip())
        return Simulator(f"http://127.0.0.1:{port}")

    yield start
    for process in started:
        process.terminate()
        process.wait(10)


@pytest.fixture
def gupshup(start_simulator: Callable[..., Simulator], sender: Any, template: Any) -> Callable[..., Simulator]:
    """A simulator that our sender speaks to, with our template among its own. Silent unless `--webhook` is given."""

    def start(*flags: str) -> Simulator:
        quiet = () if "--webhook" in flags else ("--quiet-callbacks",)
        simulator = start_simulator(
            "--app",
            sender.app_name,
            "--app-id",
            sender.app_id,
            "--source",
            sender.phone_number,
            "--api-key",
            sender.api_key,
            *quiet,
            *flags,
        )
        request = Request(f"{simulator.url}/wa/app/{sender.app_id}/template", headers={"apikey": sender.api_key})
        with urlopen(request, timeout=10) as answer:
            listed = json.load(answer)["templates"]
        fits = (one for one in listed if one["status"] == "APPROVED" and one["templateType"] == "TEXT")
        chosen = next(one for one in fits if one["data"].count("{{") == 1)
        type(template).objects.filter(pk=template.pk).update(provider_id=chosen["id"])
        type(sender).objects.filter(pk=sender.pk).update(api_url=simulator.api_url)
        sender.refresh_from_db()
        return simulator

    return start

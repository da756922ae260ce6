"""Workers of two processes over RabbitMQ share one sender's pace. Skipped where no RabbitMQ is installed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from campaigns.models import Message
from campaigns.status import Status
from conftest import wait_for
from gupshup.models import Sender
from whatsapp_campaigns.local import environment
from whatsapp_campaigns.local.bootstrap import ROOT
from whatsapp_campaigns.local.processes import free_port, spawn_tied, tail

PROGRAM = next((path for path in ("/usr/lib/rabbitmq/bin/rabbitmq-server",) if Path(path).exists()), "")
PATIENCE = 240  # seconds for a slow machine; nothing here waits longer than it must

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not (PROGRAM and shutil.which("erl")), reason="RabbitMQ is not installed"),
]


@pytest.fixture
def rabbitmq(tmp_path: Path) -> Iterator[str]:
    """A private node with files, ports and name of its own; its name server ends with it."""
    port, distribution, names = free_port(), free_port(), free_port()
    (tmp_path / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    (tmp_path / "enabled_plugins").write_text("[].\n")
    given = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_RELAXED_COMMAND_CHECK": "1",  # it may be ended while it still knows the killed node
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_CONFIG_FILE": str(tmp_path / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(tmp_path / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(tmp_path / "data"),
        "RABBITMQ_LOG_BASE": str(tmp_path / "logs"),
        "RABBITMQ_PID_FILE": str(tmp_path / "pid"),
    }
    log = tmp_path / "rabbitmq.log"
    node = spawn_tied([PROGRAM], environment=given, folder=tmp_path, log=log)
    try:
        wait_for(lambda: node.poll() is not None or "Starting broker... completed" in log.read_text(), PATIENCE)
        assert node.poll() is None, tail(log)
        yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:
        os.killpg(node.pid, signal.SIGKILL)
        node.wait()
        subprocess.run(["epmd", "-port", str(names), "-kill"], capture_output=True, check=False)


def test_two_workers_over_rabbitmq_share_one_pace(gupshup, launched, sender, rabbitmq, tmp_path):
    """Validates: 6.2 (P9)"""
    simulator, _ = gupshup(), launched(people=60)
    Sender.objects.update(rate_limit=10, rate_window=1)
    database = connection.settings_dict
    host, port = database["HOST"], database["PORT"]
    url = f"postgresql://{database['USER']}:{database['PASSWORD']}@{host}:{port}/{database['NAME']}"
    values = {"DATABASE_URL": url, "SECRET_KEY": settings.SECRET_KEY, "CELERY_BROKER_URL": rabbitmq, "HTTPS": "0"}
    values |= {"GUPSHUP_API_KEY": sender.api_key, "GUPSHUP_APP_NAME": sender.app_name}
    values |= {"GUPSHUP_PHONE_NUMBER": sender.phone_number, "GUPSHUP_APP_ID": sender.app_id}
    values |= {"GUPSHUP_API_URL": simulator.api_url, "GUPSHUP_WEBHOOK_SECRET": sender.webhook_secret}
    given = environment.for_programs(values)
    celery = [sys.executable, "-m", "celery", "-A", "whatsapp_campaigns"]
    started = [
        spawn_tied(
            [*celery, "worker", "-P", "threads", "-c", "4", "-n", f"w{n}@localhost", "-l", "WARNING"],
            environment=given,
            folder=ROOT,
            log=tmp_path / f"worker-{n}.log",
        )
        for n in range(2)
    ]
    try:
        nudge = [*celery, "call", "campaigns.drain_sender_task", "--args", f"[{sender.pk}]"]
        for _ in range(6):
            subprocess.run(nudge, env=given, cwd=ROOT, check=True, capture_output=True)
        done = wait_for(lambda: not Message.objects.filter(status__lt=Status.SUBMITTED).exists(), PATIENCE)
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    summary = simulator.get("/ledger/summary?window=1")
    assert done
    assert summary["accepted"] == 60
    assert summary["max_per_destination_and_content"] == 1
    assert summary["worst_window_accepted"] <= 10

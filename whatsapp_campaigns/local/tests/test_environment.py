"""Nothing of the caller's environment leads anywhere."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatsapp_campaigns.local import environment
from whatsapp_campaigns.local.bootstrap import INSTALLER_NAMES, INSTALLER_TRAPS
from whatsapp_campaigns.local.stack import new_settings

HOSTILE = {
    "DATABASE_URL": "postgresql://app:app@198.51.100.7/real",
    "CELERY_BROKER_URL": "redis://198.51.100.7/0",
    "SECRET_KEY": "real-secret",
    "GUPSHUP_API_KEY": "real-key",
    "GUPSHUP_APP_NAME": "RealApp",
    "GUPSHUP_PHONE_NUMBER": "33612345678",
    "GUPSHUP_API_URL": "http://198.51.100.7/wa/api/v1",
    "GUPSHUP_APP_ID": "real-app",
    "GUPSHUP_WEBHOOK_SECRET": "real-webhook",
    "FIELD_ENCRYPTION_KEYS": "real-key",
    "DJANGO_SETTINGS_MODULE": "real.settings",
    "DEBUG": "real-debug",
    "PGHOST": "198.51.100.7",
    "PGSERVICE": "real",
    "PGOPTIONS": "-c search_path=real",
    "HTTP_PROXY": "http://198.51.100.7:3128",
    "https_proxy": "http://198.51.100.7:3128",
    "PYTHONPATH": "/real",
    "PYTHONSTARTUP": "/real.py",
    "GUNICORN_CMD_ARGS": "--bind 0.0.0.0:80",
    "CELERY_CONFIG_MODULE": "real",
    "WHATSAPP_ACCESS_TOKEN": "real-token",
}


def test_programs_see_only_the_given_settings(monkeypatch):
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    given_settings = {"DATABASE_URL": "postgresql://127.0.0.1/app", "SECRET_KEY": "ours"}
    seen = environment.for_programs(given_settings)
    assert not set(HOSTILE.values()) & set(seen.values())
    assert seen.items() >= given_settings.items()
    assert seen["WHATSAPP_CAMPAIGNS_LOCAL"] == "1"
    assert seen["DJANGO_SETTINGS_MODULE"] == "whatsapp_campaigns.settings"


def test_installers_see_their_index_but_no_way_out_of_the_clone():
    for name in ("PIP_INDEX_URL", "UV_INDEX_URL", "HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE", "HOME"):
        assert INSTALLER_NAMES.fullmatch(name)
        assert not INSTALLER_TRAPS.fullmatch(name)
    for name in ("PIP_TARGET", "PIP_USER", "PIP_PREFIX", "UV_SYSTEM_PYTHON", "UV_PROJECT_ENVIRONMENT"):
        assert INSTALLER_TRAPS.fullmatch(name)
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "GUPSHUP_API_KEY", "DATABASE_URL"):
        assert not INSTALLER_NAMES.fullmatch(name)


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True),
        st.from_regex(r"[A-Za-z0-9_./:@=-]{0,40}", fullmatch=True),
    )
)
def test_what_is_written_is_read_again(tmp_path_factory, values):
    file = tmp_path_factory.mktemp("env") / "env"
    environment.write(file, values)
    assert environment.read(file) == values


def test_only_the_owner_reads_the_file(tmp_path):
    environment.write(tmp_path / "env", {"SECRET_KEY": "x"})
    assert (tmp_path / "env").stat().st_mode & 0o777 == 0o600


def test_there_is_nothing_to_load_before_the_first_start(tmp_path):
    assert environment.load(tmp_path) == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_the_file_of_another_user_is_explained(tmp_path):
    environment.write(tmp_path / "env", {})
    (tmp_path / "env").chmod(0)
    with pytest.raises(environment.Problem, match="ran this clone first"):
        environment.read(tmp_path / "env")


def test_every_start_from_nothing_has_secrets_of_its_own():
    one, other = new_settings(), new_settings()
    for name in ("SECRET_KEY", "GUPSHUP_API_KEY", "GUPSHUP_WEBHOOK_SECRET", "GUPSHUP_APP_ID"):
        assert one[name] != other[name]
        assert len(one[name]) > 20

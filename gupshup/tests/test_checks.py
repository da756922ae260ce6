from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from django.conf import settings as project
from django.core.checks import Error, Info, Warning, run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.utils import translation

from gupshup import checks

COMPLETE = {
    "GUPSHUP_API_KEY": "sk_test",
    "GUPSHUP_APP_NAME": "ExampleApp",
    "GUPSHUP_PHONE_NUMBER": "+33 6 12 34 56 78",
    "GUPSHUP_API_URL": "https://api.gupshup.io/wa/api/v1",
    "GUPSHUP_APP_ID": "11111111-2222-4333-8444-555555555555",
    "GUPSHUP_WEBHOOK_SECRET": "a webhook secret",
    "GUPSHUP_CUSTOMER_ID": "",
    "OLD_META_VARIABLES": [],
    "SECRET_KEY": "not a secret",
}
MANDATORY = ("GUPSHUP_API_KEY", "GUPSHUP_APP_NAME", "GUPSHUP_PHONE_NUMBER", "SECRET_KEY")


@pytest.fixture
def given(settings):
    def give(**changes):
        for name, value in (COMPLETE | changes).items():
            setattr(settings, name, value)
        return {message.id: message for message in checks.check_settings(None)}

    return give


def test_complete_settings_have_nothing_to_say(given):
    """Validates: 1.1"""
    assert given() == {}
    checks.require()


@pytest.mark.parametrize("name", MANDATORY)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_missing_variable_is_an_error_with_its_name_and_its_place(given, name, language):
    """Validates: 1.2"""
    with translation.override(language):
        [message] = given(**{name: ""}).values()
    assert type(message) is Error
    assert name in message.msg
    assert len(message.hint) > 20
    assert ("n’est pas renseigné" in message.msg) is (language == "fr")


@pytest.mark.parametrize("number", ["12", "abc", "1234567", "+1234567890123456", "0612345678"])
def test_a_phone_number_that_is_none_is_an_error(given, number):
    """Validates: 1.2"""
    assert list(given(GUPSHUP_PHONE_NUMBER=number)) == ["gupshup.E004"]


@pytest.mark.parametrize("name", MANDATORY)
def test_start_up_is_refused_with_the_name(given, name):
    """Validates: 1.2"""
    given(**{name: ""})
    with pytest.raises(SystemCheckError, match=name):
        checks.require()


def test_all_that_is_missing_is_told_at_once(given):
    """Validates: 1.2"""
    given(GUPSHUP_API_KEY="", GUPSHUP_APP_NAME="")
    with pytest.raises(SystemCheckError, match=r"(?s)GUPSHUP_API_KEY.*GUPSHUP_APP_NAME"):
        checks.require()


def test_the_old_variables_of_meta_are_told_to_be_of_no_use(given, caplog):
    """Validates: 1.3"""
    [message] = given(OLD_META_VARIABLES=["WHATSAPP_ACCESS_TOKEN"]).values()
    assert type(message) is Info
    assert "WHATSAPP_ACCESS_TOKEN" in message.msg
    with caplog.at_level("INFO", logger="gupshup.checks"):
        checks.require()
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_the_old_address_works_with_a_warning(given):
    """Validates: 1.4"""
    [message] = given(GUPSHUP_API_URL="https://api.gupshup.io/sm/api/v1").values()
    assert (message.id, type(message)) == ("gupshup.W002", Warning)
    checks.require()


@pytest.mark.parametrize(
    ("address", "ids"),
    [
        ("", ["gupshup.E006"]),
        ("api.gupshup.io/wa/api/v1", ["gupshup.E006"]),
        ("http://api.gupshup.io/wa/api/v1", ["gupshup.W001"]),
        ("http://127.0.0.1:9000/wa/api/v1", []),
        ("http://localhost:9000/wa/api/v1", []),
        ("http://[::1]:9000/wa/api/v1", []),
    ],
)
def test_the_key_does_not_travel_in_clear_unnoticed(given, address, ids):
    """Validates: 1.4"""
    assert list(given(GUPSHUP_API_URL=address)) == ids


def test_without_app_id_the_check_says_what_will_not_work(given):
    """Validates: 1.1"""
    [message] = given(GUPSHUP_APP_ID="").values()
    assert type(message) is Warning
    assert "templates" in message.msg or "modèles" in message.msg


def test_without_webhook_secret_the_check_says_where_the_made_one_is_shown(given):
    [message] = given(GUPSHUP_WEBHOOK_SECRET="").values()
    assert type(message) is Info
    assert "check_gupshup" in message.hint


def test_a_webhook_secret_that_can_be_guessed_is_a_warning(given):
    (message,) = given(GUPSHUP_WEBHOOK_SECRET="bonjour").values()
    assert (message.id, type(message)) == ("gupshup.W004", Warning)
    assert "bonjour" not in message.msg


def test_no_message_shows_a_value(given):
    found = given(GUPSHUP_PHONE_NUMBER="987", GUPSHUP_API_URL="http://user:canary@example.com", GUPSHUP_APP_ID="")
    told = " ".join(f"{message.msg} {message.hint}" for message in found.values())
    assert not any(secret in told for secret in ("sk_test", "canary", "a webhook secret", "987"))


def test_other_commands_need_no_key(given):
    """Validates: 1.2"""
    given(GUPSHUP_API_KEY="")
    assert not [message for message in run_checks() if message.id and message.id.startswith("gupshup.")]


def test_check_with_the_tag_or_for_deployment_fails_on_a_missing_key(given):
    """Validates: 1.2"""
    given(GUPSHUP_API_KEY="")
    for options in ({"tags": ["gupshup"]}, {"deploy": True, "tags": ["gupshup"]}):
        with pytest.raises(SystemCheckError, match=r"gupshup\.E001"):
            call_command("check", stdout=io.StringIO(), stderr=io.StringIO(), **options)


@pytest.mark.parametrize(
    "command",
    [
        ["-c", "import whatsapp_campaigns.wsgi"],
        ["-m", "celery", "-A", "whatsapp_campaigns", "worker", "-P", "threads", "-c", "1"],
    ],
    ids=["web", "worker"],
)
@pytest.mark.parametrize("missing", ["GUPSHUP_API_KEY", "SECRET_KEY"])
def test_the_processes_that_send_do_not_start(command, missing):
    """Validates: 1.2"""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "VIRTUAL_ENV")}
    given = {name: str(value) for name, value in COMPLETE.items() if name not in ("OLD_META_VARIABLES", missing)}
    nowhere = {
        "WHATSAPP_CAMPAIGNS_LOCAL": "1",
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
        "CELERY_BROKER_URL": "redis://127.0.0.1:9/0",
        "DJANGO_SETTINGS_MODULE": "whatsapp_campaigns.settings",
    }
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=project.BASE_DIR,
        env=kept | given | nowhere,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode != 0
    assert f"{missing} n’est pas renseigné" in ended.stderr

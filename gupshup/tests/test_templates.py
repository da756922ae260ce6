"""Our copy of Gupshup's templates: whole lists, half lists, news in any order, and the campaigns that depend on it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from campaigns import ingest
from campaigns.models import Campaign
from campaigns.status import CampaignStatus
from conftest import wait_for
from gupshup import news, preview, templates, webhooks
from gupshup.api import transport
from gupshup.api.drafts import ButtonDraft, TemplateDraft
from gupshup.api.events import parse
from gupshup.models import Callback, Sender, Template
from gupshup.tests.api.servers import reply, serving
from gupshup.words import explain

pytestmark = pytest.mark.django_db
OURS = "11111111-2222-4333-8444-555555555555"  # the id of the template fixture


@pytest.fixture(autouse=True)
def no_connection_stays():
    yield
    transport.close()


def entry(own_id: str, name: str = "offre", **fields: Any) -> dict[str, Any]:
    given = {"id": own_id, "elementName": name, "languageCode": "fr", "status": "APPROVED", "category": "MARKETING"}
    return given | {"data": "Bonjour {{1}}, une offre vous attend."} | fields


Answer = Callable[[int, int], Any]  # page and size -> entries, or (status line, body)


@contextmanager
def gupshup_lists(sender: Sender, answer: Answer) -> Iterator[None]:
    """A Gupshup whose list is what `answer` gives."""

    def handle(connection: Any, request: Any) -> bool:
        query = parse_qs(urlsplit(request.line.split()[1]).query)
        found = answer(int(query.get("pageNo", ["0"])[0]), int(query.get("pageSize", ["100"])[0]))
        status, body = found if isinstance(found, tuple) else ("200 OK", {"status": "success", "templates": found})
        connection.sendall(reply(json.dumps(body).encode(), status))
        return True

    with serving(handle) as server:
        Sender.objects.filter(pk=sender.pk).update(api_url=server.url())
        sender.refresh_from_db()
        yield


def sync(sender: Sender, *entries: Any) -> int:
    with gupshup_lists(sender, lambda page, _size: list(entries) if page == 0 else []):
        return templates.sync(sender)


def states(sender: Sender) -> dict[str, str]:
    return dict(Template.objects.filter(sender=sender).values_list("provider_id", "status"))


# --- lists -------------------------------------------------------------------------------------------------------


def test_every_column_is_read(sender):
    container = {
        "data": "Bonjour {{1}}, {{2}} vous attend.",
        "header": "Pour {{1}}",
        "footer": "Répondez STOP",
        "buttons": [
            {"type": "URL", "text": "Voir", "url": "https://e.fr/{{1}}"},
            {"type": "QUICK_REPLY", "text": "OK"},
        ],
        "sampleText": "Bonjour Léa, un cadeau vous attend.",
        "mediaUrl": "https://e.fr/a.jpg",
        "correctCategory": "UTILITY",
    }
    meta = json.dumps({"example": "Bonjour Léa"})
    assert sync(sender, entry("t-1", containerMeta=json.dumps(container), meta=meta, quality="GREEN", reason="x")) == 1
    template = Template.objects.get(provider_id="t-1")
    assert (template.name, template.language, template.category, template.status) == (
        "offre",
        "fr",
        "MARKETING",
        "APPROVED",
    )
    assert (template.body, template.header_type, template.header_text) == (container["data"], "TEXT", "Pour {{1}}")
    assert (template.footer, template.sample, template.quality, template.reason) == (
        "Répondez STOP",
        "Bonjour Léa, un cadeau vous attend.",
        "GREEN",
        "x",
    )
    assert [(one["kind"], one["variables"]) for one in template.buttons] == [("URL", 1), ("QUICK_REPLY", 0)]
    assert template.params_count == 4  # header, two in the text, the address of a button
    assert template.category_next == "UTILITY"
    sender.refresh_from_db()
    assert sender.templates_synced_at is not None


def test_several_pages_are_one_list(sender):
    everything = [entry(f"t-{n}", f"offre_{n}") for n in range(230)]
    with gupshup_lists(sender, lambda page, size: everything[page * size : (page + 1) * size]):
        assert templates.sync(sender) == 230
        assert templates.sync(sender) == 230
    assert Template.objects.filter(sender=sender).count() == 230


def test_what_vanished_is_marked_deleted_and_comes_back(sender, template):
    sync(sender, entry("t-1"))
    assert states(sender) == {OURS: "DELETED", "t-1": "APPROVED"}
    sync(sender, entry("t-1"), entry(OURS))
    assert states(sender) == {OURS: "APPROVED", "t-1": "APPROVED"}


def fails(page: int, _size: int) -> Any:
    full = [entry(f"t-{n}", f"offre_{n}") for n in range(100)]
    return full if page == 0 else ("429 Too Many Requests", {"status": "error", "message": "Too Many Requests"})


def is_html(page: int, _size: int) -> Any:
    return ("200 OK", "<html>")


@pytest.mark.parametrize("answer", [fails, is_html, lambda *_: ("401 Unauthorized", {"status": "error"})])
def test_half_a_list_changes_nothing(sender, template, answer):
    with gupshup_lists(sender, answer), pytest.raises(templates.SyncFailedError) as failure:
        templates.sync(sender)
    assert failure.value.response.error_code
    assert states(sender) == {OURS: "APPROVED"}
    sender.refresh_from_db()
    assert sender.templates_synced_at is None


@pytest.mark.parametrize("listed", [[], [entry("t-1"), {"id": OURS, "elementName": "no language"}], [entry("t-1"), 7]])
def test_a_list_with_holes_deletes_nothing(sender, template, listed):
    sync(sender, *listed)
    assert states(sender)[OURS] == "APPROVED"


def test_the_lists_of_two_senders_do_not_touch_each_other(sender, template):
    other = Sender.objects.create(name="Autre", app_name="OtherApp", phone_number="33700000002", app_id="a")
    sync(other, entry("t-9"))
    assert states(sender) == {OURS: "APPROVED"}
    assert states(other) == {"t-9": "APPROVED"}


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("approved", "APPROVED"),
        ("IN_APPEAL", "IN_APPEAL"),
        ("SANDBOX_REQUESTED", "PENDING"),
        ("SOMETHING_NEW", "UNKNOWN"),
        ("", "UNKNOWN"),
    ],
)
def test_only_approved_is_approved(sender, word, status):
    sync(sender, entry("t-1", status=word))
    template = Template.objects.get(provider_id="t-1")
    assert template.status == status
    assert template.sendable is (status == "APPROVED")


@pytest.mark.django_db(transaction=True)
def test_two_syncs_at_once_make_one_copy(sender):
    entries = [entry(f"t-{n}", f"offre_{n}") for n in range(50)]
    start, errors = threading.Barrier(4), []

    def run() -> None:
        try:
            start.wait(10)
            templates.sync(Sender.objects.get(pk=sender.pk))
        except Exception as error:  # shown by the assertion
            errors.append(error)
        finally:
            transport.close()
            connection.close()

    with gupshup_lists(sender, lambda page, size: entries[page * size : (page + 1) * size]):
        rivals = [threading.Thread(target=run) for _ in range(4)]
        for rival in rivals:
            rival.start()
        for rival in rivals:
            rival.join(30)
    assert errors == []
    assert Template.objects.count() == 50


def test_one_sender_that_fails_holds_up_no_other(sender, template):
    Sender.objects.create(
        name="Autre", app_name="Broken", phone_number="33700000002", app_id="a", api_url="http://127.0.0.1:9/wa/api/v1"
    )
    with gupshup_lists(sender, lambda *_: [entry("t-1")]):
        templates.sync_all()
    assert "t-1" in states(sender)


def test_the_command_reads_them_too(sender):
    out = StringIO()
    with gupshup_lists(sender, lambda *_: [entry("t-1")]):
        call_command("sync_templates", "--app", sender.app_name, stdout=out)
    assert "1 templates" in out.getvalue()
    with pytest.raises(CommandError):
        call_command("sync_templates", "--app", "Nobody")
    with gupshup_lists(sender, is_html), pytest.raises(CommandError):
        call_command("sync_templates", stderr=StringIO())


# --- news --------------------------------------------------------------------------------------------------------


def milliseconds(ago: timedelta = timedelta()) -> int:
    return int((timezone.now() - ago).timestamp() * 1_000)


def v2(at: int | None = None, **payload: Any) -> bytes:
    given = {"id": OURS, "elementName": "offre", "languageCode": "fr"} | payload
    envelope = {"app": "DemoApp", "timestamp": at or milliseconds(), "version": 2, "type": "template-event"}
    return json.dumps(envelope | {"payload": given}).encode()


def v3(field: str, at: int | None = None, **value: Any) -> bytes:
    named = {"gs_template_id": OURS, "message_template_name": "offre", "message_template_language": "fr"} | value
    change = {"field": field, "value": named}
    entry_ = {"id": "w", "time": (at or milliseconds()) // 1_000, "changes": [change]}
    return json.dumps({"object": "whatsapp_business_account", "gs_app_id": "a", "entry": [entry_]}).encode()


def hear(sender: Sender, body: bytes) -> Template | None:
    (event,) = parse(body)
    with transaction.atomic():
        news.follow(sender.pk, event)
    return Template.objects.filter(provider_id=OURS).first()


STATUS = "message_template_status_update"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (lambda: v2(status="paused", type="status-update", description="Low quality"), ("PAUSED", "Low quality")),
        (lambda: v2(status="rejected", rejectedReason="INVALID_FORMAT"), ("REJECTED", "INVALID_FORMAT")),
        (lambda: v2(status="disabled", type="status-update"), ("DISABLED", "")),
        (lambda: v2(status="deleted", type="status-update"), ("DELETED", "")),
        (lambda: v2(status="in_appeal", type="status-update"), ("IN_APPEAL", "")),
        (lambda: v2(status="flagged", type="status-update"), ("APPROVED", "")),
        (lambda: v2(status="something new", type="status-update"), ("APPROVED", "")),
        (lambda: v3(STATUS, event="PAUSED", reason="LOW_QUALITY"), ("PAUSED", "LOW_QUALITY")),
        (lambda: v3(STATUS, event="REJECTED", reason="NONE"), ("REJECTED", "")),
        (lambda: v3(STATUS, event="PENDING_DELETION"), ("DELETED", "")),
        (lambda: v3(STATUS, event="PAUSED", gs_template_id=None), ("PAUSED", "")),
    ],
)
def test_news_of_a_status_is_written_down(sender, template, body, expected):
    found = hear(sender, body())
    assert (found.status, found.reason) == expected


def test_a_template_is_found_by_name_and_language_where_the_id_is_not_given(sender, template):
    english = Template.objects.create(sender=sender, provider_id="en", name="offre", language="en", status="APPROVED")
    hear(sender, v3(STATUS, event="PAUSED", gs_template_id=None, message_template_language="en"))
    english.refresh_from_db()
    template.refresh_from_db()
    assert (english.status, template.status) == ("PAUSED", "APPROVED")


def test_news_of_quality_and_category(sender, template):
    assert hear(sender, v2(type="quality-update", quality="yellow")).quality == "YELLOW"
    warned = hear(sender, v2(type="category-update", category={"current": "MARKETING", "correct": "UTILITY"}))
    assert (warned.category, warned.category_next) == ("MARKETING", "UTILITY")
    changed = hear(sender, v2(type="category-update", category={"old": "MARKETING", "new": "UTILITY"}))
    assert (changed.category, changed.category_next) == ("UTILITY", "")
    assert hear(sender, v3("template_category_update", new_category="MARKETING")).category == "MARKETING"


def test_reinstated_is_approved_again(sender, template):
    hear(sender, v2(status="paused", type="status-update"))
    assert hear(sender, v3(STATUS, event="REINSTATED")).status == "APPROVED"


def test_older_news_overrules_no_newer(sender, template):
    at = milliseconds()
    hear(sender, v2(at=at, status="paused", type="status-update"))
    assert hear(sender, v2(at=at - 60_000, status="approved", type="status-update")).status == "PAUSED"
    assert hear(sender, v2(at=at + 60_000, status="approved", type="status-update")).status == "APPROVED"


def test_news_older_than_the_list_says_nothing(sender, template):
    """A callback that is read again weeks later must not pause today's campaign."""
    weeks = milliseconds(timedelta(weeks=2))
    assert hear(sender, v2(at=weeks, status="paused", type="status-update")).status == "APPROVED"


@pytest.mark.django_db(transaction=True)
def test_news_that_crosses_a_list_wins(sender, template):
    """Meta pauses the template after Gupshup has put the list together and before we have read it."""

    def answer(page: int, _size: int) -> Any:
        if page == 0:
            hear(sender, v2(status="paused", type="status-update"))
            connection.close()
        return [entry(OURS, data="Nouveau texte {{1}} ici"), entry("t-1")]

    with gupshup_lists(sender, answer):
        templates.sync(sender)
    template.refresh_from_db()
    assert (template.status, template.body) == ("PAUSED", "Nouveau texte {{1}} ici")
    assert states(sender)["t-1"] == "APPROVED"


def test_news_of_a_template_that_we_do_not_know_waits_for_the_list(sender):
    (event,) = parse(v2(status="approved", type="status-update"))
    with transaction.atomic():
        assert templates.follow(sender.pk, event) is False
    assert not Template.objects.exists()


def test_news_reaches_only_the_templates_of_its_sender(sender, template):
    other = Sender.objects.create(name="Autre", app_name="OtherApp", phone_number="33700000002")
    (event,) = parse(v2(status="paused", type="status-update"))
    with transaction.atomic():
        assert templates.follow(other.pk, event) is False
    template.refresh_from_db()
    assert template.status == "APPROVED"


# --- campaigns ---------------------------------------------------------------------------------------------------


@pytest.fixture
def running(launched) -> Campaign:
    campaign = launched(people=2)
    assert campaign.status == CampaignStatus.RUNNING
    return campaign


@pytest.mark.parametrize(
    ("payload", "reason", "detail"),
    [
        ({"status": "paused", "description": "Low quality"}, "template_paused", "Low quality"),
        ({"status": "rejected", "rejectedReason": "SPAM"}, "template_rejected", "SPAM"),
        ({"status": "disabled"}, "template_disabled", ""),
        ({"status": "deleted"}, "template_deleted", ""),
        (
            {"type": "category-update", "category": {"old": "MARKETING", "new": "UTILITY"}},
            "template_category",
            "MARKETING → UTILITY",
        ),
    ],
)
def test_campaigns_stop_with_the_reason(sender, running, payload, reason, detail):
    webhooks.keep(sender.pk, v2(**payload), "application/json")
    ingest.run()
    assert Callback.objects.get().state == Callback.State.DONE
    running.refresh_from_db()
    assert (running.status, running.pause_reason, running.pause_detail) == (CampaignStatus.PAUSED, reason, detail)
    assert "inconnue" not in explain(reason)


@pytest.mark.parametrize(
    "payload",
    [
        {"status": "approved"},
        {"type": "quality-update", "quality": "RED"},
        {"type": "category-update", "category": {"current": "MARKETING", "correct": "UTILITY"}},
    ],
)
def test_what_changes_nothing_stops_nobody(sender, running, payload):
    hear(sender, v2(**payload))
    running.refresh_from_db()
    assert running.status == CampaignStatus.RUNNING


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        (entry(OURS, status="PAUSED"), "template_paused"),
        (entry(OURS, category="UTILITY"), "template_category"),
        (entry("t-1"), "template_deleted"),
    ],
)
def test_what_a_list_shows_stops_campaigns_too(sender, running, listed, reason):
    sync(sender, listed)
    running.refresh_from_db()
    assert (running.status, running.pause_reason) == (CampaignStatus.PAUSED, reason)


def test_campaigns_with_other_templates_go_on(sender, running):
    other = Template.objects.create(sender=sender, provider_id="t-1", name="autre", language="fr", status="APPROVED")
    sync(sender, entry(OURS), entry("t-1", "autre", status="PAUSED"))
    other.refresh_from_db()
    running.refresh_from_db()
    assert (other.status, running.status) == ("PAUSED", CampaignStatus.RUNNING)


# --- the account -------------------------------------------------------------------------------------------------


def account(kind: str, ago: timedelta = timedelta(), **payload: Any) -> bytes:
    inner = {"type": kind, "payload": payload}
    return json.dumps({"timestamp": milliseconds(ago), "type": "account-event", "payload": inner}).encode()


@pytest.mark.parametrize(("tier", "ceiling"), [("TIER_1K", 1_000), ("TIER_250", 250), ("TIER_UNLIMITED", None)])
def test_the_tier_is_the_ceiling(sender, tier, ceiling):
    Sender.objects.update(ceiling=7)
    hear(sender, account("tier-event", event="upgrade", oldLimit="TIER_50", currentLimit=tier))
    sender.refresh_from_db()
    assert sender.ceiling == ceiling


def test_a_ban_stops_the_sender_and_its_end_frees_it(sender):
    hear(sender, account("status-event", status="ACCOUNT_RESTRICTED", restrictionInfo=[
        {"restrictionType": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": "1893456000"}
    ]))  # fmt: skip
    sender.refresh_from_db()
    assert (sender.breaker, sender.breaker_code) == (Sender.Breaker.OPEN, "account_stopped")
    assert "RESTRICTED_BIZ_INITIATED_MESSAGING" in sender.breaker_text
    assert "inconnue" not in explain("account_stopped")
    hear(sender, account("status-event", status="REINSTATE"))
    sender.refresh_from_db()
    assert sender.breaker == Sender.Breaker.CLOSED


def test_a_stop_for_another_reason_is_not_ended_by_meta(sender):
    Sender.objects.update(breaker=Sender.Breaker.OPEN, breaker_code="1003")
    hear(sender, account("status-event", status="REINSTATE"))
    sender.refresh_from_db()
    assert sender.breaker == Sender.Breaker.OPEN


def test_old_news_of_the_account_is_history(sender):
    hear(sender, account("status-event", timedelta(days=3), status="DISABLE"))
    hear(sender, account("tier-event", timedelta(days=3), currentLimit="TIER_250"))
    sender.refresh_from_db()
    assert (sender.breaker, sender.ceiling) == (Sender.Breaker.CLOSED, None)


# --- written here ------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_template_is_submitted_and_its_approval_arrives(gupshup, sender, template, live_server, settings):
    """Over real HTTP: submitted, pending, approved by an event, and read by the next sync as the same row."""
    settings.SECURE_SSL_REDIRECT = False
    webhook = f"{live_server.url}/api/webhooks/gupshup/{sender.webhook_secret}"
    gupshup("--webhook", webhook, "--speed", "20")
    draft = TemplateDraft(
        name="soldes_hiver",
        language="fr",
        category="MARKETING",
        body="Bonjour {{1}}, nos soldes d'hiver commencent le {{2}} dans tous nos magasins.",
        samples=("Léa", "3 mai"),
        header_text="Soldes",
        footer="Répondez STOP pour ne plus rien recevoir",
        buttons=(
            ButtonDraft("QUICK_REPLY", "Ça m'intéresse"),
            ButtonDraft("URL", "Voir", "https://example.com/soldes"),
        ),
    )
    assert draft.check() == []
    submitted = templates.submit(sender, draft)
    assert (submitted.status, submitted.body, submitted.params_count) == ("PENDING", draft.body, 2)
    assert [one["kind"] for one in submitted.buttons] == ["QUICK_REPLY", "URL"]

    def approved() -> bool:
        ingest.run()
        submitted.refresh_from_db()
        return submitted.status == "APPROVED"

    assert wait_for(approved)
    templates.sync(sender)
    assert Template.objects.filter(name="soldes_hiver").count() == 1
    with pytest.raises(templates.SyncFailedError) as refused:
        templates.submit(sender, draft)
    assert refused.value.response.error_code == "template_exists"


# --- as it is read -----------------------------------------------------------------------------------------------


def test_variables_stand_where_gupshup_puts_them(launched, template):
    """Header, text, then the variables of buttons: in the preview and in the message that a person reads."""
    template.header_type, template.header_text = "TEXT", "Pour {{1}}"
    template.body, template.params_count = "Bonjour {{1}}, code {{2}}.", 4
    template.buttons = [
        {"kind": "QUICK_REPLY", "text": "Oui", "url": None, "phone": None, "variables": 0},
        {"kind": "URL", "text": "Voir", "url": "https://e.fr/{{1}}", "phone": None, "variables": 1},
    ]
    template.save()
    params = ["Léa", "Karim", "X7", "panier-9"]
    bubble = preview.of_template(template, params)
    assert bubble.header_text == "Pour <mark>Léa</mark>"
    assert bubble.body == "Bonjour <mark>Karim</mark>, code <mark>X7</mark>."
    assert [button.detail for button in bubble.buttons] == ["", "https://e.fr/panier-9"]
    assert preview.of_template(template).buttons[1].detail == "https://e.fr/{{1}}"

    campaign = Campaign(message_1=template.body, template=template)
    message = campaign.messages.model(campaign=campaign, params=params)
    assert message.text == "Bonjour Karim, code X7."


def test_a_code_stands_on_its_button():
    class Written:
        body, header_type, header_text, footer = "Code pour vous", "", "", ""
        buttons = [
            {"kind": "COPY_CODE", "text": "Copier", "variables": 1},
            {"kind": "PHONE_NUMBER", "text": "Appeler", "phone": "+33100000000", "variables": 0},
        ]

    bubble = preview.of_template(Written(), ["SOLDES20"])
    assert [button.detail for button in bubble.buttons] == ["SOLDES20", "+33100000000"]

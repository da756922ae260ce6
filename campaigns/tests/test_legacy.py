"""The old system's data comes over whole, once, with its figures; what cannot is told."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.models import User
from campaigns import invariants, reconciling, replies, reports
from campaigns.legacy import running, staging
from campaigns.legacy.sources import Folder
from campaigns.legacy.tables import TABLES
from campaigns.models import Attempt, Campaign, Interaction, Message
from campaigns.status import CampaignStatus, Kind, Status
from campaigns.tests import oldsystem
from contacts.models import Category, Contact
from gupshup.api.events import Inbound
from gupshup.models import Template

Rows = dict[str, list[dict[str, Any]]]
OLD = datetime(2025, 1, 1, 10, tzinfo=UTC)


def person(pk: int, **fields: Any) -> dict[str, Any]:
    return {"id": pk, "full_number": f"+3361234{pk:04d}", "first_name": f"P{pk}", "created_by": 1, **fields}


def message(pk: int, contact: Any, status: str = "sent", campaign: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "id": pk,
        "campaign_id": campaign,
        "contact_id": contact,
        "message_type": "message_1",
        "content": "Bonjour",
        "status": status,
        "whatsapp_message_id": f"wamid.{pk}",
        "sent_at": OLD.isoformat(),
        "created_at": OLD.isoformat(),
        **fields,
    }


def old_system() -> Rows:
    return {
        "users": [
            {"id": 1, "email": "Chef@old.example", "role": "super_admin", "is_active": "t"},
            {"id": 2, "email": "anne@old.example", "role": "admin", "is_active": "f"},
            {"id": 3, "email": "nobody", "role": "admin", "is_active": "t"},
        ],
        "categories": [
            {"id": 7, "name": "VIP", "color": "#ff0000", "created_by": 2},
            {"id": 8, "name": "", "color": "rouge", "created_by": 99},
        ],
        "contacts": [
            person(1, last_name='Du"pont; d’Arc, é'),
            person(2, created_by=2),
            person(3, full_number="", phone_number="6 12 34 00 03", country_code="33"),
            person(4, full_number="+3312", phone_number="12"),
            person(5, full_number="+33612340001", created_by=2),  # the number of 1
        ],
        "category_contacts": [
            {"category_id": 7, "contact_id": n} for n in (1, 2, 3, 4, 99)
        ] + [{"category_id": 70, "contact_id": 1}],
        "campaigns": [
            {"id": 1, "name": "Noël", "message_1": "Bonjour", "message_2": "Merci", "template_name": "offre",
             "status": "completed", "created_by": 2, "total_recipients": 7},
            {"id": 2, "name": "En cours", "template_name": "perdu", "status": "sending", "created_by": 1},
            {"id": 3, "name": "Brouillon", "status": "draft", "created_by": 1},
        ],
        "campaign_categories": [{"campaign_id": 1, "category_id": 7}, {"campaign_id": 9, "category_id": 7}],
        "messages": [
            message(1, 1, "read", read_at=OLD.isoformat(), delivered_at=OLD.isoformat()),
            message(2, 2, "delivered"),
            message(3, 3, "failed", error_message="131026"),
            message(4, 4, "sent"),  # to a number that is none
            message(5, 5, "sent"),  # to the person of 1, once more
            message(6, "", "sent"),  # to nobody any more
            message(7, 2, "sent", message_type="message_2", content="Merci"),
            message(8, 1, "pending", campaign=2, sent_at="", whatsapp_message_id=""),
            message(9, 1, "sent", campaign=9),  # of no campaign
            message(10, 3, "sending", campaign=1, created_at="not a time", sent_at="2025-13-45"),
        ],
        "interactions": [
            {"id": 1, "campaign_id": 1, "contact_id": 2, "message_id": 2, "interaction_type": "reply",
             "content": "Oui", "received_at": (OLD + timedelta(hours=1)).isoformat()},
            {"id": 2, "campaign_id": 1, "contact_id": 1, "interaction_type": "reply", "content": "Stop !",
             "received_at": (OLD + timedelta(hours=30)).isoformat()},
            {"id": 3, "campaign_id": 1, "contact_id": 1, "interaction_type": "read", "received_at": OLD.isoformat()},
            {"id": 4, "campaign_id": 1, "contact_id": 3, "interaction_type": "dance"},
        ],
    }  # fmt: skip


def write(rows: Rows, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for table in TABLES:
        with (folder / f"{table.name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["useless", *table.columns], restval="")
            writer.writeheader()
            writer.writerows(rows.get(table.name, []))
    return folder


@pytest.fixture
def plan(sender, template) -> running.Plan:
    return running.Plan("old", sender, "FR", "fr")


@pytest.fixture
def take(plan, tmp_path):
    def act(rows: Rows) -> staging.Report:
        return running.import_all(Folder(write(rows, tmp_path / "dump")), plan, lambda line: None)

    return act


def everything() -> dict[str, list[Any]]:
    """All that an import could double."""
    return {
        "contacts": list(Contact.objects.order_by("id").values_list("id", "number", "first_name", "created_by")),
        "lists": list(Contact.categories.through.objects.order_by("id").values_list("contact_id", "category_id")),
        "messages": list(
            Message.objects.order_by("id").values_list("id", "campaign", "destination", "message_type", "status")
        ),
        "attempts": list(Attempt.objects.order_by("id").values_list("id", "message", "state")),
        "interactions": list(Interaction.objects.order_by("id").values_list("id", "inbound_id")),
        "campaigns": list(Campaign.objects.order_by("id").values_list("id", "name", "status")),
        "users": list(User.objects.order_by("id").values_list("id", "email", "role", "is_active")),
        "categories": list(Category.objects.order_by("id").values_list("id", "name", "color")),
    }


def test_everything_comes_over_and_what_cannot_is_told(take, db):
    report = take(old_system())
    assert {name: (tally.read, tally.created) for name, tally in report.tables.items()} == {
        "users": (3, 2), "categories": (2, 2), "contacts": (5, 3), "category_contacts": (6, 3), "campaigns": (3, 3),
        "campaign_categories": (2, 1), "messages": (10, 9), "interactions": (4, 2),
    }  # fmt: skip
    assert {name: dict(tally.refused) for name, tally in report.tables.items() if tally.refused} == {
        "users": {"no_email": 1},
        "contacts": {"too_short": 1},
        "category_contacts": {"no_contact": 2, "no_category": 1},
        "campaign_categories": {"no_campaign": 1},
        "messages": {"no_campaign": 1},
        "interactions": {"told_by_the_messages": 1, "unknown_type": 1},
    }
    assert ("contacts", "4", "too_short", "+3312") in report.refusals
    assert dict(report.missing_templates) == {"perdu": 1}
    assert not report.differing
    assert report.campaigns_checked == 3
    assert all(offences == 0 for offences in invariants.check().values())


def test_users_keep_their_role_and_get_no_password(take):
    take(old_system())
    found = {user.email: (user.role, user.is_active, user.has_usable_password()) for user in User.objects.all()}
    assert found == {
        "chef@old.example": ("super_admin", True, False),
        "anne@old.example": ("admin", False, False),
    }


def test_people_are_one_by_number_and_seen_by_all_who_had_them(take):
    take(old_system())
    numbers = dict(Contact.objects.values_list("number", "first_name"))
    assert numbers == {"+33612340001": "P1", "+33612340002": "P2", "+33612340003": "P3"}
    anne = User.objects.get(email="anne@old.example")
    assert set(Contact.objects.of(anne).values_list("number", flat=True)) == set(numbers)
    first = Contact.objects.get(number="+33612340001")
    assert first.last_name == 'Du"pont; d’Arc, é'
    assert first.linked_to.get() == anne


def test_the_old_figures_come_out_the_same(take):
    """Validates: 7.5, 8 (history and statistics intact)"""
    take(old_system())
    figures = reports.figures(Campaign.objects.get(name="Noël").pk).old
    assert figures == {
        "total_recipients": 7,
        "pending_count": 1,
        "sent_count": 3,
        "delivered_count": 1,
        "read_count": 1,
        "failed_count": 1,
        "success_rate": 2 / 7 * 100,
    }


def test_any_old_figures_come_out_the_same(take):
    """Validates: 7.5 (P12): three hundred campaigns of any mixture, against a model of the old system."""
    chance, rows = Random(42), old_system()
    rows["campaigns"] = [{"id": n, "name": f"C{n}", "status": "completed"} for n in range(1, 301)]
    rows["interactions"], rows["campaign_categories"] = [], []
    words = ("pending", "sent", "delivered", "read", "failed")
    rows["messages"] = [
        message(n, chance.choice((1, 2, 3, 4, "")), chance.choice(words), chance.randint(1, 300))
        for n in range(1, 2001)
    ]
    report = take(rows)
    model: dict[int, Counter[str]] = {n: Counter() for n in range(1, 301)}
    for row in rows["messages"]:
        model[row["campaign_id"]][row["status"]] += 1
    for campaign in Campaign.objects.all():
        counts = model[int(campaign.name[1:])]
        total, old = counts.total(), reports.figures(campaign.pk).old
        assert {word: old[f"{word}_count"] for word in words} == {word: counts[word] for word in words}
        reached = counts["delivered"] + counts["read"]
        assert old["success_rate"] == (reached / total * 100 if total else 0.0)
    assert not report.differing


def test_nothing_that_came_over_is_sent_by_itself(take):
    take(old_system())
    assert not Message.objects.filter(next_attempt_at__isnull=False).exists()
    assert Campaign.objects.get(name="En cours").status == CampaignStatus.PAUSED
    waiting = Message.objects.get(campaign__name="En cours")
    assert (waiting.status, waiting.attempts.get().state) == (Status.UNCERTAIN, "uncertain")
    assert reconciling.resend([waiting.pk], None) == 0  # its template is not here


def test_importing_again_changes_nothing(take):
    take(old_system())
    before = everything()
    again = take(old_system())
    assert everything() == before
    assert all(tally.created == tally.changed == 0 for tally in again.tables.values())


def test_importing_again_brings_the_news_of_the_old_system(take):
    rows = old_system()
    take(rows)
    rows["messages"][1] |= {"status": "read", "read_at": OLD.isoformat()}
    rows["messages"][7] |= {"status": "sent", "whatsapp_message_id": "wamid.8"}
    rows["messages"].append(message(11, 2, "sent", campaign=2))
    rows["campaigns"][1]["status"] = "completed"
    rows["contacts"].append(person(6))
    report = take(rows)
    assert (report.of(TABLES[6]).created, report.of(TABLES[6]).changed) == (1, 2)
    assert Message.objects.get(destination="33612340002", campaign__name="Noël", message_type="message_1").status == (
        Status.READ
    )
    assert Campaign.objects.get(name="En cours").status == CampaignStatus.FINISHED
    assert not Attempt.objects.filter(state="uncertain", message__campaign__name="En cours").exists()
    assert not report.differing
    assert all(offences == 0 for offences in invariants.check().values())


def test_a_report_that_came_here_since_is_not_undone_by_an_older_row(take):
    rows = old_system()
    take(rows)
    reported = Message.objects.get(destination="33612340002", message_type="message_1")
    Message.objects.filter(pk=reported.pk).update(status=Status.READ, updated_at=timezone.now())
    rows["messages"][0] |= {"content": "Bonjour !"}  # so that the chunk is written anew
    take(rows)
    reported.refresh_from_db()
    assert reported.status == Status.READ


def test_what_was_decided_here_since_stays(take):
    rows = old_system()
    take(rows)
    running_one = Campaign.objects.get(name="En cours")
    assert running_one.cancel()
    Contact.objects.filter(number="+33612340002").update(first_name="Corrigée")
    Category.objects.get(name="VIP").delete()
    rows["campaigns"][1]["status"] = "completed"
    take(rows)
    running_one.refresh_from_db()
    assert running_one.status == CampaignStatus.CANCELLED
    assert Contact.objects.get(number="+33612340002").first_name == "Corrigée"
    assert not Category.objects.filter(name="VIP").exists()


@pytest.mark.parametrize("stop_at", ["contacts and", "messages: 3"])
def test_an_import_that_was_killed_is_finished_by_the_next(plan, tmp_path, monkeypatch, stop_at):
    monkeypatch.setattr("campaigns.legacy.history.CHUNK", 3)
    folder = Folder(write(old_system(), tmp_path / "dump"))

    def killed(line: str) -> None:
        if stop_at in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        running.import_all(folder, plan, killed)
    report = running.import_all(folder, plan, lambda line: None)
    assert Message.objects.count() == 9
    assert (Contact.objects.count(), Campaign.objects.count(), Interaction.objects.count()) == (3, 3, 2)
    assert not report.differing


def test_a_rehearsal_tells_everything_and_keeps_nothing(plan, tmp_path):
    report = running.rehearse(Folder(write(old_system(), tmp_path / "dump")), plan, lambda line: None)
    assert report.of(TABLES[6]).created == 9
    assert len(report.refusals) == 8
    assert not any(everything()[name] for name in ("contacts", "messages", "campaigns", "users", "categories"))


def test_an_open_window_stays_open(take, sender):
    """Validates: 4.4: who was written to an hour ago and answers now gets Message 2."""
    rows, now = old_system(), timezone.now()
    recent = (now - timedelta(hours=1)).isoformat()
    rows["messages"] = [message(1, 2, "delivered", sent_at=recent, created_at=recent)]
    rows["interactions"] = []
    take(rows)
    first = Message.objects.get()
    contact = Contact.objects.get(number="+33612340002")
    said = Inbound(kind="text", phone="33612340002", text="Oui", inbound_id="in-1", at=now)
    assert replies.queue_second(first, contact, said, now)
    second = Message.objects.get(message_type=Kind.MESSAGE_2)
    assert (second.status, second.content) == (Status.PENDING, "Merci")


def test_answers_keep_their_message_their_time_and_whether_they_were_late(take):
    take(old_system())
    early, late = Interaction.objects.order_by("received_at")
    assert (early.content, early.late, early.triggered, early.message.destination) == (
        "Oui",
        False,
        True,
        "33612340002",
    )
    assert (late.content, late.late, late.message.destination) == ("Stop !", True, "33612340001")
    assert early.message.replied_at == OLD + timedelta(hours=1)
    assert late.message.replied_at is None
    assert Contact.objects.get(number="+33612340001").last_inbound_at == OLD + timedelta(hours=30)


def test_who_had_said_stop_is_opted_out_once(take):
    take(old_system())
    contact = Contact.objects.get(number="+33612340001")
    assert contact.opted_out_at is not None
    Contact.objects.filter(pk=contact.pk).opt_in("test")
    take(old_system())
    assert Contact.objects.get(pk=contact.pk).opted_out_at is None


def test_campaigns_find_their_template_by_name_and_language(take, sender, template):
    Template.objects.create(sender=sender, provider_id="en", name="offre", language="en", status="APPROVED", body="x")
    take(old_system())
    assert Campaign.objects.get(name="Noël").template == template


def test_lines_that_are_no_rows_are_told(plan, tmp_path):
    folder = write(old_system(), tmp_path / "dump")
    with (folder / "contacts.csv").open("ab") as file:
        file.write(b"1,2\n" + b"x" * 10 + b"\xff\x00\n")
    with gzip.open(folder / "interactions.csv.gz", "wt") as file:
        file.write("id;campaign_id;contact_id;interaction_type\n9;1;1;reply\n")
    (folder / "interactions.csv").unlink()
    (folder / "campaign_categories.csv").unlink()
    report = running.import_all(Folder(folder), plan, lambda line: None)
    assert report.tables["contacts"].refused["not_a_row"] == 2
    assert report.tables["interactions"].created == 1
    assert "the source has no table campaign_categories" in report.notes


@pytest.mark.django_db(transaction=True)
def test_a_server_gives_what_its_dump_gives(plan, tmp_path, settings):
    rows = old_system()
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA before")
        for table in TABLES:
            kinds = ", ".join(f'"{name}" {"integer" if name == "id" else "text"}' for name in table.columns)
            cursor.execute(f"CREATE TABLE before.{table.name} ({kinds})")
            for row in rows[table.name]:
                marks = ", ".join(["%s"] * len(table.columns))
                cursor.execute(
                    f"INSERT INTO before.{table.name} VALUES ({marks})", [row.get(name) for name in table.columns]
                )
    there = connection.settings_dict
    url = f"postgresql://{there['USER']}:{there['PASSWORD']}@{there['HOST']}:{there['PORT']}/{there['NAME']}"
    said = StringIO()
    try:
        where = f"{url}?options=-c%20search_path%3Dbefore"
        report = tmp_path / "refused.csv"
        call_command("import_legacy", where, sender=plan.sender.app_name, report=report, stdout=said)
        from_server = everything()
        call_command(
            "import_legacy", str(write(rows, tmp_path / "dump")), sender=plan.sender.app_name, stdout=StringIO()
        )
        assert everything() == from_server
        assert len(from_server["messages"]) == 9
        assert report.read_text().count("\n") == 9
        assert "The old statistics come out the same for 3 of 3 campaigns." in said.getvalue()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA before CASCADE")


@pytest.mark.parametrize("where", ["/nowhere", "postgresql://nobody@127.0.0.1:9/x"])
def test_a_source_that_is_not_there_is_told(plan, where):
    with pytest.raises(CommandError):
        call_command("import_legacy", where, stdout=StringIO())


def test_a_dump_without_a_needed_column_is_told_before_anything_is_written(plan, tmp_path):
    folder = write(old_system(), tmp_path / "dump")
    (folder / "messages.csv").write_text("id,text\n1,x\n")
    with pytest.raises(CommandError, match="messages has no column campaign_id"):
        call_command("import_legacy", str(folder), stdout=StringIO())
    assert not Contact.objects.exists()


def test_a_made_up_old_system_comes_over_with_its_figures_and_again_without_a_change(plan, tmp_path, monkeypatch):
    """Validates: 7.5, 8: faults of real dumps included; unchanged chunks are not written again, changed ones are."""
    monkeypatch.setattr("campaigns.legacy.history.CHUNK", 500)
    folder = tmp_path / "dump"
    model = oldsystem.write(folder, oldsystem.Size(contacts=6_100, messages=4_000, campaigns=5))
    report = running.import_all(Folder(folder), plan, lambda line: None)
    assert not report.differing
    for campaign in Campaign.objects.all():
        counts = model[int(campaign.name.removeprefix("Campagne "))]
        old = reports.figures(campaign.pk).old
        assert {word: old[f"{word}_count"] for word in oldsystem.WORDS} == {w: counts[w] for w in oldsystem.WORDS}
    before, said = everything(), []
    running.import_all(Folder(folder), plan, said.append)
    assert everything() == before
    assert not [line for line in said if line.startswith("messages: ") and " of " in line]
    with (folder / "messages.csv").open("a", encoding="utf-8") as file:
        file.write("9000,1,3,message_1,neuf,sent,wamid.neuf,,0,,,,,\r\n")
    said.clear()
    again = running.import_all(Folder(folder), plan, said.append)
    assert [line for line in said if " of " in line] == ["messages: 4002 of 4002"]
    assert again.of(TABLES[6]).created == 1

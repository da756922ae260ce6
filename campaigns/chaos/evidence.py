"""Everything the oracle looks at, gathered once a run is quiet: the provider's ledger, our rows, the journals."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from campaigns.chaos import journal
from campaigns.chaos.play import Run
from campaigns.chaos.world import Provider

Row = dict[str, Any]


@dataclass
class Evidence:
    """`accepted`, `refused`, `callbacks`: the ledger's lists. The rest: our tables, and the journals' lines by kind."""

    run: Run
    accepted: list[Row]
    refused: list[Row]
    callbacks: list[Row]
    ledger_faults: dict[str, int]
    messages: dict[int, Row]
    attempts: dict[int, Row]
    campaigns: dict[int, Row]
    members: dict[int, list[str]]  # campaign -> numbers of its categories
    contacts: dict[str, Row]
    inbox: set[str]  # digests
    failed_callbacks: int
    events: list[Row]
    lines: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    @property
    def attempts_of(self) -> dict[int, list[Row]]:
        found: dict[int, list[Row]] = defaultdict(list)
        for attempt in self.attempts.values():
            found[attempt["message_id"]].append(attempt)
        return found


def gather(run: Run, provider: Provider) -> Evidence:
    ledger = provider.get("/ledger?only=accepted,refused,callbacks")
    with run.world.connect() as connection:

        def rows(statement: str) -> list[Row]:
            return connection.execute(statement).fetchall()

        members: dict[int, list[str]] = defaultdict(list)
        for row in rows(_MEMBERS):
            members[row["campaign_id"]].append(row["number"])
        found = Evidence(
            run=run,
            accepted=ledger["accepted"],
            refused=ledger["refused"],
            callbacks=ledger["callbacks"],
            ledger_faults=provider.get("/ledger/summary")["faults"],
            messages={row["id"]: row for row in rows("SELECT * FROM campaigns_message ORDER BY id")},
            attempts={row["id"]: row for row in rows("SELECT * FROM campaigns_attempt ORDER BY id")},
            campaigns={row["id"]: row for row in rows(_CAMPAIGNS)},
            members=members,
            contacts={row["number"]: row for row in rows("SELECT * FROM contacts_contact")},
            inbox={row["digest"] for row in rows("SELECT encode(digest, 'hex') AS digest FROM gupshup_callback")},
            failed_callbacks=rows("SELECT count(*) AS n FROM gupshup_callback WHERE state = 'failed'")[0]["n"],
            events=rows("SELECT verb, campaign_id, details FROM campaigns_event"),
        )
    for line in journal.read(run.folder):
        found.lines[line["did"]].append(line)
    return found


_MEMBERS = """
    SELECT c.campaign_id, k.number FROM campaigns_campaign_categories c
      JOIN contacts_contact_categories m ON m.category_id = c.category_id
      JOIN contacts_contact k ON k.id = m.contact_id"""
_CAMPAIGNS = """
    SELECT c.*, t.provider_id AS template FROM campaigns_campaign c JOIN gupshup_template t ON t.id = c.template_id"""

TABLES = ("campaigns_campaign", "campaigns_message", "campaigns_attempt", "campaigns_interaction", "campaigns_event",
          "campaigns_whatsappid", "gupshup_sender", "contacts_contact")  # fmt: skip


def keep(run: Run, folder: Path) -> None:
    """The rows of a failed run as CSV, beside its journals and its ledger."""
    with run.world.connect() as connection, connection.cursor() as cursor:
        for table in TABLES:
            with cursor.copy(f"COPY (SELECT * FROM {table} ORDER BY 1) TO STDOUT (FORMAT csv, HEADER)") as copy:
                (folder / f"{table}.csv").write_bytes(b"".join(bytes(piece) for piece in copy))
        statement = """COPY (SELECT id, state, due_at, tries, error, copies, convert_from(raw, 'UTF8') AS raw
                               FROM gupshup_callback ORDER BY id) TO STDOUT (FORMAT csv, HEADER)"""
        with cursor.copy(statement) as copy:
            (folder / "gupshup_callback.csv").write_bytes(b"".join(bytes(piece) for piece in copy))

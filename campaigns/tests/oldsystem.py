"""An old system's dump, made up from a seed: as many rows as one likes, the same ones each time.

    python -m campaigns.tests.oldsystem FOLDER [--contacts 300000] [--messages 2000000] [--seed 1]

writes one CSV file a table, with the faults that real dumps have: numbers that are none, two rows for one person, two
messages to one person in one campaign, rows that name what is not there, times that are none.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from campaigns.legacy.tables import (
    CAMPAIGNS,
    CATEGORIES,
    CONTACTS,
    INTERACTIONS,
    MEMBERSHIPS,
    MESSAGES,
    TARGETS,
    USERS,
    Table,
)

START = datetime(2024, 1, 8, 9, tzinfo=UTC)
WORDS = ("pending", "sent", "delivered", "read", "failed")
SHARES = (1, 14, 30, 50, 5)
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Size:
    contacts: int = 300_000
    messages: int = 2_000_000
    campaigns: int = 200
    categories: int = 20
    seed: int = 1


def write(folder: Path, size: Size) -> dict[int, Counter[str]]:
    """Write the dump; answers how many Messages 1 of each campaign have which status, which is what figures count."""
    folder.mkdir(parents=True, exist_ok=True)
    model: dict[int, Counter[str]] = {n: Counter() for n in range(1, size.campaigns + 1)}
    chance = Random(size.seed)
    _table(folder, USERS, _users())
    _table(folder, CATEGORIES, _categories(size))
    _table(folder, CONTACTS, _contacts(size, chance))
    _table(folder, MEMBERSHIPS, _memberships(size, chance))
    _table(folder, CAMPAIGNS, _campaigns(size))
    _table(folder, TARGETS, ((n, n % size.categories + 1) for n in range(1, size.campaigns + 1)))
    heard = _answers_file(folder)
    with heard[0]:
        _table(folder, MESSAGES, _messages(size, chance, model, heard[1]))
    return model


def _table(folder: Path, table: Table, rows: Iterator[Row]) -> None:
    with (folder / f"{table.name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table.columns)
        writer.writerows(rows)


def _answers_file(folder: Path) -> tuple[Any, Any]:
    file = (folder / f"{INTERACTIONS.name}.csv").open("w", newline="", encoding="utf-8")
    writer = csv.writer(file)
    writer.writerow(INTERACTIONS.columns)
    return file, writer


def _users() -> Iterator[Row]:
    yield 1, "chef@ancien.example", "super_admin", "t", START.isoformat()
    yield 2, "anne@ancien.example", "admin", "t", START.isoformat()
    yield 3, "luc@ancien.example", "admin", "f", START.isoformat()
    yield 4, "personne", "admin", "t", ""


def _categories(size: Size) -> Iterator[Row]:
    for n in range(1, size.categories + 1):
        yield n, f"Liste {n}", "#25d366", n % 3 + 1, START.isoformat(), START.isoformat()


def _contacts(size: Size, chance: Random) -> Iterator[Row]:
    for n in range(1, size.contacts + 1):
        who = n - 1 if n % 5_000 == 0 else n  # the number of the one before, once more
        number = f"+336{10_000_000 + who}" if n % 6_000 else "+3312"
        name = chance.choice(("Awa", "Léo", "Zoé", "Noé", "Mia", "Éva", ""))
        yield n, number[3:], "+33", number, name, f"Nom {n % 997}", n % 3 + 1, START.isoformat(), START.isoformat()


def _memberships(size: Size, chance: Random) -> Iterator[Row]:
    for n in range(1, size.contacts + 1):
        first = chance.randrange(size.categories)
        yield first + 1, n
        yield (first + 1 + n % (size.categories - 1)) % size.categories + 1, n
    yield 1, size.contacts + 7
    yield size.categories + 7, 1


def _campaigns(size: Size) -> Iterator[Row]:
    each = size.messages // size.campaigns
    for n in range(1, size.campaigns + 1):
        at = (START + timedelta(days=n)).isoformat()
        yield (
            n, f"Campagne {n}", "Bonjour, une offre vous attend.", "Merci !", f"modele_{n % 3}", "completed", each,
            each, each, 0, 0, n % 3 + 1, at, at, "", at,
        )  # fmt: skip


def _messages(size: Size, chance: Random, model: dict[int, Counter[str]], heard: Any) -> Iterator[Row]:
    """One campaign after the other, to a run of the contacts; one in ten answers and gets Message 2."""
    n, said = 0, 0
    for campaign in range(1, size.campaigns + 1):
        end = size.messages * campaign // size.campaigns
        contact = chance.randrange(size.contacts)
        begun = START + timedelta(days=campaign)
        while n < end:
            contact = contact % size.contacts + 1
            word = chance.choices(WORDS, SHARES)[0]
            at = begun + timedelta(seconds=n % 86_400)
            n += 1
            to = contact - 1 if chance.random() < 0.0005 and contact > 1 else contact  # twice to the one before
            model[campaign][word] += 1
            yield _message(n, campaign, to, "message_1", word, at)
            answers = word in ("delivered", "read") and chance.random() < 0.11
            if answers:
                said += 1
                text = "STOP" if said % 400 == 0 else "Oui, merci"
                then = at + timedelta(minutes=90)
                heard.writerow((said, campaign, to, n, "reply", text, f"wamid.in.{said}", then.isoformat(), ""))
            if answers and n < end:
                n += 1
                yield _message(n, campaign, to, "message_2", "read", at + timedelta(minutes=91))
            if word == "read" and n % 5 == 0:
                said += 1
                heard.writerow((said, campaign, to, n, "read", "", "", at.isoformat(), ""))
    yield _message(n + 1, size.campaigns + 9, 1, "message_1", "sent", START)


def _message(n: int, campaign: int, contact: int, kind: str, word: str, at: datetime) -> Row:
    text, moment = ("Merci !" if kind == "message_2" else "Bonjour, une offre vous attend."), at.isoformat()
    left = moment if word != "pending" else ""
    return (
        n, campaign, contact, kind, text, word, f"wamid.{n}" if left else "", "131026" if word == "failed" else "",
        0, left, moment if word in ("delivered", "read") else "", moment if word == "read" else "", moment, moment,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a made-up dump of the old system as CSV files.")
    parser.add_argument("folder", type=Path)
    for name, default in (("contacts", 300_000), ("messages", 2_000_000), ("campaigns", 200), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    size = Size(given.contacts, given.messages, given.campaigns, seed=given.seed)
    write(given.folder, size)


if __name__ == "__main__":
    main()

"""A contacts file to contacts, in the background, with a report that adds up.

Every row ends as created, updated, unchanged or rejected, as if the rows were taken one after the other: a later value
replaces an earlier one, an empty cell erases nothing. Work goes by chunks; a chunk's contacts, its figures and the
position it reached are one commit, so that a crash repeats nothing and two workers can do no harm.
"""

from __future__ import annotations

import datetime
import json
import logging
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Any

from celery import current_app
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from contacts import arrival, layouts, phones
from contacts.layouts import Layout
from contacts.models import Category, Import
from contacts.reasons import FileError, FileReason, Reason
from contacts.records import Record, Records
from contacts.rows import Person, Refusal, Understanding

if TYPE_CHECKING:
    from accounts.models import User

log = logging.getLogger("contacts.importing")

CHUNK_ROWS = 20_000
CHUNK_CHARACTERS = 16 * 1024 * 1024
SILENCE = datetime.timedelta(seconds=20)  # without a commit: whoever worked on it is gone, or will find itself fenced
MOST_TRIES = 5  # at one position
MOST_NEW_CATEGORIES = 200
PIECE = 5.0  # seconds of an import that a sweep does itself
DRAFTS_KEPT = datetime.timedelta(days=1)
TASK = "contacts.tasks.import_contacts_task"
_WRITING = 0x636F6E74  # advisory lock: imports write their chunks one after the other, whatever they contain


class SupersededError(Exception):
    """Another worker took this import over; nothing of ours was written."""


# -- asking for an import


def start_import(
    content: bytes,
    filename: str,
    region: str,
    category: Category | None = None,
    created_by: User | None = None,
) -> Import:
    """Keep the file and have it imported in the background. Raises FileError."""
    job = draft_import(content, filename, region, category, created_by)
    confirm(job)
    return job


def draft_import(
    content: bytes,
    filename: str,
    region: str,
    category: Category | None = None,
    created_by: User | None = None,
) -> Import:
    """Keep the file with our guess of its layout, for a person to look at. Raises FileError."""
    text = arrival.to_text(content)
    layout = layouts.sniff(text, region)
    return Import.objects.create(
        filename=filename[:255],
        content=text,
        size=len(text),
        position=layout.start,
        line=layout.line,
        region=region.upper(),
        category=category,
        created_by=created_by,
        layout=layout.as_json(),
        state=Import.State.DRAFT,
    )


def change_draft(job: Import, layout: Layout, region: str, category: Category | None) -> bool:
    """Keep what a person corrected; False if the import has begun meanwhile."""
    return (
        Import.objects.filter(pk=job.pk, state=Import.State.DRAFT).update(
            layout=layout.as_json(), position=layout.start, line=layout.line, region=region, category=category
        )
        == 1
    )


def confirm(job: Import) -> bool:
    """Let a looked-at import begin. Of two clicks, one gets True."""
    done = Import.objects.filter(pk=job.pk, state=Import.State.DRAFT).update(state=Import.State.WAITING)
    if done:
        job.state = Import.State.WAITING
        transaction.on_commit(partial(nudge, job.pk))
    return done == 1


def retry(job: Import) -> bool:
    """Begin a failed import again where it stopped; True if it had failed and its file is still here."""
    failed = Import.objects.filter(pk=job.pk, state=Import.State.FAILED, content__isnull=False)
    done = failed.update(state=Import.State.WAITING, problem="", tries=0, finished_at=None)
    if done:
        transaction.on_commit(partial(nudge, job.pk))
    return done == 1


def nudge(import_id: int) -> bool:
    """Ask a worker. A broker that is down costs only time: the sweep finds the import."""
    try:
        current_app.send_task(TASK, args=[import_id], retry=False)
    except Exception as error:
        log.info("import %s: the nudge was lost (%s)", import_id, type(error).__name__)
        return False
    return True


def waiting() -> list[int]:
    """Imports that nobody works on: asked for, or left by a worker that is gone."""
    return list(_unattended().order_by("id").values_list("id", flat=True))


def resume_orphans(inline: bool = False) -> int:
    """For the sweep: get the imports that nobody works on going again; answers how many.

    By a nudge each. Without a broker, or `inline`, a piece of each is done here and now.
    """
    Import.objects.filter(state=Import.State.DRAFT, created_at__lt=timezone.now() - DRAFTS_KEPT).delete()
    ids = waiting()
    for import_id in ids:
        if inline or not nudge(import_id):
            import_file(import_id, seconds=PIECE)
    return len(ids)


def _unattended() -> Any:
    silent = timezone.now() - SILENCE
    return Import.objects.filter(Q(state=Import.State.WAITING) | Q(state=Import.State.RUNNING, heartbeat_at__lt=silent))


# -- doing it


def import_file(import_id: int, seconds: float = math.inf) -> bool:
    """Import what is left of a file, for about so many seconds.

    True if this call brought it to its end; False if it is another's, is over, or needs more time.
    """
    if not _claim(import_id):
        return False
    job = Import.objects.defer("content").get(pk=import_id)
    try:
        if job.tries > MOST_TRIES:
            raise FileError(FileReason.INTERNAL)
        if not job.layout:
            _look_at(job)
        return _run(job, monotonic() + seconds)
    except SupersededError:
        return False
    except FileError as error:
        _fail(job, error.reason)
        return True


def _claim(import_id: int) -> bool:
    """Take an import that nobody works on. Of two rivals, one gets True."""
    now = timezone.now()
    return (
        _unattended()
        .filter(pk=import_id)
        .update(
            state=Import.State.RUNNING,
            started_at=Coalesce("started_at", now),
            heartbeat_at=now,
            tries=F("tries") + 1,
        )
        == 1
    )


def _look_at(job: Import) -> None:
    """For an import that came without a layout: find it now."""
    text = arrival.to_text(bytes(Import.objects.values_list("content", flat=True).get(pk=job.pk) or b""))
    layout = layouts.sniff(text, job.region)
    job.layout, job.size, job.position, job.line = layout.as_json(), len(text), layout.start, layout.line
    job.content = text
    job.save(update_fields=["layout", "size", "position", "line", "content"])


def records_of(job: Import, layout: Layout, position: int, line: int) -> Records:
    """The rows of an import's file from a position on."""
    return Records(partial(_slice, job.pk), layout.encoding, layout.delimiter, position, line, layout.width)


def _run(job: Import, until: float) -> bool:
    layout = Layout.from_json(job.layout)
    records = records_of(job, layout, job.position, job.line)
    understanding = Understanding(layout, job.region)
    while True:
        begun = records.position
        chunk = _read(records, understanding)
        with transaction.atomic():
            _fence(job, begun)
            chunk.write(job)
            _progress(job, chunk, records)
        if chunk.last:
            return True
        if monotonic() > until:
            Import.objects.filter(pk=job.pk, state=Import.State.RUNNING).update(state=Import.State.WAITING)
            return False


def _slice(import_id: int, offset: int, length: int) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT substring(content FROM %s FOR %s) FROM contacts_import WHERE id = %s",
            [offset + 1, length, import_id],
        )
        row = cursor.fetchone()
    return bytes(row[0] or b"") if row else b""


def _fence(job: Import, position: int) -> None:
    """Hold the import's row until the commit; whoever finds it moved has been taken over."""
    mine = Import.objects.select_for_update().filter(pk=job.pk, state=Import.State.RUNNING, position=position)
    if not mine.values_list("id", flat=True):
        raise SupersededError
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_WRITING])


def _progress(job: Import, chunk: Chunk, records: Records) -> None:
    now = timezone.now()
    figures = {name: F(name) + number for name, number in chunk.figures().items()}
    ended: dict[str, Any] = {"position": records.position, "line": records.line, "heartbeat_at": now, "tries": 0}
    if chunk.last:  # the file has served; people's numbers are not kept twice
        ended |= {"state": Import.State.FINISHED, "finished_at": now, "content": None, "position": F("size")}
    Import.objects.filter(pk=job.pk).update(**figures, **ended)


def _fail(job: Import, reason: FileReason) -> None:
    log.warning("import %s failed: %s", job.pk, reason.value)
    keep = {} if reason == FileReason.INTERNAL else {"content": None}
    Import.objects.filter(pk=job.pk, state=Import.State.RUNNING).update(
        state=Import.State.FAILED, problem=reason.value, finished_at=timezone.now(), **keep
    )


# -- one chunk


@dataclass
class Chunk:
    """Rows that are written together, and what became of them."""

    persons: list[Person] = field(default_factory=list)
    listed: list[tuple[Record, Person]] = field(default_factory=list)  # those whose row names categories
    refusals: list[tuple[Record, Refusal]] = field(default_factory=list)
    last: bool = False
    created: int = 0
    updated: int = 0
    unchanged: int = 0

    def figures(self) -> dict[str, int]:
        return {
            "rows": self.created + self.updated + self.unchanged + len(self.refusals),
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "rejected": len(self.refusals),
        }

    def write(self, job: Import) -> None:
        """Everything this chunk changes, inside the caller's transaction."""
        categories = _Categories(job, self)
        rows: dict[str, list[Person]] = defaultdict(list)
        for person in self.persons:
            rows[person.number].append(person)
        repeated = _present({number for number, persons in rows.items() if len(persons) > 1})
        created, updated = _store([_merged(persons) for persons in rows.values()], job, categories)
        for number, persons in rows.items():
            if len(persons) == 1:
                self._count(number in created, number in updated)
            else:
                self._count_in_turn(persons, repeated.get(number), number in created, categories)
        _keep_refusals(job, self.refusals)

    def _count(self, created: bool, updated: bool) -> None:
        if created:
            self.created += 1
        elif updated:
            self.updated += 1
        else:
            self.unchanged += 1

    def _count_in_turn(
        self, persons: list[Person], present: _State | None, created: bool, categories: _Categories
    ) -> None:
        """What each row of one number would have done, had the rows come one by one."""
        state = present or _State()
        for i, person in enumerate(persons):
            news = state.take(person, categories.of(person))
            self._count(created and i == 0, news)


@dataclass
class _State:
    """One contact while the rows that name it are taken in turn."""

    first_name: str = ""
    last_name: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    categories: set[int] = field(default_factory=set)

    def take(self, person: Person, categories: set[int]) -> bool:
        """Whether the row brings anything new; the state has it afterwards."""
        before = (self.first_name, self.last_name, dict(self.attributes), set(self.categories))
        self.first_name = person.first_name or self.first_name
        self.last_name = person.last_name or self.last_name
        self.attributes |= person.attributes
        self.categories |= categories
        return before != (self.first_name, self.last_name, self.attributes, self.categories)


def _read(records: Records, understanding: Understanding) -> Chunk:
    chunk, size = Chunk(), 0
    for record in islice(records, CHUNK_ROWS):
        found = Refusal(record.reason) if record.reason else understanding.person(record.cells)
        if isinstance(found, Refusal):
            chunk.refusals.append((record, found))
        else:
            chunk.persons.append(found)
            if found.categories:
                chunk.listed.append((record, found))
        size += len(record.raw)
        if size > CHUNK_CHARACTERS:
            return chunk
    chunk.last = len(chunk.persons) + len(chunk.refusals) < CHUNK_ROWS
    return chunk


def _merged(persons: list[Person]) -> Person:
    if len(persons) == 1:
        return persons[0]
    merged = Person(persons[0].number)
    for person in persons:
        merged.first_name = person.first_name or merged.first_name
        merged.last_name = person.last_name or merged.last_name
        merged.attributes |= person.attributes
        merged.categories = tuple(dict.fromkeys((*merged.categories, *person.categories)))
    return merged


class _Categories:
    """The categories that a chunk's rows name, found among the importer's own or created for them."""

    def __init__(self, job: Import, chunk: Chunk) -> None:
        self._always = {job.category_id} if job.category_id else set()
        self._ids: dict[str, int] = {}
        names: dict[str, str] = {}
        for _record, person in chunk.listed:
            for name in person.categories:
                names.setdefault(name.casefold(), name)
        if names:
            self._find(job, set(names))
            self._create(job, {key: name for key, name in names.items() if key not in self._ids}, chunk)

    def of(self, person: Person) -> set[int]:
        if not person.categories:
            return self._always
        return self._always | {self._ids[name.casefold()] for name in person.categories}

    def _find(self, job: Import, keys: set[str]) -> None:
        own = Category.objects.of(job.created_by).order_by("-id")  # of two with one name, the older
        for pk, name in own.values_list("id", "name"):
            if name.casefold() in keys:
                self._ids[name.casefold()] = pk

    def _create(self, job: Import, missing: dict[str, str], chunk: Chunk) -> None:
        made = Import.objects.values_list("categories_created", flat=True).get(pk=job.pk)
        if made + len(missing) > MOST_NEW_CATEGORIES:
            self._refuse(chunk, missing)
            return
        for key, name in missing.items():
            self._ids[key] = Category.objects.create(name=name, created_by=job.created_by).pk
        Import.objects.filter(pk=job.pk).update(categories_created=made + len(missing))

    def _refuse(self, chunk: Chunk, missing: dict[str, str]) -> None:
        """A column of names or towns is not one of categories: those rows wait for a person."""
        refused = set()
        for record, person in chunk.listed:
            if any(name.casefold() in missing for name in person.categories):
                chunk.refusals.append((record, Refusal(Reason.TOO_MANY_CATEGORIES, person.categories[0])))
                refused.add(id(person))
        chunk.persons[:] = [person for person in chunk.persons if id(person) not in refused]


# -- SQL

_STAGING = """
CREATE TEMPORARY TABLE incoming (
    number varchar(16), country_code varchar(4), first_name varchar(120), last_name varchar(120), attributes jsonb
) ON COMMIT DROP
"""
_INSERT = """
INSERT INTO contacts_contact (number, country_code, first_name, last_name, attributes, created_by_id, created_at,
    updated_at, whatsapp_number, opt_out_source, invalid_code)
SELECT i.number, i.country_code, i.first_name, i.last_name, i.attributes, %(user)s, now(), now(), '', '', ''
FROM incoming i WHERE NOT EXISTS (SELECT FROM contacts_contact c WHERE c.number = i.number)
ORDER BY i.number
ON CONFLICT DO NOTHING
RETURNING number, id
"""
_KNOWN = """
SELECT c.number, c.id, (i.first_name <> '' AND c.first_name <> i.first_name)
    OR (i.last_name <> '' AND c.last_name <> i.last_name)
    OR (i.attributes <> '{}' AND c.attributes || i.attributes <> c.attributes)
FROM incoming i JOIN contacts_contact c USING (number)
"""
_LOCK = "SELECT FROM contacts_contact WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE"
_UPDATE = """
UPDATE contacts_contact c SET
    first_name = CASE WHEN i.first_name <> '' THEN i.first_name ELSE c.first_name END,
    last_name = CASE WHEN i.last_name <> '' THEN i.last_name ELSE c.last_name END,
    attributes = c.attributes || i.attributes,
    updated_at = now()
FROM incoming i WHERE c.id = ANY(%(ids)s) AND i.number = c.number
"""
_JOIN = """
INSERT INTO contacts_contact_categories (contact_id, category_id)
SELECT j.contact_id, k.id
FROM unnest(%(contacts)s::bigint[], %(categories)s::bigint[]) AS j (contact_id, category_id)
JOIN contacts_category k ON k.id = j.category_id
ORDER BY j.contact_id, k.id
ON CONFLICT DO NOTHING RETURNING contact_id
"""
# Contacts are shared: who gives a number that somebody else created sees it too.
_LINK = """
INSERT INTO contacts_contact_linked_to (contact_id, user_id)
SELECT id, %(user)s FROM contacts_contact WHERE id = ANY(%(ids)s) AND created_by_id IS DISTINCT FROM %(user)s
ORDER BY id
ON CONFLICT DO NOTHING
"""
_PRESENT = """
SELECT c.number, c.first_name, c.last_name, c.attributes,
    ARRAY(SELECT category_id FROM contacts_contact_categories WHERE contact_id = c.id)
FROM contacts_contact c WHERE c.number = ANY(%s)
"""


def _present(numbers: set[str]) -> dict[str, _State]:
    """The contacts that rows of this chunk name more than once, as they are now."""
    if not numbers:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_PRESENT, [list(numbers)])
        return {
            number: _State(first, last, json.loads(attributes) if isinstance(attributes, str) else attributes, set(ids))
            for number, first, last, attributes, ids in cursor.fetchall()
        }


def _store(persons: list[Person], job: Import, categories: _Categories) -> tuple[set[str], set[str]]:
    """Write persons, one for each number; answers the numbers that were created and those that were changed."""
    if not persons:
        return set(), set()
    with connection.cursor() as cursor:
        cursor.execute(_STAGING)
        with cursor.copy("COPY incoming FROM STDIN") as copy:
            for person in persons:
                copy.write_row(_columns(person))
        cursor.execute("ANALYZE incoming (number)")
        created: dict[str, int] = {}
        known: dict[str, int] = {}
        updated: set[str] = set()
        while len(created | known) < len(persons):  # a second round only if somebody deleted one in between
            cursor.execute(_INSERT, {"user": job.created_by_id})
            created |= dict(cursor.fetchall())
            if len(created) < len(persons):
                known, updated = _change_known(cursor, job)
        cursor.execute("DROP TABLE incoming")
        updated |= _put_in_categories(cursor, persons, created | known, categories)
    return set(created), updated - created.keys()


def _change_known(cursor: Any, job: Import) -> tuple[dict[str, int], set[str]]:
    """Bring contacts that were there already up to date; answers all of them with their ids, and who changed."""
    cursor.execute(_KNOWN)
    found = cursor.fetchall()
    news = {"ids": sorted(pk for _number, pk, differs in found if differs)}
    if news["ids"]:
        cursor.execute(_LOCK, news)
        cursor.execute(_UPDATE, news)
    known = {number: pk for number, pk, _differs in found}
    if job.created_by is not None and not job.created_by.is_super_admin:
        cursor.execute(_LINK, {"user": job.created_by_id, "ids": list(known.values())})
    return known, {number for number, _pk, differs in found if differs}


def _put_in_categories(cursor: Any, persons: list[Person], ids: dict[str, int], categories: _Categories) -> set[str]:
    """Answers the numbers that are newly in one of their categories."""
    pairs = [(ids[person.number], pk) for person in persons for pk in categories.of(person)]
    if not pairs:
        return set()
    contacts, chosen = zip(*pairs, strict=True)
    cursor.execute(_JOIN, {"contacts": list(contacts), "categories": list(chosen)})
    joined = {pk for (pk,) in cursor.fetchall()}
    return {number for number, pk in ids.items() if pk in joined}


_encode = json.JSONEncoder(ensure_ascii=False).encode


def _columns(person: Person) -> tuple[str, ...]:
    return (
        person.number,
        phones.country_code(person.number),
        person.first_name,
        person.last_name,
        _encode(person.attributes) if person.attributes else "{}",
    )


def _keep_refusals(job: Import, refusals: Iterable[tuple[Record, Refusal]]) -> None:
    copied = "COPY contacts_rejectedrow (source_id, line, raw, reason, detail) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(copied) as copy:
        for record, refusal in refusals:
            copy.write_row((job.pk, record.line, record.raw, refusal.reason.value, refusal.detail[:200]))

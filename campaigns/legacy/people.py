"""Users, categories, contacts and who is in which list."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Role, User
from campaigns import sql
from campaigns.legacy import staging
from campaigns.legacy.models import LegacyId
from campaigns.legacy.staging import Report
from campaigns.legacy.tables import CATEGORIES, CONTACTS, MEMBERSHIPS, USERS
from contacts import countries, phones
from contacts.models import Category
from contacts.phones import Problem

CHUNK = 20_000
SUPER = {"super_admin", "superadmin", "super-admin", "super admin"}
NO = {"f", "false", "0", "no", "n"}

# After each step, `new_id` in the temporary copy says which row an old one became; empty: none.
_KNOWN = """
    ALTER TABLE {stage} ADD COLUMN new_id bigint, ADD COLUMN known boolean NOT NULL DEFAULT false;
    UPDATE {stage} o SET new_id = l.new_id, known = true FROM legacy_legacyid l
     WHERE l.source = '{source}' AND l.kind = '{kind}' AND l.old_id = o.id"""


def find_known(stage: str, kind: str, source: str) -> None:
    """Give the temporary copy its `new_id` from earlier runs. `source` is a word (checked by the command)."""
    sql.run(_KNOWN.format(stage=stage, kind=kind, source=source), {})


def take_users(source: str, report: Report) -> None:
    """Users by their e-mail address. New ones have no password: a super-admin gives them one."""
    find_known(USERS.stage, LegacyId.Kind.USER, source)
    tally = report.of(USERS)
    staging.refuse(
        report,
        USERS,
        "no_email",
        f"SELECT id, email FROM {USERS.stage} WHERE email IS NULL OR email NOT LIKE '%%_@_%%'",
    )
    rows = sql.rows(
        f"SELECT n, id, lower(trim(email)), role, is_active FROM {USERS.stage} "
        "WHERE new_id IS NULL AND id IS NOT NULL AND email LIKE '%%_@_%%' ORDER BY n",
        {},
    )
    ids = {email.lower(): pk for pk, email in User.objects.values_list("pk", "email")}
    for n, old_id, email, role, active in rows:
        with transaction.atomic():
            if email in ids:
                tally.known += 1
            else:
                ids[email] = _new_user(email, role, active).pk
                tally.created += 1
            remember(source, LegacyId.Kind.USER, USERS.stage, n, old_id, ids[email])
    tally.known += staging.count(f"SELECT count(*) FROM {USERS.stage} WHERE known")


def _new_user(email: str, role: str | None, active: str | None) -> User:
    return User.objects.create(
        email=email[:254],
        password=make_password(None),
        role=Role.SUPER_ADMIN if (role or "").strip().lower() in SUPER else Role.ADMIN,
        is_active=(active or "t").strip().lower() not in NO,
    )


def remember(source: str, kind: str, stage: str, n: int, old_id: str, new_id: int) -> None:
    """Note for later runs, and in the temporary copy, which row an old one became."""
    LegacyId.objects.create(source=source, kind=kind, old_id=old_id, new_id=new_id)
    sql.run(f"UPDATE {stage} SET new_id = %(new)s WHERE n = %(n)s", {"new": new_id, "n": n})


def take_categories(source: str, report: Report) -> None:
    find_known(CATEGORIES.stage, LegacyId.Kind.CATEGORY, source)
    tally, at = report.of(CATEGORIES), staging.moments(CATEGORIES)
    rows = sql.rows(
        f"""SELECT o.n, o.id, o.name, o.color, u.new_id, {at("o.created_at")}
              FROM {CATEGORIES.stage} o LEFT JOIN {USERS.stage} u ON u.id = o.created_by
             WHERE o.new_id IS NULL AND o.id IS NOT NULL ORDER BY o.n""",
        {},
    )
    for n, old_id, name, color, owner, created in rows:
        with transaction.atomic():
            made = Category.objects.create(
                name=(name or f"#{old_id}").strip()[:120],
                color=color.strip() if color and _is_colour(color.strip()) else "#25d366",
                created_by_id=owner,
                created_at=created or timezone.now(),
            )
            remember(source, LegacyId.Kind.CATEGORY, CATEGORIES.stage, n, old_id, made.pk)
        tally.created += 1
    tally.known = staging.count(f"SELECT count(*) FROM {CATEGORIES.stage} WHERE known")


def _is_colour(text: str) -> bool:
    return len(text) in (4, 7) and text[0] == "#" and all(char in "0123456789abcdefABCDEF" for char in text[1:])


# -- contacts


def take_contacts(source: str, region: str, report: Report) -> None:
    """Contacts by their number in E.164. Of two old rows with one number, both become the same person."""
    find_known(CONTACTS.stage, LegacyId.Kind.CONTACT, source)
    sql.run(
        f"ALTER TABLE {CONTACTS.stage} ADD COLUMN number varchar(16), ADD COLUMN calling varchar(4) NOT NULL "
        "DEFAULT '', ADD COLUMN problem text",
        {},
    )
    for chunk in staging.chunks(CONTACTS, CHUNK):
        _read_numbers(chunk, region)
    sql.run(f"CREATE INDEX ON {CONTACTS.stage} (number)", {})
    sql.run(f"ANALYZE {CONTACTS.stage}", {})
    reasons = sql.rows(f"SELECT DISTINCT problem FROM {CONTACTS.stage} WHERE problem IS NOT NULL", {})
    for (reason,) in reasons:
        query = f"SELECT id, COALESCE(full_number, phone_number, '') FROM {CONTACTS.stage} WHERE problem = %(why)s"
        staging.refuse(report, CONTACTS, reason, query, {"why": reason})
    tally, at = report.of(CONTACTS), staging.moments(CONTACTS)
    for chunk in staging.chunks(CONTACTS, CHUNK):
        with transaction.atomic():
            tally.created += _write_contacts(source, chunk, at("o.created_at"))
    fit = staging.count(f"SELECT count(*) FROM {CONTACTS.stage} WHERE problem IS NULL")
    tally.known = fit - tally.created


def _read_numbers(chunk: dict[str, int], region: str) -> None:
    """What PostgreSQL cannot do: texts to E.164, by the numbering plans."""
    rows = sql.rows(
        f"SELECT n, full_number, phone_number, country_code FROM {CONTACTS.stage} "
        "WHERE n BETWEEN %(first)s AND %(last)s",
        chunk,
    )
    sql.run("CREATE TEMP TABLE IF NOT EXISTS read_numbers (n bigint, number text, calling text, problem text)", {})
    sql.run("TRUNCATE read_numbers", {})
    with connection.cursor() as cursor, cursor.copy("COPY read_numbers FROM STDIN") as copy:
        for n, full, phone, country in rows:
            copy.write_row((n, *_number(full, phone, country, region)))
    sql.run(
        f"UPDATE {CONTACTS.stage} o SET number = r.number, calling = r.calling, problem = r.problem "
        "FROM read_numbers r WHERE r.n = o.n AND o.n BETWEEN %(first)s AND %(last)s",
        chunk,
    )


def _number(full: str | None, phone: str | None, country: str | None, region: str) -> tuple[Any, str, Any]:
    """(number, calling code, None) or (None, "", why not)."""
    found: str | Problem = Problem.EMPTY
    if full:
        found = phones.normalise(full if full.strip().startswith(("+", "0")) else f"+{full.strip()}", region)
    if isinstance(found, Problem) and phone:
        found = phones.normalise(phone, countries.find(country or "") or region)
    if isinstance(found, Problem):
        return None, "", found.value
    return found, phones.country_code(found), None


_NEW = """
    INSERT INTO contacts_contact (number, country_code, first_name, last_name, attributes, created_by_id, created_at,
        updated_at, whatsapp_number, opt_out_source, invalid_code)
    SELECT DISTINCT ON (o.number) o.number, o.calling, left(COALESCE(trim(o.first_name), ''), 120),
        left(COALESCE(trim(o.last_name), ''), 120), '{{}}'::jsonb, u.new_id, COALESCE({created}, now()), now(), '',
        '', ''
      FROM {stage} o LEFT JOIN {users} u ON u.id = o.created_by
     WHERE o.n BETWEEN %(first)s AND %(last)s AND o.number IS NOT NULL AND NOT o.known
     ORDER BY o.number, o.n
        ON CONFLICT DO NOTHING"""
_FOUND = """
    UPDATE {stage} o SET new_id = c.id FROM contacts_contact c
     WHERE c.number = o.number AND o.n BETWEEN %(first)s AND %(last)s AND NOT o.known"""
_REMEMBER = """
    INSERT INTO legacy_legacyid (source, kind, old_id, new_id)
    SELECT %(source)s, 'contact', o.id, o.new_id FROM {stage} o
     WHERE o.n BETWEEN %(first)s AND %(last)s AND o.new_id IS NOT NULL AND NOT o.known AND o.id IS NOT NULL
        ON CONFLICT DO NOTHING"""
_LINK = """
    INSERT INTO contacts_contact_linked_to (contact_id, user_id)
    SELECT DISTINCT c.id, u.new_id FROM {stage} o
      JOIN {users} u ON u.id = o.created_by JOIN contacts_contact c ON c.id = o.new_id
     WHERE o.n BETWEEN %(first)s AND %(last)s AND u.new_id IS NOT NULL AND c.created_by_id IS DISTINCT FROM u.new_id
        ON CONFLICT DO NOTHING"""
_NAMES = """
    UPDATE contacts_contact c SET
        first_name = CASE WHEN c.first_name = '' THEN o.first ELSE c.first_name END,
        last_name = CASE WHEN c.last_name = '' THEN o.last ELSE c.last_name END
      FROM (SELECT DISTINCT ON (new_id) new_id, left(COALESCE(trim(first_name), ''), 120) AS first,
                   left(COALESCE(trim(last_name), ''), 120) AS last
              FROM {stage} WHERE n BETWEEN %(first)s AND %(last)s AND new_id IS NOT NULL AND NOT known
             ORDER BY new_id, n) AS o
     WHERE c.id = o.new_id AND ((c.first_name = '' AND o.first <> '') OR (c.last_name = '' AND o.last <> ''))"""


def _write_contacts(source: str, chunk: dict[str, int], created: str) -> int:
    names = {"stage": CONTACTS.stage, "users": USERS.stage, "created": created}
    values = {**chunk, "source": source}
    done = sql.run(_NEW.format(**names), values)
    for statement in (_FOUND, _REMEMBER, _LINK, _NAMES):
        sql.run(statement.format(**names), values)
    return done


def forget_deleted() -> None:
    """What was brought over and has been deleted here since stays deleted."""
    for table, real in ((CONTACTS, "contacts_contact"), (CATEGORIES, "contacts_category")):
        sql.run(
            f"UPDATE {table.stage} o SET new_id = NULL WHERE o.known AND NOT EXISTS "
            f"(SELECT FROM {real} r WHERE r.id = o.new_id)",
            {},
        )


def take_memberships(report: Report) -> None:
    """Who is in which list; rows that name nobody or no list are refused."""
    tally = report.of(MEMBERSHIPS)
    pairs = (
        f"{MEMBERSHIPS.stage} m LEFT JOIN {CATEGORIES.stage} k ON k.id = m.category_id "
        f"LEFT JOIN {CONTACTS.stage} c ON c.id = m.contact_id"
    )
    described = "SELECT m.category_id || '/' || m.contact_id, '' FROM"
    staging.refuse(report, MEMBERSHIPS, "no_category", f"{described} {pairs} WHERE k.new_id IS NULL")
    staging.refuse(
        report, MEMBERSHIPS, "no_contact", f"{described} {pairs} WHERE k.new_id IS NOT NULL AND c.new_id IS NULL"
    )
    for chunk in staging.chunks(MEMBERSHIPS, CHUNK * 5):
        tally.created += sql.run(
            f"""INSERT INTO contacts_contact_categories (contact_id, category_id)
                SELECT DISTINCT c.new_id, k.new_id FROM {pairs}
                 WHERE m.n BETWEEN %(first)s AND %(last)s AND c.new_id IS NOT NULL AND k.new_id IS NOT NULL
                    ON CONFLICT DO NOTHING""",
            chunk,
        )
    tally.known = tally.read - tally.created - sum(tally.refused.values())

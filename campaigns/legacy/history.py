"""Campaigns, messages and answers, as they stood in the old system. Nothing that is brought over is sent by itself.

An old message that had not left is *uncertain* here: the old system may have sent it since. It counts as pending, as it
did, and a person decides about it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils import timezone

from campaigns import composing, sql, texts
from campaigns.legacy import people, staging
from campaigns.legacy.marks import Marks
from campaigns.legacy.models import LegacyId
from campaigns.legacy.staging import Report
from campaigns.legacy.tables import CAMPAIGNS, CATEGORIES, CONTACTS, INTERACTIONS, MESSAGES, TARGETS, USERS
from campaigns.models import Campaign
from campaigns.status import CampaignStatus
from contacts.models import Contact
from gupshup.models import Sender, Template

CHUNK = 50_000
RECENT = "2 days"  # calls that a report or a quoted answer may still name

CAMPAIGN_STATES = {
    "draft": CampaignStatus.DRAFT,
    "scheduled": CampaignStatus.DRAFT,
    "sending": CampaignStatus.PAUSED,
    "running": CampaignStatus.PAUSED,
    "processing": CampaignStatus.PAUSED,
    "in_progress": CampaignStatus.PAUSED,
    "paused": CampaignStatus.PAUSED,
    "completed": CampaignStatus.FINISHED,
    "finished": CampaignStatus.FINISHED,
    "sent": CampaignStatus.FINISHED,
    "failed": CampaignStatus.CANCELLED,
    "cancelled": CampaignStatus.CANCELLED,
}


# -- campaigns


def take_campaigns(source: str, sender: Sender, language: str, report: Report) -> None:
    """Campaigns with their template, found by name and language. One under way is paused: a person lets it go on."""
    people.find_known(CAMPAIGNS.stage, LegacyId.Kind.CAMPAIGN, source)
    tally, at = report.of(CAMPAIGNS), staging.moments(CAMPAIGNS)
    rows = sql.rows(
        f"""SELECT o.n, o.id, o.new_id, o.name, o.message_1, o.message_2, o.template_name, lower(trim(o.status)),
                   u.new_id, {at("o.created_at")}, {at("o.updated_at")}, {at("o.scheduled_at")}, {at("o.completed_at")},
                   b.campaign_id IS NOT NULL
              FROM {CAMPAIGNS.stage} o LEFT JOIN {USERS.stage} u ON u.id = o.created_by
              LEFT JOIN (SELECT DISTINCT campaign_id FROM {MESSAGES.stage}) b ON b.campaign_id = o.id
             WHERE o.id IS NOT NULL ORDER BY o.n""",
        {},
    )
    known = _templates(sender, language)
    for n, old_id, new_id, *row in rows:
        with transaction.atomic():
            fields = _fields(row, known, report)
            if new_id is None:
                made = Campaign.objects.create(sender=sender, **fields)
                people.remember(source, LegacyId.Kind.CAMPAIGN, CAMPAIGNS.stage, n, old_id, made.pk)
                tally.created += 1
            else:
                tally.known += 1
                _refresh(new_id, fields)
    sql.run(
        f"UPDATE {CAMPAIGNS.stage} o SET new_id = NULL WHERE o.known AND NOT EXISTS "
        "(SELECT FROM campaigns_campaign c WHERE c.id = o.new_id)",
        {},
    )


def _templates(sender: Sender, language: str) -> dict[str, Template]:
    """By name: the approved one in the language first, then one in a variant of it."""
    found: dict[str, Template] = {}
    for template in Template.objects.filter(sender=sender).exclude(status=Template.Status.DELETED).order_by("id"):
        if template.language != language and not template.language.startswith(f"{language}_"):
            continue
        other = found.get(template.name)
        rank = (template.sendable, template.language == language)
        if other is None or rank > (other.sendable, other.language == language):
            found[template.name] = template
    return found


def _fields(row: list[Any], known: dict[str, Template], report: Report) -> dict[str, Any]:
    name, first, second, template_name, word, owner, created, updated, scheduled, completed, has_messages = row
    state = CAMPAIGN_STATES.get(word or "", CampaignStatus.FINISHED)
    if state == CampaignStatus.DRAFT and has_messages:
        state = CampaignStatus.PAUSED
    if word not in CAMPAIGN_STATES:
        report.notes.append(f"unknown campaign status {word!r}: taken as {state.value}")
    template_name = (template_name or "").strip()
    template = known.get(template_name)
    if template_name and template is None:
        report.missing_templates[template_name] += 1
    begun = state != CampaignStatus.DRAFT
    over = state in (CampaignStatus.FINISHED, CampaignStatus.CANCELLED)
    created = created or timezone.now()
    return {
        "name": (name or "?").strip()[:160],
        "template": template,
        "template_name": template_name[:512],
        "message_1": first or "",
        "message_2": (second or "")[:4096],
        "params": composing.read_params(template, first or "") if template else [],
        "status": state,
        "created_by_id": owner,
        "created_at": created,
        "scheduled_at": scheduled,
        "launch_id": uuid.uuid4() if begun else None,
        "launched_at": (scheduled or created) if begun else None,
        "completed_at": (completed or updated or created) if over else None,
    }


def _refresh(new_id: int, fields: dict[str, Any]) -> None:
    """The old system went on after an earlier run: its news, unless somebody has touched the campaign here."""
    untouched = Campaign.objects.filter(pk=new_id, version=0)
    untouched.exclude(status=fields["status"]).update(status=fields["status"], completed_at=fields["completed_at"])
    if fields["template"] is not None:
        untouched.filter(template=None).update(template=fields["template"])


def take_targets(report: Report) -> None:
    """Which lists a campaign was sent to."""
    tally = report.of(TARGETS)
    pairs = (
        f"{TARGETS.stage} t LEFT JOIN {CAMPAIGNS.stage} c ON c.id = t.campaign_id "
        f"LEFT JOIN {CATEGORIES.stage} k ON k.id = t.category_id"
    )
    described = f"SELECT t.campaign_id || '/' || t.category_id, '' FROM {pairs}"
    staging.refuse(report, TARGETS, "no_campaign", f"{described} WHERE c.new_id IS NULL")
    staging.refuse(report, TARGETS, "no_category", f"{described} WHERE c.new_id IS NOT NULL AND k.new_id IS NULL")
    tally.created = sql.run(
        f"""INSERT INTO campaigns_campaign_categories (campaign_id, category_id)
            SELECT DISTINCT c.new_id, k.new_id FROM {pairs} WHERE c.new_id IS NOT NULL AND k.new_id IS NOT NULL
                ON CONFLICT DO NOTHING""",
        {},
    )
    tally.known = tally.read - tally.created - sum(tally.refused.values())


# -- messages

# Where an old message went: its person's number as digits; a made-up word for a person whose number is none.
DESTINATION = """COALESCE(substr(k.number, 2), 'old-' || left(m.contact_id, 60), 'old-message-' || left(m.id, 60))"""
KIND = """CASE WHEN lower(m.message_type) IN ('message_2', '2', 'message2') THEN 'message_2' ELSE 'message_1' END"""
STATUS = """CASE lower(trim(m.status)) WHEN 'sent' THEN 30 WHEN 'delivered' THEN 40 WHEN 'read' THEN 50
                 WHEN 'failed' THEN 35 WHEN 'error' THEN 35 ELSE 15 END"""
JOINED = f"{MESSAGES.stage} m LEFT JOIN {CONTACTS.stage} k ON k.id = m.contact_id"

# The second and later messages to one person in one campaign. Few: so first which people, then which rows.
_DOUBLES = f"""
    CREATE TEMP TABLE doubles AS
    SELECT n FROM (
        SELECT m.n, row_number() OVER (PARTITION BY m.campaign_id, {DESTINATION}, {KIND} ORDER BY m.n) AS place
          FROM {JOINED}
         WHERE (m.campaign_id, {DESTINATION}, {KIND}) IN (
               SELECT m.campaign_id, {DESTINATION}, {KIND} FROM {JOINED} GROUP BY 1, 2, 3 HAVING count(*) > 1)
        ) AS ranked WHERE place > 1"""
# When a person answered a campaign. The old system sent Message 2 after an answer, so that one proves the other.
_REPLIES = f"""
    CREATE TEMP TABLE replies AS
    SELECT campaign_id, contact_id, min(at) AS at, min(second_at) AS second_at FROM (
        SELECT i.campaign_id, i.contact_id, {{at}} AS at, NULL::timestamptz AS second_at FROM {INTERACTIONS.stage} i
         WHERE lower(i.interaction_type) = 'reply'
        UNION ALL
        SELECT m.campaign_id, m.contact_id, NULL, COALESCE({{created}}, now()) FROM {MESSAGES.stage} m
         WHERE {KIND} = 'message_2') AS answers
     WHERE campaign_id IS NOT NULL AND contact_id IS NOT NULL GROUP BY 1, 2"""
_CHUNK = f"""
    INSERT INTO chunk
    SELECT c.new_id, p.id, {KIND}, {DESTINATION} || CASE WHEN d.n IS NULL THEN '' ELSE '~' || m.id END,
           COALESCE(m.content, ''), {STATUS}, left(COALESCE(m.error_message, ''), 300),
           left(COALESCE(m.whatsapp_message_id, ''), 128),
           CASE WHEN m.retry_count ~ '^[0-9]{{{{1,4}}}}$' THEN m.retry_count::smallint ELSE 0 END,
           {{sent}}, {{delivered}}, {{read}}, COALESCE({{created}}, {{sent}}, now()),
           COALESCE({{updated}}, {{created}}, now()), r.at, r.second_at, NULL
      FROM {JOINED}
      JOIN {CAMPAIGNS.stage} c ON c.id = m.campaign_id
      LEFT JOIN contacts_contact p ON p.id = k.new_id
      LEFT JOIN doubles d ON d.n = m.n
      LEFT JOIN replies r ON r.campaign_id = m.campaign_id AND r.contact_id = m.contact_id
     WHERE m.n BETWEEN %(first)s AND %(last)s AND c.new_id IS NOT NULL"""
_MAKE_CHUNK = """
    CREATE TEMP TABLE chunk (campaign_id bigint, contact_id bigint, message_type text, destination text, content text,
        status smallint, error_message text, whatsapp_message_id text, retry_count smallint, sent_at timestamptz,
        delivered_at timestamptz, read_at timestamptz, created_at timestamptz, updated_at timestamptz,
        replied_at timestamptz, second_at timestamptz, known bigint)"""
# Which rows stand already, looked up once for everything that follows.
_FIND = """
    UPDATE chunk s SET known = t.id FROM campaigns_message t
     WHERE t.campaign_id = s.campaign_id AND t.destination = s.destination AND t.message_type = s.message_type"""
# A reply counts within 24 hours; Message 2 ends with that window; what left has its time of acceptance.
ACCEPTED = "CASE WHEN s.status >= 20 THEN COALESCE(s.sent_at, s.delivered_at, s.read_at, s.created_at) END"
REPLIED = f"""CASE WHEN s.message_type = 'message_2' THEN NULL
                   WHEN s.replied_at <= {ACCEPTED} + interval '24 hours' THEN s.replied_at ELSE s.second_at END"""
_INSERT = f"""
    INSERT INTO campaigns_message (campaign_id, sender_id, contact_id, message_type, destination, content, status,
        error_message, whatsapp_message_id, retry_count, created_at, updated_at, accepted_at, sent_at, delivered_at,
        read_at, failed_at, replied_at, expires_at)
    SELECT s.campaign_id, %(sender)s, s.contact_id, s.message_type, s.destination, s.content, s.status, s.error_message,
           s.whatsapp_message_id, s.retry_count, s.created_at, s.updated_at, {ACCEPTED}, s.sent_at, s.delivered_at,
           s.read_at, CASE WHEN s.status = 35 THEN s.updated_at END, {REPLIED},
           CASE WHEN s.message_type = 'message_2' THEN COALESCE(s.replied_at, s.created_at) + interval '24 hours' END
      FROM chunk s WHERE s.known IS NULL
        ON CONFLICT (campaign_id, destination, message_type) DO NOTHING"""
# News of the old system since an earlier run. A message that was sent from here since is ours to tell of, and a report
# that came here since is not undone by an older row.
_UPDATE = f"""
    UPDATE campaigns_message t
       SET status = s.status, error_message = s.error_message, whatsapp_message_id = s.whatsapp_message_id,
           retry_count = s.retry_count, sent_at = s.sent_at, delivered_at = s.delivered_at, read_at = s.read_at,
           accepted_at = COALESCE(t.accepted_at, {ACCEPTED}), replied_at = COALESCE(t.replied_at, {REPLIED}),
           updated_at = s.updated_at
      FROM chunk s
     WHERE t.id = s.known AND t.status IN (15, 30, 35, 40, 50) AND t.lease IS NULL
       AND (t.status, t.error_message, t.whatsapp_message_id, t.sent_at, t.delivered_at, t.read_at)
           IS DISTINCT FROM
           (s.status, s.error_message, s.whatsapp_message_id, s.sent_at, s.delivered_at, s.read_at)
       AND (s.updated_at >= t.updated_at OR s.status > t.status)
       AND NOT EXISTS (SELECT FROM campaigns_attempt a WHERE a.message_id = t.id AND a.deadline > a.started_at)"""
# Calls of the old system: of uncertain messages, and of those that a quoted answer may still name. `deadline` equal to
# `started_at` marks them. They are released: no report about the future adopts them.
_ATTEMPTS = f"""
    WITH made AS (
    INSERT INTO campaigns_attempt (message_id, sender_id, destination, state, token, started_at, wire_at, deadline,
        finished_at, released_at)
    SELECT t.id, t.sender_id, t.destination, CASE WHEN t.status = 15 THEN 'uncertain' ELSE 'accepted' END,
           gen_random_uuid(), t.created_at, t.created_at, t.created_at, t.created_at, t.created_at
      FROM chunk s JOIN campaigns_message t ON t.campaign_id = s.campaign_id AND t.destination = s.destination
                                           AND t.message_type = s.message_type
     WHERE (s.status = 15 OR s.created_at > now() - interval '{RECENT}' OR s.sent_at > now() - interval '{RECENT}'
            OR s.delivered_at > now() - interval '{RECENT}' OR s.read_at > now() - interval '{RECENT}')
       AND (t.status = 15 OR (t.whatsapp_message_id <> '' AND t.status <> 35
                              AND t.accepted_at > now() - interval '{RECENT}'))
       AND NOT EXISTS (SELECT FROM campaigns_attempt a WHERE a.message_id = t.id)
    RETURNING id, message_id)
    INSERT INTO campaigns_whatsappid (attempt_id, whatsapp_id)
    SELECT made.id, t.whatsapp_message_id FROM made JOIN campaigns_message t ON t.id = made.message_id
     WHERE t.whatsapp_message_id <> ''"""
_SETTLED = """
    UPDATE campaigns_attempt a SET state = 'accepted' FROM chunk s JOIN campaigns_message t ON t.id = s.known
     WHERE a.message_id = t.id AND a.state = 'uncertain' AND a.deadline = a.started_at AND t.status <> 15"""


def take_messages(sender: Sender, report: Report, marks: Marks, say: staging.Say) -> None:
    """Every message in its old state, and with it the figures. Two to one person in one campaign stay two rows.

    Chunks that an earlier run wrote, and that have not changed since, are passed by.
    """
    tally = report.of(MESSAGES)
    campaigns = f"{MESSAGES.stage} m LEFT JOIN {CAMPAIGNS.stage} c ON c.id = m.campaign_id"
    staging.refuse(
        report, MESSAGES, "no_campaign", f"SELECT m.id, m.campaign_id FROM {campaigns} WHERE c.new_id IS NULL"
    )
    todo = [chunk for chunk in staging.chunks(MESSAGES, CHUNK) if not marks.done(chunk["last"])]
    if todo:
        _write_chunks(todo, sender, tally, marks, say)
    tally.known = tally.read - tally.created - sum(tally.refused.values())


def _write_chunks(
    todo: list[dict[str, int]], sender: Sender, tally: staging.Tally, marks: Marks, say: staging.Say
) -> None:
    at, heard = staging.moments(MESSAGES), staging.moments(INTERACTIONS)
    for statement in (
        "DROP TABLE IF EXISTS pg_temp.doubles, pg_temp.replies, pg_temp.chunk",
        _DOUBLES,
        _REPLIES.format(at=f"COALESCE({heard('i.received_at')}, {heard('i.created_at')})", created=at("m.created_at")),
        _MAKE_CHUNK,
        "CREATE UNIQUE INDEX ON doubles (n)",
        "CREATE INDEX ON replies (campaign_id, contact_id)",
        "ANALYZE doubles",
        "ANALYZE replies",
    ):
        sql.run(statement, {})
    again = staging.count(f"SELECT count(*) FROM {CAMPAIGNS.stage} WHERE known") > 0
    filling = _filling(at)
    for chunk in todo:
        with transaction.atomic():
            _write_chunk(chunk, filling, sender, again, tally)
            marks.note(chunk["last"])
        say(f"messages: {min(chunk['last'], tally.read)} of {tally.read}")


def _filling(at: Callable[[str], str]) -> str:
    names = ("sent", "delivered", "read", "created", "updated")
    return _CHUNK.format(**{name: at(f"m.{name}_at") for name in names})


def _write_chunk(chunk: dict[str, int], filling: str, sender: Sender, again: bool, tally: staging.Tally) -> None:
    sql.run("TRUNCATE chunk", {})
    sql.run(filling, chunk)
    if chunk["first"] == 1 or again:
        sql.run("ANALYZE chunk (campaign_id, destination, message_type)", {})
    if again:
        sql.run(_FIND, {})
    tally.created += sql.run(_INSERT, {"sender": sender.pk})
    if again:
        changed = sql.run(_UPDATE, {})
        tally.changed += changed
        if changed:
            sql.run(_SETTLED, {})
    sql.run(_ATTEMPTS, {})


# -- answers

_INTERACTIONS = f"""
    INSERT INTO campaigns_interaction (sender_id, contact_id, message_id, campaign_id, interaction_type, content,
        media_url, inbound_id, quoted_id, late, triggered, received_at)
    SELECT %(sender)s, p.id, f.id, c.new_id, CASE WHEN lower(m.interaction_type) = 'reaction' THEN 'reaction'
               WHEN lower(m.interaction_type) = 'button' THEN 'button' ELSE 'reply' END,
           COALESCE(m.content, ''), '', 'legacy:' || %(source)s || ':' || left(m.id, 100), '',
           COALESCE(at.at > f.accepted_at + interval '24 hours', false),
           EXISTS (SELECT FROM campaigns_message s WHERE s.campaign_id = c.new_id AND s.destination = {DESTINATION}
                      AND s.message_type = 'message_2'),
           at.at
      FROM {INTERACTIONS.stage} m
      LEFT JOIN {CONTACTS.stage} k ON k.id = m.contact_id
      LEFT JOIN contacts_contact p ON p.id = k.new_id
      LEFT JOIN {CAMPAIGNS.stage} c ON c.id = m.campaign_id
      LEFT JOIN campaigns_message f ON f.campaign_id = c.new_id AND f.destination = {DESTINATION}
                                   AND f.message_type = 'message_1'
      CROSS JOIN LATERAL (SELECT COALESCE({{received}}, {{created}}, f.accepted_at, now()) AS at) AS at
     WHERE m.n BETWEEN %(first)s AND %(last)s AND lower(m.interaction_type) IN ('reply', 'reaction', 'button')
       AND m.id IS NOT NULL
        ON CONFLICT (sender_id, inbound_id) DO NOTHING"""
_LAST_INBOUND = f"""
    UPDATE contacts_contact p SET last_inbound_at = heard.at
      FROM (SELECT k.new_id AS id, max({{received}}) AS at
              FROM {INTERACTIONS.stage} m JOIN {CONTACTS.stage} k ON k.id = m.contact_id
             WHERE lower(m.interaction_type) IN ('reply', 'reaction', 'button') GROUP BY 1) AS heard
     WHERE p.id = heard.id AND heard.at IS NOT NULL AND (p.last_inbound_at IS NULL OR p.last_inbound_at < heard.at)"""


def take_interactions(source: str, sender: Sender, report: Report) -> None:
    """Replies and reactions. The old system kept deliveries and readings here too: the messages say those already."""
    tally, at = report.of(INTERACTIONS), staging.moments(INTERACTIONS)
    received, created = at("m.received_at"), at("m.created_at")
    told = staging.count(
        f"SELECT count(*) FROM {INTERACTIONS.stage} WHERE lower(interaction_type) IN ('read', 'delivered')"
    )
    if told:
        tally.refused["told_by_the_messages"] += told
    staging.refuse(
        report,
        INTERACTIONS,
        "unknown_type",
        f"SELECT id, interaction_type FROM {INTERACTIONS.stage} WHERE lower(COALESCE(interaction_type, '')) NOT IN "
        "('reply', 'reaction', 'button', 'read', 'delivered')",
    )
    statement = _INTERACTIONS.format(received=received, created=created)
    for chunk in staging.chunks(INTERACTIONS, CHUNK):
        tally.created += sql.run(statement, {**chunk, "source": source, "sender": sender.pk})
    tally.known = tally.read - tally.created - sum(tally.refused.values())
    sql.run(_LAST_INBOUND.format(received=received), {})


def keep_stops(report: Report) -> None:
    """Who answered with a stop word wants nothing more, whatever the old system made of it; once, with the proof."""
    said = sql.rows(
        f"SELECT DISTINCT content FROM {INTERACTIONS.stage} WHERE lower(interaction_type) IN ('reply', 'button') "
        "AND length(content) <= 60",
        {},
    )
    words = [content for (content,) in said if texts.says_stop(content)]
    rows = sql.rows(
        f"""SELECT k.new_id, min(m.content) FROM {INTERACTIONS.stage} m JOIN {CONTACTS.stage} k ON k.id = m.contact_id
             WHERE m.content = ANY(%(words)s) AND k.new_id IS NOT NULL
               AND NOT EXISTS (SELECT FROM contacts_consentevent e WHERE e.contact_id = k.new_id) GROUP BY 1""",
        {"words": words},
    )
    for contact_id, content in rows:
        Contact.objects.filter(pk=contact_id).opt_out("word", evidence=content)
    if rows:
        report.notes.append(f"{len(rows)} people had answered with a stop word: they are opted out")

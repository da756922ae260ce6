"""The guards, and what each looks like when it is gone: text that stands once in a file, and what takes its place.

`tests`: what should notice. A guard that has a twin (two indexes, a look and a look again) is removed with its twin, or
the twin alone is what is tested.
"""

from __future__ import annotations

from dataclasses import dataclass

SENDING, FENCES = "campaigns/tests/test_sending.py", "campaigns/tests/test_fences.py"
STATUSES, REPLIES = "campaigns/tests/test_statuses.py", "campaigns/tests/test_replies.py"
LAUNCHING, LIMITS = "campaigns/tests/test_launching.py", "campaigns/tests/test_limits.py"
WEBHOOKS = "gupshup/tests/test_webhooks.py"


@dataclass(frozen=True)
class Mutation:
    """`old` stands in `file` exactly once; `new` takes its place. `drop`: SQL that a last migration runs."""

    name: str
    guard: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    drop: str = ""


def in_file(file: str, *rows: tuple[str, str, str, str, tuple[str, ...]]) -> tuple[Mutation, ...]:
    return tuple(Mutation(name, guard, file, old, new, tests) for name, guard, old, new, tests in rows)


OUTBOX = in_file(
    "campaigns/outbox.py",
    (
        "claim-locks",
        "a claim passes by the rows that a rival is claiming",
        "LIMIT %(wanted)s FOR UPDATE OF q SKIP LOCKED)",
        "LIMIT %(wanted)s)",
        (FENCES,),
    ),
    (
        "claim-lease",
        "a claim passes by what is leased",
        "AND (q.lease_until IS NULL OR q.lease_until < clock_timestamp())",
        "",
        (FENCES,),
    ),
    (
        "begin-lease",
        "begin looks whether the lease is still ours",
        "m.lease = %(lease)s AND m.lease_until",
        "%(lease)s::uuid IS NOT NULL AND m.lease_until",
        (SENDING,),
    ),
    (
        "begin-lease-time",
        "begin looks whether the lease has run out",
        "AND m.lease_until > clock_timestamp() AND m.status = 0",
        "AND m.status = 0",
        (FENCES,),
    ),
    (
        "begin-campaign",
        "begin looks at the campaign's state again",
        "AND (c.status = 'running' OR (c.status = 'finished' AND m.message_type = 'message_2'))\n       AND (m",
        "AND (m",
        (SENDING,),
    ),
    (
        "begin-opt-out",
        "begin looks at the opt-out again",
        "COALESCE(k.opted_out_at IS NOT NULL, false)",
        "false",
        (SENDING,),
    ),
    (
        "begin-window",
        "begin looks whether Message 2's window is open",
        "AND (m.expires_at IS NULL OR m.expires_at > clock_timestamp())\n",
        "\n",
        (FENCES,),
    ),
    (
        "person-gap",
        "begin looks again, under its own open attempt, when the person was last written to",
        "AND a.started_at > mine.started_at - %(gap)s",
        "AND a.started_at > mine.started_at - %(gap)s AND false",
        (FENCES,),
    ),
    (
        "wire-compare-and-set",
        "the wire mark is a compare-and-set",
        "AND state = 'intent' AND wire_at IS NULL RETURNING id",
        "RETURNING id",
        (SENDING, FENCES),
    ),
)
CALLS = in_file(
    "campaigns/sending.py",
    (
        "wire-mark",
        "no call without a wire mark that was committed before",
        "outbox.mark(begun) if begun else []",
        "begun",
        (FENCES,),
    ),
    (
        "missed-slot",
        "a slot that was missed is given up before the first byte",
        "return monotonic() <= item.closes",
        "return True",
        (SENDING,),
    ),
    (
        "breaker-of-trouble",
        "a streak of trouble stops the sender",
        'return "trouble"',
        'return ""',
        (LIMITS,),
    ),
)
OUTCOMES = in_file(
    "campaigns/outcomes.py",
    (
        "uncertain-stays",
        "what may have gone is not sent again",
        "Outcome.UNCERTAIN: _uncertain,",
        "Outcome.UNCERTAIN: _not_sent,",
        (SENDING,),
    ),
    (
        "answer-after-report",
        "an answer does not take back what a report said",
        "SET status = GREATEST(m.status, 20), whatsapp_message_id = closed.provider_id",
        "SET status = 20, whatsapp_message_id = closed.provider_id",
        (FENCES, STATUSES),
    ),
    (
        "halt-waits",
        "a wrong key stops the sender and refuses nobody",
        'if halt(sender_id, answer.campaign_id, code, text, campaign_only=answer.response.halts == "campaign"):',
        "if False:",
        (SENDING,),
    ),
    (
        "reopened",
        "a message that waits again opens its finished campaign",
        "for pk in [pk for pk, status in campaigns if status == CampaignStatus.FINISHED]:",
        "for pk in []:",
        (STATUSES,),
    ),
)
RETRIES = in_file(
    "campaigns/retries.py",
    ("three-retries", "three retries and no more (P10)", "return refusals <= MAX_RETRIES", "return True", (SENDING,)),
)
RESPONSES = in_file(
    "gupshup/api/responses.py",
    (
        "server-errors",
        "a 5xx may have been accepted",
        "return facts.answer(Outcome.UNCERTAIN, code)",
        "return facts.answer(Outcome.NOT_SENT, code)",
        (SENDING,),
    ),
)
RECONCILING = in_file(
    "campaigns/reconciling.py",
    (
        "reaper-wire",
        "the reaper sends nothing again that has a wire mark",
        '_end([pk for pk, _, wired in overdue if not wired], "not_sent", "wire_at IS NULL")',
        '_end([pk for pk, _, _ in overdue], "not_sent", "true")',
        (SENDING,),
    ),
    (
        "reaper-deadline",
        "the reaper leaves alone what is under way",
        "AND a.deadline < clock_timestamp()",
        "",
        (FENCES,),
    ),
    (
        "reaper-looks-again",
        "the reaper looks again whether a mark has been set",
        "AND state = 'intent' AND {still} RETURNING",
        "AND state = 'intent' RETURNING",
        (FENCES,),
    ),
)
PACING = in_file(
    "campaigns/pacing.py",
    (
        "pace",
        "workers share one row's next slot",
        "SET tat = GREATEST(s.tat, clock_timestamp() + make_interval(secs => %(lead)s))",
        "SET tat = (clock_timestamp() + make_interval(secs => %(lead)s))",
        (FENCES, SENDING),
    ),
    (
        "pace-due",
        "no slot before it is due",
        "AND s.tat <= clock_timestamp() + make_interval(secs => %(horizon)s)\n        RETURNING",
        "RETURNING",
        (FENCES, SENDING),
    ),
)
NEWS = (
    *in_file(
        "campaigns/advancing.py",
        (
            "best-news",
            "news move a message forward only",
            "SET status = GREATEST(m.status, t.rank)",
            "SET status = t.rank",
            (STATUSES,),
        ),
    ),
    *in_file(
        "campaigns/statuses.py",
        (
            "adoption",
            "a report settles the uncertain call to its destination",
            "owners |= _adopted(calls, _of_nobody_else(sender_id, strangers) if calls else ())",
            "pass",
            (STATUSES,),
        ),
        (
            "adoption-of-calls-made",
            "only a call with a wire mark adopts a report",
            "AND a.state IN ('intent', 'uncertain') AND a.wire_at IS NOT NULL",
            "AND a.state IN ('intent', 'uncertain')",
            (STATUSES,),
        ),
        (
            "adoption-of-what-is-vague",
            "a report that may be about another message waits",
            "_own_id(one) is not None or one.report.destination not in ambiguous",
            "True",
            (FENCES,),
        ),
        (
            "id-put-right",
            "the first report with both ids puts an adopted call's id right",
            "    _correct_ids(owners, heard)\n    advancing",
            "    advancing",
            (FENCES,),
        ),
    ),
    *in_file(
        "campaigns/ingest.py",
        (
            "ingest-trouble",
            "the database's trouble leaves callbacks due",
            "except (OperationalError, InterfaceError):\n        raise  # the database",
            "except (OperationalError, InterfaceError):\n        unknown, failed = set(), {}  # the database",
            (FENCES,),
        ),
    ),
)
INBOUND = (
    *in_file(
        "campaigns/replies.py",
        (
            "late-answers",
            "an answer after the window sends nothing",
            "late = first is not None and not _in_window(first, at)",
            "late = False",
            (REPLIES,),
        ),
        (
            "answer-once",
            "the same message told twice is one interaction",
            'inbound_id=inbound.inbound_id or f"key:{inbound.key}",',
            'inbound_id=__import__("uuid").uuid4().hex,',
            (REPLIES,),
        ),
    ),
    Mutation(
        "message-2-once",
        "one Message 2 for each person of a campaign, by a unique index",
        "campaigns/replies.py",
        "ON CONFLICT (campaign_id, destination, message_type) DO NOTHING",
        "ON CONFLICT DO NOTHING",
        (FENCES, REPLIES),
        drop="ALTER TABLE campaigns_message DROP CONSTRAINT message_once_per_person",
    ),
    *in_file(
        "gupshup/webhooks.py",
        (
            "callback-hash",
            "the same bytes are one callback",
            "digest = hashlib.sha256(body).digest()",
            'digest = __import__("os").urandom(32)',
            (WEBHOOKS,),
        ),
        (
            "no-false-200",
            "no 200 for a callback that was not kept",
            "return HttpResponse(status=503)",
            "return HttpResponse()",
            (WEBHOOKS,),
        ),
    ),
)
LAUNCHES = (
    *in_file(
        "campaigns/models.py",
        (
            "launch-compare-and-set",
            "a change of state names the states that it leaves",
            "self.filter(status__in=leaving).update(",
            "self.update(",
            (LAUNCHING, SENDING),
        ),
    ),
    *in_file(
        "campaigns/launching.py",
        (
            "launch-lock",
            "rivals who launch wait for each other",
            'Campaign.objects.select_for_update(of=("self",)).select_related("template", "sender").get(pk=campaign.pk)',
            'Campaign.objects.select_related("template", "sender").get(pk=campaign.pk)',
            (FENCES, LAUNCHING),
        ),
        (
            "rows-before-calls",
            "nothing leaves before all rows stand",
            "to=CampaignStatus.PREPARING, **_frozen(campaign, actor)",
            "to=CampaignStatus.RUNNING, **_frozen(campaign, actor)",
            (LAUNCHING,),
        ),
    ),
)
INDEXES = (
    Mutation(
        "open-call-index",
        "a person has one open call, by a unique index",
        "",
        "",
        "",
        (FENCES, SENDING),
        drop="DROP INDEX one_unresolved_call",
    ),
    Mutation(
        "possible-delivery-index",
        "a message has one attempt that may have arrived, by a unique index",
        "",
        "",
        "",
        (FENCES, SENDING),
        drop="DROP INDEX one_possible_delivery",
    ),
)
ALL = (
    *OUTBOX, *CALLS, *OUTCOMES, *RETRIES, *RESPONSES, *RECONCILING, *PACING, *NEWS, *INBOUND, *LAUNCHES, *INDEXES,
)  # fmt: skip

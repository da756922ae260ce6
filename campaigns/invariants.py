"""What must always hold, as named checks in SQL: a count of offending rows, zero when all is well.

They serve `audit_campaign`, `verify_counters`, the self-check on the beat, `/readyz`, the home page and the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campaigns import sql


@dataclass(frozen=True)
class Invariant:
    """`statement` answers the number of offences; `campaign` narrows it (None: all)."""

    name: str
    promise: str | Promise
    statement: str

    def offences(self, campaign_id: int | None = None) -> int:
        found = sql.row(self.statement, {"campaign": campaign_id})
        return int(found[0]) if found else 0


OF_CAMPAIGN = "(%(campaign)s::bigint IS NULL OR m.campaign_id = %(campaign)s)"
KEY = """m.campaign_id, m.message_type, m.status, COALESCE(NULLIF(m.error_code, ''), m.reason) AS cause,
         m.replied_at IS NOT NULL AS replied, m.opted_out_at IS NOT NULL AS opted_out"""

INVARIANTS = (
    Invariant(
        "one_possible_delivery",
        _("No message has two calls that may have reached the person."),
        f"""SELECT count(*) FROM (
                SELECT a.message_id FROM campaigns_attempt a JOIN campaigns_message m ON m.id = a.message_id
                 WHERE {OF_CAMPAIGN} AND a.state IN ('intent', 'accepted', 'uncertain')
                 GROUP BY a.message_id HAVING count(*) > 1) AS twice""",
    ),
    Invariant(
        "person_once",
        _("No person has two Messages 1 or two Messages 2 of one campaign."),
        f"""SELECT count(*) FROM (
                SELECT m.campaign_id, m.message_type, m.destination FROM campaigns_message m WHERE {OF_CAMPAIGN}
                 GROUP BY 1, 2, 3 HAVING count(*) > 1) AS twice""",
    ),
    Invariant(
        "sending_has_intent",
        _("A message that is being sent has a call under way."),
        f"""SELECT count(*) FROM campaigns_message m WHERE {OF_CAMPAIGN} AND m.status = 10 AND NOT EXISTS (
                SELECT 1 FROM campaigns_attempt a WHERE a.message_id = m.id AND a.state = 'intent')""",
    ),
    Invariant(
        "uncertain_has_attempt",
        _("An uncertain message has a call without an answer."),
        f"""SELECT count(*) FROM campaigns_message m WHERE {OF_CAMPAIGN} AND m.status = 15 AND NOT EXISTS (
                SELECT 1 FROM campaigns_attempt a WHERE a.message_id = m.id AND a.state = 'uncertain')""",
    ),
    Invariant(
        "accepted_has_attempt",
        _("An accepted message has the call that was accepted."),
        f"""SELECT count(*) FROM campaigns_message m
             WHERE {OF_CAMPAIGN} AND m.status IN (20, 30, 40, 50) AND EXISTS (
                SELECT 1 FROM campaigns_attempt a WHERE a.message_id = m.id) AND NOT EXISTS (
                SELECT 1 FROM campaigns_attempt a
                 WHERE a.message_id = m.id AND a.state IN ('accepted', 'superseded', 'refused'))""",
    ),
    Invariant(
        "pending_is_free",
        _("A waiting message has no call that may have reached the person."),
        f"""SELECT count(*) FROM campaigns_message m WHERE {OF_CAMPAIGN} AND m.status = 0 AND EXISTS (
                SELECT 1 FROM campaigns_attempt a
                 WHERE a.message_id = m.id AND a.state IN ('intent', 'accepted', 'uncertain'))""",
    ),
    Invariant(
        "no_overdue_intent",
        _("No call is left without an end."),
        f"""SELECT count(*) FROM campaigns_attempt a JOIN campaigns_message m ON m.id = a.message_id
             WHERE {OF_CAMPAIGN} AND a.state = 'intent' AND a.deadline < clock_timestamp() - interval '60 s'""",
    ),
    Invariant(
        "finished_is_done",
        _("A finished campaign has no Message 1 waiting or being sent."),
        f"""SELECT count(*) FROM campaigns_message m JOIN campaigns_campaign c ON c.id = m.campaign_id
             WHERE {OF_CAMPAIGN} AND c.status = 'finished' AND m.message_type = 'message_1' AND m.status IN (0, 10)""",
    ),
    Invariant(
        "message_2_after_reply",
        _("Message 2 went only to people who answered."),
        f"""SELECT count(*) FROM campaigns_message m WHERE {OF_CAMPAIGN} AND m.message_type = 'message_2'
               AND NOT EXISTS (SELECT 1 FROM campaigns_message f
                                WHERE f.campaign_id = m.campaign_id AND f.destination = m.destination
                                  AND f.message_type = 'message_1' AND f.replied_at IS NOT NULL)""",
    ),
    Invariant(
        "figures_equal_rows",
        _("The kept figures equal the rows."),
        f"""SELECT count(*) FROM (
                SELECT campaign_id, message_type, status, cause, replied, opted_out, sum(n)
                  FROM (SELECT campaign_id, message_type, status, cause, replied, opted_out, n
                          FROM campaigns_tally m WHERE {OF_CAMPAIGN}
                        UNION ALL
                        SELECT campaign_id, message_type, status, cause, replied, opted_out, n
                          FROM campaigns_tallydelta m WHERE {OF_CAMPAIGN}
                        UNION ALL
                        SELECT {KEY}, -count(*) FROM campaigns_message m WHERE {OF_CAMPAIGN}
                         GROUP BY 1, 2, 3, 4, 5, 6) AS t
                 GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(n) <> 0) AS off""",
    ),
)


def check(campaign_id: int | None = None) -> dict[str, int]:
    """Offences by name, for one campaign or all."""
    return {invariant.name: invariant.offences(campaign_id) for invariant in INVARIANTS}

"""Are the old statistics the same here? Counted in the old rows by the old formulas, and compared."""

from __future__ import annotations

from campaigns import reports, sql
from campaigns.legacy.history import KIND
from campaigns.legacy.staging import Report
from campaigns.legacy.tables import CAMPAIGNS, MESSAGES

# The old formulas, over the old rows: each Message 1 in exactly one of five, by its present status.
_OLD = f"""
    SELECT c.new_id, c.id, count(m.n),
           count(*) FILTER (WHERE lower(trim(m.status)) = 'sent'),
           count(*) FILTER (WHERE lower(trim(m.status)) = 'delivered'),
           count(*) FILTER (WHERE lower(trim(m.status)) = 'read'),
           count(*) FILTER (WHERE lower(trim(m.status)) IN ('failed', 'error')),
           c.total_recipients
      FROM {CAMPAIGNS.stage} c LEFT JOIN {MESSAGES.stage} m ON m.campaign_id = c.id AND {KIND} = 'message_1'
     WHERE c.new_id IS NOT NULL GROUP BY c.new_id, c.id, c.total_recipients"""


def compare(report: Report) -> None:
    """Note every campaign whose old counters differ, and those whose own row disagreed with its messages before."""
    rows = sql.rows(_OLD, {})
    figures = reports.figures_of([row[0] for row in rows])
    for new_id, old_id, total, sent, delivered, read, failed, said in rows:
        ours = figures[new_id].old
        theirs = {
            "total_recipients": total,
            "pending_count": total - sent - delivered - read - failed,
            "sent_count": sent,
            "delivered_count": delivered,
            "read_count": read,
            "failed_count": failed,
            "success_rate": (delivered + read) / total * 100 if total else 0.0,
        }
        if ours != theirs:
            changed = ", ".join(
                f"{name} {theirs[name]} → {ours[name]}" for name in theirs if theirs[name] != ours[name]
            )
            report.differing.append(f"campaign {old_id} (here {new_id}): {changed}")
        if said and said.isdecimal() and total and int(said) != total:
            report.notes.append(f"campaign {old_id}: its row said {said} recipients, its messages are {total}")
    report.campaigns_checked = len(rows)

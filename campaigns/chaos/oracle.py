"""The oracle: was anybody written to twice, lost, or told wrongly? Ledger first; our tables are not their own witness.

Each check answers what it found wrong, in words that name the row; an empty list when all is well.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

from campaigns.chaos import plan, timing
from campaigns.chaos.evidence import Evidence, Row
from campaigns.status import Status

RANKS = {
    "submitted": Status.SUBMITTED,
    "enqueued": Status.SUBMITTED,
    "sent": Status.SENT,
    "failed": Status.FAILED,
    "delivered": Status.DELIVERED,
    "read": Status.READ,
}
FINAL = {Status.SUBMITTED, Status.SENT, Status.DELIVERED, Status.READ, Status.FAILED, Status.UNCERTAIN,
         Status.CANCELLED, Status.SKIPPED}  # fmt: skip
POSSIBLE = ("intent", "accepted", "uncertain")
QUICK = 0.03  # seconds in which the provider answers when its machine has time for it
Key = tuple[str, str]  # destination, content


def content_of(entry: Row) -> str:
    return entry["template_id"] if entry["kind"] == "template" else entry["message"]["text"]


def key_of(message: Row, evidence: Evidence) -> Key:
    template = evidence.campaigns[message["campaign_id"]]["template"]
    return message["destination"], template if message["message_type"] == "message_1" else message["content"]


def nobody_twice(evidence: Evidence) -> Iterator[str]:
    """At most one acceptance for each person and content that was not reported as failed and to be tried again."""
    by_key: dict[Key, list[Row]] = defaultdict(list)
    for entry in evidence.accepted:
        by_key[entry["destination"], content_of(entry)].append(entry)
    for key, entries in by_key.items():
        standing = [entry for entry in entries if not _refused_later(entry)]
        if len(standing) > 1:
            yield f"{key[0]} was sent {key[1][:20]!r} {len(standing)} times"


def _refused_later(entry: Row) -> bool:
    return entry["state"] == "failed" and entry["code"] in plan.REPORTS_AGAIN


def nobody_lost(evidence: Evidence) -> Iterator[str]:
    """Each member of the audience is one row, and each row is in a final, named state."""
    rows: dict[int, Counter[str]] = defaultdict(Counter)
    for message in evidence.messages.values():
        if message["message_type"] == "message_1":
            rows[message["campaign_id"]][f"+{message['destination']}"] += 1
        if message["status"] not in FINAL:
            yield f"message {message['id']} is still {Status(message['status']).word}"
    for campaign, row in evidence.campaigns.items():
        if row["status"] not in ("finished", "cancelled"):
            yield f"campaign {campaign} is {row['status']}"
        audience = Counter(evidence.members[campaign])
        if extra := rows[campaign] - audience:
            yield f"campaign {campaign} has rows for nobody of its audience: {sorted(extra)[:5]}"
        prepared = row["status"] == "finished" or row["position"] == row["position_end"]  # else cancelled before
        if prepared and (missing := audience - rows[campaign]):
            yield f"campaign {campaign} misses {len(missing)} of its audience: {sorted(missing)[:5]}"
    for attempt in evidence.attempts.values():
        if attempt["state"] == "intent":
            yield f"attempt {attempt['id']} has no end"


def accepted_is_known(evidence: Evidence) -> Iterator[str]:
    """The provider's acceptances and our attempts that may have been accepted, one to one."""
    by_id = {entry["message_id"]: entry for entry in evidence.accepted}
    owners = _owners(evidence)
    for attempt in evidence.attempts.values():
        known = attempt["provider_id"]
        if known and known not in by_id:
            yield f"attempt {attempt['id']} has an id that the provider never gave"
    for entry in evidence.accepted:
        owner = owners.get(entry["seq"])
        if owner is None:
            yield f"{entry['destination']}: the provider took call {entry['calls']}, and no attempt stands for it"
        elif owner["state"] not in (*POSSIBLE, "refused"):
            yield f"attempt {owner['id']} is {owner['state']}, and the provider took it"
    taken = Counter(attempt["id"] for attempt in owners.values())
    for pk, n in taken.items():
        if n > 1:
            yield f"attempt {pk} stands for {n} acceptances"
    claimed = {attempt["id"] for attempt in owners.values()}
    for attempt in evidence.attempts.values():
        if attempt["state"] == "accepted" and attempt["id"] not in claimed:
            yield f"attempt {attempt['id']} is accepted, and the provider knows nothing of it"


def _owners(evidence: Evidence) -> dict[int, Row]:
    """Ledger entry (seq) -> our attempt: by id; else the attempt without id for this person, content and time."""
    by_provider = {a["provider_id"]: a for a in evidence.attempts.values() if a["provider_id"]}
    owners = {e["seq"]: by_provider[e["message_id"]] for e in evidence.accepted if e["message_id"] in by_provider}
    free: dict[Key, list[Row]] = defaultdict(list)
    for attempt in evidence.attempts.values():
        if attempt["provider_id"] is None and attempt["wire_at"] is not None:
            free[key_of(evidence.messages[attempt["message_id"]], evidence)].append(attempt)
    for entry in evidence.accepted:
        if entry["seq"] not in owners:
            fits = [
                attempt
                for attempt in free[entry["destination"], content_of(entry)]
                if attempt["wire_at"].timestamp() - 0.5 <= entry["at"]
            ]
            if fits:
                best = min(fits, key=lambda attempt: abs(attempt["wire_at"].timestamp() - entry["at"]))
                free[entry["destination"], content_of(entry)].remove(best)
                owners[entry["seq"]] = best
    return owners


def uncertain_is_honest(evidence: Evidence) -> Iterator[str]:
    """Uncertain only after a fault that leaves the outcome open, or a death between wire mark and record."""
    marked = {pk: line for line in evidence.lines["mark"] for pk in line["attempts"]}
    recorded = {pk for line in evidence.lines["recorded"] for pk in line["attempts"]}
    answered = {line["attempt"]: line for line in evidence.lines["answered"]}
    lost = set(_marks_lost(evidence))
    struck = _struck(evidence)
    for attempt in evidence.attempts.values():
        pk = attempt["id"]
        if attempt["state"] != "uncertain" or pk in lost:
            continue
        mark = marked.get(pk)
        if mark is None:
            yield f"attempt {pk} is uncertain, and nobody went to mark it"
        elif pk in recorded:
            answer = answered[pk]
            if not (attempt["destination"] in struck or _out_of_time(evidence, answer)):
                yield f"attempt {pk} is uncertain ({answer['code']}) without a fault"
        elif mark["pid"] not in evidence.run.deaths and not _in_outage(evidence, mark["at"]):
            yield f"attempt {pk} is uncertain, and its worker {mark['pid']} lives"


def _marks_lost(evidence: Evidence) -> Iterator[int]:
    """Attempts whose mark may stand without its worker knowing: the commit failed, or a trap swallowed its answer."""
    for line in evidence.lines["mark_lost"]:
        yield from line["attempts"]
    for trap in evidence.lines["trap"]:
        if trap["point"] == "mark.after+lose":
            mine = [
                line for line in evidence.lines["marked"] if line["pid"] == trap["pid"] and line["at"] <= trap["at"]
            ]
            yield from mine[-1]["attempts"]


def _struck(evidence: Evidence) -> set[str]:
    """Whom a fault befell whose outcome no answer tells."""
    found = {entry["destination"] for entry in evidence.accepted if entry["answer_fault"] in plan.AMBIGUOUS}
    return found | {entry["destination"] for entry in evidence.refused if entry["fault"] in plan.AMBIGUOUS}


def _out_of_time(evidence: Evidence, answer: Row) -> bool:
    """The call met its own deadline, or its worker was frozen on the way."""
    began = answer["at"] - answer["seconds"]
    frozen = any(
        pid == answer["pid"] and since <= answer["at"] and until >= began - 1
        for pid, since, until in evidence.run.freezes
    )
    return frozen or answer["seconds"] >= timing.HTTP_DEADLINE * 0.9


def _in_outage(evidence: Evidence, at: float) -> bool:
    return any(outage.since - 2 * timing.DEADLINE <= at <= outage.until for outage in evidence.run.outages)


def uncertain_only_without_news(evidence: Evidence) -> Iterator[str]:
    """Nothing stays uncertain that the provider accepted and told us of."""
    owners = _owners(evidence)
    for entry in evidence.accepted:
        attempt = owners.get(entry["seq"])
        if attempt is not None and attempt["state"] == "uncertain" and entry["told"] != "submitted":
            yield f"attempt {attempt['id']} is uncertain, and we were told {entry['told']}"


def status_is_best_told(evidence: Evidence) -> Iterator[str]:
    """Each message stands where the best news that we acknowledged puts it; an answer proves a delivery."""
    owners = _owners(evidence)
    best: dict[int, Status] = {}
    for entry in evidence.accepted:
        attempt = owners.get(entry["seq"])
        if attempt is not None and attempt["state"] in POSSIBLE:
            pk = attempt["message_id"]
            best[pk] = max(best.get(pk, Status.SUBMITTED), RANKS[entry["told"]])
    for pk, told in best.items():
        message = evidence.messages[pk]
        status = Status(message["status"])
        if status == Status.UNCERTAIN and told == Status.SUBMITTED:
            continue
        if message["replied_at"] is not None:
            told = max(told, Status.DELIVERED)
        if status != told:
            yield f"message {pk} is {status.word}, and the best news was {told.word}"


def failed_is_said(evidence: Evidence) -> Iterator[str]:
    """Failed, cancelled and skipped people were not written to, or the provider said that it failed."""
    owners = _owners(evidence)
    standing = {owner["message_id"] for seq, owner in owners.items() if owner["state"] in POSSIBLE}
    reported = {
        owners[entry["seq"]]["message_id"]
        for entry in evidence.accepted
        if entry["seq"] in owners and entry["state"] == "failed"
    }
    refused = {entry["destination"] for entry in evidence.refused}
    for pk, message in evidence.messages.items():
        if message["status"] in (Status.CANCELLED, Status.SKIPPED) and pk in standing:
            yield f"message {pk} is {Status(message['status']).word}, and was accepted"
        unexplained = message["status"] == Status.FAILED and message["reason"] != "no_more_tries"
        if unexplained and pk not in reported and message["destination"] not in refused:
            yield f"message {pk} failed, and nobody said so ({message['error_code']})"


def rate_is_kept(evidence: Evidence) -> Iterator[str]:
    """No window of any length holds more calls than slots, by the provider's clock; for the sender's own window that
    is the limit (P9). A slot is used at most `slack` late: (window + slack) / interval of them reach into a window.
    The provider's clock is only as exact as it is quick to answer: a slow machine's widens the window.
    """
    times = sorted(entry["mono"] for entry in (*evidence.accepted, *evidence.refused))
    rate = evidence.run.plan.rate
    for window in (rate.window, rate.window / 2, rate.window / 4):
        inexact = evidence.run.lag if evidence.run.lag > QUICK else 0.0
        most = math.ceil((window + rate.slack + inexact) / rate.interval - 1e-9)
        worst = worst_window(times, window)
        if worst > most:
            yield f"{worst} calls within {window} s, and there are only {most} slots"


def worst_window(times: list[float], window: float) -> int:
    """The most of these sorted times within any half-open span of `window` seconds."""
    first, worst = 0, 0
    for last, moment in enumerate(times):
        while moment - times[first] >= window:
            first += 1
        worst = max(worst, last - first + 1)
    return worst


def people_are_spaced(evidence: Evidence) -> Iterator[str]:
    """Two messages to one person keep their distance, by the times at which they were begun."""
    by_person: dict[str, list[Row]] = defaultdict(list)
    for attempt in evidence.attempts.values():
        if attempt["state"] not in ("not_sent", "rejected") and attempt["released_at"] is None:
            by_person[attempt["destination"]].append(attempt)
    for number, attempts in by_person.items():
        for one, other in pairwise(sorted(attempts, key=lambda attempt: attempt["started_at"])):
            gap = (other["started_at"] - one["started_at"]).total_seconds()
            if gap < timing.PERSON_GAP - 0.001:
                yield f"{number} was written to twice within {gap:.3f} s"


def wishes_are_kept(evidence: Evidence) -> Iterator[str]:
    """Nothing is begun for a person after their opt-out stood, nor for a campaign after it was cancelled."""
    began = {pair[1]: line["at"] for line in _begins(evidence) for pair in line["pairs"]}
    stopped = {f"336390{line['target']:05d}": line["at"] for line in evidence.lines["opt_out"] if line["done"]}
    cancelled = {line["target"] + 1: line["at"] for line in evidence.lines["cancel"] if line["done"]}
    for pk, attempt in evidence.attempts.items():
        message = evidence.messages[attempt["message_id"]]
        at = began.get(pk)
        if at is None:
            continue
        if at > stopped.get(attempt["destination"], float("inf")):
            yield f"attempt {pk} was begun {at - stopped[attempt['destination']]:.3f} s after the opt-out"
        if at > cancelled.get(message["campaign_id"], float("inf")):
            yield f"attempt {pk} was begun after campaign {message['campaign_id']} was cancelled"


def _begins(evidence: Evidence) -> Iterator[Row]:
    """Each begin that came back, with the time at which it was called (not that at which it returned)."""
    called: dict[int, float] = {}
    for line in sorted((*evidence.lines["begin"], *evidence.lines["begun"]), key=lambda line: line["at"]):
        if line["did"] == "begin":
            called[line["pid"]] = line["at"]
        else:
            yield {**line, "at": called[line["pid"]]}


def answers_are_answered(evidence: Evidence) -> Iterator[str]:
    """Who wrote in the window, and did not opt out, has a Message 2 of a campaign that could send one."""
    if any(row["status"] == "cancelled" for row in evidence.campaigns.values()):
        return  # whose answer it was is not said by the ledger
    answered = {m["destination"] for m in evidence.messages.values() if m["message_type"] == "message_2"}
    for callback in evidence.callbacks:
        number = callback["destination"]
        wrote = callback["event"] == "message" and callback["state"] == "answered" and callback["word"] != "welcome"
        contact = evidence.contacts.get(f"+{number}")
        if wrote and number not in answered and (contact is None or contact["opted_out_at"] is None):
            yield f"{number} wrote, and no Message 2 stands"
    replied = {
        (m["campaign_id"], m["destination"])
        for m in evidence.messages.values()
        if m["message_type"] == "message_1" and m["replied_at"] is not None
    }
    for message in evidence.messages.values():
        if message["message_type"] == "message_2" and (message["campaign_id"], message["destination"]) not in replied:
            yield f"message {message['id']} is a Message 2 without an answer"


def launched_once(evidence: Evidence) -> Iterator[str]:
    """Of all who pressed, one launched; the audit says so once."""
    for campaign in evidence.campaigns:
        launches = sum(event["verb"] == "launch" and event["campaign_id"] == campaign for event in evidence.events)
        if launches != 1:
            yield f"campaign {campaign} was launched {launches} times"


def inbox_is_whole(evidence: Evidence) -> Iterator[str]:
    """Every callback that we acknowledged is in the inbox, and none was set aside."""
    missing = {c["sha256"] for c in evidence.callbacks if c["state"] == "answered"} - evidence.inbox
    if missing:
        yield f"{len(missing)} acknowledged callbacks are not in the inbox"
    if evidence.failed_callbacks:
        yield f"{evidence.failed_callbacks} callbacks were set aside"


def figures_are_rows(evidence: Evidence) -> Iterator[str]:
    """At every sample during the run, in one snapshot: the figures equal the rows and every invariant holds."""
    for line in evidence.lines["sample"]:
        if line["wrong"]:
            yield f"figures differed from rows: {line['wrong'][:3]}"
        if line["offences"]:
            yield f"invariants failed during the run: {line['offences']}"


def not_vacuous(evidence: Evidence) -> Iterator[str]:
    """Something happened: rows, acceptances, samples with rows, calls that were marked."""
    samples = sum(line["rows"] > 0 for line in evidence.lines["sample"])
    facts = {
        "rows": len(evidence.messages),
        "acceptances": len(evidence.accepted),
        "samples": samples,
        "callbacks": len(evidence.inbox),
        "rivals": len(evidence.lines["launch"]),
    }
    yield from (f"no {name}" for name, n in facts.items() if not n)


CHECKS: tuple[Callable[[Evidence], Iterator[str]], ...] = (
    nobody_twice,
    nobody_lost,
    accepted_is_known,
    uncertain_is_honest,
    uncertain_only_without_news,
    status_is_best_told,
    failed_is_said,
    rate_is_kept,
    people_are_spaced,
    wishes_are_kept,
    answers_are_answered,
    launched_once,
    inbox_is_whole,
    figures_are_rows,
    not_vacuous,
)


def judge(evidence: Evidence) -> dict[str, list[str]]:
    """What is wrong, by check; empty when the run is clean."""
    found = {check.__name__: list(check(evidence)) for check in CHECKS}
    return {name: wrong for name, wrong in found.items() if wrong}

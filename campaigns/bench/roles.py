"""The parts of a measurement that run in a process of their own: `python -m campaigns.bench.roles NAME OPTIONS`.

Options come as one JSON object, the result leaves as the last line of standard output. Times are seconds.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from statistics import median
from threading import Lock, local
from time import monotonic, perf_counter, process_time, sleep
from typing import Any

import django

Role = Callable[..., dict[str, Any]]
roles: dict[str, Role] = {}


def role(function: Role) -> Role:
    roles[function.__name__] = function
    return function


def _execute(statement: str, *values: Any) -> list[Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def _people(count_: int) -> int:
    """A category of `count_` new people in an otherwise empty address book; answers its id."""
    _execute("TRUNCATE contacts_contact, contacts_category, campaigns_campaign CASCADE")
    _execute(
        "INSERT INTO contacts_category (name, color, created_at, updated_at) VALUES ('Bench', '#25d366', now(), now())"
    )
    category = _execute("SELECT id FROM contacts_category")[0][0]
    from contacts.models import Contact

    columns = {
        str(field.column): field
        for field in Contact._meta.concrete_fields
        if not field.primary_key and not field.null and field.db_default is django.db.models.NOT_PROVIDED
    }
    plain = {name: _constant(field) for name, field in columns.items()}
    plain |= {"number": "'+3363' || lpad(n::text, 8, '0')", "first_name": "'Name ' || n"}
    _execute(
        f"""INSERT INTO contacts_contact ({", ".join(plain)})
            SELECT {", ".join(plain.values())} FROM generate_series(1, %s) AS n""",
        count_,
    )
    _execute(
        """INSERT INTO contacts_contact_categories (contact_id, category_id)
           SELECT id, %s FROM contacts_contact ORDER BY id""",
        category,
    )
    _execute("VACUUM ANALYZE contacts_contact, contacts_contact_categories")
    return int(category)


def _constant(field: Any) -> str:
    """A plain SQL value for a column that must not be null."""
    kind = field.get_internal_type()
    if kind == "DateTimeField":
        return "now()"
    if kind == "JSONField":
        return "'{}'::jsonb"
    if kind == "BooleanField":
        return "false"
    return "0" if "Integer" in kind else "''"


def _sender(api_url: str, rate_limit: int, rate_window: float) -> Any:
    from gupshup.models import Sender

    values = {
        "name": "Bench",
        "phone_number": os.environ["GUPSHUP_PHONE_NUMBER"],
        "api_key": os.environ["GUPSHUP_API_KEY"],
        "webhook_secret": os.environ["GUPSHUP_WEBHOOK_SECRET"],
        "api_url": api_url or "http://127.0.0.1:9/wa/api/v1",
        "rate_limit": rate_limit,
        "rate_window": rate_window,
        "ceiling": None,
    }
    return Sender.objects.update_or_create(app_name=os.environ["GUPSHUP_APP_NAME"], defaults=values)[0]


def _template_id() -> str:
    from gupshup.simulator.catalogue import stable_uuid

    return stable_uuid(os.environ["GUPSHUP_APP_NAME"], "bienvenue", "fr")


def _campaign(category: int, api_url: str = "", rate_limit: int = 1_000_000, rate_window: float = 1.0) -> Any:
    """A draft to everybody in the category, with one variable."""
    from campaigns.models import Campaign
    from gupshup.models import Template

    sender = _sender(api_url, rate_limit, rate_window)
    template = Template.objects.update_or_create(
        sender=sender,
        provider_id=_template_id(),
        defaults={
            "name": "bienvenue",
            "language": "fr",
            "category": "MARKETING",
            "status": "APPROVED",
            "body": "Bonjour {{1}}",
            "params_count": 1,
        },
    )[0]
    campaign = Campaign.objects.create(
        name="Bench", sender=sender, template=template, params=[{"field": "first_name", "text": "you"}]
    )
    campaign.categories.add(category)
    return campaign


@role
def prepare_campaign(
    people: int, api_url: str, rate_limit: int = 1_000_000, rate_window: float = 1.0
) -> dict[str, Any]:
    """Everything empty, then one launched campaign to so many people."""
    from campaigns import launching

    campaign = _campaign(_people(people), api_url, rate_limit, rate_window)
    launching.launch(campaign)
    while not launching.prepare(campaign.pk):
        pass
    _execute("VACUUM ANALYZE campaigns_message, campaigns_attempt, gupshup_sender")
    return {"campaign": campaign.pk}


# -- sending


@role
def raw(api_url: str, threads: int, messages: int) -> dict[str, Any]:
    """The limit: a pool of threads, each with a `requests.Session`, the same call, the answer parsed, nothing kept."""
    import requests

    own = local()
    numbers, lock, ids = count(1), Lock(), []
    form = {
        "channel": "whatsapp",
        "source": os.environ["GUPSHUP_PHONE_NUMBER"],
        "src.name": os.environ["GUPSHUP_APP_NAME"],
    }
    headers = {"apikey": os.environ["GUPSHUP_API_KEY"]}
    template = _template_id()

    def call(_: int) -> str:
        if not hasattr(own, "session"):
            own.session = requests.Session()
        with lock:
            number = next(numbers)
        data = {
            **form,
            "destination": f"3364{number:08d}",
            "template": json.dumps({"id": template, "params": [f"Name {number}"]}),
        }
        answer = own.session.post(f"{api_url}/template/msg", data=data, headers=headers, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["messageId"])

    began, cpu = perf_counter(), process_time()
    with ThreadPoolExecutor(threads) as pool:
        ids = list(pool.map(call, range(messages)))
    took, used = perf_counter() - began, process_time() - cpu
    assert len(set(ids)) == messages
    return {"per_second": messages / took, "cpu": used / messages}


@role
def engine(threads: int, seconds: float) -> dict[str, Any]:
    """Our engine on what is waiting, until nothing is."""
    from campaigns import sending
    from campaigns.models import Message
    from gupshup.models import Sender

    sender = Sender.objects.get(app_name=os.environ["GUPSHUP_APP_NAME"])
    began, cpu = perf_counter(), process_time()
    made = sending.drain(sender, seconds=seconds, threads=threads)
    took, used = perf_counter() - began, process_time() - cpu
    accepted = Message.objects.filter(status=20).count()
    assert accepted == Message.objects.count(), accepted
    given_up = (made - accepted) / made  # slots missed: their messages went out in a later one
    return {"per_second": accepted / took, "cpu": used / accepted, "messages": accepted, "given_up": given_up}


@role
def usual_tasks(api_url: str, messages: int, options: list[str]) -> dict[str, Any]:
    """One Celery task a message: all are in the queue before the worker starts; measured from a tenth done to all."""
    from campaigns.bench.usual import models, tasks

    _execute(models.CREATE)
    _execute("TRUNCATE usual_mail")
    _execute(
        """INSERT INTO usual_mail (destination, status, provider_id, updated_at)
           SELECT '3365' || lpad(n::text, 8, '0'), 'waiting', '', now() FROM generate_series(1, %s) AS n""",
        messages,
    )
    began = perf_counter()
    for (pk,) in _execute("SELECT id FROM usual_mail ORDER BY id"):
        tasks.send.delay(pk)
    enqueued = messages / (perf_counter() - began)
    command = [sys.executable, "-m", "celery", "-A", "campaigns.bench.usual.tasks", "worker", "--loglevel", "ERROR"]
    command += ["--without-gossip", "--without-mingle", *options]
    given = {**os.environ, "BENCH_API_URL": api_url, "BENCH_TEMPLATE": _template_id()}
    worker = subprocess.Popen(command, env=given, stdout=sys.stderr)
    try:
        _await_done(messages // 10)
        first, at, cpu = _done(), perf_counter(), _cpu(worker.pid)
        _await_done(messages)
        took, used = perf_counter() - at, _cpu(worker.pid) - cpu
    finally:
        worker.terminate()
        worker.wait(30)
    return {"per_second": (messages - first) / took, "cpu": used / (messages - first), "enqueued_per_second": enqueued}


def _done() -> int:
    return int(_execute("SELECT count(*) FROM usual_mail WHERE status = 'accepted'")[0][0])


def _await_done(wanted: int, seconds: float = 180) -> None:
    until = monotonic() + seconds
    while _done() < wanted:
        if monotonic() > until:
            raise TimeoutError(f"{_done()} of {wanted}")
        sleep(0.02)


def _cpu(pid: int) -> float:
    from campaigns.bench.rig import cpu_seconds

    return cpu_seconds(pid)


# -- claiming


@role
def fill_outbox(waiting: int) -> dict[str, Any]:
    """So many waiting messages of one running campaign."""
    from campaigns.models import Campaign
    from campaigns.status import CampaignStatus

    campaign = _campaign(_people(1))
    _execute("ALTER TABLE campaigns_message SET (autovacuum_enabled = off)")
    _execute("ALTER TABLE campaigns_message DISABLE TRIGGER USER")  # no figures and, below, no foreign keys:
    for (name,) in _execute(  # the filling is not what is measured, and a claim changes none of these columns
        "SELECT conname FROM pg_constraint WHERE conrelid = 'campaigns_message'::regclass AND contype = 'f'"
    ):
        _execute(f"ALTER TABLE campaigns_message DROP CONSTRAINT {name}")
    _execute(
        """INSERT INTO campaigns_message (campaign_id, sender_id, message_type, destination, params, status,
                                          next_attempt_at)
           SELECT %s, %s, 'message_1', '3363' || lpad(n::text, 8, '0'), '["Awa"]', 0, now()
             FROM generate_series(1, %s) AS n""",
        campaign.pk,
        campaign.sender_id,
        waiting,
    )
    _execute("ALTER TABLE campaigns_message ENABLE TRIGGER USER")
    _execute("VACUUM ANALYZE campaigns_message")
    Campaign.objects.filter(pk=campaign.pk).update(status=CampaignStatus.RUNNING)
    return {}


@role
def claim(times: int, wanted: int = 200) -> dict[str, Any]:
    """Claims of 200, each in the product's own statement; afterwards every lease is given back."""
    from campaigns import outbox
    from gupshup.models import Sender

    sender = Sender.objects.get()
    after: dict[int, tuple[Any, int]] = {}
    spans = []
    for _ in range(times + 3):
        began = perf_counter()
        found = outbox.claim(sender.pk, uuid.uuid4(), wanted, after)
        spans.append(perf_counter() - began)
        assert len(found) == wanted, len(found)
    _execute("UPDATE campaigns_message SET lease = NULL, lease_until = NULL WHERE lease IS NOT NULL")
    _execute("VACUUM campaigns_message")
    return {"seconds": median(spans[3:])}


# What `outbox.begin` does to the queue.
_TAKE_OUT = """
    UPDATE campaigns_message
       SET status = 10, next_attempt_at = NULL, lease = NULL, lease_until = NULL, updated_at = clock_timestamp()
     WHERE id = ANY(%(ids)s)"""


@role
def claim_under_snapshot(messages: int, wanted: int = 200) -> dict[str, Any]:
    """Claim and take out of the queue, batch after batch, while an old snapshot keeps every dead entry alive."""
    from django.db import connections

    from campaigns import outbox, sql
    from gupshup.models import Sender

    old = connections.create_connection("default")
    with old.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT count(*) FROM campaigns_campaign")
        sender = Sender.objects.get()
        after: dict[int, tuple[Any, int]] = {}
        spans = []
        for _ in range(messages // wanted):
            began = perf_counter()
            found = outbox.claim(sender.pk, uuid.uuid4(), wanted, after)
            spans.append(perf_counter() - began)
            assert len(found) == wanted, len(found)
            sql.run(_TAKE_OUT, {"ids": [message.id for message in found]})
        cursor.execute("ROLLBACK")
    old.close()
    tenth = max(1, len(spans) // 10)
    return {"first": median(spans[:tenth]), "last": median(spans[-tenth:]), "claimed": messages}


# -- launching


@role
def make_people(people: int) -> dict[str, Any]:
    _people(people)
    return {}


def _emptied() -> Any:
    """A fresh draft, and no message of any other."""
    _execute("TRUNCATE campaigns_campaign CASCADE")
    _execute("TRUNCATE campaigns_tally, campaigns_tallydelta")
    _execute("VACUUM campaigns_message")
    return _campaign(_execute("SELECT id FROM contacts_category")[0][0])


@role
def launch_ours() -> dict[str, Any]:
    """Launch and prepare; memory is what the process grew by while it did."""
    from campaigns import launching
    from campaigns.models import Message

    campaign = _emptied()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, cpu, steps = perf_counter(), process_time(), 0
    launching.launch(campaign)
    while not launching.prepare(campaign.pk, seconds=2):
        steps += 1
    took, used = perf_counter() - began, process_time() - cpu
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / (
        1024 if sys.platform == "linux" else 1024**2
    )
    written = Message.objects.count()
    return {"per_second": written / took, "seconds": took, "cpu": used, "grown_mb": grown, "messages": written}


@role
def launch_bare() -> dict[str, Any]:
    """The limit: one INSERT … SELECT into the same table with the same constraints and trigger, nothing else asked."""
    campaign = _emptied()
    began = perf_counter()
    _execute(
        """INSERT INTO campaigns_message (campaign_id, sender_id, contact_id, message_type, destination, params,
                                          status, next_attempt_at)
           SELECT %s, %s, id, 'message_1', substr(number, 2), jsonb_build_array(first_name), 0, now()
             FROM contacts_contact""",
        campaign.pk,
        campaign.sender_id,
    )
    took = perf_counter() - began
    written = _execute("SELECT count(*) FROM campaigns_message")[0][0]
    return {"per_second": written / took, "seconds": took}


@role
def launch_bulk(people: int) -> dict[str, Any]:
    """The usual way: `bulk_create(batch_size=5000)`, for so many of the people."""
    from django.utils import timezone

    from campaigns.models import Message
    from contacts.models import Contact

    campaign = _emptied()
    now = timezone.now()

    def messages() -> Iterator[Message]:
        rows = Contact.objects.order_by("id").values_list("id", "number", "first_name")[:people]
        for pk, number, first_name in rows.iterator(chunk_size=5000):
            yield Message(
                campaign=campaign,
                sender_id=campaign.sender_id,
                contact_id=pk,
                destination=str(number)[1:],
                params=[first_name],
                next_attempt_at=now,
            )

    began = perf_counter()
    Message.objects.bulk_create(messages(), batch_size=5000)
    return {"per_second": people / (perf_counter() - began)}


# -- inbound


@role
def usual_tables() -> dict[str, Any]:
    from campaigns.bench.usual import models

    _execute(models.CREATE)
    return {}


@role
def sender_for_inbound() -> dict[str, Any]:
    return {"sender": _sender("", 1000, 1.0).pk}


@role
def fill_accepted(messages: int) -> dict[str, Any]:
    """A finished campaign, every message accepted, each with its call."""
    from campaigns.models import Campaign
    from campaigns.status import CampaignStatus

    _execute("TRUNCATE gupshup_callback, campaigns_campaign, campaigns_whatsappid CASCADE")
    campaign = _campaign(_people(1))
    values = (campaign.pk, campaign.sender_id)
    _execute(
        """INSERT INTO campaigns_message (campaign_id, sender_id, message_type, destination, params, status,
                                          next_attempt_at, whatsapp_message_id, accepted_at)
           SELECT %s, %s, 'message_1', '3363' || lpad(n::text, 8, '0'), '["Awa"]', 20, NULL,
                  md5(n::text)::uuid::text, now()
             FROM generate_series(1, %s) AS n""",
        *values,
        messages,
    )
    _execute(
        """INSERT INTO campaigns_attempt (message_id, sender_id, destination, state, token, started_at, deadline,
                                          wire_at, finished_at, http_status, provider_id)
           SELECT id, sender_id, destination, 'accepted', gen_random_uuid(), now(), now() + interval '1 minute', now(),
                  now(), 202, whatsapp_message_id FROM campaigns_message ORDER BY id"""
    )
    Campaign.objects.filter(pk=campaign.pk).update(status=CampaignStatus.FINISHED)
    _execute("VACUUM ANALYZE campaigns_message, campaigns_attempt")
    return {"campaign": campaign.pk}


@role
def fill_answerable(people: int, api_url: str) -> dict[str, Any]:
    """A finished campaign with a Message 2; every Message 1 delivered, each with its call and its contact."""
    from campaigns.models import Campaign
    from gupshup.models import Sender

    made = fill_accepted(people)
    Campaign.objects.filter(pk=made["campaign"]).update(message_2="Merci {{1}} !")
    Sender.objects.update(api_url=api_url, rate_limit=1_200, rate_window=60)  # 20 a second: free
    from contacts.models import Contact

    numbers = _execute("SELECT DISTINCT destination FROM campaigns_message")
    people_ = (Contact(number=f"+{number}", first_name="Awa") for (number,) in numbers)
    Contact.objects.bulk_create(people_, ignore_conflicts=True)
    _execute(
        """UPDATE campaigns_message m SET contact_id = c.id, status = 40
             FROM contacts_contact c WHERE c.number = '+' || m.destination"""
    )
    return made


CALLBACK = (
    '{"app":"DemoCampagnes","timestamp":%s,"version":2,"type":"message-event","payload":{"id":"%s","gsId":"%s",'
    '"type":"delivered","destination":"%s","payload":{"ts":%s},'
    '"conversation":{"id":"%s","expiresAt":1790000000,"type":"marketing"},'
    '"pricing":{"policy":"PMP","category":"marketing"}}}'
)


@role
def fill_inbox() -> dict[str, Any]:
    """A `delivered` for each message, nearly in the order of sending, each as the bytes that the webhook keeps."""
    _execute("TRUNCATE gupshup_callback CASCADE")
    _execute(
        """INSERT INTO gupshup_callback (sender_id, raw, content_type, digest)
           SELECT sender_id, body, 'application/json', sha256(body)
             FROM (SELECT sender_id, id + random() * 20000 AS place, convert_to(format(%s,
                          (extract(epoch FROM now()) * 1000)::bigint, md5('w' || id)::uuid, whatsapp_message_id,
                          destination, extract(epoch FROM now())::bigint, md5('c' || id)), 'UTF8') AS body
                     FROM campaigns_message) AS t ORDER BY place""",
        CALLBACK,
    )
    _execute("INSERT INTO gupshup_arrival (callback_id) SELECT id FROM gupshup_callback ORDER BY id")
    _execute("VACUUM ANALYZE gupshup_callback, gupshup_arrival")
    return {}


@role
def ingest(workers: int = 1) -> dict[str, Any]:
    """Read the whole inbox, with so many workers at once."""
    if workers > 1:
        return _ingest_together(workers)
    from campaigns import ingest as product

    began, cpu, done = perf_counter(), process_time(), 0
    while count_ := product.run(seconds=60):
        done += count_
    took, used = perf_counter() - began, process_time() - cpu
    return {"per_second": done / took if took else 0.0, "seconds": took, "cpu": used / max(done, 1), "callbacks": done}


def _ingest_together(workers: int) -> dict[str, Any]:
    began = perf_counter()
    command = [sys.executable, "-m", "campaigns.bench.roles", "ingest", "{}"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(workers)]
    parts = [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]
    done = sum(part["callbacks"] for part in parts)
    took = max(part["seconds"] for part in parts)
    used = sum(part["cpu"] * part["callbacks"] for part in parts) / max(done, 1)
    return {
        "per_second": done / took,
        "seconds": took,
        "cpu": used,
        "callbacks": done,
        "with_start": perf_counter() - began,
    }


@role
def usual_statuses(events: int) -> dict[str, Any]:
    """The usual way: for each event `get()` by the provider's id, `save()`. An index by that id is made for it."""
    from django.utils import timezone

    from campaigns.models import Message

    _execute("CREATE INDEX IF NOT EXISTS bench_by_id ON campaigns_message (whatsapp_message_id)")
    ids = _execute("SELECT whatsapp_message_id FROM campaigns_message ORDER BY id LIMIT %s", events)
    began = perf_counter()
    for (provider_id,) in ids:
        message = Message.objects.get(whatsapp_message_id=provider_id)
        message.status, message.delivered_at = 40, timezone.now()
        message.save()
    took = perf_counter() - began
    _execute("DROP INDEX bench_by_id")
    return {"per_second": events / took}


@role
def bare_update(trigger: bool) -> dict[str, Any]:
    """The limit: one UPDATE of every message from a ready table, with the figures' trigger or without."""
    _execute(
        """CREATE TEMPORARY TABLE told AS
           SELECT id, now() AS at FROM campaigns_message ORDER BY id + random() * 20000"""
    )
    _execute("ANALYZE told")
    if not trigger:
        _execute("ALTER TABLE campaigns_message DISABLE TRIGGER tally_update")
    began = perf_counter()
    _execute(
        """UPDATE campaigns_message m SET status = 40, delivered_at = told.at, updated_at = clock_timestamp()
             FROM told WHERE m.id = told.id"""
    )
    took = perf_counter() - began
    if not trigger:
        _execute("ALTER TABLE campaigns_message ENABLE TRIGGER tally_update")
    changed = _execute("SELECT count(*) FROM campaigns_message WHERE status = 40")[0][0]
    return {"per_second": changed / took, "seconds": took}


@role
def fill_reports(sizes: list[int]) -> dict[str, Any]:
    """One campaign of each size, with every state in it; the figures counted by the trigger, then folded."""
    from campaigns import reports
    from campaigns.models import Campaign
    from campaigns.status import CampaignStatus

    category = _people(1)
    ids = []
    for size in sizes:
        campaign = _campaign(category)
        ids.append(campaign.pk)
        _execute(
            """INSERT INTO campaigns_message (campaign_id, sender_id, message_type, destination, params, status,
                                              next_attempt_at, error_code, replied_at)
               SELECT %s, %s, 'message_1', '3363' || lpad(n::text, 8, '0'), '["Awa"]', s,
                      CASE WHEN s = 0 THEN now() END, CASE WHEN s = 35 THEN '131026' ELSE '' END,
                      CASE WHEN s = 50 AND n %% 3 = 0 THEN now() END
                 FROM (SELECT n, (ARRAY[0, 20, 30, 35, 40, 50, 50, 50])[1 + n %% 8] AS s
                         FROM generate_series(1, %s) AS n) AS t""",
            campaign.pk,
            campaign.sender_id,
            size,
        )
        Campaign.objects.filter(pk=campaign.pk).update(status=CampaignStatus.RUNNING, launched_at=campaign.created_at)
    _execute("VACUUM ANALYZE campaigns_message")
    reports.fold()
    from accounts.models import User

    if not User.objects.exists():
        User.objects.create_superuser("bench@example.com", uuid.uuid4().hex)
    return {"campaigns": ids}


@role
def report_pages(campaigns: list[int], times: int) -> dict[str, Any]:
    """The page of each campaign and its live figures, in turn; and the figures alone."""
    from django.test import Client

    from accounts.models import User
    from campaigns import reports

    client = Client(HTTP_HOST="127.0.0.1")
    client.force_login(User.objects.get(), backend="django.contrib.auth.backends.ModelBackend")
    pages: dict[str, list[float]] = {str(pk): [] for pk in campaigns}
    figures: dict[str, list[float]] = {str(pk): [] for pk in campaigns}
    for turn in range(times + 2):
        for pk in campaigns:
            began = perf_counter()
            answer = client.get(f"/admin/campaigns/campaign/{pk}/change/", follow=True)
            assert answer.status_code == 200, answer.status_code
            middle = perf_counter()
            reports.figures(pk)
            if turn >= 2:
                pages[str(pk)].append(middle - began)
                figures[str(pk)].append(perf_counter() - middle)
    return {"pages": [median(one) for one in pages.values()], "figures": [median(one) for one in figures.values()]}


if __name__ == "__main__":
    django.setup()
    print(json.dumps(roles[sys.argv[1]](**json.loads(sys.argv[2]))))

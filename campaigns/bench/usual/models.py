"""Two plain tables, in the benchmark's database only; `CREATE` makes them."""

from __future__ import annotations

from django.db import models

CREATE = """
    CREATE TABLE IF NOT EXISTS usual_event (
        id bigserial PRIMARY KEY, app varchar(80) NOT NULL, kind varchar(40) NOT NULL, payload jsonb NOT NULL,
        received_at timestamptz NOT NULL);
    CREATE TABLE IF NOT EXISTS usual_mail (
        id bigserial PRIMARY KEY, destination varchar(20) NOT NULL, status varchar(10) NOT NULL,
        provider_id varchar(128) NOT NULL, updated_at timestamptz NOT NULL);
    CREATE INDEX IF NOT EXISTS usual_mail_status ON usual_mail (status)"""


class Event(models.Model):
    app = models.CharField(max_length=80)
    kind = models.CharField(max_length=40)
    payload = models.JSONField()
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        managed = False
        db_table = "usual_event"

    def __str__(self) -> str:
        return self.kind


class Mail(models.Model):
    destination = models.CharField(max_length=20)
    status = models.CharField(max_length=10, db_index=True)
    provider_id = models.CharField(max_length=128, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        managed = False
        db_table = "usual_mail"

    def __str__(self) -> str:
        return self.destination

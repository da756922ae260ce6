"""New callbacks stand in a table of their own until they are read: reading one writes its body and indexes no more."""

import django.db.models.deletion
from django.db import migrations, models

UNREAD = """
    INSERT INTO gupshup_arrival (callback_id) SELECT id FROM gupshup_callback WHERE state = 'new' ORDER BY id;
    UPDATE gupshup_callback SET state = 'done', due_at = NULL WHERE state = 'new'"""
DUE = "UPDATE gupshup_callback SET state = 'new', due_at = now() WHERE id IN (SELECT callback_id FROM gupshup_arrival)"
STATES = [
    ("new", "new"),
    ("done", "applied"),
    ("waiting", "waiting for its message"),
    ("foreign", "about no message of ours"),
    ("failed", "set aside"),
    ("unknown", "not understood"),
]


class Migration(migrations.Migration):
    dependencies = [("gupshup", "0003_template_news")]
    operations = [
        migrations.CreateModel(
            name="Arrival",
            fields=[
                (
                    "callback",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="arrival",
                        serialize=False,
                        to="gupshup.callback",
                    ),
                )
            ],
        ),
        migrations.RunSQL(
            "ALTER TABLE gupshup_arrival SET (autovacuum_vacuum_scale_factor = 0.02)", migrations.RunSQL.noop
        ),
        migrations.RunSQL(UNREAD, DUE),
        migrations.AlterField(
            model_name="callback",
            name="state",
            field=models.CharField(
                choices=STATES, db_default="done", default="done", max_length=8, verbose_name="state"
            ),
        ),
        migrations.AlterField(
            model_name="callback",
            name="due_at",
            field=models.DateTimeField(null=True, verbose_name="to be read again"),
        ),
        migrations.AlterField(
            model_name="callback",
            name="sender",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="callbacks",
                to="gupshup.sender",
                verbose_name="sender",
            ),
        ),
        migrations.RemoveIndex(model_name="callback", name="callback_failed"),
        migrations.AddIndex(
            model_name="callback",
            index=models.Index(
                condition=models.Q(("state__in", ("failed", "unknown"))), fields=["state", "id"], name="callback_odd"
            ),
        ),
    ]

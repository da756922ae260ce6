"""The WhatsApp-side ids of calls leave the journal for a table that is only inserted into."""

import django.db.models.deletion
from django.db import migrations, models

TAKE = """
    INSERT INTO campaigns_whatsappid (attempt_id, whatsapp_id)
    SELECT id, whatsapp_id FROM campaigns_attempt WHERE whatsapp_id IS NOT NULL ORDER BY id"""
GIVE_BACK = """
    UPDATE campaigns_attempt a SET whatsapp_id = w.whatsapp_id FROM campaigns_whatsappid w WHERE w.attempt_id = a.id"""


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0003_newrecipients")]
    operations = [
        migrations.CreateModel(
            name="WhatsAppId",
            fields=[
                (
                    "attempt",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="known_as",
                        serialize=False,
                        to="campaigns.attempt",
                    ),
                ),
                ("whatsapp_id", models.CharField(max_length=160, verbose_name="WhatsApp-side id")),
            ],
            options={"indexes": [models.Index(fields=["whatsapp_id"], name="call_by_whatsapp_id")]},
        ),
        migrations.RunSQL(TAKE, GIVE_BACK),
        migrations.RemoveIndex(model_name="attempt", name="attempt_by_whatsapp_id"),
        migrations.RemoveField(model_name="attempt", name="whatsapp_id"),
    ]

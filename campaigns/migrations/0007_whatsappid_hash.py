"""A hash is enough to find a call by its WhatsApp-side id, and cheaper to keep than a B-tree over random texts."""

from django.contrib.postgres.indexes import HashIndex
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0006_heldback")]
    operations = [
        migrations.AddIndex(
            model_name="whatsappid", index=HashIndex(fields=["whatsapp_id"], name="call_by_whatsapp_hash")
        ),
        migrations.RemoveIndex(model_name="whatsappid", name="call_by_whatsapp_id"),
    ]

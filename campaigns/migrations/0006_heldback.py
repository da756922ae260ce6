from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0005_arming"),
    ]

    operations = [
        migrations.CreateModel(
            name="HeldBack",
            fields=[
                ("destination", models.CharField(max_length=160, primary_key=True, serialize=False)),
                ("until", models.DateTimeField()),
            ],
        ),
    ]

"""Senders, templates and the inbox in the admin: keys stay secret, the `.env` file wins, bodies are only text."""

from __future__ import annotations

import hashlib

import pytest
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from gupshup import breaker, preview, webhooks
from gupshup.models import Callback, Sender, Template


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def page(client, user):
    client.force_login(user)
    return client


def change(sender: Sender) -> str:
    return reverse("admin:gupshup_sender_change", args=(sender.pk,))


def fields_of(sender: Sender, **changed) -> dict[str, object]:
    names = ("name", "app_name", "app_id", "phone_number", "api_url", "customer_id", "rate_limit", "rate_window")
    kept = {name: getattr(sender, name) for name in names}
    return {**kept, "api_key": "", "ceiling": "", "person_cap": "", "person_cap_days": 7, **changed}


# -- senders


@pytest.mark.django_db
def test_a_key_is_never_shown_again(page, sender):
    Sender.objects.filter(pk=sender.pk).update(api_key="sk_very_secret_4821")
    text = page.get(change(sender)).content.decode()
    assert "sk_very_secret" not in text
    assert "4821" in text


@pytest.mark.django_db
def test_an_empty_key_keeps_the_old_one_and_a_new_one_replaces_it(page, sender):
    page.post(change(sender), fields_of(sender, name="Autre nom"))
    sender.refresh_from_db()
    assert (sender.name, sender.api_key) == ("Autre nom", "sk_test")
    page.post(change(sender), fields_of(sender, api_key="sk_new"))
    sender.refresh_from_db()
    assert sender.api_key == "sk_new"


@pytest.mark.django_db
def test_a_new_sender_needs_a_key(page, sender):
    new = fields_of(sender, app_name="Autre", phone_number="+33 7 00 00 00 02")
    answer = page.post(reverse("admin:gupshup_sender_add"), new)
    assert "api_key" in answer.context["adminform"].form.errors
    page.post(reverse("admin:gupshup_sender_add"), new | {"api_key": "sk_2"})
    assert Sender.objects.get(app_name="Autre").phone_number == "33700000002"


@pytest.mark.django_db
def test_what_the_env_file_decides_is_not_changed_here(page, sender):
    Sender.objects.filter(pk=sender.pk).update(from_environment=True)
    page.post(change(sender), fields_of(sender, app_name="Autre", api_key="sk_x", api_url="https://x.fr", rate_limit=7))
    after = Sender.objects.get(pk=sender.pk)
    assert (after.app_name, after.api_key, after.api_url) == (sender.app_name, sender.api_key, sender.api_url)
    assert after.rate_limit == 7


@pytest.mark.django_db
@pytest.mark.parametrize(("tier", "kept"), [("", None), ("1000", 1000)])
def test_the_ceiling_is_one_of_whatsapps_tiers(page, sender, tier, kept):
    page.post(change(sender), fields_of(sender, ceiling=tier))
    assert Sender.objects.get(pk=sender.pk).ceiling == kept


@pytest.mark.django_db
def test_a_ceiling_that_is_no_tier_stays_when_other_fields_change(page, sender):
    Sender.objects.filter(pk=sender.pk).update(ceiling=333)
    page.post(change(sender), fields_of(sender, ceiling="333", rate_limit=9))
    after = Sender.objects.get(pk=sender.pk)
    assert (after.ceiling, after.rate_limit) == (333, 9)


@pytest.mark.django_db
def test_a_stopped_sender_says_why_and_is_allowed_again_by_a_person(page, sender, user):
    breaker.open_(sender.pk, "1003", "Low balance")
    assert "Rechargez le portefeuille Gupshup" in page.get(change(sender)).content.decode()
    page.post(reverse("admin:gupshup_sender_allow", args=(sender.pk,)))
    assert Sender.objects.get(pk=sender.pk).breaker == Sender.Breaker.CLOSED
    history = page.get(reverse("admin:gupshup_sender_history", args=(sender.pk,))).content.decode()
    assert "peut de nouveau envoyer" in history


@pytest.mark.django_db
def test_a_new_secret_and_the_old_one_are_both_valid_until_a_person_ends_the_old(page, sender):
    old = sender.webhook_secret
    page.post(reverse("admin:gupshup_sender_rotate", args=(sender.pk,)))
    sender.refresh_from_db()
    assert sender.webhook_secret != old
    assert webhooks.owner(old) == webhooks.owner(sender.webhook_secret) == sender.pk
    page.post(reverse("admin:gupshup_sender_retire", args=(sender.pk,)))
    assert webhooks.owner(old) is None
    assert webhooks.owner(sender.webhook_secret) == sender.pk


@pytest.mark.django_db
def test_the_address_to_copy_is_the_one_that_is_listened_to(page, sender, settings):
    settings.PUBLIC_URL = "https://campagnes.example"
    text = page.get(change(sender)).content.decode()
    assert f"https://campagnes.example/api/webhooks/gupshup/{sender.webhook_secret}" in text


@pytest.mark.django_db
def test_senders_are_for_super_admins(client, sender):
    client.force_login(User.objects.create_user("lea@example.com", "x"))
    assert client.get(change(sender)).status_code == 403
    assert client.get(reverse("admin:gupshup_sender_changelist")).status_code == 403
    for name in ("allow", "rotate", "retire"):
        assert client.post(reverse(f"admin:gupshup_sender_{name}", args=(sender.pk,))).status_code in (403, 405)
    assert Sender.objects.get(pk=sender.pk).webhook_secret == sender.webhook_secret


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["allow", "rotate", "retire"])
def test_looking_does_nothing(page, sender, name):
    assert page.get(reverse(f"admin:gupshup_sender_{name}", args=(sender.pk,))).status_code == 405


# -- templates


@pytest.mark.django_db
def test_a_template_shows_its_text_with_whatsapps_marks_and_nothing_else(page, template):
    Template.objects.update(body="*Bonjour* {{1}} <script>x</script>", buttons=[{"kind": "URL", "text": "Voir"}])
    text = page.get(reverse("admin:gupshup_template_change", args=(template.pk,))).content.decode()
    assert "<strong>Bonjour</strong>" in text
    assert "&lt;script&gt;x&lt;/script&gt;" in text
    assert "Voir" in text


@pytest.mark.django_db
def test_templates_cannot_be_changed_here(page, template):
    page.post(reverse("admin:gupshup_template_change", args=(template.pk,)), {"body": "Autre"})
    page.post(reverse("admin:gupshup_template_delete", args=(template.pk,)), {"post": "yes"})
    assert Template.objects.get().body == template.body


@pytest.mark.django_db
def test_reading_templates_again_follows_gupshup(page, gupshup, sender):
    gupshup()
    page.post(reverse("admin:gupshup_template_sync"))
    assert Template.objects.filter(sender=sender).count() > 1
    assert Sender.objects.get(pk=sender.pk).templates_synced_at is not None


@pytest.mark.django_db
def test_a_list_that_cannot_be_read_says_why_and_changes_nothing(page, template):
    answer = page.post(reverse("admin:gupshup_template_sync"), follow=True)
    assert any("n’ont pas pu être lus" in str(message) for message in answer.context["messages"])
    assert Template.objects.get().status == Template.Status.APPROVED


NEW = {
    "name": "rentree_2026",
    "language": "fr",
    "category": "MARKETING",
    "body": "Bonjour {{1}}, la boutique rouvre lundi.",
    "samples": "Zoé",
    "kind_0": "QUICK_REPLY",
    "label_0": "Merci",
}


@pytest.mark.django_db
def test_a_template_is_written_and_submitted_for_approval(page, gupshup, sender):
    gupshup()
    answer = page.post(reverse("admin:gupshup_template_add"), NEW | {"sender": sender.pk})
    template = Template.objects.get(name="rentree_2026")
    assert answer.url == reverse("admin:gupshup_template_change", args=(template.pk,))
    assert (template.sender, template.body, template.status) == (sender, NEW["body"], Template.Status.PENDING)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "Rentrée !"}, "name"),
        ({"samples": ""}, "samples"),
        ({"body": "{{1}}"}, "body"),
        ({"body": "Bonjour {{2}}, la boutique rouvre."}, "body"),
        ({"header_type": "TEXT", "header_text": "Pour {{1}}"}, "header_sample"),
        ({"kind_1": "URL", "label_1": "Voir", "target_1": "pas une adresse"}, "label_1"),
        ({"kind_2": "PHONE_NUMBER", "label_2": "", "target_2": "+33700000001"}, "label_2"),
    ],
)
def test_what_meta_refuses_is_told_before_submitting(page, sender, wrong, field):
    answer = page.post(reverse("admin:gupshup_template_add"), NEW | {"sender": sender.pk} | wrong)
    assert field in answer.context["form"].errors


@pytest.mark.django_db
def test_a_refusal_of_gupshup_is_told_in_the_form(page, sender):
    answer = page.post(reverse("admin:gupshup_template_add"), NEW | {"sender": sender.pk})
    assert answer.context["form"].non_field_errors()
    assert not Template.objects.exists()


# -- the inbox


def arrived(sender: Sender, raw: bytes, **fields) -> Callback:
    known = {
        "content_type": "application/json",
        "digest": hashlib.sha256(raw).digest(),
        "state": "done",
        "due_at": None,
    }
    return Callback.objects.create(sender=sender, raw=raw, **{**known, **fields})


HOSTILE = (
    b'{"type":"message","payload":{"text":"<script>alert(1)</script>"}}',
    b"\xff\xfe\x00<img src=x onerror=alert(1)>",
    b"[" * 3000,
    b"",
)


@pytest.mark.django_db
@pytest.mark.parametrize("raw", HOSTILE, ids=["json", "bytes", "deep", "empty"])
def test_a_body_is_shown_as_text_whatever_it_is(page, sender, raw):
    callback = arrived(sender, raw)
    text = page.get(reverse("admin:gupshup_callback_change", args=(callback.pk,))).content.decode()
    assert "<script>alert(1)" not in text
    assert "<img src=x" not in text
    listed = page.get(reverse("admin:gupshup_callback_changelist")).content.decode()
    assert "<script>alert(1)" not in listed
    assert "<img src=x" not in listed


@pytest.mark.django_db
def test_reading_again_puts_the_body_back_into_the_queue(page, sender):
    one = arrived(sender, b"{}", state="failed", error="ValueError", tries=5)
    page.post(reverse("admin:gupshup_callback_replay", args=(one.pk,)))
    one.refresh_from_db()
    assert (one.state, one.tries, one.error) == ("new", 0, "")
    assert one.due_at <= timezone.now()
    Callback.objects.update(state="failed", due_at=None)
    where = reverse("admin:gupshup_callback_changelist")
    page.post(where, {"action": "read_again", "_selected_action": [one.pk]})
    assert Callback.objects.get().state == "new"


@pytest.mark.django_db
def test_a_marketer_reads_callbacks_but_does_not_replay_them(client, sender):
    one = arrived(sender, b"{}", state="failed")
    client.force_login(User.objects.create_user("lea@example.com", "x"))
    assert client.get(reverse("admin:gupshup_callback_change", args=(one.pk,))).status_code == 200
    assert client.post(reverse("admin:gupshup_callback_replay", args=(one.pk,))).status_code == 403
    client.post(reverse("admin:gupshup_callback_changelist"), {"action": "read_again", "_selected_action": [one.pk]})
    assert Callback.objects.get().state == "failed"


@pytest.mark.django_db
def test_callbacks_are_found_by_number_and_state(page, sender):
    one, _other = arrived(sender, b"1", state="failed"), arrived(sender, b"2")
    where = reverse("admin:gupshup_callback_changelist")
    for asked in ({"q": f"#{one.pk}"}, {"q": str(one.pk)}, {"state__exact": "failed"}):
        assert [row.pk for row in page.get(where, asked).context["cl"].result_list] == [one.pk]
    assert not page.get(where, {"q": "' OR 1=1"}).context["cl"].result_list


# -- the preview


@given(st.text(max_size=200), st.lists(st.text(max_size=20), max_size=3))
def test_a_preview_holds_no_markup_but_its_own(text, params):
    html = preview.filled(text, params)
    for tag in ("strong", "em", "s", "code", "mark", 'mark class="gs-missing"'):
        html = html.replace(f"<{tag}>", "").replace(f"</{tag.split()[0]}>", "")
    assert "<" not in html
    assert ">" not in html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*gras* _italique_ ~barré~", "<strong>gras</strong> <em>italique</em> <s>barré</s>"),
        ("2*3*4 un_nom_long", "2*3*4 un_nom_long"),
        ("* rien *", "* rien *"),
        ("{{1}}", '<mark class="gs-missing">{{1}}</mark>'),
    ],
)
def test_marks_are_whatsapps(text, html):
    assert preview.formatted(text) == html


def test_header_variables_come_before_those_of_the_body():
    template = Template(header_type="TEXT", header_text="Pour {{1}}", body="Le {{1}} à {{2}}", buttons=[])
    bubble = preview.of_template(template, ["Zoé", "lundi", "10 h"])
    assert bubble.header_text == "Pour <mark>Zoé</mark>"
    assert bubble.body == "Le <mark>lundi</mark> à <mark>10 h</mark>"

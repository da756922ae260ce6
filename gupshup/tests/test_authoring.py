"""A template is written with its preview beside it, its faults are told before Meta tells them, and it is submitted."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from accounts.models import User
from gupshup.models import Template
from gupshup.tests.api.servers import reply, serving

pytestmark = pytest.mark.django_db
TYPED = {
    "name": "soldes_hiver",
    "language": "fr",
    "category": "MARKETING",
    "header_type": "TEXT",
    "header_text": "Pour {{1}}",
    "header_sample": "Léa",
    "body": "Bonjour {{1}},\r\nnos soldes *d'hiver* commencent le {{2}} dans tous nos magasins.",
    "samples": "Karim\r\n3 mai",
    "footer": "Répondez STOP pour ne plus rien recevoir",
    "kind_0": "QUICK_REPLY",
    "label_0": "Ça m'intéresse",
    "kind_1": "URL",
    "label_1": "Voir",
    "target_1": "https://example.com/{{1}}",
    "example_1": "https://example.com/soldes",
    "kind_2": "COPY_CODE",
    "label_2": "Copier le code",
    "target_2": "HIVER20",
}
JPEG = b"\xff\xd8\xff\xe0" + b"x" * 100


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.SECURE_SSL_REDIRECT = False


@pytest.fixture
def page(client, user):
    client.force_login(user)
    return client


def preview(page, **typed):
    return page.post(reverse("admin:gupshup_template_preview"), typed).content.decode()


def submit(page, sender, **typed):
    return page.post(reverse("admin:gupshup_template_add"), {**TYPED, "sender": sender.pk, **typed})


@pytest.fixture
def takes_all(sender):
    """A Gupshup that takes every template and file, and keeps what it was sent."""

    def answer(connection, request):
        if "/media" in request.line:
            body = {"status": "success", "handleId": {"message": "4::" + "aW1h" * 60}}
        else:
            given = request.form
            named = {name: given[name] for name in ("elementName", "languageCode", "category", "templateType")}
            body = {"status": "success", "template": {"id": "t-new", "status": "PENDING", **named}}
        connection.sendall(reply(json.dumps(body).encode(), "200 OK"))
        return True

    with serving(answer) as server:
        type(sender).objects.update(api_url=server.url())
        yield server


def test_the_preview_follows_what_is_typed(page, sender):
    seen = preview(page, **TYPED)
    assert "Pour <mark>Léa</mark>" in seen
    assert "Bonjour <mark>Karim</mark>" in seen
    assert "<strong>d&#x27;hiver</strong>" in seen
    assert "Copier le code" in seen
    assert "<li>" not in seen  # nothing to remark


def test_an_empty_page_has_no_reproach(page, sender):
    answer = page.get(reverse("admin:gupshup_template_add"))
    assert answer.status_code == 200
    assert "<li>" not in preview(page)


@pytest.mark.parametrize(
    ("typed", "remark"),
    [
        ({"name": "Soldes été"}, "minuscules"),
        ({"body": "{{1}} bonjour à tous et à toutes"}, "ne commence ni ne finit"),
        ({"body": "Bonjour {{1}} et {{3}}, à bientôt dans nos boutiques !"}, "sans en sauter"),
        ({"samples": "Karim"}, "un exemple par variable"),
        ({"header_sample": ""}, "variable du titre"),
        ({"header_text": "{{1}} {{2}}"}, "Une ligne et une variable"),
        ({"footer": "Pour {{1}}"}, "Pas de variable dans le pied"),
        ({"label_0": "x" * 26}, "25 caractères"),
        ({"example_1": ""}, "Complétez ce bouton"),
        ({"target_1": "example.com"}, "Complétez ce bouton"),
        ({"target_2": ""}, "Complétez ce bouton"),
    ],
)
def test_what_meta_would_refuse_is_told_and_not_submitted(page, sender, takes_all, typed, remark):
    assert remark in preview(page, **{**TYPED, **typed})
    answer = submit(page, sender, **typed)
    assert answer.status_code == 200
    assert remark in answer.content.decode()
    assert takes_all.requests == []
    assert not Template.objects.exists()


def test_what_is_typed_is_text_and_never_markup(page, sender):
    seen = preview(
        page, body="<script>alert(1)</script> {{1}} bonjour", samples="<img src=x>", label_0="<b>", kind_0="URL"
    )
    assert "<script>" not in seen
    assert "<img" not in seen
    assert "<b>" not in seen


def test_a_good_one_is_submitted_whole(page, sender, takes_all):
    answer = submit(page, sender)
    template = Template.objects.get()
    assert answer.url == reverse("admin:gupshup_template_change", args=(template.pk,))
    assert (template.status, template.name, template.sender) == ("PENDING", "soldes_hiver", sender)
    assert template.body == TYPED["body"].replace("\r\n", "\n")
    form = takes_all.requests[0].form
    assert form["content"] == template.body
    assert form["example"].startswith("Bonjour Karim,\nnos soldes")
    assert (form["header"], form["exampleHeader"]) == ("Pour {{1}}", "Pour Léa")
    assert [one["type"] for one in json.loads(form["buttons"])] == ["QUICK_REPLY", "URL", "COPY_CODE"]
    assert json.loads(form["buttons"])[2]["example"] == "HIVER20"


def test_a_picture_goes_first_and_its_handle_with_the_form(page, sender, takes_all):
    picture = SimpleUploadedFile("photo été.jpg", JPEG, "text/plain")
    assert submit(page, sender, header_type="IMAGE", sample_file=picture).status_code == 302
    upload, create = takes_all.requests
    assert JPEG in upload.body
    assert b"image/jpeg" in upload.body  # told by its bytes, not by what the browser says
    assert create.form["templateType"] == "IMAGE"
    assert create.form["exampleMedia"].startswith("4::")
    assert "header" not in create.form
    assert Template.objects.get().header_type == "IMAGE"


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("IMAGE", None),
        ("IMAGE", SimpleUploadedFile("a.jpg", b"<html>", "image/jpeg")),
        ("IMAGE", SimpleUploadedFile("a.pdf", b"%PDF-1.7", "application/pdf")),
        ("VIDEO", SimpleUploadedFile("a.mp4", JPEG, "video/mp4")),
        ("IMAGE", SimpleUploadedFile("a.jpg", JPEG + b"x" * 5 * 1024 * 1024, "image/jpeg")),
    ],
)
def test_a_sample_that_whatsapp_would_not_take_is_told(page, sender, takes_all, kind, file):
    given = {"sample_file": file} if file else {}
    answer = submit(page, sender, header_type=kind, **given)
    assert answer.status_code == 200
    assert answer.context["form"].errors["sample_file"]
    assert takes_all.requests == []


def test_gupshups_refusal_is_told_in_plain_words(page, sender):
    said = {
        "status": "error",
        "message": "Template Already exists with same namespace and elementName and languageCode",
    }
    answer = reply(json.dumps(said).encode(), "400 Bad Request")
    with serving(lambda connection, _request: connection.sendall(answer) or True) as server:
        type(sender).objects.update(api_url=server.url())
        shown = submit(page, sender)
    assert "porte déjà ce nom" in shown.content.decode()
    assert not Template.objects.exists()


@pytest.mark.parametrize("url", ["admin:gupshup_template_add", "admin:gupshup_template_preview"])
def test_strangers_see_no_form(client, sender, url):
    for answer in (client.get(reverse(url)), client.post(reverse(url), TYPED)):
        assert answer.status_code == 302
        assert reverse("admin:login") in answer.url


def test_a_marketer_may_write_one(client, sender):
    client.force_login(User.objects.create_user("m@example.com", "un mot de passe 42"))
    assert client.get(reverse("admin:gupshup_template_add")).status_code == 200
    assert client.get(reverse("admin:gupshup_template_preview")).status_code == 405


def test_without_an_app_id_the_page_says_why_nothing_can_be_written(page, sender):
    type(sender).objects.update(app_id="")
    assert "GUPSHUP_APP_ID" in page.get(reverse("admin:gupshup_template_add")).content.decode()

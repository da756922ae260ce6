from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.test import Client
from django.urls import path

from whatsapp_campaigns import urls

handler400, handler403, handler404, handler500 = urls.handler400, urls.handler403, urls.handler404, urls.handler500


def fail(request, what):
    raise {"bad": SuspiciousOperation, "forbidden": PermissionDenied, "broken": ZeroDivisionError}[what]("secret words")


urlpatterns = [path("fail/<what>/", fail), path("api/fail/<what>/", fail), *urls.urlpatterns]

SENTENCES = {
    "/fail/bad/": (400, "Cette demande n’est pas compréhensible", "This request cannot be understood"),
    "/fail/forbidden/": (403, "Vous n’avez pas accès à cette page", "You may not see this page"),
    "/nowhere/": (404, "Cette page n’existe pas", "This page does not exist"),
    "/fail/broken/": (500, "Une erreur s’est produite de notre côté", "Something went wrong on our side"),
}


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(("address", "expected"), SENTENCES.items())
def test_trouble_is_told_in_the_language_of_the_person(client, address, expected):
    status, french, english = expected
    for language, sentence in (("fr", french), ("en", english)):
        answer = client.get(address, headers={"Accept-Language": language})
        page = answer.content.decode()
        assert answer.status_code == status
        assert sentence in page
        assert f'<html lang="{language}">' in page
        assert "secret words" not in page


@pytest.mark.urls(__name__)
def test_a_program_gets_json(client):
    answer = client.get("/api/fail/broken/", headers={"Accept-Language": "en"})
    expected = {"detail": "Something went wrong on our side", "code": "server_error"}
    assert (answer.status_code, answer.json()) == (500, expected)


def test_a_foreign_host_name_is_told_in_the_language_of_the_person(client):
    for language, sentence in (("en", "cannot be understood"), ("fr", "pas compréhensible"), ("en", "cannot be")):
        answer = client.get("/admin/login/", headers={"Host": "evil.example", "Accept-Language": language})
        assert answer.status_code == 400
        assert sentence in answer.content.decode()


def test_a_form_without_its_token_is_told_to_reload():
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", headers={"Accept-Language": "en"})
    assert answer.status_code == 403
    assert "This form has expired" in answer.content.decode()


@pytest.mark.urls(__name__)
@pytest.mark.django_db
@pytest.mark.parametrize("address", [*SENTENCES, "/admin/login/", "/healthz", "/i18n/setlang/"])
def test_every_answer_carries_the_same_content_security_policy(client, address):
    policy = client.get(address).headers["Content-Security-Policy"]
    assert policy == client.get("/", headers={"Host": "evil.example"}).headers["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-eval'" in policy
    assert "default-src 'none'" in policy

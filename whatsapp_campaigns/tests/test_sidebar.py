from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import RequestFactory
from django.urls import reverse

from accounts.models import Role, User
from whatsapp_campaigns import sidebar

FOR_SUPER_ADMINS = {
    "hooks.endpoint",
    *("gupshup.sender", "accounts.user", "accounts.apikey"),
    *("axes.accessattempt", "django_celery_beat.periodictask"),
}
EVERY_PAGE = {page.model for _, pages in sidebar.SECTIONS for page in pages}


def registered(models: set[str]) -> set[str]:
    shown = {model._meta.label_lower for model in admin.site._registry}
    return {reverse("admin:{}_{}_changelist".format(*model.split("."))) for model in models & shown}


def links(role: str) -> set[str]:
    request = RequestFactory().get("/admin/")
    request.user = User(email="somebody@example.com", role=role)
    return {item["link"] for section in sidebar.navigation(request) for item in section["items"]}


@pytest.mark.parametrize(
    ("role", "pages"), [(Role.SUPER_ADMIN, EVERY_PAGE), (Role.ADMIN, EVERY_PAGE - FOR_SUPER_ADMINS)]
)
def test_each_role_finds_its_pages_and_no_other(role, pages):
    assert links(role) == {reverse("admin:index")} | registered(pages)


def test_a_page_whose_admin_is_not_registered_is_left_out(monkeypatch):
    monkeypatch.setattr(admin.site, "_registry", {})
    assert links(Role.SUPER_ADMIN) == {reverse("admin:index")}


def test_a_heading_without_pages_is_left_out(monkeypatch):
    monkeypatch.setattr(sidebar, "SECTIONS", (("Empty", ()), *sidebar.SECTIONS))
    request = RequestFactory().get("/admin/")
    request.user = User(role=Role.SUPER_ADMIN)
    assert all(section["items"] for section in sidebar.sections(request))


@pytest.mark.parametrize(("role", "status"), [(Role.SUPER_ADMIN, 200), (Role.ADMIN, 403)])
@pytest.mark.django_db
def test_what_is_hidden_is_also_closed(client, role, status):
    user = User.objects.create_user("somebody@example.com", role=role)
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    addresses = registered(FOR_SUPER_ADMINS)
    assert {address: client.get(address).status_code for address in addresses} == dict.fromkeys(addresses, status)


@pytest.mark.django_db
def test_the_home_page_offers_what_the_sidebar_does(client):
    user = User.objects.create_user("somebody@example.com", role=Role.SUPER_ADMIN)
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    page = client.get("/admin/")
    assert [item["link"] for section in page.context["sections"] for item in section["items"]]
    assert page.content.decode().count(reverse("admin:accounts_user_add")) == 1

"""The admin in a real browser: nothing blocked by our own policy, nothing asked from outside."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.urls import reverse

from accounts.models import Role, User

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
WIDTH = "document.documentElement.scrollWidth"
PASSWORD = "un mot de passe assez long"

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]


@pytest.fixture
def chief(transactional_db, settings) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return User.objects.create_user("chief@example.com", PASSWORD, role=Role.SUPER_ADMIN)


@pytest.fixture
def browser(live_server, chief) -> Iterator[Any]:
    """Started after what uses the database and gone before it: Playwright's loop runs in the thread of the test, and
    a connection opened meanwhile would be another one that nobody closes."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


def listen(page: Any, home: str) -> list[str]:
    """Where the page's complaints are put down: console errors, exceptions, requests to elsewhere."""
    heard: list[str] = []

    def hear(what: str) -> None:
        heard.append(f"{page.url}: {what}")

    page.on("console", lambda said: hear(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: hear(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith((home, "data:", "blob:")) else hear(asked.url))
    return heard


def log_in(page: Any, home: str) -> None:
    page.goto(f"{home}/admin/login/?next=/admin/")
    page.fill("#id_username", "Chief@Example.com")
    page.fill("#id_password", PASSWORD)
    page.click("#login-form button[type=submit]")
    page.wait_for_url(f"{home}/admin/")


def test_no_page_breaks_the_policy_or_leaves_the_site(browser, live_server):
    page = browser.new_page(locale="fr-FR")
    heard = listen(page, live_server.url)
    log_in(page, live_server.url)
    lists = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in admin.site._registry
    ]
    for address in ["/admin/", "/admin/password_change/", *lists, reverse("admin:accounts_user_add")]:
        page.goto(live_server.url + address, wait_until="networkidle")
    assert heard == []


@pytest.mark.parametrize("width", [1440, 390])
def test_the_language_is_changed_in_the_menu_and_stays(browser, live_server, width):
    page = browser.new_page(locale="fr-FR", viewport={"width": width, "height": 900})
    log_in(page, live_server.url)
    assert page.locator("html").get_attribute("lang") == "fr"
    if width < 1000:
        page.get_by_text("dock_to_right").last.click()
    page.get_by_text("chief@example.com").first.click()
    page.get_by_role("button", name="English").click()
    page.wait_for_load_state("networkidle")
    assert page.locator("html").get_attribute("lang") == "en"
    page.goto(f"{live_server.url}/admin/accounts/user/")
    assert page.locator("html").get_attribute("lang") == "en"


def test_a_narrow_screen_is_wide_enough(browser, live_server):
    page = browser.new_page(locale="fr-FR", viewport={"width": 390, "height": 844})
    page.goto(f"{live_server.url}/admin/login/", wait_until="networkidle")
    widths = {"/admin/login/": page.evaluate(WIDTH)}
    log_in(page, live_server.url)
    for address in ("/admin/", "/admin/accounts/user/", "/admin/accounts/user/add/"):
        page.goto(live_server.url + address, wait_until="networkidle")
        widths[address] = page.evaluate(WIDTH)
    assert widths == dict.fromkeys(widths, 390)

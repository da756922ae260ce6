"""The campaign pages in a real browser: they follow what is typed, fit a telephone, and break no policy."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from campaigns.models import Interaction, Message
from campaigns.status import Status
from contacts.models import Category
from gupshup.models import Callback
from whatsapp_campaigns.tests.test_browser import CHROMIUM, WIDTH, browser, chief, listen, log_in  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]


@pytest.fixture
def pages(chief, make_campaign, launched, sender, template) -> list[str]:  # noqa: F811
    """Every kind of page, with something on it. Made before the browser starts."""
    draft, running = make_campaign(people=2, created_by=chief), launched(people=3, created_by=chief)
    Category.objects.update(created_by=chief)
    message = Message.objects.filter(campaign=running).first()
    Message.objects.filter(pk=message.pk).update(status=Status.FAILED, error_code="131026", next_attempt_at=None)
    interaction = Interaction.objects.create(
        sender=sender, campaign=running, message=message, contact=message.contact, interaction_type="reply",
        content="<script>alert(1)</script>", inbound_id="in-1", received_at=timezone.now(),
    )  # fmt: skip
    callback = Callback.objects.create(
        sender=sender, raw=b'{"a": "<b>"}', digest=b"1" * 32, state="failed", due_at=None
    )
    about = {"change": running, "uncertain": running, "retry": running, "cancel": running, "check": draft}
    return [
        reverse("admin:index"),
        reverse("admin:campaigns_campaign_add"),
        reverse("admin:campaigns_campaign_change", args=(draft.pk,)),
        *(reverse(f"admin:campaigns_campaign_{name}", args=(campaign.pk,)) for name, campaign in about.items()),
        *(
            reverse(f"admin:campaigns_{name}_changelist")
            for name in ("campaign", "message", "attempt", "interaction", "event")
        ),
        reverse("admin:campaigns_message_change", args=(message.pk,)),
        reverse("admin:campaigns_interaction_change", args=(interaction.pk,)),
        reverse("admin:gupshup_sender_change", args=(sender.pk,)),
        reverse("admin:gupshup_template_change", args=(template.pk,)),
        reverse("admin:gupshup_template_add"),
        reverse("admin:gupshup_callback_change", args=(callback.pk,)),
        *(reverse(f"admin:gupshup_{name}_changelist") for name in ("sender", "template", "callback")),
    ]


@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_keeps_the_policy_and_fits_the_screen(pages, browser, live_server, width):  # noqa: F811
    page = browser.new_page(locale="fr-FR", viewport={"width": width, "height": 900})
    heard = listen(page, live_server.url)
    log_in(page, live_server.url)
    widths = {}
    for address in pages:
        page.goto(live_server.url + address, wait_until="load")
        page.wait_for_function("!document.querySelector('.htmx-request')")
        widths[address] = page.evaluate(WIDTH)
    assert heard == []
    assert {address: wide for address, wide in widths.items() if wide > width} == {}


def test_the_draft_follows_what_is_typed_and_is_launched_with_one_press(pages, browser, live_server):  # noqa: F811
    page = browser.new_page(locale="fr-FR", viewport={"width": 1440, "height": 1000})
    heard = listen(page, live_server.url)
    log_in(page, live_server.url)
    page.goto(f"{live_server.url}{reverse('admin:campaigns_campaign_add')}")
    page.fill("#id_name", "Rentrée")
    page.select_option("#id_template", index=1)
    page.wait_for_selector("[name=params-0-text]").fill("vous")
    page.locator("[name=categories]").first.check()
    page.fill("#id_message_2", "Merci ")
    page.click("[data-insert='{{first_name}}']")
    assert page.input_value("#id_message_2") == "Merci {{first_name}}"
    page.get_by_text("Merci Prénom0").wait_for()
    page.get_by_text("2 personnes recevront le message").or_(
        page.locator(".wc-reach-number", has_text="2")
    ).first.wait_for()
    page.click("[name=_check]")
    page.get_by_role("button", name="Lancer vers 2 personnes").click()
    page.get_by_text("La campagne est lancée.").wait_for()
    page.get_by_role("button", name="Mettre en pause").or_(page.get_by_text("Préparation de la liste")).first.wait_for()
    assert heard == []

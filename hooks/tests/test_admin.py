"""A super-admin connects another program, tries it, and sees what became of it; a marketer sees none of that."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from accounts.models import User
from hooks import delivering, outbox
from hooks.models import Delivery, Endpoint

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/hooks/endpoint/"


@pytest.fixture
def chief(client, user):
    client.force_login(user)
    return client


def text_of(answer) -> str:
    return answer.content.decode()


def test_the_secret_of_a_new_endpoint_is_shown_once(chief):
    form = {"name": "Caisse", "url": "https://example.com/hook", "events": ["reply.received"], "active": "on"}
    page = text_of(chief.post(f"{LIST}add/", form, follow=True))
    endpoint = Endpoint.objects.get()
    assert re.search("whsec_[A-Za-z0-9+/=]{44}", page)
    assert endpoint.secret not in text_of(chief.get(f"{LIST}{endpoint.pk}/change/"))
    assert endpoint.created_by.email == "chef@example.com"


@pytest.mark.parametrize("url", ["http://8.8.8.8/", "https://u:p@example.com/", "nonsense", "https://10.0.0.1/x"])
def test_an_address_that_will_never_be_called_is_refused_at_once(chief, url, settings):
    settings.HOOKS_ALLOWED_NETWORKS = []
    form = {"name": "Caisse", "url": url, "events": ["reply.received"], "active": "on"}
    assert chief.post(f"{LIST}add/", form).status_code == 200
    assert not Endpoint.objects.exists()


def test_a_trial_tells_what_was_answered(chief, receiver, make_endpoint):
    well, ill = receiver(), receiver(status="500 Oh")
    for server, said in ((well, "HTTP 204"), (ill, "HTTP 500")):
        endpoint = make_endpoint(server.url())
        page = text_of(chief.post(reverse("admin:hooks_endpoint_trial", args=(endpoint.pk,)), follow=True))
        assert said in page
        assert len(server.requests) == 1
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered", "waiting"}


def test_a_new_secret_is_shown_once_and_the_old_one_is_ended(chief, receiver, make_endpoint):
    endpoint = make_endpoint(receiver().url())
    old = endpoint.secret
    page = text_of(chief.post(reverse("admin:hooks_endpoint_rotate", args=(endpoint.pk,)), follow=True))
    endpoint.refresh_from_db()
    assert endpoint.secret in page.replace("&#x3D;", "=")
    assert endpoint.secrets == [endpoint.secret, old]
    chief.post(reverse("admin:hooks_endpoint_retire", args=(endpoint.pk,)))
    endpoint.refresh_from_db()
    assert endpoint.secrets == [endpoint.secret]


def test_what_is_switched_off_says_why_and_is_switched_on_by_saving(chief, receiver, make_endpoint):
    endpoint = make_endpoint(receiver(status="410 Gone").url())
    outbox.trial(endpoint)
    delivering.run()
    address = f"{LIST}{endpoint.pk}/change/"
    assert "410" in text_of(chief.get(address))
    assert chief.get(LIST).status_code == 200
    form = {"name": "Caisse", "url": endpoint.url, "events": endpoint.events, "active": "on"}
    assert chief.post(address, form).status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.state, endpoint.disabled_reason) == ("active", "")


def test_deliveries_are_read_and_made_again(chief, receiver, make_endpoint):
    server = receiver()
    delivery = outbox.trial(make_endpoint(server.url()))
    delivering.run()
    assert "HTTP" in text_of(chief.get(f"/admin/hooks/delivery/{delivery.pk}/change/"))
    chief.post("/admin/hooks/delivery/", {"action": "deliver_again", "_selected_action": [delivery.pk]})
    delivering.run()
    assert len(server.requests) == 2


def test_a_marketer_sees_nothing_of_it(client, make_endpoint):
    endpoint = make_endpoint("https://example.com/")
    client.force_login(User.objects.create_user("anne@example.com", "un mot de passe 42"))
    for address in (LIST, f"{LIST}{endpoint.pk}/change/", "/admin/hooks/delivery/"):
        assert client.get(address).status_code == 403
    assert client.post(reverse("admin:hooks_endpoint_trial", args=(endpoint.pk,))).status_code == 405
    assert not Delivery.objects.exists()

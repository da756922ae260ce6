"""What `check_gupshup` cannot know without campaigns: which of them cannot go on, and whether the broker answers."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Count
from django.utils.translation import gettext as _
from kombu import Connection

from campaigns.models import Campaign
from campaigns.status import CampaignStatus
from gupshup.diagnosis import Finding
from gupshup.diagnosis.finding import attention, error, ok
from gupshup.models import Callback, Sender, Template

GOING = (CampaignStatus.SCHEDULED, CampaignStatus.PREPARING, CampaignStatus.RUNNING)
MOST = 5
BROKER_SECONDS = 2


def look(sender: Sender) -> Iterator[Finding]:
    yield from _templates(sender)
    yield from _inbox(sender)
    yield _broker()


def _inbox(sender: Sender) -> Iterator[Finding]:
    """Callbacks that nothing follows from until a person looks at them."""
    kept = sender.callbacks.filter(state__in=(Callback.State.FAILED, Callback.State.UNKNOWN))
    counts = dict(kept.order_by().values_list("state").annotate(n=Count("id")))
    if n := counts.get(Callback.State.FAILED):
        yield attention(
            "callbacks_set_aside",
            _("Callbacks that could not be applied: %(n)s.") % {"n": n},
            _("Their page in the admin says why. manage.py replay_callbacks reads them again."),
        )
    if n := counts.get(Callback.State.UNKNOWN):
        yield attention(
            "callbacks_unknown",
            _("Callbacks in a form that this version does not understand: %(n)s.") % {"n": n},
            _("They are kept. After an upgrade, manage.py replay_callbacks --state unknown reads them again."),
        )


def _templates(sender: Sender) -> Iterator[Finding]:
    """Campaigns that would send, or be resumed, with a template that Meta does not let through."""
    blocked = (
        Campaign.objects.filter(sender=sender, status__in=(*GOING, CampaignStatus.PAUSED))
        .exclude(template__status=Template.Status.APPROVED)
        .select_related("template")
        .order_by("-id")
    )
    for campaign in blocked[:MOST]:
        template = campaign.template
        names = {
            "campaign": campaign.name,
            "template": template.name if template else "-",
            "status": template.get_status_display() if template else "-",
        }
        text = _("The campaign %(campaign)s uses the template %(template)s, which is: %(status)s.") % names
        advice = _("Wait until it is approved again, or start another campaign with an approved template.")
        going = campaign.status in GOING
        yield error("campaign_template", text, advice) if going else attention("campaign_template", text, advice)


def _broker() -> Finding:
    """The doorbell of the workers. `manage.py dispatch` needs none, so its silence is no error."""
    where = urlsplit(settings.CELERY_BROKER_URL)
    name = {"broker": f"{where.scheme}://{where.hostname or ''}{f':{where.port}' if where.port else ''}"}
    try:
        with Connection(settings.CELERY_BROKER_URL, connect_timeout=BROKER_SECONDS) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_SECONDS)
    except Exception:  # each kind of broker has kinds of trouble of its own
        return attention(
            "broker",
            _("The broker %(broker)s does not answer: Celery's workers hear nothing.") % name,
            _("Start it, or use manage.py dispatch, which needs no broker."),
        )
    return ok("broker", _("The broker %(broker)s answers.") % name)

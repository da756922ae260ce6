"""The templates as Gupshup lists them now, and our copy of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from gupshup.api.client import GupshupService
from gupshup.api.templates import SPECIAL, TemplateInfo
from gupshup.diagnosis.finding import Finding, attention, error, ok, why
from gupshup.models import Sender, Template

STALE = timedelta(hours=26)  # the beat reads them hourly
TROUBLED = ("PAUSED", "DISABLED", "REJECTED")
MOST_NAMES = 5


def look(sender: Sender, service: GupshupService) -> Iterator[Finding]:
    reply = service.templates()
    if reply.value is None and reply.response.error_code == "authentication_failed":
        yield error(
            "app_id_refused",
            _("Gupshup refuses the key for the app id %(id)s.") % {"id": sender.app_id},
            _("The app id belongs to another account, or the app is not live yet: compare it on gupshup.io."),
        )
        return
    if reply.value is None:
        yield error(
            "app_id_wrong",
            _("Gupshup gives no templates for the app id %(id)s.") % {"id": sender.app_id},
            " ".join(
                (_("The key is accepted, so the app id is wrong, or the app is not live yet."), why(reply.response))
            ).strip(),
        )
        return
    yield _approved(reply.value)
    yield from _troubled(reply.value)
    yield from _special(reply.value)
    yield from _copy(sender)


def _approved(listed: tuple[TemplateInfo, ...]) -> Finding:
    approved = sum(one.sendable for one in listed)
    if approved:
        told = ngettext("%(n)d template is approved.", "%(n)d templates are approved.", approved)
        return ok("templates", told % {"n": approved})
    if listed:
        states = Counter(_state(one) for one in listed)
        said = ", ".join(f"{count} {state}" for state, count in states.most_common())
        text = _("No template is approved (%(states)s): no campaign can start.") % {"states": said}
    else:
        text = _("There is no template: no campaign can start.")
    return error("no_template", text, _("Write one (Templates, New template) and wait until Meta has approved it."))


def _state(template: TemplateInfo) -> str:
    """Its status in the reader's language."""
    known = template.status in Template.Status.values
    return str(Template.Status(template.status).label) if known else template.status.lower()


def _troubled(listed: tuple[TemplateInfo, ...]) -> Iterator[Finding]:
    found = [one for one in listed if one.status in TROUBLED]
    if found:
        names = ", ".join(f"{one.name} ({one.language}, {_state(one)})" for one in found[:MOST_NAMES])
        more = "…" if len(found) > MOST_NAMES else ""
        yield attention(
            "templates_troubled",
            _("Not to be sent: %(names)s.") % {"names": names + more},
            _("Campaigns that use them are paused."),
        )


def _special(listed: tuple[TemplateInfo, ...]) -> Iterator[Finding]:
    found = [one for one in listed if one.sendable and {one.header_type, *(b.kind for b in one.buttons)} & SPECIAL]
    if found:
        names = ", ".join(f"{one.name} ({one.language})" for one in found[:MOST_NAMES])
        yield attention(
            "templates_special",
            _("Approved, but no campaign can send them: %(names)s.") % {"names": names},
            _("They need a map, a carousel, products or the end of an offer."),
        )


def _copy(sender: Sender) -> Iterator[Finding]:
    read = sender.templates_synced_at
    if read is None:
        yield attention(
            "sync", _("The templates were never read into this product."), _("Run manage.py sync_templates.")
        )
    elif timezone.now() - read > STALE:
        yield attention(
            "sync",
            _("The templates were last read on %(when)s.") % {"when": timezone.localtime(read).strftime("%d/%m/%Y")},
            _("Run manage.py sync_templates, and see that the beat runs: it reads them hourly."),
        )

"""From what a program sends to a campaign: which template is meant, what fills its variables, one row, launched or not.

The old system's clients give a name or the text of Message 1; Gupshup sends only approved templates, by id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from campaigns import launching
from campaigns.audience import PLAIN_FIELDS
from campaigns.models import Campaign, Event
from campaigns.status import CampaignStatus
from contacts.models import Category
from gupshup.api import templates
from gupshup.models import Sender, Template

if TYPE_CHECKING:
    from accounts.models import User

MOST_CANDIDATES = 20
DEFAULT_LANGUAGE = "fr"  # of the old client: send_template_message(language_code="fr")
_FIELD = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")

Param = dict[str, str]  # {"field": …, "text": …}, as in Campaign.params


class UnclearTemplate(Exception):  # noqa: N818 - it is not an error of the program
    """No template, or several, fit; `candidates` are those that might be meant."""

    def __init__(self, code: str, text: str, candidates: Iterable[Template]) -> None:
        super().__init__(text)
        self.code = code
        self.candidates = list(candidates)[:MOST_CANDIDATES]


def choose_template(sender: Sender, name: str, language: str, text: str) -> Template:
    """The approved template that a name means; without a name, the one whose text this is. Raises UnclearTemplate."""
    approved = Template.objects.filter(sender=sender, status=Template.Status.APPROVED).order_by(
        "name", "language", "id"
    )
    if language:
        approved = approved.filter(language=language)
    if not name:
        return _by_text(list(approved), text)
    named = list(approved.filter(name=name))
    if len(named) > 1:
        named = [one for one in named if _same(one.body, text)] or _in_french(named) or named
    if len(named) == 1:
        return named[0]
    if named:
        raise UnclearTemplate(
            "template_ambiguous", _("Several approved templates have this name. Give its language too."), named
        )
    if Template.objects.filter(sender=sender, name=name).exclude(status=Template.Status.DELETED).exists():
        raise UnclearTemplate(
            "template_not_approved", _("This template is not approved (in this language). Choose another."), approved
        )
    raise UnclearTemplate("template_unknown", _("There is no template with this name. Choose another."), approved)


def _by_text(approved: Sequence[Template], text: str) -> Template:
    same = [one for one in approved if _same(one.body, text)]
    if len(same) == 1:
        return same[0]
    if same:
        raise UnclearTemplate(
            "template_ambiguous", _("Several approved templates have this text. Give template_name."), same
        )
    raise UnclearTemplate(
        "template_unknown",
        _("WhatsApp opens a conversation only with an approved template, and none has this text. Give template_name."),
        approved,
    )


def _same(body: str, text: str) -> bool:
    return body.replace("\r\n", "\n").strip() == text.replace("\r\n", "\n").strip()


def _in_french(named: Sequence[Template]) -> list[Template]:
    """What the old client sent when it named no language."""
    return [one for one in named if one.language == DEFAULT_LANGUAGE] or [
        one for one in named if one.language.startswith(DEFAULT_LANGUAGE + "_")
    ]


def read_params(template: Template, text: str) -> list[Param]:
    """The variables as they stand in a text that was written after the template; none when it was not.

    "Bonjour {{first_name}}, -20 % jusqu'au 3 mai" for "Bonjour {{1}}, {{2}} jusqu'au {{3}}": a contact's field in
    braces is taken for each person, anything else is the same for all.
    """
    names = templates.placeholders(template.body)
    if not names or len(names) != template.params_count or _same(template.body, text):
        return []
    found = re.fullmatch(_pattern(template.body), text.replace("\r\n", "\n").strip(), re.DOTALL)
    if found is None:
        return []
    return [_param(found[f"v{n}"]) for n in range(len(names))]


def _pattern(body: str) -> str:
    """The template's text as a regular expression with a group v0, v1… for each placeholder. A repeated one repeats."""
    groups: dict[str, int] = {}
    parts: list[str] = []
    for n, piece in enumerate(_FIELD.split(body.replace("\r\n", "\n").strip())):
        if n % 2 == 0:
            parts.append(re.escape(piece))
        elif piece in groups:
            parts.append(f"(?P=v{groups[piece]})")
        else:
            groups[piece] = len(groups)
            parts.append(f"(?P<v{groups[piece]}>.{{1,1024}}?)")
    return "".join(parts)


def _param(value: str) -> Param:
    name = _FIELD.fullmatch(value.strip())
    if name is None:
        return {"field": "", "text": " ".join(value.split())}
    field = name[1]
    return {"field": field if field in PLAIN_FIELDS else f"attributes.{field.removeprefix('attributes.')}", "text": ""}


def create(user: User, fields: Mapping[str, Any], categories: Iterable[Category]) -> Campaign:
    """A draft of this user's, with its line in the journal."""
    with transaction.atomic():
        campaign = Campaign.objects.create(created_by=user, **fields)
        campaign.categories.set(categories)
        Event.record("create", actor=user, campaign=campaign)
    return campaign


def edit(user: User, campaign: Campaign, fields: Mapping[str, Any], categories: Iterable[Category] | None) -> bool:
    """Change a draft; False when it is none any more. Who saw the draft before this cannot launch it unseen."""
    with transaction.atomic():
        changed = Campaign.objects.filter(pk=campaign.pk, status=CampaignStatus.DRAFT).update(
            version=F("version") + 1, pause_reason="", pause_detail="", **fields
        )
        if not changed:
            return False
        if categories is not None:
            campaign.categories.set(categories)
        Event.record("edit", actor=user, campaign=campaign)
    campaign.refresh_from_db()
    return True


def delete_draft(campaign: Campaign) -> bool:
    """Remove a draft; False when it is none any more."""
    with transaction.atomic():
        draft = Campaign.objects.select_for_update().filter(pk=campaign.pk, status=CampaignStatus.DRAFT).first()
        if draft is not None:
            draft.delete()
        return draft is not None


def create_and_launch(user: User, fields: Mapping[str, Any], categories: Iterable[Category]) -> Campaign:
    """As the old system did: the campaign stands and is under way, or nothing of it does. Raises LaunchRefused."""
    with transaction.atomic():
        campaign = create(user, fields, categories)
        launching.launch(campaign, actor=user)
    campaign.refresh_from_db()
    return campaign

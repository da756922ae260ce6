"""Campaigns over HTTP beyond the old front end: drafts, launch, pause, resume, cancel, and what they would reach."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import audience, composing, launching, reports
from campaigns.api_bodies import ContentSerializer, LaunchSerializer, ScheduleSerializer
from campaigns.models import Campaign, Event
from campaigns.serializers import (
    CampaignSerializer,
    EventSerializer,
    FiguresSerializer,
    LaunchedSerializer,
    ProblemsSerializer,
    ReachSerializer,
)
from campaigns.views import LAUNCHES, own_campaign, own_categories, refused, sender, under_way
from gupshup.models import Template
from whatsapp_campaigns.api.errors import Conflict, Missing
from whatsapp_campaigns.api.idempotency import idempotent
from whatsapp_campaigns.api.views import Api, Listing


class OfCampaign(Api):
    """A route below one campaign that the caller may see."""

    subject = "campaigns.campaign"


class Drafts(Api):
    """A campaign that is not launched yet."""

    subject = "campaigns.campaign"

    @extend_schema(operation_id="create_draft", request=ContentSerializer, responses={201: ContentSerializer})
    @idempotent
    def post(self, request: Request) -> Response:
        given = ContentSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        fields, categories = _content(self, given.validated_data)
        fields.setdefault("sender", sender())
        campaign = composing.create(self.user, fields, categories or ())
        return Response(ContentSerializer(campaign).data, status=status.HTTP_201_CREATED)


class Content(OfCampaign):
    """What a campaign says and to whom."""

    @extend_schema(operation_id="content", responses=ContentSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(ContentSerializer(own_campaign(self, pk)).data)

    @extend_schema(operation_id="edit_draft", request=ContentSerializer, responses=ContentSerializer)
    def patch(self, request: Request, pk: int) -> Response:
        """Change a draft. What was launched stays as it was approved."""
        campaign = own_campaign(self, pk)
        given = ContentSerializer(campaign, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        fields, categories = _content(self, given.validated_data)
        if not composing.edit(self.user, campaign, fields, categories):
            raise Conflict(_("This campaign is not a draft any more."), "not_a_draft")
        return Response(ContentSerializer(own_campaign(self, pk)).data)


def _content(view: Api, given: dict[str, Any]) -> tuple[dict[str, Any], list[Any] | None]:
    """Model fields, and the categories when they were given. A template brings its sender."""
    fields = dict(given)
    ids = fields.pop("category_ids", None)
    if (template_id := fields.pop("template_id", None)) is not None:
        template = Template.objects.filter(pk=template_id).exclude(status=Template.Status.DELETED).first()
        if template is None:
            raise Missing("template_id", _("There is no such template."))
        fields |= {"template": template, "sender": template.sender}
    elif "template_id" in given:
        fields["template"] = None
    return fields, None if ids is None else own_categories(view.user, ids)


class Launch(OfCampaign):
    """A draft's start."""

    scopes = LAUNCHES

    @extend_schema(operation_id="launch", request=LaunchSerializer, responses={202: LaunchedSerializer})
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Launch a draft or scheduled campaign now. Of any number of callers one succeeds, the others get 409."""
        campaign = own_campaign(self, pk)
        given = LaunchSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            done = launching.launch(campaign, self.user, given.validated_data.get("version"))
        except launching.LaunchRefused as refusal:
            raise refused(refusal) from refusal
        if not done:
            raise Conflict(_("The campaign was launched or changed meanwhile. Read it again."), "not_launched")
        return under_way(self, pk)


class Schedule(OfCampaign):
    """A later start."""

    scopes = {"POST": "launch", "DELETE": "launch"}

    @extend_schema(operation_id="schedule", request=ScheduleSerializer, responses=CampaignSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Launch at a moment to come."""
        campaign = own_campaign(self, pk)
        given = ScheduleSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        at = given.validated_data["scheduled_at"]
        if at <= timezone.now():
            raise Conflict(_("This moment is past. Choose a later one."), "moment_past")
        try:
            done = launching.schedule(campaign, at, self.user)
        except launching.LaunchRefused as refusal:
            raise refused(refusal) from refusal
        return _changed(self, pk, done)

    @extend_schema(operation_id="unschedule", responses={200: CampaignSerializer})
    def delete(self, request: Request, pk: int) -> Response:
        """Back to draft."""
        return _changed(self, pk, own_campaign(self, pk).unschedule(self.user))


class Pause(OfCampaign):
    """A stop that can be undone."""

    scopes = LAUNCHES

    @extend_schema(operation_id="pause", request=None, responses=CampaignSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Send nothing more for now; what is on its way arrives."""
        return _changed(self, pk, own_campaign(self, pk).pause(self.user))


class Resume(OfCampaign):
    """After a pause."""

    scopes = LAUNCHES

    @extend_schema(operation_id="resume", request=None, responses=CampaignSerializer)
    def post(self, request: Request, pk: int) -> Response:
        return _changed(self, pk, own_campaign(self, pk).resume(self.user))


class Cancel(OfCampaign):
    """The end of a campaign."""

    scopes = LAUNCHES

    @extend_schema(operation_id="cancel", request=None, responses=CampaignSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """End the campaign for good; what is on its way arrives."""
        done = own_campaign(self, pk).cancel(self.user)
        if done:
            launching.cancel_waiting(pk, seconds=2)  # the sweep does the rest
        return _changed(self, pk, done)


def _changed(view: Api, pk: int, done: bool) -> Response:
    campaign = own_campaign(view, pk)
    if not done:
        raise Conflict(
            _("The campaign's state does not allow this. Read it again."), "wrong_state", state=campaign.status
        )
    return Response(CampaignSerializer(campaign, context={"figures": {}}).data)


class Audience(OfCampaign):
    """Whom a campaign would reach if it were launched now."""

    @extend_schema(operation_id="audience", responses=ReachSerializer)
    def get(self, request: Request, pk: int) -> Response:
        reach = audience.count(own_campaign(self, pk))
        return Response({"total": reach.total, "planned": reach.planned, "skipped": reach.skipped})


class Problems(OfCampaign):
    """What must be put right before a launch; empty when nothing."""

    @extend_schema(operation_id="problems", responses=ProblemsSerializer)
    def get(self, request: Request, pk: int) -> Response:
        found = launching.problems(own_campaign(self, pk))
        return Response({"problems": [{"code": one.code, "text": one.text} for one in found]})


class CampaignFigures(OfCampaign):
    """Every count and rate of a campaign, from one snapshot."""

    @extend_schema(operation_id="figures", responses=FiguresSerializer)
    def get(self, request: Request, pk: int) -> Response:
        campaign: Campaign = own_campaign(self, pk)
        figures = reports.figures(campaign.pk)
        return Response({"campaign_id": campaign.pk, "state": campaign.status, **figures.as_json()})


class CampaignEvents(Listing):
    """Who did what, newest first."""

    subject = "campaigns.event"
    serializer_class = EventSerializer
    queryset = Event.objects.none()
    filter_backends = ()

    def get_queryset(self) -> Any:
        return own_campaign(self, self.kwargs["pk"]).events.order_by("-id")

"""Login and users."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.settings import api_settings as token_settings

from accounts.authentication import log_in, refreshed, tokens_for
from accounts.models import LastSuperAdminError, User
from accounts.serializers import (
    LoginAnswerSerializer,
    LoginSerializer,
    RefreshSerializer,
    TokensSerializer,
    UserSerializer,
)
from whatsapp_campaigns.api.errors import Conflict
from whatsapp_campaigns.api.permissions import LoggedIn
from whatsapp_campaigns.api.views import Api, Change, Collection


def _answer(tokens: dict[str, str]) -> dict[str, Any]:
    return {
        **tokens,
        "access_token": tokens["access"],
        "refresh_token": tokens["refresh"],
        "token_type": "Bearer",
        "expires_in": int(token_settings.ACCESS_TOKEN_LIFETIME.total_seconds()),
    }


class Login(APIView):
    """E-mail address and password for two tokens: one for each request, one to get the next."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(operation_id="login", request=LoginSerializer, responses=LoginAnswerSerializer)
    def post(self, request: Request) -> Response:
        given = LoginSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        user = log_in(request._request, **given.validated_data)
        return Response({**_answer(tokens_for(user)), "user": UserSerializer(user).data})

    def get_authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class Refresh(APIView):
    """A new access token for a refresh token."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(operation_id="refresh", request=RefreshSerializer, responses=TokensSerializer)
    def post(self, request: Request) -> Response:
        given = RefreshSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(_answer(refreshed(next(iter(given.validated_data.values())))))

    def get_authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class Me(Api):
    """Who the token or key acts for."""

    permission_classes = (LoggedIn,)

    @extend_schema(operation_id="me", responses=UserSerializer)
    def get(self, request: Request) -> Response:
        return Response(UserSerializer(self.user).data)


class Users(Collection):
    """Everybody who can log in. Super-admins only."""

    subject = "accounts.user"
    queryset = User.objects.order_by("id")
    serializer_class = UserSerializer

    def perform_create(self, serializer: serializers.BaseSerializer) -> None:
        _save(serializer)


class OneUser(Change):
    """One user. Who has done anything is deactivated rather than deleted, so that it keeps their name."""

    subject = "accounts.user"
    queryset = User.objects.all()
    serializer_class = UserSerializer

    def perform_update(self, serializer: serializers.BaseSerializer) -> None:
        _save(serializer)

    def perform_destroy(self, instance: User) -> None:
        if _has_history(instance):
            raise Conflict(
                _("This user has done things that keep their name. Deactivate them: is_active = false."),
                "user_has_history",
            )
        try:
            instance.delete()
        except LastSuperAdminError as error:
            raise Conflict(" ".join(error.messages), "last_super_admin") from error


def _save(serializer: serializers.BaseSerializer) -> None:
    try:
        with transaction.atomic():
            serializer.save()
    except LastSuperAdminError as error:
        raise Conflict(" ".join(error.messages), "last_super_admin") from error
    except IntegrityError as error:
        raise Conflict(_("Another user has this e-mail address."), "email_taken") from error


def _has_history(user: User) -> bool:
    """Whether anything kept points at this user: what deletion would orphan, and the admin's log."""
    kept = [
        relation
        for relation in User._meta.related_objects
        if relation.on_delete is not models.CASCADE or relation.related_model._meta.label == "admin.LogEntry"
    ]
    return any(
        relation.related_model._base_manager.filter(**{relation.field.name: user}).exists()
        for relation in kept
        if not relation.many_to_many
    )

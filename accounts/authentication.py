"""Who calls the API: a person with a token, or a program with a key that acts for a person."""

from __future__ import annotations

from django.contrib.auth import authenticate
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import RefreshToken

from accounts import guarding
from accounts.models import User
from accounts.programs import ApiKey

KEYWORD = "Api-Key"


class Bearer(JWTAuthentication):
    """`Authorization: Bearer <access token>`. A changed password or a deactivated user ends every token."""


class ProgramKey(BaseAuthentication):
    """`Authorization: Api-Key wck_…`. `request.user` is the user it acts for, `request.auth` the key."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        word, _space, given = get_authorization_header(request).partition(b" ")
        if word.lower() != KEYWORD.lower().encode():
            return None
        key = ApiKey.objects.of_key(given.strip().decode("utf-8", "replace"))
        if key is None:
            raise AuthenticationFailed(_("This API key is unknown, revoked or expired."), code="bad_api_key")
        key.note_use()
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return KEYWORD


class ProgramKeyScheme(OpenApiAuthenticationExtension):
    target_class = ProgramKey
    name = "apiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key wck_…`, made by a super-admin",
        }


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = Bearer
    name = "bearer"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "from `/api/auth/login`"}


def log_in(request: HttpRequest, email: str, password: str) -> User:
    """The user with these credentials. Raises AuthenticationFailed, or Throttled before any hash is computed."""
    if seconds := guarding.wait(request, email):
        raise Throttled(seconds, gettext("Too many logins. Wait a moment."), "too_many_logins")
    user = authenticate(request, username=email.strip(), password=password)
    if not isinstance(user, User):
        raise AuthenticationFailed(_("Wrong e-mail address or password."), code="bad_credentials")
    guarding.welcome(request, email)
    return user


def tokens_for(user: User) -> dict[str, str]:
    refresh = RefreshToken.for_user(user)
    return {"access": str(refresh.access_token), "refresh": str(refresh)}


def refreshed(given: str) -> dict[str, str]:
    """A new access token for a refresh token that is still valid. Raises AuthenticationFailed."""
    try:
        refresh = RefreshToken(given)  # type: ignore[arg-type]
    except TokenError as error:
        raise AuthenticationFailed(_("This refresh token is not valid. Log in again."), code="bad_token") from error
    Bearer().get_user(refresh)
    return {"access": str(refresh.access_token), "refresh": given}

"""Users and logins, as the API speaks of them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers

from accounts.models import Role, User
from whatsapp_campaigns.api.errors import Unfit
from whatsapp_campaigns.api.fields import Flag, Strict, StrictModel, Text, Whole

MAX_PASSWORD = 128  # characters; hashing longer ones is a way to keep us busy


class LoginSerializer(Strict):
    email = Text(max_length=254)
    password = Text(max_length=MAX_PASSWORD, trim_whitespace=False)


class RefreshSerializer(Strict):
    """`refresh`, or `refresh_token` as some clients call it."""

    refresh = Text(max_length=4096, required=False)
    refresh_token = Text(max_length=4096, required=False)
    one_of = ("refresh", "refresh_token")


class UserSerializer(StrictModel):
    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(choices=Role.choices, default=Role.ADMIN)
    is_active = Flag(default=True)
    password = Text(write_only=True, min_length=8, max_length=MAX_PASSWORD, trim_whitespace=False)

    class Meta:
        model = User
        fields = ("id", "email", "role", "is_active", "created_at", "password")
        read_only_fields = ("id", "created_at")

    def validate_email(self, value: str) -> str:
        return value.lower()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "password" in attrs:
            self._judge(attrs["password"], attrs)
        return attrs

    def _judge(self, password: str, attrs: dict[str, Any]) -> None:
        described = User(email=str(attrs.get("email") or getattr(self.instance, "email", "")))
        try:
            password_validation.validate_password(password, described)
        except DjangoValidationError as error:
            raise Unfit("password", *error.messages, code="weak_password") from error

    def create(self, validated_data: dict[str, Any]) -> User:
        return User.objects.create_user(**validated_data)

    def update(self, instance: User, validated_data: dict[str, Any]) -> User:
        password = validated_data.pop("password", None)
        for name, value in validated_data.items():
            setattr(instance, name, value)
        if password is not None:
            instance.set_password(password)
        instance.save()
        return instance


class TokensSerializer(Strict):
    """The two tokens; `access_token` and `refresh_token` are the same ones under other clients' names for them."""

    access = serializers.CharField(help_text="valid for 30 minutes")
    refresh = serializers.CharField(help_text="valid for 7 days")
    access_token = serializers.CharField()
    refresh_token = serializers.CharField()
    token_type = serializers.CharField()
    expires_in = Whole(help_text="seconds")


class LoginAnswerSerializer(TokensSerializer):
    user = UserSerializer()

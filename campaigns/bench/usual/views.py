"""A webhook as the tutorials write it, with its address and its WSGI application."""

from __future__ import annotations

from typing import Any

from django.core.wsgi import get_wsgi_application
from django.urls import path
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

application = get_wsgi_application()

from campaigns.bench.usual.models import Event  # noqa: E402 - models need the set-up above


class EventSerializer(serializers.ModelSerializer[Event]):
    type = serializers.CharField(source="kind", max_length=40)

    class Meta:
        model = Event
        fields = ("app", "type", "payload")


class Webhook(APIView):
    def post(self, request: Request, **_: Any) -> Response:
        serializer = EventSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(status=status.HTTP_200_OK)


urlpatterns = [path("webhook", Webhook.as_view())]

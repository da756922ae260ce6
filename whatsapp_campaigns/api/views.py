"""Views that several apps build on."""

from __future__ import annotations

from typing import Any, cast

from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User


class Api(APIView):
    """A route for people and programs; `user` is whom they act for. `subject` ("app.model") decides who may."""

    subject = ""

    @property
    def user(self) -> User:
        return cast(User, self.request.user)


class Rows(Api, generics.GenericAPIView):
    """A route on the rows of one model."""


class Listing(Rows, generics.ListAPIView):
    """Rows in pages."""


class Collection(Rows, generics.ListCreateAPIView):
    """Rows in pages, and new ones."""


class Reading(Rows, generics.RetrieveAPIView):
    """One row."""


class Change(Rows, generics.RetrieveUpdateDestroyAPIView):
    """Read, change, delete. PUT keeps what it is not given, like PATCH: old clients send only what they changed."""

    def put(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.partial_update(request, *args, **kwargs)

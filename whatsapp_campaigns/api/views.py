"""Views that several apps build on."""

from __future__ import annotations

from typing import Any

from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response


class Change(generics.RetrieveUpdateDestroyAPIView):
    """Read, change, delete. PUT keeps what it is not given, like PATCH: old clients send only what they changed."""

    def put(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.partial_update(request, *args, **kwargs)

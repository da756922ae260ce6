"""The OpenAPI document and its page. Everything the page loads comes from here: it works offline and under our CSP."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response


class Document(SpectacularJSONAPIView):
    """The document, for anybody: it says nothing that the source does not."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        generator = self.generator_class(urlconf=self.urlconf, api_version=None, patterns=self.patterns)
        return Response(generator.get_schema(request=request, public=True))


class Page(SpectacularSwaggerSplitView):
    """The document to read and to try; its script is an address of its own, for inline ones are forbidden."""

    authentication_classes = ()
    permission_classes = ()
    url_name = "api:schema"
    url_self = None

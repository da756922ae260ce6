"""What the OpenAPI document says beyond the serializers: errors, bounds of ids, that unknown keys are refused."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiSerializerFieldExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction

from whatsapp_campaigns.api.fields import ANYTHING, MAX_ID

Node = dict[str, Any]

ERROR: Node = {
    "type": "object",
    "description": "`detail` says what to do, in French or English (Accept-Language). `code` is stable.",
    "properties": {
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "object",
            "description": "by field",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
    "required": ["detail", "code"],
}
MEANINGS = {
    "400": "the request is wrong: see `errors`",
    "401": "no valid token or key",
    "403": "not with this role, or not with this key's scope",
    "404": "there is none, or it is not yours",
    "409": "the present state does not allow it",
    "413": "too large",
    "415": "not JSON (a file: not multipart/form-data)",
    "422": "understood, but it cannot be done",
    "429": "too many logins",
    "503": "the database did not answer: try again",
}
OPEN = ("/api/auth/login", "/api/auth/refresh")
PAGING = ("page", "page_size")
CHANGES = ("post", "put", "patch", "delete")


class StrictExtension(OpenApiSerializerExtension):
    """Says that unknown keys are refused, and of which keys one must be there."""

    target_class = "whatsapp_campaigns.api.fields.Strict"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> Node:
        schema: Node = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        if direction == "request":
            schema["additionalProperties"] = False
            if self.target.one_of and not self.target.partial:
                schema["anyOf"] = [
                    {"required": [name], "properties": {name: {"not": {"enum": ["", None, False]}}}}
                    for name in self.target.one_of
                ]
        return schema


class TextExtension(OpenApiSerializerFieldExtension):
    """Says that U+0000 is refused, and what is empty once its white space is gone."""

    target_class = "whatsapp_campaigns.api.fields.Text"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> Node:
        schema: Node = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)
        if direction == "request" and "pattern" not in schema:
            blank = self.target.allow_blank or not self.target.trim_whitespace
            schema["pattern"] = ANYTHING if blank else "^[^\\x00]*[^\\s\\x00][^\\x00]*$"
        return schema


def complete(result: Node, generator: SchemaGenerator, request: Any, public: bool) -> Node:
    """drf-spectacular's postprocessing hook."""
    components = result.setdefault("components", {}).setdefault("schemas", {})
    components["Error"] = ERROR
    for schema in components.values():
        for name, described in schema.get("properties", {}).items():
            schema["properties"][name] = _plain(described)
    for path, operations in result["paths"].items():
        if "put" in operations and "patch" in operations:  # PUT keeps what it is not given
            operations["put"]["requestBody"] = operations["patch"]["requestBody"]
        for method, operation in operations.items():
            _complete(path, method, operation)
            _require_body(operation, components)
    return result


def _plain(described: Node) -> Node:
    """Undo drf-spectacular's "this pattern, or else empty" where the pattern allows the empty text."""
    options = described.get("oneOf", [])
    if len(options) == 2 and options[0].get("pattern") == ANYTHING:
        return {**options[0], **{name: value for name, value in described.items() if name != "oneOf"}}
    return described


def _require_body(operation: Node, components: Node) -> None:
    """A body of which one key or another must be there must be there itself."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        if "anyOf" in components.get(name, {}):
            operation["requestBody"]["required"] = True


def _complete(path: str, method: str, operation: Node) -> None:
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            parameter["schema"] = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
        elif parameter["in"] == "query" and parameter["name"] not in PAGING:
            parameter["schema"] = _or_empty(parameter["schema"])
    responses = operation["responses"]
    for status in _errors(path, method, operation):
        reference = {"schema": {"$ref": "#/components/schemas/Error"}}
        answer = {"description": MEANINGS[status], "content": {"application/json": reference}}
        responses.setdefault(status, answer)
    if path in OPEN:
        operation["security"] = []


def _or_empty(schema: Node) -> Node:
    """A filter that is given and empty narrows nothing: forms send those of fields that nobody filled in."""
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], *([] if "" in schema["enum"] else [""])]}
    if "items" in schema:
        return {**schema, "items": _or_empty(schema["items"])}
    if schema.get("type") in ("boolean", "integer"):
        return {"anyOf": [schema, {"type": "string", "maxLength": 0}]}
    return schema


def _errors(path: str, method: str, operation: Node) -> list[str]:
    found = ["400", "401", "503"]
    if path in OPEN:
        return [*found, "413", "415", "429"]
    found.append("403")
    if "{" in path or any(parameter["name"] == "page" for parameter in operation.get("parameters", ())):
        found.append("404")
    if method in CHANGES:
        found += ["404", "409", "413", "415", "422"]
    return found

"""What the OpenAPI document says beyond the serializers: errors, bounds of ids, that unknown keys are refused."""

from __future__ import annotations

from typing import Any

from drf_spectacular.generators import SchemaGenerator

from whatsapp_campaigns.api.fields import MAX_ID

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
    "502": "Gupshup did not answer as it should",
    "503": "the database did not answer: try again",
}
OPEN = ("/api/auth/login", "/api/auth/refresh")
CHANGES = ("post", "put", "patch", "delete")


def complete(result: Node, generator: SchemaGenerator, request: Any, public: bool) -> Node:
    """drf-spectacular's postprocessing hook."""
    components = result.setdefault("components", {}).setdefault("schemas", {})
    components["Error"] = ERROR
    for name, schema in components.items():
        if name.endswith("Request") and schema.get("type") == "object":
            schema.setdefault("additionalProperties", False)
    for path, operations in result["paths"].items():
        if "put" in operations and "patch" in operations:  # PUT keeps what it is not given
            operations["put"]["requestBody"] = operations["patch"]["requestBody"]
        for method, operation in operations.items():
            _complete(path, method, operation)
    return result


def _complete(path: str, method: str, operation: Node) -> None:
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            parameter["schema"] = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
    responses = operation["responses"]
    for status in _errors(path, method, operation):
        reference = {"schema": {"$ref": "#/components/schemas/Error"}}
        answer = {"description": MEANINGS[status], "content": {"application/json": reference}}
        responses.setdefault(status, answer)
    if path in OPEN:
        operation["security"] = []


def _errors(path: str, method: str, operation: Node) -> list[str]:
    found = ["400", "401", "503"]
    if path in OPEN:
        return [*found, "413", "415", "429"]
    found.append("403")
    if "{" in path or any(parameter["name"] == "page" for parameter in operation.get("parameters", ())):
        found.append("404")
    if method in CHANGES:
        found += ["404", "409", "413", "415", "422"]
    return [*found, "502"] if path.endswith("/sync") else found

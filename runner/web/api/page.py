"""`/api/docs`: the API as a page, written from its own OpenAPI document. Nothing of it comes from elsewhere.

In that document a file's path stands as text, not as the URI that Litestar takes it for.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.plugins import OpenAPISchemaPlugin
from litestar.response import Template
from litestar.typing import FieldDefinition

from schemas.meanings import describe_all

_METHODS = ("get", "put", "post", "delete")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation."""

    name: str
    place: str
    needed: bool
    words: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    summary: str
    words: str
    parameters: list[Parameter]
    takes_json: bool
    answers: list[tuple[str, str]]


@get("/api/docs", include_in_schema=False, sync_to_thread=True)
def docs(request: Request[Any, Any, Any]) -> Template:
    """Every operation, its parameters and answers."""
    document = _document(request)
    found = [
        _operation(method, path, item[method])
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item
    ]
    return Template("api.html", context={"title": "REST interface", "operations": found})


@get("/api/v1/openapi.json", include_in_schema=False, sync_to_thread=True)
def document(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """OpenAPI 3.1, for programs."""
    return Response(_document(request), media_type="application/vnd.oai.openapi+json")


def _document(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """OpenAPI 3.1, each field with its meaning; written when it is first asked for."""
    describe_all()
    return request.app.openapi_schema.to_schema()


def _operation(method: str, path: str, told: dict[str, Any]) -> Operation:
    parameters = [
        Parameter(each["name"], each["in"], bool(each.get("required")), each.get("description", ""))
        for each in told.get("parameters", [])
    ]
    answers = [(status, answer.get("description", "")) for status, answer in told["responses"].items()]
    return Operation(
        method=method.upper(),
        path=path,
        summary=told.get("summary", ""),
        words=told.get("description", ""),
        parameters=parameters,
        takes_json="requestBody" in told,
        answers=sorted(answers),
    )


class PathAsText(OpenAPISchemaPlugin):
    """For the whole application."""

    @staticmethod
    def is_plugin_supported_type(value: Any) -> bool:
        """Paths alone."""
        return isinstance(value, type) and issubclass(value, Path)

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """A field that holds one."""
        return self.is_plugin_supported_type(field_definition.annotation)

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        """Text."""
        return Schema(type=OpenAPIType.STRING)

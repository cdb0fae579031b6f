"""How a file's path stands in the OpenAPI document: as text, not as the URI that Litestar takes it for."""

from pathlib import Path
from typing import Any

from litestar.openapi.spec import OpenAPIType, Schema
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition


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

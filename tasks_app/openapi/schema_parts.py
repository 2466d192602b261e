"""The small parts of which schemas are made. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]


def string(description: str, **rules: Any) -> Schema:
    """Return the schema of a text."""
    return {"type": "string", "description": description, **rules}


def integer(description: str, **rules: Any) -> Schema:
    """Return the schema of a whole number."""
    return {"type": "integer", "description": description, **rules}


def number(description: str, **rules: Any) -> Schema:
    """Return the schema of a number."""
    return {"type": "number", "description": description, **rules}


def boolean(description: str) -> Schema:
    """Return the schema of a truth."""
    return {"type": "boolean", "description": description}


def time(description: str) -> Schema:
    """Return the schema of a time, which is in UTC."""
    return string(description, format="date-time")


def optional(schema: Schema) -> Schema:
    """Return the schema of a value that may be null."""
    return {**schema, "type": [schema["type"], "null"]}


def array(items: Schema, description: str = "", **rules: Any) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items, **({"description": description} if description else {}), **rules}


def record(properties: Mapping[str, Schema], *, rare: Sequence[str] = (), **rules: Any) -> Schema:
    """Return the schema of an object, whose clients must ignore members that they do not know.

    Args:
        properties: the members.
        rare: the names of those that may be left out.
    """
    required = [name for name in properties if name not in rare]
    return {"type": "object", "properties": properties, "required": required, **rules}


def ref(name: str) -> Schema:
    """Return a reference to a schema among the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_text(schema: Schema) -> Schema:
    """Return the schema of a text that is JSON, as the data of an event is."""
    return {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}

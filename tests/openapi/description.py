"""The description, and checks of answers against it."""

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from openapi_schema_validator import oas31_format_checker

from tasks_app.openapi.document import make_document

DOCUMENT = make_document("", "sessionid", "X-Csrftoken")


def find_response(operation: str, status: int) -> Mapping[str, Any]:
    """Return the description of an answer, such as that of "GET /tasks" with 200."""
    method, _, path = operation.partition(" ")
    return resolve(DOCUMENT["paths"][path][method.lower()]["responses"][str(status)])


def resolve(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a reference to a component stands for, or the item itself."""
    if "$ref" not in item:
        return item
    _, _, kind, name = item["$ref"].split("/")
    found: Mapping[str, Any] = DOCUMENT["components"][kind][name]
    return found


def check(value: object, schema: Mapping[str, Any]) -> None:
    """Check that a value follows a schema.

    Raises:
        jsonschema.ValidationError: it does not.
    """
    whole = {**schema, "components": {"schemas": DOCUMENT["components"]["schemas"]}}
    Draft202012Validator(whole, format_checker=oas31_format_checker).validate(value)


def check_events(content: bytes, schema: Mapping[str, Any]) -> list[str | None]:
    """Check that the events in these bytes follow the schema of one, and return their names."""
    events = [parse_event(block) for block in content.decode().split("\n\n") if block]
    for event in events:
        check(event, schema)
        check_data(event, schema)
    return [event.get("event") for event in events]


def parse_event(block: str) -> dict[str, Any]:
    fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
    return {name: int(value) if name == "retry" else value for name, value in fields.items()}


def check_data(event: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Check the data of an event, which validators take for any text."""
    (variant,) = [
        item
        for item in resolve(schema)["oneOf"]
        if item["properties"]["event"]["const"] == event.get("event", "message")
    ]
    check(json.loads(event["data"]), variant["properties"]["data"]["contentSchema"])

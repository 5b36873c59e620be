"""Generates the OpenAPI 3.1 document from the routes and their structs, so that it always matches them."""

import re
from collections.abc import Sequence
from inspect import cleandoc
from typing import Any

import msgspec

from api.http.auth import OPEN_PATHS
from api.http.openapi_examples import example_of, parameter_example
from api.http.problems import MEDIA_TYPE as PROBLEM_TYPE
from api.http.problems import ProblemBody, phrase
from api.http.routing import EVENT_STREAM, Route
from engine.core.times import instant_schema

API_VERSION = "1"

_REF = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
# Structs whose schema keeps "Body" in its name; others have it only to differ from the core's classes.
_NAMED_BODY = ("ProblemBody", "SiteBody", "StatusBody")
_COMMON_STATUSES = (400, 401, 403, 414, 421)

_TAGS = {
    "registries": "What the rows hold, now and then.",
    "history": "Every version of a record.",
    "changes": "What changed, as it happens.",
    "state": "How true it is.",
}
_PATH_PARAMETERS = {
    "id": "the record's id; an entity's entity_id",
    "key": "the record's id in its registry",
    "registry": "area, category, config_entry, device, entity, floor or label",
    "replica": "sqlite, history, influxdb or kafka",
    "run_id": "the id of a pass that wrote",
}


# The id's field, by the path segment that names a registry.
_PATH_IDS = {
    "entities": "entity_id",
    "areas": "area_id",
    "floors": "floor_id",
    "labels": "label_id",
    "integrations": "entry_id",
    "runs": "run_id",
}


def _tag(path: str) -> str:
    if path.endswith("/history"):
        return "history"
    parts = path.split("/")
    if "changes" in parts or "runs" in parts:
        return "changes"
    return "state" if parts[1] != "api" or parts[2] in ("status", "drift") else "registries"


def _published(value: Any) -> Any:
    """A schema, or a part of it, with published names: `DeviceBody` is published as `Device`."""
    if isinstance(value, list):
        return [_published(item) for item in value]
    if not isinstance(value, dict):
        return value
    schema = {name: _published(item) for name, item in value.items()}
    for name in ("$ref", "title"):
        if isinstance(text := schema.get(name), str) and not text.endswith(_NAMED_BODY):
            schema[name] = text.removesuffix("Body")
    return schema


def make_document(routes: Sequence[Route]) -> bytes:
    """The document of all routes, as indented JSON."""
    bodies = [route.body for route in routes if route.media_type != EVENT_STREAM]
    queries = list(dict.fromkeys(route.query for route in routes))
    made = msgspec.json.schema_components(
        [*bodies, ProblemBody, *queries], ref_template=_REF, schema_hook=instant_schema
    )
    schemas = [_published(schema) for schema in made[0]]
    components = {schema["title"]: schema for schema in map(_published, made[1].values())}
    for component in components.values():
        if "description" in component:
            # Docstrings keep their indentation before Python 3.13.
            component["description"] = cleandoc(component["description"])
    for route in routes:
        _describe_rows(route, components)
    by_query = {query: components.pop(query.__name__) for query in queries if query.__name__ in components}
    by_body = dict(zip(bodies, schemas, strict=False))
    paths = {
        _PARAMETER.sub(r"{\1}", route.path): {
            "get": _operation(route, by_query[route.query], by_body.get(route.body), components)
        }
        for route in routes
    }
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "ha-reconcile",
            "version": API_VERSION,
            "description": "What the mirror of Home Assistant's registries holds, and how true it is. Read-only.",
        },
        # Relative to this document, so that it works behind any prefix.
        "servers": [{"url": "./", "description": "This service."}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "security": [{"bearer": []}, {"basic": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic", "description": "The token as password."},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _describe_rows(route: Route, components: dict[str, Any]) -> None:
    """Describe the rows of a page; with `fields` a row has fewer fields."""
    field, row = getattr(route.body, "ROWS", ("", None))
    if row is not None:
        page = components[route.body.__name__]
        page["properties"][field]["items"] = _published(
            {"anyOf": [{"$ref": _REF.format(name=row.__name__)}, {"type": "object"}]}
        )


def _operation(
    route: Route, query: dict[str, Any], body: dict[str, Any] | None, components: dict[str, Any]
) -> dict[str, Any]:
    is_open = route.path in OPEN_PATHS
    schema = {"type": "string"} if body is None else body
    statuses = [*route.statuses, *(s for s in _COMMON_STATUSES if s != 401 or not is_open)]
    content: dict[str, Any] = {route.media_type: {"schema": schema}}
    if body is not None:
        content[route.media_type]["example"] = example_of(body, components)
    content |= {media_type: {"schema": {"type": "string"}} for media_type in route.other_media_types}
    responses = {"200": {"description": "The answer.", "content": content}}
    responses |= {str(status): _response(status, route) for status in sorted(statuses)}
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [_tag(route.path)],
        "summary": route.summary,
        "parameters": _parameters(route, query),
        "responses": responses,
    }
    if is_open:
        operation["security"] = []
    return operation


def _response(status: int, route: Route) -> dict[str, Any]:
    description = phrase(status)
    if status == 304:
        return {"description": f"{description}: the client has the answer."}
    schema = {"$ref": _REF.format(name="ProblemBody")}
    if status == 503 and route.name == "get_readiness":
        return {
            "description": "Not ready.",
            "content": {route.media_type: {"schema": {"$ref": _REF.format(name=route.body.__name__)}}},
        }
    return {"description": description, "content": {PROBLEM_TYPE: {"schema": schema}}}


def _parameters(route: Route, query: dict[str, Any]) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_PARAMETERS.get(name, name),
            "schema": {"type": "string", "minLength": 1},
            "example": _path_example(name, route.path),
        }
        for name in _PARAMETER.findall(route.path)
    ]
    for name, schema in query.get("properties", {}).items():
        rest = dict(schema)
        parameter = {"name": name, "in": "query", "required": False}
        description = rest.pop("description", None)
        if description:
            parameter["description"] = description
        if rest.get("type") == "array":
            parameter |= {"style": "form", "explode": True}
        parameters.append({**parameter, "schema": rest, "example": parameter_example(name, rest)})
    if route.media_type == EVENT_STREAM:
        schema = {"type": "string", "pattern": route.event_id_pattern}
        text = "continue after this change"
        parameters.append(
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "description": text,
                "schema": schema,
                "example": parameter_example("Last-Event-ID", schema),
            }
        )
    return parameters


def _path_example(name: str, path: str) -> Any:
    """An example id for a path parameter."""
    field = _PATH_IDS.get(path.split("/")[2], name) if name == "id" else name
    return parameter_example(field, {"type": "string"})

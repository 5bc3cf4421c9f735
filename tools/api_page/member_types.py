"""Types of members in words, from the schemas of an OpenAPI document."""

import json
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
REF = "#/components/schemas/"
Models = Mapping[str, Schema]


def ref_name(schema: Schema) -> str | None:
    """Return the name of the model that a schema refers to, if it does."""
    ref = schema.get("$ref")
    return str(ref).removeprefix(REF) if ref else None


def type_text(schema: Schema, models: Models) -> str:
    """Describe a schema; a model is a link to its heading."""
    if name := ref_name(schema):
        found = models[name]
        return f"[{name}](#{name.lower()})" if "properties" in found else type_text(found, models)
    if "const" in schema:
        return f"only {shown(schema['const'])}"
    if "enum" in schema:
        return " or ".join(shown(value) for value in schema["enum"])
    if parts := schema.get("anyOf") or schema.get("oneOf"):
        texts = (type_text(part, models).removeprefix("only ") for part in parts)
        return " or ".join(dict.fromkeys(texts))
    return _plain_text(schema, models)


def _plain_text(schema: Schema, models: Models) -> str:
    kind = schema.get("type")
    if kind == "array":
        return _list_text(schema, models)
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {type_text(schema['additionalProperties'], models)}"
    limits = {"string": _at_most(schema, "maxLength", " characters"), "integer": _range(schema)}
    return f"{kind or 'any'}{limits.get(str(kind), '')}"


def shown(value: Any) -> str:
    """Return a JSON value as code."""
    return f"`{json.dumps(value)}`"


def _list_text(schema: Schema, models: Models) -> str:
    if schema.get("maxItems") == 0:
        return "empty list"
    items = schema.get("items") or {}
    limit = _at_most(schema, "maxItems", "")
    return f"list of {type_text(items, models)}{limit}" if items else f"list{limit}"


def _at_most(schema: Schema, name: str, unit: str) -> str:
    return f", at most {schema[name]}{unit}" if name in schema else ""


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and high is None:
        return ""
    if high is None:
        return f", at least {low:.0f}"
    return f", {low or 0:.0f} to {high:.0f}"

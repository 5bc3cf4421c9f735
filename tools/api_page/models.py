"""Sections about requests and replies: a table of members for each model."""

from collections.abc import Iterator, Mapping
from typing import Any

from tools.api_page.member_types import Schema, ref_name, shown, type_text

INLINE_MEMBERS_MAX = 3
BASE_MEMBERS_MIN = 4


def plain(text: str) -> str:
    """Return a docstring as one paragraph of Markdown."""
    return " ".join(text.replace("``", "`").split())


def is_inline(name: str, models: Mapping[str, Schema]) -> bool:
    """Return whether a reply is small enough to be shown where it is answered."""
    return len(models[name].get("properties", {})) <= INLINE_MEMBERS_MAX


def inline(name: str, models: Mapping[str, Schema]) -> str:
    """Return the members of a small model in one line."""
    members = models[name].get("properties", {}).items()
    shown_members = (f"`{member}`: {type_text(schema, models)}" for member, schema in members)
    return "; ".join(shown_members)


def referred(schema: Any) -> Iterator[str]:
    """Yield the names of the models in a schema, in order, also several times."""
    if isinstance(schema, Mapping):
        if name := ref_name(schema):
            yield name
        for part in schema.values():
            yield from referred(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from referred(part)


def with_referred(names: list[str], models: Mapping[str, Schema]) -> list[str]:
    """Return models and those that they contain, each once; models without members are left out."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        if name in found or "properties" not in models[name]:
            continue
        found[name] = None
        waiting = [*referred(models[name]), *waiting]
    return list(found)


def section(name: str, models: Mapping[str, Schema], *, request: bool) -> list[str]:
    """Return the heading, the description and the members of a model."""
    model = models[name]
    lines = [f"#### {name}", plain(model.get("description", "")), ""]
    members = dict(model["properties"])
    if base := _base(name, models):
        members = {key: one for key, one in members.items() if key not in base[1]}
        lines += [f"All members of [{base[0]}](#{base[0].lower()}), and:", ""]
    head = "| member | type | default |" if request else "| member | type |"
    lines += [head, "|---" * (3 if request else 2) + "|"]
    required = set(model.get("required", ()))
    if request:
        members = dict(sorted(members.items(), key=lambda one: one[0] not in required))
    for member, schema in members.items():
        cells = [f"`{member}`", _described(schema, models)]
        if request:
            cells.append("**required**" if member in required else shown(schema.get("default")))
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _described(schema: Schema, models: Mapping[str, Schema]) -> str:
    text = type_text(schema, models)
    return f"{text}. {plain(schema['description'])}" if "description" in schema else text


def _base(name: str, models: Mapping[str, Schema]) -> tuple[str, set[str]] | None:
    """Return the largest other model that a model extends, and its members."""
    found = {
        other: set(model.get("properties", {}))
        for other, model in models.items()
        if other != name and _extends(models[name], model)
    }
    return max(found.items(), key=lambda one: len(one[1]), default=None)


def _extends(model: Schema, base: Schema) -> bool:
    """Return whether a model has all members of another one, with their types, and more."""
    own, members = model["properties"], base.get("properties", {})
    required = set(model.get("required", ())) & members.keys()
    return (
        BASE_MEMBERS_MIN <= len(members) < len(own)
        and all(own.get(name) == schema for name, schema in members.items())
        and required == set(base.get("required", ()))
    )

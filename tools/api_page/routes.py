"""Sections about routes: who may call each, what it takes and what it answers."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from sixgate.api import callers
from sixgate.api.openapi import ALWAYS
from tools.api_page.member_types import Schema, shown, type_text
from tools.api_page.models import inline, is_inline, plain, referred, section, with_referred

JSON = "application/json"
# The introduction says so once.
EVERYWHERE = {*ALWAYS, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
_WHO: dict[Any, str] = {
    callers.agent_itself: "the agent",
    callers.agent_or_person: "the agent, people",
    callers.person: "people",
    callers.authenticated: "agents, people",
}

_TITLES = {"auth": "Authentication routes", "cmek": "Customer keys (CMEK)"}


class Operation(NamedTuple):
    """One method of one path."""

    method: str
    path: str
    who: str
    spec: Schema

    @property
    def title(self) -> str:
        """Method and path as code."""
        return f"`{self.method} {self.path}`"

    @property
    def sentences(self) -> tuple[str, str]:
        """The first sentence of the description, and the others."""
        first, _, rest = self.spec.get("description", "").partition("\n\n")
        return plain(first), plain(rest)


def operations(app: FastAPI) -> dict[str, list[Operation]]:
    """Return the published operations by tag, in the order of the application."""
    paths = app.openapi()["paths"]
    tags: dict[str, list[Operation]] = {}
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in sorted(route.methods or ()):
                spec = paths[route.path_format][method.lower()]
                found = Operation(method, route.path_format, _who(route.dependant), spec)
                tags.setdefault(str(route.tags[0]), []).append(found)
    return tags


def tag_section(tag: str, found: list[Operation], models: Mapping[str, Schema]) -> list[str]:
    """Return the section of a tag: its routes, then their requests and replies."""
    lines = [
        f"## {_TITLES.get(tag) or tag.capitalize()}",
        "| method | path | who | |",
        "|---|---|---|---|",
    ]
    lines += [f"| {one.method} | `{one.path}` | {one.who} | {one.sentences[0]} |" for one in found]
    lines.append("")
    for one in found:
        lines += [f"**{one.title}** {_taken(one, models)}{_answered(one, models)}".rstrip(), ""]
        if one.sentences[1]:
            lines += [one.sentences[1], ""]
        lines += _parameters(one, models)
    return lines


def request_models(found: list[Operation], models: Mapping[str, Schema]) -> list[str]:
    """Return the models of requests, and those inside them."""
    bodies = [name for one in found for name in referred(one.spec.get("requestBody", {}))]
    return with_referred(bodies, models)


def reply_models(found: list[Operation], models: Mapping[str, Schema]) -> list[str]:
    """Return the models of replies that are too large for one line, and those inside them."""
    named = [
        name
        for one in found
        for _, schema in _replies(one)
        for name in referred(schema)
    ]  # fmt: skip
    return [name for name in with_referred(named, models) if not _shown_inline(name, models)]


def model_sections(
    names: list[str], models: Mapping[str, Schema], *, request: bool
) -> Iterator[str]:
    """Yield the lines of the sections of models."""
    for name in names:
        yield from section(name, models, request=request)


def _shown_inline(name: str, models: Mapping[str, Schema]) -> bool:
    inside = any(name in referred(model.get("properties", {})) for model in models.values())
    return is_inline(name, models) and not inside


def _who(dependant: Dependant) -> str:
    calls = set(_calls(dependant))
    return next((who for call, who in _WHO.items() if call in calls), "anyone")


def _calls(dependant: Dependant) -> Iterator[Any]:
    for one in dependant.dependencies:
        yield one.call
        yield from _calls(one)


def _taken(one: Operation, models: Mapping[str, Schema]) -> str:
    body = one.spec.get("requestBody")
    if body is None:
        return ""
    text = type_text(body["content"][JSON]["schema"], models)
    if body.get("required"):
        return f"takes {text} and "
    return f"optionally takes {text.removesuffix(' or null')} and "


def _answered(one: Operation, models: Mapping[str, Schema]) -> str:
    parts, replies = [], dict(_replies(one))
    accepted = replies.get(HTTPStatus.ACCEPTED)
    for status, schema in replies.items():
        text = _reply_text(_without(accepted, schema), models)
        parts.append(f"{status} {text}".rstrip())
    statuses = [
        status
        for status in _statuses(one)
        if status >= HTTPStatus.BAD_REQUEST and status not in EVERYWHERE
    ]
    problems = f"; problems: {', '.join(map(str, statuses))}" if statuses else ""
    return f"answers {', or '.join(parts)}{problems}."


def _reply_text(schema: Schema | None, models: Mapping[str, Schema]) -> str:
    if not schema:
        return "without a body" if schema is None else ""
    names = list(referred(schema))
    if "$ref" in schema and _shown_inline(names[0], models):
        return f"{{{inline(names[0], models)}}}"
    return type_text(schema, models)


def _without(accepted: Schema | None, schema: Schema | None) -> Schema | None:
    """Drop from a reply's alternatives the one that is answered with 202."""
    if schema is None or "anyOf" not in schema:
        return schema
    rest = [part for part in schema["anyOf"] if part != accepted]
    return rest[0] if len(rest) == 1 else {"anyOf": rest}


def _statuses(one: Operation) -> list[int]:
    """Return the statuses; validation is 400 in place of the framework's 422."""
    responses = one.spec["responses"]
    return sorted(int(status) for status in responses if not _is_framework(responses[status]))


def _is_framework(response: Schema) -> bool:
    return "HTTPValidationError" in referred(response)


def _replies(one: Operation) -> list[tuple[int, Schema | None]]:
    found: list[tuple[int, Schema | None]] = []
    for status in _statuses(one):
        if status < HTTPStatus.BAD_REQUEST:
            content = one.spec["responses"][str(status)].get("content", {})
            # Without a description there is no body (204) or a stream.
            absent: Schema | None = None if status == HTTPStatus.NO_CONTENT else {}
            found.append((status, content.get(JSON, {}).get("schema", absent)))
    return found


def _parameters(one: Operation, models: Mapping[str, Schema]) -> list[str]:
    """Return one line for each query member and header."""
    lines = []
    for parameter in one.spec.get("parameters", ()):
        if parameter["in"] == "path":
            continue
        schema = parameter["schema"]
        text = type_text(schema, models)
        default = shown(schema["default"]) if schema.get("default") is not None else ""
        given = f"{text}, {default} by default" if default else text
        why = f". {plain(parameter['description'])}" if "description" in parameter else ""
        lines.append(f"- {parameter['in']} `{parameter['name']}`: {given}{why}")
    return [*lines, ""] if lines else []

"""The published OpenAPI description: problems and authentication of every route.

What a route can refuse follows from its dependencies, its parameters and its method, so it is
derived here instead of written at each route. A route lists only further statuses itself, with
``responses=answers(…)``. The framework's own 422 is removed: this API answers 400.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from sixgate.api.callers import agent_itself, authenticates, dependencies_of, person
from sixgate.api.problems import MEDIA_TYPE

ALWAYS = (400, 401, 429, 503)
CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "An access token of `POST /v1/auth/agent-token`, `/v1/auth/api-key-token` or "
    "`/v1/auth/oidc`.",
}
_PROBLEM = {"$ref": "#/components/schemas/ProblemReply"}
_FRAMEWORK_422 = "#/components/schemas/HTTPValidationError"


class ProblemReply(BaseModel):
    """Problem details (RFC 9457).

    ``detail`` is one sentence with the reason, the numbers and the ids; ``code`` is stable.
    ``fields`` gives the reason for each wrong field, after a 400. ``type`` is ``about:blank``,
    ``resource_limit_exceeded`` or ``approval_required``. A refused transaction has further
    members, such as ``transaction_id``.
    """

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    fields: dict[str, str] = Field(default={})


def describe_problems(app: FastAPI) -> None:
    """Add problems and authentication to the description that an application publishes."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problems(app, describe())
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # the framework's documented seam


def statuses(route: APIRoute) -> Iterator[int]:
    """Yield the statuses with which a route can refuse a request."""
    calls = set(dependencies_of(route.dependant))
    yield from ALWAYS
    restricted = bool(calls & {person, agent_itself})
    if restricted:
        yield 403
    if route.dependant.path_params or agent_itself in calls:
        yield 404
    if restricted and not CHANGING.isdisjoint(route.methods or ()):
        yield 409
    if route.body_field is not None:
        yield 413


def _with_problems(app: FastAPI, document: dict[str, Any]) -> dict[str, Any]:
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["ProblemReply"] = ProblemReply.model_json_schema()
    document["components"]["securitySchemes"] = {"bearer": _BEARER}
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                operation = document["paths"][route.path_format][method.lower()]
                if authenticates(route):
                    operation["security"] = [{"bearer": []}]
                _describe(operation["responses"], statuses(route))
    return document


def _describe(responses: dict[str, Any], refused: Iterator[int]) -> None:
    """Add problems to the responses of an operation, and give all problems the same schema."""
    if _FRAMEWORK_422 in str(responses.get("422")):
        del responses["422"]
    own = {int(status) for status in responses if int(status) >= HTTPStatus.BAD_REQUEST}
    for status in sorted(own.union(refused)):
        responses.pop(str(status), None)
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": _PROBLEM}},
        }

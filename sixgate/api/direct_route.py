"""A route that answers valid requests itself: FastAPI's request handling takes half their time.

FastAPI still describes the route and answers invalid requests, so the replies are the same:

1. Read a JSON body. Any other body is FastAPI's.
2. Validate every parameter, also those of dependencies. If one is invalid, FastAPI answers.
3. Call the dependencies in order, then the endpoint. The application handles their exceptions.
"""

from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from inspect import (
    isasyncgenfunction,
    isclass,
    iscoroutinefunction,
    isfunction,
    isgeneratorfunction,
)
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.params import Body, Form
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from sixgate.api.json_route import JsonRequest, JsonRoute

JSON = "application/json"
DOCUMENTED = "_documented"
"""The name of a dependency's header that it reads from the request: only OpenAPI shows it."""
_READ = "sixgate.read_request"
"""Where a request's scope has the request, whose body can be read only once."""


class _InvalidError(Exception):
    """A parameter or the body is invalid or missing."""


class DirectRoute(JsonRoute):
    """Use it as ``route_class`` of a router whose routes are added to the application themselves.

    It ignores ``dependency_overrides`` and the dependencies of ``include_router``. Endpoints return
    a model or a ``Response``. They and their dependencies may have path and query parameters with a
    single value, and the request; an endpoint may have one JSON body. A dependency is named once
    and has no further dependencies. Other endpoints raise ``TypeError``.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **settings: Any) -> None:
        super().__init__(path, endpoint, **settings)
        checks = self.dependant.dependencies
        if any(check.dependencies or check.body_params for check in checks):
            raise TypeError(f"{path}: dependencies may not have dependencies or bodies")
        if len({check.call for check in checks}) != len(checks):
            raise TypeError(f"{path}: a dependency is named twice and would run twice")
        if self.max_body_size is not None:
            raise TypeError(f"{path}: max_body_size has no effect, use the limits of the server")
        self._call = _Call(self.dependant)
        self._checks = [_Call(check) for check in checks]

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler; it gets the request whose body ``handle`` has read."""
        framework = super().get_route_handler()

        async def answer(request: Request) -> Response:
            return await framework(request.scope.pop(_READ, request))

        return answer

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; raise what the endpoint or a dependency raises."""
        if scope["method"] in (self.methods or ()):
            request = JsonRequest(scope, receive, send)
            with suppress(_InvalidError):
                response = await self._answer(request)
                await response(scope, receive, send)
                return
            scope[_READ] = request
        await super().handle(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        # 1.
        body = await _json_body(request) if self._call.has_body else None
        # 2.
        arguments = self._call.arguments(request, body)
        given = [check.arguments(request) for check in self._checks]
        # 3.
        for check, values in zip(self._checks, given, strict=True):
            result = await check.result(values)
            if check.name:
                arguments[check.name] = result
        found = await self._call.result(arguments)
        if isinstance(found, Response):
            return found
        return json_response(found, self.status_code or HTTPStatus.OK)


def json_response(found: BaseModel, status: int) -> Response:
    """Return a model as a reply."""
    return Response(found.model_dump_json(by_alias=True), status, media_type=JSON)


class _Call:
    """A function and its parameters as FastAPI read them from its signature."""

    def __init__(self, dependant: Dependant) -> None:
        call = dependant.call
        if not isfunction(call) or _returns_later(call) or _has_more(dependant):
            raise TypeError(f"{call} is of a kind, or has parameters, that DirectRoute cannot call")
        self.name = dependant.name
        self._function = call
        self._is_async = iscoroutinefunction(call)
        self._path, self._query = dependant.path_params, dependant.query_params
        self._body = dependant.body_params[0] if dependant.body_params else None
        self._request = dependant.request_param_name

    @property
    def has_body(self) -> bool:
        return self._body is not None

    def arguments(self, request: Request, body: object = None) -> dict[str, Any]:
        """Return the validated arguments; raise ``_InvalidError``."""
        arguments: dict[str, Any] = {self._request: request} if self._request else {}
        for fields, sent in ((self._path, request.path_params), (self._query, _query(request))):
            for field in fields:
                if field.alias in sent:
                    arguments[field.name] = _valid(field, sent[field.alias])
                elif field.field_info.is_required():
                    raise _InvalidError
                # Otherwise the function's own default counts.
        if self._body is not None:
            arguments[self._body.name] = _valid(self._body, body)
        return arguments

    async def result(self, arguments: dict[str, Any]) -> Any:
        """Call the function, in a thread if it blocks."""
        if self._is_async:
            return await self._function(**arguments)
        return await run_in_threadpool(partial(self._function, **arguments))


async def _json_body(request: Request) -> object:
    """Return a JSON body; raise ``_InvalidError`` for any other one."""
    try:
        await request.body()
    except HTTPException:
        raise
    except Exception:  # noqa: BLE001 - as FastAPI: the server has answered, or the client is gone
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None
    if request.headers.getlist("content-type") != [JSON]:
        raise _InvalidError
    try:
        return await request.json()
    except Exception:  # noqa: BLE001 - also RecursionError
        raise _InvalidError from None


def _valid(field: Any, sent: object) -> object:
    value, errors = field.validate(sent)
    if errors:
        raise _InvalidError
    return value


def _returns_later(function: Callable[..., Any]) -> bool:
    """Return whether a call may not run the function's body: a skipped check would let anybody in.

    A generator runs only when it is iterated, a wrapped coroutine only when it is awaited.
    """
    is_generator = isgeneratorfunction(function) or isasyncgenfunction(function)
    return is_generator or hasattr(function, "__wrapped__")


def _has_more(dependant: Dependant) -> bool:
    headers = [field.name for field in dependant.header_params if field.name != DOCUMENTED]
    bodies = dependant.body_params
    return bool(
        headers
        or len(bodies) > 1
        or any(not _is_json_object(field.field_info) for field in bodies)
        or dependant.cookie_params
        or dependant.http_connection_param_name
        or dependant.response_param_name
        or dependant.background_tasks_param_name
        or dependant.security_scopes_param_name
    )


def _is_json_object(info: Any) -> bool:
    is_json = isinstance(info, Body) and not isinstance(info, Form) and not info.embed
    return is_json and isclass(info.annotation) and issubclass(info.annotation, BaseModel)


def _query(request: Request) -> Mapping[str, str]:
    return request.query_params if request.scope["query_string"] else {}

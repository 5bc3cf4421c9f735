"""A route that resolves the parameters of a valid GET request itself: FastAPI takes half its time.

FastAPI still describes the route and answers invalid requests, so nothing differs but the time:

1. Validate every parameter, also those of dependencies. If one is invalid, FastAPI begins anew.
2. Call the dependencies in order, then the endpoint. What they raise is handled as for any route.
"""

from collections.abc import Callable, Coroutine, Mapping
from inspect import iscoroutinefunction, isfunction, isgeneratorfunction
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool


class _InvalidError(Exception):
    """A parameter is invalid or missing."""


class ReadRoute(APIRoute):
    """Use it as ``route_class`` of a router; routes of other methods than GET are FastAPI's own.

    Endpoints return a model or a ``Response``. They and their dependencies may have path and query
    parameters with a single value, and the request; a dependency has no further dependencies.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function that answers a request."""
        framework = super().get_route_handler()
        if self.methods != {"GET"}:
            return framework
        endpoint = _Call(self.dependant)
        dependencies = [_Call(inner) for inner in self.dependant.dependencies]
        if any(inner.dependencies for inner in self.dependant.dependencies):
            raise TypeError(f"{self.path}: dependencies may not have dependencies")

        async def answer(request: Request) -> Response:
            try:
                # 1.
                arguments = endpoint.arguments(request)
                given = [one.arguments(request) for one in dependencies]
            except _InvalidError:
                return await framework(request)
            # 2.
            for dependency, values in zip(dependencies, given, strict=True):
                arguments[dependency.name] = await dependency.result(values)
            return _response(await endpoint.result(arguments))

        return answer


class _Call:
    """A function and its parameters as FastAPI read them from its signature."""

    def __init__(self, dependant: Dependant) -> None:
        call = dependant.call
        if not isfunction(call) or isgeneratorfunction(call) or _has_more(dependant):
            raise TypeError(f"{call} has parameters that ReadRoute does not support")
        self.name = dependant.name or ""
        self._function = call
        self._is_async = iscoroutinefunction(call)
        self._path, self._query = dependant.path_params, dependant.query_params
        self._request = dependant.request_param_name

    def arguments(self, request: Request) -> dict[str, Any]:
        """Return the validated arguments; raise ``_InvalidError``."""
        arguments: dict[str, Any] = {self._request: request} if self._request else {}
        for fields, sent in ((self._path, request.path_params), (self._query, _query(request))):
            for field in fields:
                if field.alias in sent:
                    arguments[field.name], errors = field.validate(sent[field.alias])
                    if errors:
                        raise _InvalidError
                elif field.field_info.is_required():
                    raise _InvalidError
                # Otherwise the function's own default counts.
        return arguments

    async def result(self, arguments: dict[str, Any]) -> Any:
        """Call the function, in a thread if it blocks."""
        if self._is_async:
            return await self._function(**arguments)
        return await run_in_threadpool(self._function, **arguments)


def _has_more(dependant: Dependant) -> bool:
    return bool(
        dependant.header_params
        or dependant.cookie_params
        or dependant.body_params
        or dependant.http_connection_param_name
        or dependant.response_param_name
        or dependant.background_tasks_param_name
        or dependant.security_scopes_param_name
    )


def _query(request: Request) -> Mapping[str, str]:
    return request.query_params if request.scope["query_string"] else {}


def _response(found: BaseModel | Response) -> Response:
    if isinstance(found, Response):
        return found
    return Response(found.model_dump_json(by_alias=True), media_type="application/json")

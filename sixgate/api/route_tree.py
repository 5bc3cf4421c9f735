"""Finds the route of a path in a tree of its segments: fixed names, parameters, rest of the path.

The framework tries one route after the other; with three hundred of them that took half the time
of a read. The tree asks only the routes that can match, the most specific first.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

BELOW = "/v1/"
Guard: TypeAlias = Callable[[Scope], AbstractAsyncContextManager[None]]
"""Raises the problem of a request that may not enter a route; held until the route has replied."""
_FOUND = "sixgate.route"


@dataclass(slots=True)
class _Node:
    fixed: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    ends: list[Route] = field(default_factory=list)
    rests: list[Route] = field(default_factory=list)

    def add(self, segments: list[str], route: Route) -> None:
        """Add a route below this node."""
        if not segments:
            self.ends.append(route)
        elif ":path" in segments[0]:
            self.rests.append(route)
        elif "{" in segments[0]:
            self.parameter = self.parameter or _Node()
            self.parameter.add(segments[1:], route)
        else:
            self.fixed.setdefault(segments[0], _Node()).add(segments[1:], route)

    def candidates(self, segments: list[str], at: int = 0) -> Iterator[Route]:
        """Yield the routes below this node that may match, the most specific first."""
        if at == len(segments):
            yield from self.ends
        else:
            if (next_node := self.fixed.get(segments[at])) is not None:
                yield from next_node.candidates(segments, at + 1)
            if self.parameter is not None:
                yield from self.parameter.candidates(segments, at + 1)
        yield from self.rests


class RouteTree(BaseRoute):
    """One route that stands for all the given ones, which are all the routes below ``/v1/``."""

    def __init__(
        self, routes: Iterable[Route], guard_of: Callable[[Route], Guard | None] = lambda _: None
    ) -> None:
        self._root = _Node()
        self._guards: dict[int, Guard] = {}  # by identity, because routes have no hash
        for route in routes:
            self._root.add(route.path.split("/"), route)
            if guard := guard_of(route):
                self._guards[id(route)] = guard

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the most specific route; one of another method only if there is no better one."""
        path = scope["path"] if scope["type"] == "http" else ""
        if not path.startswith(BELOW):
            return Match.NONE, {}
        partial: tuple[Match, Scope] = (Match.NONE, {})
        # A route's pattern ends with ``$``, which also matches before a final line break.
        found_below = () if path.endswith("\n") else self._root.candidates(path.split("/"))
        for route in found_below:
            match, found = route.matches(scope)
            if match is Match.FULL:
                return match, {**found, _FOUND: route}
            if match is Match.PARTIAL and partial[0] is Match.NONE:
                partial = (match, {**found, _FOUND: route})
        # No route after this one may match instead.
        return partial if partial[0] is Match.PARTIAL else (Match.FULL, {_FOUND: None})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request by the route that matched."""
        route: Route | None = scope[_FOUND]
        if route is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        guard = self._guards.get(id(route))
        if guard is None or scope["method"] not in (route.methods or ()):
            await route.handle(scope, receive, send)
        else:
            async with guard(scope):
                await route.handle(scope, receive, send)

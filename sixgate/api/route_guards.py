"""What a request must pass before its route runs: authentication, and a free slot.

1. Authenticate a request with a body before the body is read: parsing one blocks the event loop.
2. Wait for a slot of the server that the route asks. Routes run in a few threads: if custody, the
   ledger or the desk does not answer, its callers must leave threads to all other routes. A request
   waits without a thread.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.routing import Route
from starlette.types import Scope

from sixgate.api.callers import CALLER, authenticated, authenticates
from sixgate.api.problems import Problem
from sixgate.api.route_tree import Guard

SLOTS_MAX = 8  # for each of three servers, of the framework's 40 threads
WAIT_S_MAX = 2.0
_ASKED_ALWAYS = {"audit": "the ledger", "secrets": "custody"}
_ASKED_BY_CHANGES = dict.fromkeys(
    ("agents", "chains", "cmek", "organisation", "policies", "signing keys", "treasury", "vaults"),
    "the desk",
)
_READS = {"GET", "HEAD"}


class RouteGuards:
    """The guards of one application's routes."""

    def __init__(self) -> None:
        asked = {*_ASKED_ALWAYS.values(), *_ASKED_BY_CHANGES.values()}
        self._slots = {server: asyncio.Semaphore(SLOTS_MAX) for server in asked}

    def of(self, route: Route) -> Guard | None:
        """Return the guard of a route, or None if requests need to pass nothing."""
        server = _asked(route)
        authenticates_first = authenticates(route) and (server is not None or _has_body(route))
        if server is None and not authenticates_first:
            return None

        @asynccontextmanager
        async def guard(scope: Scope) -> AsyncIterator[None]:
            # 1. Also before a slot: a request that waits without a principal may not wait for long.
            if authenticates_first:
                scope[CALLER] = await authenticated(Request(scope))
            # 2.
            async with self._slot(server):
                yield

        return guard

    def _slot(self, server: str | None) -> AbstractAsyncContextManager[None]:
        return nullcontext() if server is None else _taken(self._slots[server], server)


@asynccontextmanager
async def _taken(slots: asyncio.Semaphore, server: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(WAIT_S_MAX):
            await slots.acquire()
    except TimeoutError:
        detail = f"{SLOTS_MAX} requests wait for {server} already, which answers slowly: retry."
        raise Problem(503, "busy", detail, headers={"Retry-After": "1"}) from None
    try:
        yield
    finally:
        slots.release()


def _asked(route: Route) -> str | None:
    """Return the server that a route asks and waits for, or None."""
    tag = str(route.tags[0]) if isinstance(route, APIRoute) and route.tags else ""
    if tag in _ASKED_BY_CHANGES and not _READS.isdisjoint(route.methods or ()):
        return None
    return _ASKED_ALWAYS.get(tag) or _ASKED_BY_CHANGES.get(tag)


def _has_body(route: Route) -> bool:
    return isinstance(route, APIRoute) and route.body_field is not None

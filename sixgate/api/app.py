"""The HTTP API as one ASGI application; every route needs only ``Services``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from fastapi import FastAPI
from starlette.routing import Route

from sixgate.api import not_supported
from sixgate.api.openapi import describe_problems
from sixgate.api.problem_handlers import install_handlers
from sixgate.api.route_guards import RouteGuards
from sixgate.api.route_tree import RouteTree
from sixgate.api.routes import (
    agents,
    audit,
    auth,
    chains,
    cmek,
    organisation,
    policies,
    secrets,
    signing,
    signing_keys,
    simulations,
    transaction_reads,
    transactions,
    treasury,
    vaults,
    webhooks,
)
from sixgate.api.services import Services

ROUTERS = (
    auth.router,
    agents.router,
    signing_keys.router,
    transaction_reads.router,
    transactions.router,
    signing.router,
    simulations.router,
    treasury.router,
    chains.router,
    organisation.router,
    vaults.router,
    cmek.router,
    secrets.router,
    policies.router,
    webhooks.router,
    audit.router,
)


def create_app(services: Services) -> FastAPI:
    """Return the application for the services of one gateway."""
    app = FastAPI(
        title="Sixgate",
        summary="Signs blockchain transactions for software agents that never hold a key.",
        version="1",
        redirect_slashes=False,  # the documented client follows no redirect
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.services = services
    install_handlers(app)
    describe_problems(app)
    routes = [cast(Route, route) for router in ROUTERS for route in router.routes]
    others = cast(list[Route], [*app.router.routes, *not_supported.router.routes])
    # The tree finds every route; the routes after it are for the OpenAPI description only.
    app.router.routes.insert(0, RouteTree([*routes, *others], RouteGuards().of))
    app.router.routes.extend(routes)
    return app


def add_mcp(app: FastAPI) -> None:
    """Serve MCP at ``/mcp``: its tools call this application with the caller's bearer."""
    from sixgate.mcp.http import McpEndpoint

    endpoint = McpEndpoint(app)

    @asynccontextmanager
    async def running(_app: object) -> AsyncIterator[None]:
        async with endpoint.running():
            yield

    app.router.routes.insert(0, Route("/mcp", endpoint))  # before all that only describe
    app.router.lifespan_context = running

"""The HTTP API as one ASGI application; every route needs only ``Services``."""

from fastapi import FastAPI

from sixgate.api.problems import install_handlers
from sixgate.api.routes import auth
from sixgate.api.services import Services

ROUTERS = (auth.router,)


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
    )
    app.state.services = services
    install_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    return app

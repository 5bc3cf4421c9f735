"""A route whose JSON body has one meaning: UTF-8, and no name twice in an object.

The framework's own parser keeps the last of two members with one name and guesses the encoding, so
a proxy or an auditor may read another request than the one that is signed.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from schemas.strict_json import read_json


class JsonRequest(Request):
    """A request whose body is read strictly."""

    async def json(self) -> Any:
        """Return the parsed body; raise ``JsonError``."""
        return read_json(await self.body())


class JsonRoute(APIRoute):
    """Use it as ``route_class`` of every router."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, called with a request that is read strictly."""
        framework = super().get_route_handler()

        async def answer(request: Request) -> Response:
            if not isinstance(request, JsonRequest):  # one has read the body, so it is kept
                request = JsonRequest(request.scope, request.receive)
            return await framework(request)

        return answer

"""A running API on real TCP, the documented client for it, and a record of what routes answered."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from oneclaw import OneclawClient, create_client
from oneclaw.types import OneclawResponse

from sixgate.api.app import create_app
from sixgate.api.exchange import App, Message, Receive, Scope, Send
from sixgate.api.server import Listen, Tcp, serving
from tests.harness.api import UNHURRIED, Api, running_api


class Answered(NamedTuple):
    """A request that reached the application, and the name of the route that answered it.

    ``route`` is empty if there is no such route.
    """

    method: str
    path: str
    route: str
    status: int


class Recorder:
    """An ASGI application that passes requests on and records them with their answers."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.answered: list[Answered] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The framework notes the route in the scope that it was given.
                name = getattr(scope.get("route"), "name", "")
                answered = Answered(scope["method"], scope["path"], name, message["status"])
                self.answered.append(answered)
            await send(message)

        await self._app(scope, receive, noted)


@dataclass(frozen=True, slots=True)
class ServedApi:
    """A running API at ``url``. Clients that it lends are closed with it."""

    api: Api
    url: str
    recorder: Recorder
    _lent: ExitStack = field(repr=False)

    def client(self, api_key: str) -> OneclawClient:
        """Return the documented client of an API key, unmodified but for its base URL."""
        made = create_client(base_url=self.url, api_key=api_key)
        return self._lent.enter_context(made)

    def raw(self, api_key: str | None = None) -> httpx.Client:
        """Return an HTTP client that authenticates as the owner of an API key, if one is given."""
        headers = self.api.as_(api_key) if api_key else {}
        made = httpx.Client(base_url=self.url, headers=headers, timeout=30)
        return self._lent.enter_context(made)

    @property
    def person(self) -> OneclawClient:
        """A new documented client of the person."""
        return self.client(self.api.person_key)


@contextmanager
def served_api(path: Path) -> Iterator[ServedApi]:
    """Lend a running API over a new data folder, served at a free loopback port."""
    with running_api(path) as api, ExitStack() as lent:
        recorder = Recorder(create_app(api.services))
        listen = Listen(tcp=(Tcp(),))
        address = lent.enter_context(serving(recorder, listen, UNHURRIED))
        yield ServedApi(api, address.url, recorder, lent)


def data_of(response: OneclawResponse[Any], status: int = 200) -> dict[str, Any]:
    """Return the reply of a call of the documented client, which must have succeeded."""
    assert response.error is None, response.error
    assert response.meta is not None
    assert response.meta.status == status
    assert isinstance(response.data, dict)
    return response.data


def done(response: OneclawResponse[Any]) -> None:
    """Require the 204 without a body."""
    assert response.error is None, response.error
    assert response.meta is not None
    assert (response.meta.status, response.data) == (204, None)


def refusal_of(response: OneclawResponse[Any], status: int) -> str:
    """Return the sentence of a call of the documented client that must have been refused."""
    assert response.meta is not None
    assert response.error is not None, response.data
    assert response.meta.status == status, response.error
    return str(response.error.message)

"""Asynchronous client: drives the operations with ``httpx.AsyncClient``."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from sixgate_client import administration, operations
from sixgate_client.connection import TIMEOUT_S, address_of, name_of, reply_of, session_of
from sixgate_client.operations import Page
from sixgate_client.session import Answer, Lost, Operation, Pause, Request, Session

P = ParamSpec("P")
T = TypeVar("T")


def _method(
    operation: Callable[Concatenate[Session, P], Operation[T]],
) -> Callable[Concatenate["AsyncOperations", P], Coroutine[Any, Any, T]]:
    @wraps(operation)
    async def call(self: "AsyncOperations", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.run(operation(self.session, *args, **kwargs))

    return call


def _iterator(
    operation: Callable[Concatenate[Session, str | None, P], Operation[Page]],
) -> Callable[Concatenate["AsyncOperations", P], AsyncIterator[Any]]:
    @wraps(operation)
    async def call(
        self: "AsyncOperations", /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncIterator[Any]:
        cursor = None
        while True:
            page = await self.run(operation(self.session, cursor, *args, **kwargs))
            for item in page.items:
                yield item
            cursor = page.next_cursor
            if cursor is None:
                return

    return call


class AsyncOperations(ABC):
    """All operations; a subclass sends their requests."""

    session: Session

    @abstractmethod
    async def exchange(self, request: Request) -> Answer:
        """Send a request and return its reply, or that none arrived."""

    async def run(self, operation: Operation[T]) -> T:
        """Carry out an operation and return its result."""
        answer: Answer = None
        while True:
            try:
                step = operation.send(answer)
            except StopIteration as ended:
                result: T = ended.value
                return result
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                answer = None
            else:
                answer = await self.exchange(step)

    submit = _method(operations.submit)
    submit_and_wait = _method(operations.submit_and_wait)
    sign_transaction = _method(operations.sign_transaction)
    sign_message = _method(operations.sign_message)
    sign_typed_data = _method(operations.sign_typed_data)
    simulate = _method(operations.simulate)
    simulate_bundle = _method(operations.simulate_bundle)
    transactions = _iterator(operations.transactions_page)
    transaction = _method(operations.transaction)
    signing_keys = _method(operations.signing_keys)
    me = _method(operations.me)
    chains = _method(operations.chains)

    create_agent = _method(administration.create_agent)
    update_agent = _method(administration.update_agent)
    agent = _method(administration.agent)
    agents = _iterator(administration.agents_page)
    delete_agent = _method(administration.delete_agent)
    rotate_agent_key = _method(administration.rotate_agent_key)
    provision_signing_key = _method(administration.provision_signing_key)
    rotate_signing_key = _method(administration.rotate_signing_key)
    deactivate_signing_key = _method(administration.deactivate_signing_key)
    create_vault = _method(administration.create_vault)
    vaults = _iterator(administration.vaults_page)
    set_custody_mode = _method(administration.set_custody_mode)
    put_secret = _method(administration.put_secret)
    secret = _method(administration.secret)
    secrets = _iterator(administration.secrets_page)
    delete_secret = _method(administration.delete_secret)
    create_policy = _method(administration.create_policy)
    policies = _iterator(administration.policies_page)
    delete_policy = _method(administration.delete_policy)
    audit_events = _iterator(administration.audit_events_page)
    verify_audit = _method(administration.verify_audit)
    export_audit = _method(administration.export_audit)


class AsyncClient(AsyncOperations):
    """Asynchronous client of one Sixgate server. Close it, or use it in ``async with``.

    ``api_key`` (``ocv_…`` of an agent, ``1ck_…`` of a person) is exchanged for tokens, which are
    renewed before they expire; ``token`` is used as it is. Plain HTTP beyond loopback sends both in
    clear, and is refused without ``insecure_http``.
    """

    def __init__(  # noqa: PLR0913 - named options
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        token: str | None = None,
        unix_socket: str | None = None,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
        insecure_http: bool = False,
    ) -> None:
        if transport is None and unix_socket is not None:
            transport = httpx.AsyncHTTPTransport(uds=unix_socket)
        address = address_of(base_url, unix_socket, insecure_http=insecure_http)
        self.session = session_of(api_key, token, name_of(address, unix_socket))
        self._http = httpx.AsyncClient(base_url=address, timeout=timeout_s, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def exchange(self, request: Request) -> Answer:
        """Send a request and return its reply, or that none arrived."""
        try:
            return reply_of(
                await self._http.request(
                    request.method,
                    request.path,
                    params=dict(request.params),
                    headers=dict(request.headers),
                    content=request.body,
                )
            )
        except httpx.TransportError as error:
            return Lost(error)

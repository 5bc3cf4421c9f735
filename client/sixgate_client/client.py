"""Blocking client: drives the operations with ``httpx.Client``."""

import time
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from sixgate_client import administration, operations
from sixgate_client.connection import TIMEOUT_S, address_of, name_of, reply_of, session_of
from sixgate_client.operations import Page
from sixgate_client.session import Answer, Lost, Operation, Pause, Session, Step

P = ParamSpec("P")
T = TypeVar("T")


def _method(
    operation: Callable[Concatenate[Session, P], Operation[T]],
) -> Callable[Concatenate["Client", P], T]:
    @wraps(operation)
    def call(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(operation(self.session, *args, **kwargs))

    return call


def _iterator(
    operation: Callable[Concatenate[Session, str | None, P], Operation[Page]],
) -> Callable[Concatenate["Client", P], Iterator[Any]]:
    @wraps(operation)
    def call(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[Any]:
        cursor = None
        while True:
            page = self.run(operation(self.session, cursor, *args, **kwargs))
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    return call


class Client:
    """Client of one Sixgate server; it may be shared by threads. Close it, or use it in ``with``.

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
        transport: httpx.BaseTransport | None = None,
        insecure_http: bool = False,
    ) -> None:
        if transport is None and unix_socket is not None:
            transport = httpx.HTTPTransport(uds=unix_socket)
        address = address_of(base_url, unix_socket, insecure_http=insecure_http)
        self.session = session_of(api_key, token, name_of(address, unix_socket))
        self._http = httpx.Client(base_url=address, timeout=timeout_s, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def run(self, operation: Operation[T]) -> T:
        """Carry out an operation and return its result."""
        answer: Answer = None
        while True:
            try:
                step = operation.send(answer)
            except StopIteration as ended:
                result: T = ended.value
                return result
            answer = self._perform(step)

    def _perform(self, step: Step) -> Answer:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            return reply_of(
                self._http.request(
                    step.method,
                    step.path,
                    params=dict(step.params),
                    headers=dict(step.headers),
                    content=step.body,
                )
            )
        except httpx.TransportError as error:
            return Lost(error)

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

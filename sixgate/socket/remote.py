"""The ``Api`` of a data folder's node in another process, over its Unix socket.

A request is one JSON line ``{"method", "values", "named"}``. The response is one line ``{"item"}``
for each value of a stream (null is a tick: the stream is alive), then ``{"done"}`` or
``{"error": {"code", "sentence"}}``.
"""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import orjson

from schemas.fields import Count, TimeMs
from sixgate.api import ApiError, Json, Position
from sixgate.data_folder.folder import Folder


class RemoteApi:
    """Implements the ``Api`` with one connection per request."""

    def __init__(self, dial: Callable[[], socket.socket]) -> None:
        self._dial = dial

    def status(self) -> Json:
        """See ``Api.status``."""
        return self._object("status")

    def registry(self) -> Json:
        """See ``Api.registry``."""
        return self._object("registry")

    def register(self, envelope: str) -> Json:
        """See ``Api.register``."""
        return self._object("register", envelope)

    def order_key(self, record: str) -> Json:
        """See ``Api.order_key``."""
        return self._object("order_key", record)

    def order_vault(self, record: str) -> Json:
        """See ``Api.order_vault``."""
        return self._object("order_vault", record)

    def vault(self, account: str, vault: str) -> Json:
        """See ``Api.vault``."""
        return self._object("vault", account, vault)

    def client_shares(self, account: str, vault: str, path: str) -> list[Json]:
        """See ``Api.client_shares``."""
        return self._objects("client_shares", account, vault, path)

    def vault_events(self) -> Iterator[Json]:
        """See ``Api.vault_events``."""
        return self._stream("vault_events")

    def reading_key(self) -> Json:
        """See ``Api.reading_key``."""
        return self._object("reading_key")

    def read_secret(self, request: str) -> Json:
        """See ``Api.read_secret``."""
        return self._object("read_secret", request)

    def submit(self, records: Sequence[Json], *, wait: bool) -> Iterator[Json]:
        """See ``Api.submit``."""
        return self._stream("submit", records, wait=wait)

    def intents(
        self,
        *,
        limit: Count,
        account: str | None,
        agent: str | None,
        idempotency_key: str | None = None,
    ) -> list[Json]:
        """See ``Api.intents``."""
        return self._objects(
            "intents", limit=limit, account=account, agent=agent, idempotency_key=idempotency_key
        )

    def trail(self, intent: str) -> list[Json]:
        """See ``Api.trail``."""
        return self._objects("trail", intent)

    def budgets(self) -> list[Json]:
        """See ``Api.budgets``."""
        return self._objects("budgets")

    def signed(self, *, after: Position, follow: bool) -> Iterator[Json]:
        """See ``Api.signed``."""
        return self._stream("signed", after=after, follow=follow)

    def attestation(self, nonce: str) -> Json:
        """See ``Api.attestation``."""
        return self._object("attestation", nonce)

    def head(self) -> Json:
        """See ``Api.head``."""
        return self._object("head")

    def verify(self, *, head: Json | None) -> Iterator[Json]:
        """See ``Api.verify``."""
        return self._stream("verify", head=head)

    def sql(self, query: str) -> Json:
        """See ``Api.sql``."""
        return self._object("sql", query)

    def export(self, path: str, *, form: str, since_ms: TimeMs, until_ms: TimeMs) -> Iterator[Json]:
        """See ``Api.export``."""
        return self._stream("export", path, form=form, since_ms=since_ms, until_ms=until_ms)

    def _object(self, method: str, *values: Any) -> Json:
        answer: Json = self._done(method, values, {})
        return answer

    def _objects(self, method: str, *values: Any, **named: Any) -> list[Json]:
        answer: list[Json] = self._done(method, values, named)
        return answer

    def _stream(self, method: str, *values: Any, **named: Any) -> Iterator[Json]:
        for answer in self._ask(method, values, named):
            if answer.get("item") is not None:
                yield answer["item"]

    def _done(self, method: str, values: tuple[Any, ...], named: Json) -> Any:
        *_, last = self._ask(method, values, named)
        return last["done"]

    def _ask(self, method: str, values: tuple[Any, ...], named: Json) -> Iterator[Json]:
        """Yield the response up to ``done``; raise the error that the response carries."""
        request = orjson.dumps({"method": method, "values": values, "named": named})
        for answer in self._answers(request):
            if "error" in answer:
                raise ApiError(**answer["error"])
            yield answer
            if "done" in answer:
                return

    def _answers(self, request: bytes) -> Iterator[Json]:
        """Yield the response lines; raise ``connection_lost`` if they end before the last one."""
        try:
            with closing(self._dial()) as link, link.makefile("rb") as lines:
                link.sendall(request + b"\n")
                for line in lines:
                    yield orjson.loads(line)
        except (OSError, orjson.JSONDecodeError):
            pass  # a truncated response gets the same error
        raise ApiError(
            "connection_lost", "the connection to the folder's owner was lost: run this again"
        )


def dial(folder: Folder) -> socket.socket:
    """Connect to the owner of a folder; raises ``OSError`` if no process listens."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with socket_address(folder) as address:
            link.connect(address)
    except OSError:
        link.close()
        raise
    return link


@contextmanager
def socket_address(folder: Folder) -> Iterator[str]:
    """Lend a short path of the folder's socket: a socket address is limited to 107 bytes."""
    handle = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{folder.socket.name}"
    finally:
        os.close(handle)

"""The desk: signs what people change through the API, with an admin key scoped by role.

The registry refuses everything outside the key's scope, so a stolen desk key adds no admin, no
service, and no policy looser than the scope's ceiling.
"""

import threading
from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol

from schemas.registry import Entry
from sixgate.api import Api, ApiError
from sixgate.authoring.operator import Admin, SignsEnvelopes, register
from sixgate.authoring.vault_orders import Orderer

ATTEMPTS_MAX = 5


class Desk(Protocol):
    """Signs registry entries and orders for people."""

    def register(self, entries: Sequence[Entry]) -> None:
        """Sign and append registry entries in order; raise ``registry_refused``."""
        ...

    def admin(self) -> Admin:
        """Return a session for key orders (``sixgate.authoring.operator``)."""
        ...

    def orderer(self) -> Orderer:
        """Return a session for vault orders (``sixgate.authoring.vault_orders``)."""
        ...


class AdminDesk:
    """A desk whose records are signed by a key, here or behind the ``api`` that appends them."""

    def __init__(self, api: Api, key: SignsEnvelopes, now_ms: Callable[[], int]) -> None:
        self._api, self._key, self._now_ms = api, key, now_ms
        self._lock = threading.Lock()

    def register(self, entries: Sequence[Entry]) -> None:
        """See ``Desk.register``.

        Another admin may append a record between our reading the registry and our append: then the
        record does not continue the registry, and is signed again.
        """
        with self._lock:
            for entry in entries:
                self._register_one(entry)

    def admin(self) -> Admin:
        """See ``Desk.admin``."""
        return Admin(self._api, self._key, self._now_ms())

    def orderer(self) -> Orderer:
        """See ``Desk.orderer``."""
        return Orderer(self._api, self._key, self._now_ms())

    def _register_one(self, entry: Entry) -> None:
        for attempt in range(ATTEMPTS_MAX):
            try:
                register(self._api, self._key, [entry], self._now_ms())
            except ApiError as error:
                overtaken = "does not continue" in str(error)
                if error.code != "registry_refused" or not overtaken or attempt + 1 == ATTEMPTS_MAX:
                    raise
            else:
                return


class NoDesk:
    """The desk of an organisation that administers with the CLI alone; every call is refused."""

    def register(self, entries: Sequence[Entry]) -> None:  # noqa: ARG002 - nothing is registered
        """See ``Desk.register``."""
        _refuse()

    def admin(self) -> Admin:
        """See ``Desk.admin``."""
        _refuse()

    def orderer(self) -> Orderer:
        """See ``Desk.orderer``."""
        _refuse()


def _refuse() -> NoReturn:
    raise ApiError(
        "desk_absent",
        "this organisation administers with the CLI: ask an operator, or run sixgate desk and name "
        "it in the section [desk_at] of the gateway's settings",
    )

"""The desk: signs what people change through the API, with an admin key scoped by role.

The registry refuses everything outside the key's scope, so a stolen desk key adds no admin, no
service, and no policy looser than the scope's ceiling.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from schemas.registry import Entry
from signer.signatures import Ed25519Signer
from sixgate.api import Api
from sixgate.api_error import retry_overtaken
from sixgate.authoring.operator import Admin, register
from sixgate.authoring.vault_orders import Orderer


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


class LocalDesk:
    """A desk in the same process, with its key."""

    def __init__(self, api: Api, key: Ed25519Signer, now_ms: Callable[[], int]) -> None:
        self._api, self._key, self._now_ms = api, key, now_ms
        self._lock = threading.Lock()

    def register(self, entries: Sequence[Entry]) -> None:
        """See ``Desk.register``."""
        with self._lock:
            for entry in entries:
                retry_overtaken(partial(self._register_one, entry), "registry_refused")

    def admin(self) -> Admin:
        """See ``Desk.admin``."""
        return Admin(self._api, self._key, self._now_ms())

    def orderer(self) -> Orderer:
        """See ``Desk.orderer``."""
        return Orderer(self._api, self._key, self._now_ms())

    def _register_one(self, entry: Entry) -> None:
        register(self._api, self._key, [entry], self._now_ms())

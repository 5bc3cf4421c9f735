"""The desk: signs what people change through the API, with an admin key scoped by role.

The registry refuses everything outside the key's scope, so a stolen desk key adds no admin, no
service, and no policy looser than the scope's ceiling.

A change is made from an entry that was read. Each record is signed for a registry that still has
that entry: otherwise it would undo what another admin did meanwhile, such as a deactivation.
"""

import threading
from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol

from schemas.registry.records import (
    AccessSet,
    AgentSet,
    ChainSet,
    Entry,
    PolicySet,
    RecordVersion,
)
from sixgate.answers.snapshot import plain
from sixgate.api import Api, ApiError, Json
from sixgate.authoring.operator import Admin, SignsEnvelopes, append_record
from sixgate.authoring.vault_orders import Orderer

ATTEMPTS_MAX = 5


class Desk(Protocol):
    """Signs registry entries and orders for people."""

    def register(self, entries: Sequence[Entry], replaced: Sequence[Entry] = ()) -> None:
        """Sign and append registry entries in order; raise ``registry_refused``.

        ``replaced`` are the entries that they replace as they were read, one for each. If the
        registry has another one by then, that change and those after it are refused.
        """
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

    def register(self, entries: Sequence[Entry], replaced: Sequence[Entry] = ()) -> None:
        """See ``Desk.register``.

        Another admin may append a record between our reading the registry and our append: then the
        record does not continue the registry. It is signed again if that left ``replaced`` alone.
        """
        with self._lock:
            for place, entry in enumerate(entries):
                self._register_one(entry, replaced[place:])

    def admin(self) -> Admin:
        """See ``Desk.admin``."""
        return Admin(self._api, self._key, self._now_ms())

    def orderer(self) -> Orderer:
        """See ``Desk.orderer``."""
        return Orderer(self._api, self._key, self._now_ms())

    def _register_one(self, entry: Entry, replaced: Sequence[Entry]) -> None:
        # Readers before version 2 skip a record of it, so only a change that may need it has it.
        changes = isinstance(entry, AgentSet | PolicySet) and bool(replaced)
        version: RecordVersion = 2 if changes else 1
        for attempt in range(ATTEMPTS_MAX):
            registry = self._api.registry()
            for former in replaced:
                _check_in_force(registry, former)
            try:
                # Refused if the registry is no longer the one that was checked.
                append_record(self._api, self._key, registry, entry, self._now_ms(), version)
            except ApiError as error:
                overtaken = "does not continue" in str(error)
                if error.code != "registry_refused" or not overtaken or attempt + 1 == ATTEMPTS_MAX:
                    raise
            else:
                return


class NoDesk:
    """The desk of an organisation that administers with the CLI alone; every call is refused."""

    def register(self, entries: Sequence[Entry], replaced: Sequence[Entry] = ()) -> None:  # noqa: ARG002 - nothing is registered
        """See ``Desk.register``."""
        _refuse()

    def admin(self) -> Admin:
        """See ``Desk.admin``."""
        _refuse()

    def orderer(self) -> Orderer:
        """See ``Desk.orderer``."""
        _refuse()


def _check_in_force(registry: Json, former: Entry) -> None:
    """Raise ``registry_refused`` if an entry is no longer in force as it was read."""
    match former:
        case AgentSet(agent=name):
            what, same = f"agent {name}", registry["agents"].get(name) == plain(former)
        case PolicySet(policy_id=name, policy=policy):
            found = registry["policies"].get(name, {}).get("policy")
            what, same = f"policy {name}", found == plain(policy)
        case AccessSet(agent=name, grants=grants):
            found = registry["access"].get(name, [])
            what, same = f"the grants of {name}", found == [plain(grant) for grant in grants]
        case ChainSet(chain_id=chain_id):
            what, same = f"chain {chain_id}", plain(former) in registry["chains"]
        case _:
            raise TypeError(former.type)
    if not same:
        raise ApiError(
            "registry_refused", f"another admin changed {what} meanwhile: read it and try again"
        )


def _refuse() -> NoReturn:
    raise ApiError(
        "desk_absent",
        "this organisation administers with the CLI: ask an operator, or run sixgate desk and name "
        "it in the section [desk_at] of the gateway's settings",
    )

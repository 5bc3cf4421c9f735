"""Secrets in a vault: the service that reads them, requests, and access records."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from schemas.dsse import READ_REQUEST_TYPE, VAULT_ORDER_TYPE, Envelope
from schemas.keys.client_share import ClientShareContext
from schemas.keys.secret_requests import SecretRequest
from schemas.keys.vault_events import SecretOrder, SecretStored
from schemas.record import Outgoing
from schemas.registry.access import Grant
from schemas.registry.custody import CustodyMode
from schemas.registry.records import AccessSet, VaultCreated
from signer.custody.custody_modes import PLANS
from signer.custody.event_signing import Ed25519Signer
from signer.custody.hpke import HpkeKey
from signer.custody.sealing import Holders
from signer.keys.key_register import KeyRegister
from signer.keys.vaults.secret_register import SecretRegister, verify_stored
from signer.keys.vaults.secret_sealing import SecretSealing
from signer.secrets.secret_service import SecretService
from tests.harness.builders.cases import (
    ACCOUNT,
    ADMIN,
    AGENT,
    ALICE,
    NOW_MS,
    ORG,
    SIGNER,
    agent,
    registered,
)
from tests.harness.builders.custody_client import CLIENT, FOR_CLIENT
from tests.harness.builders.custody_material import Stream
from tests.harness.builders.custody_providers import clouds

VALUE = b"correct horse battery staple"


def order(mode: CustodyMode, version: int = 1, **changes: Any) -> Envelope:
    terms: dict[str, Any] = {
        "org": ORG,
        "account": ACCOUNT,
        "vault": "main",
        "path": "prod/db",
        "version": version,
        "kind": "password",
        "box": "0x" + "bb" * 32,
        "share_for": FOR_CLIENT if PLANS[mode].needs_client else None,
        "requested_at_ms": NOW_MS,
        "registry_sequence": 0,
    }
    return ADMIN.sign_envelope(VAULT_ORDER_TYPE, SecretOrder(**(terms | changes)).encode())


def put(sealing: SecretSealing, request: Envelope, value: bytes = VALUE) -> SecretStored:
    raw = SIGNER.sign_event(sealing.seal(request, value, SIGNER.keyid, NOW_MS))
    stored = SecretStored.decode(raw)
    sealing.secrets.apply(stored, verify_stored(stored, sealing.registry))
    assert value not in raw
    assert value.hex().encode() not in raw
    return stored


def received(stored: SecretStored) -> bytearray | None:
    if stored.client_share is None:
        return None
    place = ClientShareContext(
        org=ORG, account=ACCOUNT, vault="main", path=stored.path, version=stored.version
    )
    return CLIENT.open(bytes.fromhex(stored.client_share[2:]), place.to_client())


READER = HpkeKey(b"\x07" * 32)
ALL = Grant(effect="allow", vault="*", paths="**", rights=("read", "write", "sign"))


@contextmanager
def secret_service(
    mode: CustodyMode = "envelope", *grants: Grant, intents: bool = True, **changes: Any
) -> Iterator[SecretService]:
    """Yield a read service of the vault ``main``; the agent has these grants."""
    registered_agent = agent(intents_api_enabled=intents, **changes)
    access = AccessSet(agent=AGENT, grants=grants)
    made = VaultCreated(account=ACCOUNT, vault="main", mode=mode)
    _, registry = registered(made, registered_agent, access)
    with clouds() as some:
        holders = Holders(some.root, some.holders("2of3_multi_hsm").providers)
        sealing = SecretSealing(registry, SecretRegister(), holders, Stream(mode))
        yield SecretService(registry, KeyRegister(), sealing, HpkeKey(b"\x08" * 32))


def request(operation: str = "get", by: Ed25519Signer = ALICE, **changes: Any) -> bytes:
    terms: dict[str, Any] = {
        "org": ORG,
        "account": ACCOUNT,
        "agent": AGENT,
        "operation": operation,
        "vault": "main",
        "path": None if operation == "list" else "prod/db",
        "reply_to": f"0x{READER.public_key.hex()}",
        "nonce": "0x" + "01" * 16,
        "requested_at_ms": NOW_MS,
    }
    return by.sign_envelope(READ_REQUEST_TYPE, SecretRequest(**(terms | changes)).encode()).encode()


ADDRESS = "192.0.2.7"


@dataclass
class MemoryReadEnvironment:
    """A ``ReadEnvironment`` in memory; ``unwritable``, if set, is raised by ``record``."""

    records: list[dict[str, Any]] = field(default_factory=list)
    unwritable: BaseException | None = None
    is_lent: bool = False
    actor: str = "custody-0"

    @contextmanager
    def current(self) -> Iterator[int]:
        assert not self.is_lent
        self.is_lent = True
        try:
            yield NOW_MS
        finally:
            self.is_lent = False

    def record(self, event: Outgoing) -> None:
        if self.unwritable is not None:
            raise self.unwritable
        self.records.append(orjson.loads(event.value))

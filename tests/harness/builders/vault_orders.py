"""Orders about vaults and their secrets, and the signer that executes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from schemas.dsse import VAULT_ORDER_TYPE
from schemas.keys.client_share import ClientShareContext
from schemas.keys.vault_events import (
    SecretDelivery,
    SecretOrder,
    SecretStored,
    VaultKeyOrder,
    secret_delivery_id,
)
from schemas.record import Outgoing
from schemas.redaction import redacted_digest
from schemas.registry.access import Grant
from schemas.registry.custody import CustodyMode
from schemas.registry.records import AccessSet, VaultCreated
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from signer.custody.hpke import seal_for
from signer.custody.sealing import Holders
from signer.keys.operations import Operations
from tests.harness.builders.cases import ACCOUNT, ADMIN, AGENT, NOW_MS, ORG
from tests.harness.builders.custody_client import CLIENT
from tests.harness.builders.custody_providers import clouds
from tests.harness.builders.order_executor import (
    IMPORT_KEY,
    OrderExecutor,
    fresh,
    load,
    registry_records,
    seen_by,
    vault_records,
    why,
)
from tests.harness.builders.secret_vaults import VALUE


@contextmanager
def executor(mode: CustodyMode = "envelope", *grants: Grant) -> Iterator[OrderExecutor]:
    main = VaultCreated(account=ACCOUNT, vault="main", mode=mode)
    with clouds() as some:
        holders = Holders(some.root, some.holders("2of3_multi_hsm").providers)
        made = OrderExecutor(entries=(main, AccessSet(agent=AGENT, grants=grants)), holders=holders)
        yield made
        made.keychain.close()


def asked(**changes: Any) -> dict[str, Any]:
    return {
        "org": ORG,
        "account": ACCOUNT,
        "vault": "main",
        "path": "prod/db",
        "version": 1,
        "kind": "password",
        "requested_at_ms": NOW_MS,
        "registry_sequence": 0,
    } | changes


def put(
    value: bytes = VALUE,
    by: Ed25519Signer = ADMIN,
    recipient: str = IMPORT_KEY.public_key,
    box: str | None = None,
    **changes: Any,
) -> bytes:
    """Return an order to store a value, with its box."""
    context = SecretOrder(**asked(**changes)).box_context()
    sealed = f"0x{seal_for(recipient, value, context).hex()}"
    order = SecretOrder(**asked(**changes), box=redacted_digest(sealed))
    request = by.sign_envelope(VAULT_ORDER_TYPE, order.encode())
    name = secret_delivery_id(request.body())
    return SecretDelivery(id=name, request=request, box=box or sealed).encode()


def generate(by: Ed25519Signer = ADMIN, **changes: Any) -> bytes:
    return by.sign_envelope(VAULT_ORDER_TYPE, SecretOrder(**asked(**changes)).encode()).encode()


def rotate(sequence: int = 1, by: Ed25519Signer = ADMIN, **changes: Any) -> bytes:
    about = asked()
    for name in ("path", "version", "kind"):
        del about[name]
    order = VaultKeyOrder(**(about | {"change": "kek", "sequence": sequence} | changes))
    return by.sign_envelope(VAULT_ORDER_TYPE, order.encode()).encode()


def stored_event(outgoing: Outgoing) -> SecretStored:
    assert outgoing.topic is Topic.VAULT, why(outgoing)
    return SecretStored.decode(outgoing.value)


def opened(one: OrderExecutor, event: SecretStored) -> bytes:
    share = None
    if event.client_share:
        place = {name: getattr(event, name) for name in ("account", "vault", "path", "version")}
        to_client = ClientShareContext(org=ORG, **place).to_client()
        share = CLIENT.open(bytes.fromhex(event.client_share[2:]), to_client)
    return bytes(one.operations.vaults.secret_sealing.open(event, share).secret)


def seen_by_vault(one: OrderExecutor) -> Any:
    """Return the state of a restarted signer that loads the committed vault events."""
    committed = fresh(one)
    for record in registry_records(one):
        committed.register(record, NOW_MS)
    for record in vault_records(one):
        committed.vault.load(record.value, committed.registry)
    update = {"key_count": committed.vault.count, "key_digest": committed.vault.digest()}
    return seen_by(one).model_copy(update=update)


def restarted(one: OrderExecutor) -> Operations:
    """Return the signer after a restart, with the committed vault events loaded."""
    later = fresh(one)
    load(later, registry_records(one), vault_records(one), seen_by_vault(one))
    return later


def fork(one: OrderExecutor, holders: Holders) -> Operations:
    """Return a copy of the signer; the original does not see the copy's events."""
    other = fresh(one)
    load(other, registry_records(one), vault_records(one), seen_by(one))
    other.vaults.holders = holders
    return other

"""A revoked signer key cannot answer orders that were given after its revocation."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pytest

from schemas.canonical import Canonical, canonical_bytes
from schemas.dsse import KEY_REQUEST_TYPE, VAULT_ORDER_TYPE
from schemas.keys.vault_events import SecretOrder, SecretStored, VaultKeyChanged, vault_answer_id
from schemas.registry.custody import AGENT_KEYS
from schemas.registry.records import AccountOpened, Entry, VaultCreated
from signer.core.registry.registry import Registry
from signer.custody.event_signing import Ed25519Signer
from signer.keys.orders import KeyOrderError, open_order
from signer.keys.register import VaultRegister
from signer.keys.signer_events import all_signer_keys_since
from signer.keys.vaults.orders import open_vault_order
from tests.harness.builders.cases import (
    ADMIN,
    NOW_MS,
    ORG,
    SIGNER,
    key_answer,
    key_request,
    registered,
    sealed_request,
    service,
)
from tests.harness.builders.vault_events import FUND, answered, changed, ordered

OWN = Ed25519Signer(SIGNER.keyid, b"2" * 32)
"""The signer's current key; ``SIGNER`` is the revoked one, which a thief may have."""
VAULTS = (
    VaultCreated(account=FUND, vault=AGENT_KEYS, mode="envelope"),
    AccountOpened(account=FUND),
    VaultCreated(account=FUND, vault="main", mode="envelope"),
)
SECRET: dict[str, Any] = {
    "account": FUND,
    "vault": "main",
    "path": "prod/db",
    "version": 1,
    "kind": "password",
}


def after(*entries: Entry) -> Registry:
    return registered(*VAULTS, *entries)[1]


REVOKED_BY = after().record_count
"""The sequence of the record that revokes the key."""
REPLACED = service(OWN, "signer")


def key(known: int) -> Canonical:
    return key_answer(key_request(account=FUND, registry_sequence=known))


def vault_key(known: int) -> Canonical:
    request = ordered(registry_sequence=known)
    event = VaultKeyChanged.decode(changed(request=request, id=vault_answer_id(request.body())))
    return event.model_copy(update={"signature": None})


def secret(known: int) -> Canonical:
    order = SecretOrder(org=ORG, requested_at_ms=NOW_MS, registry_sequence=known, **SECRET)
    request = ADMIN.sign_envelope(VAULT_ORDER_TYPE, order.encode())
    return SecretStored(
        id=vault_answer_id(request.body()),
        request=request,
        generated=True,
        mode="envelope",
        wrapped_kek="0x01",
        wrapped_dek="0x01",
        ciphertext="0xcc",
        stored_at_ms=NOW_MS,
        signer=SIGNER.keyid,
        **SECRET,
    )


ANSWERS: Sequence[Callable[[int], Canonical]] = (key, vault_key, secret)


def load(event: Canonical, by: Ed25519Signer, registry: Registry) -> None:
    """Load an event; load the vault's key before an event that changes it."""
    register = VaultRegister()
    if isinstance(event, VaultKeyChanged):
        register.load(SIGNER.sign_event(answered("envelope")), registry)
    before = register.count
    register.load(by.sign_event(event), registry)
    assert register.count == before + 1


@pytest.mark.parametrize("answer", ANSWERS)
def test_it_cannot_answer_an_order_given_after_its_revocation(
    answer: Callable[..., Canonical],
) -> None:
    registry = after(REPLACED)
    with pytest.raises(KeyOrderError, match=r"signer-1 before the order|revoked"):
        load(answer(REVOKED_BY + 1), SIGNER, registry)
    load(answer(REVOKED_BY + 1), OWN, registry)


@pytest.mark.parametrize("known", [0, REVOKED_BY])
@pytest.mark.parametrize("answer", ANSWERS)
def test_its_earlier_events_stay_valid(answer: Callable[..., Canonical], known: int) -> None:
    load(answer(known), SIGNER, after(REPLACED))


@pytest.mark.parametrize("answer", ANSWERS)
def test_deactivating_a_signer_revokes_its_key(answer: Callable[..., Canonical]) -> None:
    off = service(SIGNER, "signer", active=False)
    with pytest.raises(KeyOrderError, match=r"signer-1 before the order|revoked"):
        load(answer(REVOKED_BY + 1), SIGNER, after(off))
    load(answer(REVOKED_BY + 1), SIGNER, after(off, service(SIGNER, "signer")))


def test_registering_the_same_key_again_revokes_nothing() -> None:
    load(key(REVOKED_BY + 1), SIGNER, after(service(SIGNER, "signer")))


def test_an_order_that_knows_missing_registry_records_is_refused() -> None:
    """Its event would look like a thief's once the signer has a new key."""
    registry = after()
    order = key_request(account=FUND, registry_sequence=REVOKED_BY)
    assert open_order(sealed_request(order).encode(), registry).order == order
    assert open_vault_order(ordered(registry_sequence=REVOKED_BY), registry)
    ahead = sealed_request(key_request(account=FUND, registry_sequence=REVOKED_BY + 1))
    with pytest.raises(KeyOrderError, match=r"11 .*10"):
        open_order(ahead.encode(), registry)
    with pytest.raises(KeyOrderError, match=r"11 .*10"):
        open_vault_order(ordered(registry_sequence=REVOKED_BY + 1), registry)


def test_a_revoked_key_is_invalid_for_later_registry_sequences() -> None:
    """Events of a revoked key that know of its revocation were never the signer's."""
    registry = after(REPLACED)
    both, left = {SIGNER.public_key, OWN.public_key}, {OWN.public_key}
    assert all_signer_keys_since(registry, REVOKED_BY) == {SIGNER.keyid: both}
    assert all_signer_keys_since(registry, REVOKED_BY + 1) == {SIGNER.keyid: left}


def test_an_order_without_a_registry_sequence_is_malformed() -> None:
    members = orjson.loads(key_request(account=FUND).encode())
    del members["registry_sequence"]
    silent = ADMIN.sign_envelope(KEY_REQUEST_TYPE, canonical_bytes(members))
    with pytest.raises(KeyOrderError, match="registry_sequence"):
        open_order(silent.encode(), after())

"""A key that was taken from a signer answers nothing that is ordered from then on."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pytest

from schemas.canonical import Canonical, canonical_bytes
from schemas.custody import AGENT_KEYS
from schemas.dsse import KEY_REQUEST_TYPE, VAULT_ORDER_TYPE
from schemas.registry import AccountOpened, Entry, VaultCreated
from schemas.vault_events import SecretOrder, SecretStored, VaultKeyChanged, vault_answer_id
from signer.keys.orders import KeyOrderError, open_order
from signer.registry import Registry
from signer.signatures import Ed25519Signer
from signer.vaults.orders import open_vault_order
from signer.vaults.register import VaultRegister
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
"""The signer's current key; ``SIGNER`` is its former one, which a thief may have."""
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


TAKEN_BY = after().sequence
"""The record that takes the key."""
REPLACED = service(OWN, "signer")


def key(known: int) -> Canonical:
    return key_answer(key_request(account=FUND, registry_sequence=known))


def vault_key(known: int) -> Canonical:
    request = ordered(registry_sequence=known)
    event = VaultKeyChanged.decode(changed(request=request, id=vault_answer_id(request.body())))
    return event.model_copy(update={"signature": None})


def secret(known: int) -> Canonical:
    order = SecretOrder(org=ORG, requested_at_ms=NOW_MS, registry_sequence=known, **SECRET)
    request = ADMIN.seal(VAULT_ORDER_TYPE, order.encode())
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
    """Take an event after the key that one of a vault's may be about."""
    register = VaultRegister()
    if isinstance(event, VaultKeyChanged):
        register.load(SIGNER.sign_event(answered("envelope")), registry)
    before = register.count
    register.load(by.sign_event(event), registry)
    assert register.count == before + 1


@pytest.mark.parametrize("answer", ANSWERS)
def test_it_answers_no_order_that_was_given_since(answer: Callable[..., Canonical]) -> None:
    registry = after(REPLACED)
    with pytest.raises(KeyOrderError, match=r"signer-1 before the order|revoked"):
        load(answer(TAKEN_BY + 1), SIGNER, registry)
    load(answer(TAKEN_BY + 1), OWN, registry)


@pytest.mark.parametrize("known", [0, TAKEN_BY])
@pytest.mark.parametrize("answer", ANSWERS)
def test_what_it_answered_before_stays(answer: Callable[..., Canonical], known: int) -> None:
    load(answer(known), SIGNER, after(REPLACED))


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_signer_that_was_switched_off_lost_its_key_too(answer: Callable[..., Canonical]) -> None:
    off = service(SIGNER, "signer", active=False)
    with pytest.raises(KeyOrderError, match=r"signer-1 before the order|revoked"):
        load(answer(TAKEN_BY + 1), SIGNER, after(off))
    load(answer(TAKEN_BY + 1), SIGNER, after(off, service(SIGNER, "signer")))


def test_registering_the_same_key_again_takes_nothing() -> None:
    load(key(TAKEN_BY + 1), SIGNER, after(service(SIGNER, "signer")))


def test_an_order_that_knows_records_which_are_not_there_is_not_carried_out() -> None:
    """Its answer would be taken for a thief's once the signer has another key."""
    registry = after()
    order = key_request(account=FUND, registry_sequence=TAKEN_BY)
    assert open_order(sealed_request(order).encode(), registry).order == order
    assert open_vault_order(ordered(registry_sequence=TAKEN_BY), registry)
    ahead = sealed_request(key_request(account=FUND, registry_sequence=TAKEN_BY + 1))
    with pytest.raises(KeyOrderError, match=r"11 .*10"):
        open_order(ahead.encode(), registry)
    with pytest.raises(KeyOrderError, match=r"11 .*10"):
        open_vault_order(ordered(registry_sequence=TAKEN_BY + 1), registry)


def test_whoever_knows_of_the_record_asks_for_the_keys_that_were_left() -> None:
    """What a former key says beyond a state that knows it to be one was never the signer's."""
    registry = after(REPLACED)
    both, left = {SIGNER.public_key, OWN.public_key}, {OWN.public_key}
    assert registry.all_signer_keys_since(TAKEN_BY) == {SIGNER.keyid: both}
    assert registry.all_signer_keys_since(TAKEN_BY + 1) == {SIGNER.keyid: left}


def test_an_order_that_does_not_say_how_far_the_registry_went_is_malformed() -> None:
    members = orjson.loads(key_request(account=FUND).encode())
    del members["registry_sequence"]
    silent = ADMIN.seal(KEY_REQUEST_TYPE, canonical_bytes(members))
    with pytest.raises(KeyOrderError, match="registry_sequence"):
        open_order(silent.encode(), after())

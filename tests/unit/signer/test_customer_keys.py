"""Customer keys in the registry: enrolled, replaced, ended."""

import pytest

from schemas.registry.records import CustomerKeySet, VaultCreated
from signer.core.errors import RegistryEntryError
from signer.core.registry.entries import apply_entry
from signer.core.registry.registered import Registered

FIRST, SECOND = f"0x{'01' * 32}", f"0x{'02' * 32}"


@pytest.fixture
def registered() -> Registered:
    found = Registered(accounts={"main"})
    apply_entry(found, VaultCreated(account="main", vault="prod"), 1)
    return found


def enrol(registered: Registered, fingerprint: str | None) -> None:
    apply_entry(
        registered, CustomerKeySet(account="main", vault="prod", fingerprint=fingerprint), 2
    )


def test_a_record_without_a_fingerprint_ends_the_layer(registered: Registered) -> None:
    enrol(registered, FIRST)
    enrol(registered, SECOND)
    assert registered.customer_keys == {("main", "prod"): (FIRST, SECOND)}
    enrol(registered, None)
    assert registered.customer_keys == {}
    enrol(registered, FIRST)
    assert registered.customer_keys == {("main", "prod"): (FIRST,)}


def test_a_layer_that_does_not_exist_is_not_ended(registered: Registered) -> None:
    with pytest.raises(RegistryEntryError, match="has no customer key"):
        enrol(registered, None)


def test_a_replaced_fingerprint_is_refused(registered: Registered) -> None:
    enrol(registered, FIRST)
    enrol(registered, SECOND)
    with pytest.raises(RegistryEntryError, match="was set for prod before"):
        enrol(registered, FIRST)


def test_a_record_without_a_fingerprint_has_one_encoding() -> None:
    ended = CustomerKeySet(account="main", vault="prod")
    assert b"fingerprint" not in ended.encode()
    assert CustomerKeySet.decode(ended.encode()) == ended

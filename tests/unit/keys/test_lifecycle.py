"""Keys are rotated and deactivated by an admin's order, and replays revive nothing."""

import copy
from typing import Any

import pytest

from schemas.keys.key_events import KeyDeactivation, KeyImport, KeyRotation, answer_id
from schemas.registry.key_chains import KeyChain
from schemas.registry.records import AccountOpened
from signer.core.key_ref import KeyState
from signer.core.registry.registry import Registry
from signer.keys.addresses.derivation import canonical_address, derive
from signer.keys.orders import KeyOrderError
from signer.keys.register import VaultRegister
from tests.harness.builders.cases import (
    ACCOUNT,
    KEY_PATH,
    MALLORY,
    NOW_MS,
    ORG,
    SECRET,
    SIGNER,
    address_of,
    key_answer,
    key_request,
    registered,
    sealed_request,
    with_keys,
)
from tests.harness.builders.order_executor import SECOND, THIRD, ended, order, rotated


@pytest.fixture
def registry() -> Registry:
    return registered(AccountOpened(account="ops"))[1]


def refuses(register: VaultRegister, raw: bytes, registry: Registry, because: str) -> None:
    before = copy.deepcopy(register)
    with pytest.raises(KeyOrderError, match=because):
        register.load(raw, registry)
    assert register == before


def states(register: VaultRegister) -> list[tuple[int, KeyState]]:
    return [(key.version, key.state) for key in register.keys.all()]


def test_a_rotated_key_has_a_new_address_and_the_old_version_stays_visible(
    registry: Registry,
) -> None:
    register = with_keys(registry)
    register.load(rotated(), registry)
    key = register.keys.find(ACCOUNT, KEY_PATH)
    assert key is not None
    assert (key.version, key.address) == (2, address_of(SECOND))
    assert states(register) == [(1, KeyState.ROTATED), (2, KeyState.ACTIVE)]
    old = register.keys.version(ACCOUNT, KEY_PATH, 1)
    assert old is not None
    assert (old.address, old.active) == (address_of(SECRET), False)


def test_replaying_the_first_answer_does_not_bring_the_old_version_back(
    registry: Registry,
) -> None:
    register = with_keys(registry)
    first = SIGNER.sign_event(key_answer(key_request()))
    register.load(rotated(), registry)
    register.load(rotated(THIRD, 2), registry)
    before = copy.deepcopy(register)
    for old in (first, rotated(), first):
        register.load(old, registry)
    assert register == before
    assert register.keys.by_path[ACCOUNT, KEY_PATH].address == address_of(THIRD)


def test_a_deactivated_key_stays_so_whatever_is_replayed(registry: Registry) -> None:
    register = with_keys(registry)
    register.load(ended(), registry)
    register.load(SIGNER.sign_event(key_answer(key_request())), registry)
    register.load(ended(), registry)
    assert states(register) == [(1, KeyState.DEACTIVATED)]
    found = register.keys.find(ACCOUNT, KEY_PATH)
    assert found is not None
    assert not found.active


def test_a_deactivated_key_is_followed_by_a_new_version_and_stays_deactivated(
    registry: Registry,
) -> None:
    register = with_keys(registry)
    register.load(ended(), registry)
    register.load(rotated(), registry)
    assert states(register) == [(1, KeyState.DEACTIVATED), (2, KeyState.ACTIVE)]


@pytest.mark.parametrize(
    ("raw", "because"),
    [
        (rotated(SECOND, 2), "newest version .* 1$"),
        (ended(2), "newest version .* 1$"),
        (rotated(version=3), "another key"),
        (rotated(version=1), "another key"),
        (rotated(SECRET), "address 0x"),
        (rotated(account="ops"), "another key"),
        (rotated(path="keys/other"), "another key"),
        (rotated(chain=KeyChain.TRON, address="T" + "a" * 33), "address .*public key"),
        (ended(path="keys/other"), "another key"),
        (ended(account="ops"), "another key"),
        (ended(id="0x" + "00" * 32), "id .*order"),
    ],
)
def test_an_answer_that_is_not_what_was_ordered_changes_nothing(
    raw: bytes, because: str, registry: Registry
) -> None:
    refuses(with_keys(registry), raw, registry, because)


@pytest.mark.parametrize(
    ("ordered", "given"), [(KeyChain.TRON, KeyChain.ETHEREUM), (KeyChain.ETHEREUM, KeyChain.TRON)]
)
def test_a_key_of_another_chain_than_was_ordered_is_refused(
    ordered: KeyChain, given: KeyChain, registry: Registry
) -> None:
    answer = key_answer(key_request(chain=ordered), SECRET)
    address = canonical_address(given, derive(given, bytes.fromhex(answer.public_key[2:])))
    wrong = answer.model_copy(update={"chain": given, "address": address})
    refuses(VaultRegister(), SIGNER.sign_event(wrong), registry, "another key")


def test_a_rotation_gives_a_key_of_the_same_chain(registry: Registry) -> None:
    answer = key_answer(key_request(), SECOND)
    address = derive(KeyChain.TRON, bytes.fromhex(answer.public_key[2:]))
    wrong = rotated(chain=KeyChain.TRON, address=address)
    refuses(with_keys(registry), wrong, registry, "another key")


def test_an_order_of_one_kind_is_not_answered_by_the_other(registry: Registry) -> None:
    deactivation, rotation = order(KeyDeactivation, 1), order(KeyRotation, 1)
    made = rotated(request=sealed_request(deactivation), id=answer_id(deactivation.encode()))
    refuses(with_keys(registry), made, registry, "another key")
    gone = ended(request=sealed_request(rotation), id=answer_id(rotation.encode()))
    refuses(with_keys(registry), gone, registry, "another key")


def test_a_second_answer_to_one_order_is_refused(registry: Registry) -> None:
    register = with_keys(registry)
    register.load(rotated(), registry)
    refuses(register, rotated(THIRD), registry, "newest version .* 2$")


@pytest.mark.parametrize("raw", [rotated(), ended()])
def test_nothing_that_is_not_there_is_rotated_or_ended(raw: bytes, registry: Registry) -> None:
    refuses(VaultRegister(), raw, registry, "has no key at")


@pytest.mark.parametrize("kind", [KeyRotation, KeyDeactivation])
def test_an_order_that_no_admin_signed_changes_nothing(kind: Any, registry: Registry) -> None:
    forged = sealed_request(order(kind, 1), MALLORY)
    raw = (rotated if kind is KeyRotation else ended)(request=forged)
    refuses(with_keys(registry), raw, registry, "signed by an admin")


def test_an_answer_by_another_than_a_registered_signer_changes_nothing(
    registry: Registry,
) -> None:
    for raw in (rotated(signer=MALLORY.keyid), ended(signer=MALLORY.keyid)):
        refuses(with_keys(registry), raw, registry, "any key .*mallory|any key .*signer-1")


def test_the_address_of_a_version_that_was_rotated_out_is_never_free_again(
    registry: Registry,
) -> None:
    register = with_keys(registry)
    register.load(rotated(), registry)
    other = key_answer(key_request(account="ops"), SECRET)
    refuses(register, SIGNER.sign_event(other), registry, "address 0x")
    taken = KeyImport(
        org=ORG, account="ops", path="keys/in", requested_at_ms=NOW_MS, registry_sequence=0,
        chain=KeyChain.ETHEREUM, address=address_of(SECRET),
        import_key="0x" + "00" * 32, box="0x" + "00" * 32,
    )  # fmt: skip
    with pytest.raises(KeyOrderError, match=r"address 0x"):
        register.keys.check_possible(taken)


def test_an_address_that_is_not_its_public_keys_is_no_key(registry: Registry) -> None:
    wrong = key_answer(key_request(), SECRET, address=address_of(SECOND))
    refuses(VaultRegister(), SIGNER.sign_event(wrong), registry, "address .*public key")
    none = key_answer(key_request(), SECRET, public_key="0x0400")
    refuses(VaultRegister(), SIGNER.sign_event(none), registry, "address .*public key")


def test_a_register_folded_again_is_the_same(registry: Registry) -> None:
    answers = [SIGNER.sign_event(key_answer(key_request())), rotated(), ended(2), rotated(THIRD, 2)]
    once, twice = VaultRegister(), VaultRegister()
    for raw in answers:
        once.load(raw, registry)
    for raw in answers:
        twice.load(raw, registry)
        for old in answers[: answers.index(raw)]:
            twice.load(old, registry)
    assert once == twice
    assert len(once.events) == 4

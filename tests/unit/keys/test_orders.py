"""Key orders executed with real custody: what is created and what is refused."""

import copy
from typing import Any

import pytest

from schemas.keys.key_events import KeyDeactivation, KeyProvisioned, KeyRequest, KeyRotation
from schemas.partition import partition_of
from schemas.record import Record
from schemas.registry.key_chains import KeyChain
from schemas.topics import Topic
from signer.core.ethereum.keccak import keccak256
from signer.core.key_ref import KeyState
from signer.custody.errors import KmsUnavailableError, SigningNotOfferedError
from signer.custody.order_validity import LIFETIME_MS_MAX
from signer.keys.addresses.derivation import canonical_address, derive
from signer.keys.key_register import KeyRegister
from signer.keys.orders import KeyOrderError
from tests.harness.builders.cases import ACCOUNT, KEY_PATH, NOW_MS, sealed_request
from tests.harness.builders.custody_material import FailingKms, root_kms
from tests.harness.builders.order_executor import (
    OrderExecutor,
    fresh,
    load,
    registry_records,
    seen_by,
    terms,
    vault_records,
    why,
)


@pytest.mark.parametrize("chain", KeyChain)
def test_a_key_of_each_chain_is_made_with_its_address_and_opens(
    executor: OrderExecutor, chain: KeyChain
) -> None:
    published = executor.order(KeyRequest(**terms(chain=chain)))
    answer = KeyProvisioned.decode(published.value)
    public_key = bytes.fromhex(answer.public_key[2:])
    assert answer.address == canonical_address(chain, derive(chain, public_key))
    key = executor.keys.by_path[ACCOUNT, KEY_PATH]
    assert (key.chain, key.state, key.imported) == (chain, KeyState.ACTIVE, False)
    assert executor.keychain.use(key).public_key() == public_key


@pytest.mark.parametrize("chain", [chain for chain in KeyChain if chain is not KeyChain.ETHEREUM])
def test_a_key_of_another_chain_than_ethereum_signs_nothing(
    executor: OrderExecutor, chain: KeyChain
) -> None:
    executor.order(KeyRequest(**terms(chain=chain)))
    key = executor.keys.by_path[ACCOUNT, KEY_PATH]
    assert not key.signs
    with pytest.raises(SigningNotOfferedError):
        executor.keychain.use(key).sign(bytes(32))


@pytest.mark.parametrize("call", range(1, 5))
def test_a_key_that_does_not_open_again_is_not_made(call: int) -> None:
    down = KmsUnavailableError("The KMS does not answer; try again.")
    executor = OrderExecutor(kms=FailingKms(root_kms(), down, call))
    assert "does not answer" in why(executor.order(KeyRequest(**terms())))
    assert executor.keys == KeyRegister()
    assert executor.order(KeyRequest(**terms())).topic is Topic.VAULT


def test_a_rotation_makes_a_new_key_and_the_old_handle_is_closed(executor: OrderExecutor) -> None:
    executor.order(KeyRequest(**terms()))
    first = executor.keys.by_path[ACCOUNT, KEY_PATH]
    executor.keychain.use(first)
    executor.order(KeyRotation(**terms(), version=1))
    second = executor.keys.by_path[ACCOUNT, KEY_PATH]
    assert (second.version, second.address != first.address) == (2, True)
    assert len(executor.keychain._keyring) == 0  # noqa: SLF001 - what is still open
    signature = executor.keychain.use(second).sign(keccak256(b"x"))
    assert len(signature) == 65


def test_what_was_pinned_before_a_rotation_still_opens_as_it_was_pinned(
    executor: OrderExecutor,
) -> None:
    executor.order(KeyRequest(**terms()))
    first = executor.keys.by_path[ACCOUNT, KEY_PATH]
    public_key = executor.keychain.use(first).public_key()
    executor.order(KeyRotation(**terms(), version=1))
    pinned = executor.keys.version(ACCOUNT, KEY_PATH, 1)
    assert pinned is not None
    assert executor.keychain.use(pinned).public_key() == public_key


def test_a_rotated_key_keeps_its_chain(executor: OrderExecutor) -> None:
    executor.order(KeyRequest(**terms(chain=KeyChain.XRP)))
    executor.order(KeyRotation(**terms(), version=1))
    key = executor.keys.by_path[ACCOUNT, KEY_PATH]
    assert (key.chain, key.address[0]) == (KeyChain.XRP, "r")


def test_the_same_order_again_gets_the_same_answer_and_makes_nothing(
    executor: OrderExecutor,
) -> None:
    orders = [
        KeyRequest(**terms()),
        KeyRotation(**terms(), version=1),
        KeyDeactivation(**terms(), version=2),
    ]
    published = [executor.order(order) for order in orders]
    again = [executor.order(order) for order in orders]
    assert again == published
    assert [key.state for key in executor.keys.all()] == [KeyState.ROTATED, KeyState.DEACTIVATED]


def test_an_old_rotation_in_a_new_envelope_does_nothing_more(executor: OrderExecutor) -> None:
    executor.order(KeyRequest(**terms()))
    executor.order(KeyRotation(**terms(), version=1))
    later = KeyRotation(**terms(requested_at_ms=NOW_MS + 1), version=1)
    assert "newest version" in why(executor.order(later))


def test_a_deactivated_key_rotates_into_a_new_one(executor: OrderExecutor) -> None:
    executor.order(KeyRequest(**terms()))
    executor.order(KeyDeactivation(**terms(), version=1))
    assert "already deactivated" in why(
        executor.order(KeyDeactivation(**terms(requested_at_ms=NOW_MS + 1), version=1))
    )
    executor.order(KeyRotation(**terms(), version=1))
    assert executor.keys.by_path[ACCOUNT, KEY_PATH].active


def test_a_rotation_held_back_does_not_bring_a_deactivated_path_back(
    executor: OrderExecutor,
) -> None:
    executor.order(KeyRequest(**terms()))
    held_back = KeyRotation(**terms(requested_at_ms=NOW_MS + 1), version=1)
    executor.order(KeyDeactivation(**terms(requested_at_ms=NOW_MS + 2), version=1))
    assert "a later order" in why(executor.order(held_back))
    assert not executor.keys.by_path[ACCOUNT, KEY_PATH].active
    operations = fresh(executor)
    load(operations, registry_records(executor), vault_records(executor), seen_by(executor))
    with pytest.raises(KeyOrderError, match="a later order"):
        operations.keys.check_timely(held_back, NOW_MS)
    executor.order(KeyRotation(**terms(requested_at_ms=NOW_MS + 3), version=1))
    assert executor.keys.by_path[ACCOUNT, KEY_PATH].active


def test_a_deactivation_is_never_too_late(executor: OrderExecutor) -> None:
    executor.order(KeyRequest(**terms()))
    executor.order(KeyDeactivation(**terms(requested_at_ms=1), version=1))
    assert not executor.keys.by_path[ACCOUNT, KEY_PATH].active


def test_an_order_from_the_future_is_refused(executor: OrderExecutor) -> None:
    far = NOW_MS + 300_001
    assert "from the future" in why(executor.order(KeyRequest(**terms(requested_at_ms=far))))
    assert executor.order(KeyRequest(**terms(requested_at_ms=far - 1))).topic is Topic.VAULT


@pytest.mark.parametrize("partition", range(4))
def test_an_order_put_where_another_signer_reads_is_refused(
    executor: OrderExecutor, partition: int
) -> None:
    raw = sealed_request(KeyRequest(**terms())).encode()
    published = executor.send(raw, partition=partition)
    assert (published.topic is Topic.VAULT) == (partition == partition_of(ACCOUNT, 4))


def test_an_order_under_another_accounts_key_is_refused(executor: OrderExecutor) -> None:
    raw = sealed_request(KeyRequest(**terms())).encode()
    assert "key or partition" in why(executor.send(raw, "ops"))


@pytest.mark.parametrize("order", [KeyRequest(**terms()), KeyRotation(**terms(), version=1)])
def test_an_order_that_was_held_back_or_is_sent_again_too_late_makes_no_key(order: Any) -> None:
    executor = OrderExecutor()
    executor.order(KeyRequest(**terms()))
    before = copy.deepcopy(executor.register)
    lived = LIFETIME_MS_MAX
    for given, now_ms in (
        (order, NOW_MS + lived),
        (order.model_copy(update={"expires_at_ms": NOW_MS + 1}), NOW_MS + 1),
        (order.model_copy(update={"expires_at_ms": NOW_MS + lived + 1}), NOW_MS),
    ):
        raw = sealed_request(given).encode()
        record = Record(Topic.KEY_REQUESTS, partition_of(ACCOUNT, 4), 7, ACCOUNT, raw, now_ms)
        (published,) = executor.operations.execute_order(record, now_ms)
        assert "hours" in why(published) or "expired" in why(published)
    assert executor.register == before


def test_that_a_key_signs_no_more_is_never_too_late() -> None:
    executor = OrderExecutor()
    executor.order(KeyRequest(**terms()))
    raw = sealed_request(KeyDeactivation(**terms(), version=1)).encode()
    at_ms = NOW_MS + 10 * LIFETIME_MS_MAX
    record = Record(Topic.KEY_REQUESTS, partition_of(ACCOUNT, 4), 7, ACCOUNT, raw, at_ms)
    assert executor.operations.execute_order(record, at_ms)[0].topic is Topic.VAULT

"""Signing stage: intents whose keys were rotated, deactivated, or cannot sign."""

from typing import Any

import pytest

from schemas.intents.outcome import AnyOutcome, IntentRejected, TransactionSigned
from schemas.intents.reasons import Reason
from schemas.registry.key_chains import KeyChain
from schemas.registry.records import AccountOpened
from signer.custody import ed25519
from signer.custody.errors import KmsUnavailableError
from signer.keys.addresses.derivation import derive
from signer.keys.authorized_use import OpenedKey
from signer.keys.descriptor import KeyDescriptor
from signer.keys.register import VaultRegister
from tests.harness.builders.cases import (
    ACCOUNT,
    KEY_PATH,
    NOW_MS,
    SECRET,
    SIGNER,
    address_of,
    agent,
    arrival,
    intent,
    key_answer,
    key_request,
    policy,
    registered,
    with_keys,
)
from tests.harness.builders.order_executor import SECOND, ended, rotated
from tests.harness.pipeline.signer_process import Crash, Died, Disk, SignerProcess

_, REGISTRY = registered(
    AccountOpened(account="ops"), agent(agent="carol", account="ops", key_paths=(KEY_PATH,))
)


def process(*answers: bytes, disk: Disk | None = None) -> SignerProcess:
    """Return a signer that knows the key of ``cases`` and what was answered since."""
    register = with_keys(REGISTRY)
    for raw in answers:
        register.load(raw, REGISTRY)
    return SignerProcess(disk or Disk(), REGISTRY, register.keys, (SECRET, SECOND))


def outcome(one: SignerProcess) -> AnyOutcome:
    return one.disk.outcomes[-1]


def test_after_a_rotation_the_new_version_signs() -> None:
    signer = process(rotated())
    signer.run([arrival(intent())], NOW_MS)
    signed = outcome(signer)
    assert isinstance(signed, TransactionSigned)
    assert (signed.sender, signed.key_version) == (address_of(SECOND), 2)


@pytest.mark.parametrize("later", [rotated(), ended()])
def test_an_outcome_pinned_before_a_key_change_is_signed_with_the_old_version(later: bytes) -> None:
    first = process()
    with pytest.raises(Died):
        first.run([arrival(intent())], NOW_MS, Crash.BEFORE_SIGNING)
    again = process(later, disk=first.disk)
    again.start(NOW_MS + 1)
    signed = outcome(again)
    assert isinstance(signed, TransactionSigned)
    assert (signed.sender, signed.key_version) == (address_of(SECRET), 1)


@pytest.mark.parametrize("history", [(ended(),), (rotated(), ended(2))])
def test_a_deactivated_key_is_refused_and_not_opened(history: tuple[bytes, ...]) -> None:
    signer = process(*history)
    signer.stage.key_use.open_key = unopened  # type: ignore[assignment]  # it never returns
    signer.run([arrival(intent())], NOW_MS)
    refused = outcome(signer)
    assert isinstance(refused, IntentRejected)
    assert refused.reason is Reason.KEY_INACTIVE
    assert KEY_PATH in refused.detail


def test_replaying_the_answer_of_a_rotated_key_does_not_reactivate_it() -> None:
    first = SIGNER.sign_event(key_answer(key_request()))
    signer = process(rotated(), first, first)
    for n in range(3):
        signer.run([arrival(intent(idempotency_key=f"{n}"))], NOW_MS)
    senders = {signed.sender for signed in signer.disk.signed()}
    assert senders == {address_of(SECOND)}


def test_another_accounts_key_is_unknown_even_if_its_path_is_granted() -> None:
    signer = process()
    carol = intent(agent="carol", account="ops")
    case = arrival(carol)
    signer.run([case], NOW_MS)
    refused = outcome(signer)
    assert isinstance(refused, IntentRejected)
    assert (refused.reason, refused.account) == (Reason.KEY_UNKNOWN, "ops")


def test_a_key_that_cannot_sign_is_refused() -> None:
    public_key = ed25519.public_key(bytearray(SECRET))
    request = key_request(chain=KeyChain.SOLANA)
    answer = key_answer(
        request,
        chain=KeyChain.SOLANA,
        public_key=f"0x{public_key.hex()}",
        address=derive(KeyChain.SOLANA, public_key),
    )
    register = VaultRegister()
    register.load(SIGNER.sign_event(answer), REGISTRY)
    signer = SignerProcess(Disk(), REGISTRY, register.keys)
    signer.stage.key_use.open_key = lambda *_: None  # type: ignore[assignment]  # it opens
    signer.run([arrival(intent())], NOW_MS)
    refused = outcome(signer)
    assert isinstance(refused, IntentRejected)
    assert refused.reason is Reason.KEY_CHAIN_WRONG
    assert signer.memory.account(ACCOUNT).nonces == {}


STRANGER = agent(agent="stranger", key_paths=())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"agent": "stranger"}, Reason.KEY_NOT_GRANTED),
        ({"expires_at_ms": NOW_MS}, Reason.EXPIRED),
        ({"value_wei": 10**30}, Reason.VALUE_TOO_HIGH),
        ({"nonce": 7}, Reason.NONCE_TOO_HIGH),
    ],
)
def test_no_key_is_opened_for_an_intent_that_is_refused(
    changes: dict[str, Any], reason: Reason
) -> None:
    _, registry = registered(STRANGER, under=policy(tx_max_value_eth="5"))
    signer = SignerProcess(Disk(), registry, with_keys(registry).keys)
    signer.stage.key_use.open_key = unopened  # type: ignore[assignment]  # it never returns
    signer.run([arrival(intent(**changes))], NOW_MS)
    refused = outcome(signer)
    assert isinstance(refused, IntentRejected)
    assert refused.reason is reason


def test_a_failing_key_is_tried_once_per_batch() -> None:
    signer, tried = process(), []
    sound = signer.stage.key_use.open_key

    def hangs(key: KeyDescriptor, *_: object) -> OpenedKey:
        tried.append(key.path)
        raise KmsUnavailableError("no answer")

    signer.stage.key_use.open_key = hangs
    signer.run([arrival(intent(idempotency_key=f"{n}")) for n in range(5)], NOW_MS)
    assert [o.reason for o in signer.disk.outcomes if isinstance(o, IntentRejected)] == [
        Reason.KEY_UNAVAILABLE
    ] * 5
    assert tried == [KEY_PATH]
    signer.stage.key_use.open_key = sound
    signer.run([arrival(intent(idempotency_key="later"))], NOW_MS)
    assert isinstance(outcome(signer), TransactionSigned)


def unopened(key: object, *_: object) -> None:
    raise AssertionError(key)

"""Start checks of the vault: exactly the committed answers are loaded, or the signer halts."""

import pytest

from schemas.keys.key_events import KeyDeactivation, KeyProvisioned, KeyRequest, KeyRotation
from schemas.registry.custody import AGENT_KEYS, TREASURY_KEYS
from schemas.registry.records import AccountOpened, SettingSet, VaultCreated
from signer.custody.sealing import Holders
from signer.keys.orders import KeyOrderError
from signer.keys.register import VaultRegister
from signer.stage.state import StateIntegrityError, StateRollbackError
from tests.harness.builders.cases import ACCOUNT, SIGNER
from tests.harness.builders.custody_providers import clouds
from tests.harness.builders.order_executor import (
    OrderExecutor,
    executed_by,
    fresh,
    load,
    registry_records,
    seen_by,
    terms,
    vault_records,
)


def test_a_vault_without_its_last_rotation_is_detected(executor: OrderExecutor) -> None:
    executor.order(KeyRequest(**terms()))
    executor.order(KeyRotation(**terms(), version=1))
    seen, whole = seen_by(executor), vault_records(executor)
    assert seen.key_count == 2
    load(fresh(executor), registry_records(executor), whole, seen)
    with pytest.raises(StateRollbackError, match="only 1 answers"):
        load(fresh(executor), registry_records(executor), whole[:1], seen)
    with pytest.raises(StateIntegrityError, match=r"vault.* agents/alice/keys/hot"):
        load(fresh(executor), registry_records(executor), whole[1:], seen)


def test_a_vault_with_an_answer_that_was_never_committed_is_detected(
    executor: OrderExecutor,
) -> None:
    """The bus kept an uncommitted answer and serves it in place of a deactivation."""
    executor.order(KeyRequest(**terms()))
    spare = KeyRequest(**terms(path="keys/spare"))
    uncommitted = executed_by(fresh(executor), executor, spare)
    executor.order(KeyDeactivation(**terms(), version=1))
    rewritten = [*vault_records(executor)[:1], uncommitted]
    with pytest.raises(StateIntegrityError, match="answers in the vault differ"):
        load(fresh(executor), registry_records(executor), rewritten, seen_by(executor))


def test_an_uncommitted_answer_to_the_same_order_is_detected(executor: OrderExecutor) -> None:
    order = KeyRequest(**terms())
    uncommitted = executed_by(fresh(executor), executor, order)
    counted = executor.order(order)
    assert KeyProvisioned.decode(counted.value).id == KeyProvisioned.decode(uncommitted.value).id
    load(fresh(executor), registry_records(executor), vault_records(executor), seen_by(executor))
    with pytest.raises(StateIntegrityError, match="answers in the vault differ"):
        load(fresh(executor), registry_records(executor), [uncommitted], seen_by(executor))


def test_answers_have_one_digest_in_whatever_order_they_came(executor: OrderExecutor) -> None:
    for n in range(3):
        executor.order(KeyRequest(**terms(path=f"keys/k{n}")))
    again = fresh(executor)
    load(again, registry_records(executor), vault_records(executor)[::-1], seen_by(executor))
    assert again.vault.digest() == executor.register.digest()
    executor.order(KeyRotation(**terms(path="keys/k0"), version=1))
    assert again.vault.digest() != executor.register.digest()


def test_a_state_from_before_answers_had_a_digest_is_taken(executor: OrderExecutor) -> None:
    executor.order(KeyRequest(**terms()))
    old = seen_by(executor).model_copy(update={"key_digest": None})
    assert b"key_digest" not in old.encode()
    load(fresh(executor), registry_records(executor), vault_records(executor), old)


@pytest.mark.parametrize(
    ("tier", "path", "vault"),
    [
        ("business", "wallets/main", TREASURY_KEYS),
        ("business", "keys/main", AGENT_KEYS),
        ("business", "agents/alice/keys/hot", AGENT_KEYS),
        (None, "wallets/main", AGENT_KEYS),
    ],
)
def test_a_key_whose_order_names_no_vault_is_in_the_usual_one_of_its_path(
    tier: str | None, path: str, vault: str
) -> None:
    tiers = (SettingSet(name="org.tier", value=tier),) if tier else ()
    with clouds() as some:
        holders = Holders(some.root, some.holders("2of3_multi_hsm").providers)
        executor = OrderExecutor(entries=(*tiers, AccountOpened(account="fund")), holders=holders)
        published = executor.order(KeyRequest(**terms(account="fund", path=path)))
        answer = KeyProvisioned.decode(published.value)
        assert (answer.vault, answer.mode) == (
            vault,
            "2of3_multi_hsm" if vault == TREASURY_KEYS else "envelope",
        )
        again = fresh(executor)
        load(again, registry_records(executor), vault_records(executor), seen_by(executor))


def test_a_wallet_from_before_its_account_had_a_treasury_stays_with_the_agents_keys() -> None:
    executor = OrderExecutor()
    old = executor.order(KeyRequest(**terms(path="wallets/old")))
    assert KeyProvisioned.decode(old.value).vault == AGENT_KEYS
    treasury = VaultCreated(account=ACCOUNT, vault=TREASURY_KEYS, mode="envelope")
    executor.registry.apply(executor.operator.write(treasury))
    new = executor.order(KeyRequest(**terms(path="wallets/new")))
    assert KeyProvisioned.decode(new.value).vault == TREASURY_KEYS
    rotated = executor.order(KeyRotation(**terms(path="wallets/old"), version=1))
    assert KeyProvisioned.decode(rotated.value).vault == AGENT_KEYS
    again = fresh(executor)
    load(again, registry_records(executor), vault_records(executor), seen_by(executor))
    assert again.vault == executor.register


def test_a_signer_that_puts_an_ordinary_key_into_the_treasury_is_refused() -> None:
    executor = OrderExecutor()
    treasury = VaultCreated(account=ACCOUNT, vault=TREASURY_KEYS, mode="envelope")
    executor.registry.apply(executor.operator.write(treasury))
    made = KeyProvisioned.decode(executor.order(KeyRequest(**terms())).value)
    moved = made.model_copy(update={"vault": TREASURY_KEYS, "signature": None})
    with pytest.raises(KeyOrderError, match="another key"):
        VaultRegister().load(SIGNER.sign_event(moved), executor.registry)

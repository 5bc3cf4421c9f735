"""Orders that a scoped admin signs are executed within its scope only, and stay valid after it."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas.dsse import KEY_REQUEST_TYPE, VAULT_ORDER_TYPE
from schemas.keys.key_events import (
    KeyDeactivation,
    KeyOrder,
    KeyProvisioned,
    KeyRequest,
    KeyRotation,
)
from schemas.keys.order import Order
from schemas.keys.provider_roots import ProviderRootOrder
from schemas.keys.recovery import RecoveryOrder
from schemas.keys.secret_access import SecretAccess
from schemas.keys.vault_events import SecretOrder, VaultKeyOrder
from schemas.record import Outgoing
from schemas.registry.access import Grant
from schemas.registry.records import AccessSet, AccountOpened, Entry
from schemas.topics import Topic
from signer.core.errors import RegistryRecordError
from signer.custody.event_signing import Ed25519Signer
from signer.keys.orders import KeyOrderError, open_order
from signer.keys.vaults.orders import open_vault_order
from tests.harness.builders.cases import ACCOUNT, ADMIN, MALLORY, NOW_MS, ORG, agent
from tests.harness.builders.custody_client import FOR_CLIENT
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
from tests.harness.builders.scoped_admins import (
    DESK,
    GATEWAY,
    NEIGHBOUR,
    by_desk,
    gateway_agent,
    organisation,
    scope,
    scoped_entries,
)
from tests.harness.builders.vault_orders import asked, put

OWN_PATH = "agents/bob/keys/hot"


def executor_with(*entries: Entry) -> OrderExecutor:
    """Return a signer in the organisation with the desk; the executor opens ``NEIGHBOUR``."""
    known = (one for one in scoped_entries() if one != AccountOpened(account=NEIGHBOUR))
    return OrderExecutor(entries=(*known, *entries))


def key_order(order: KeyOrder, by: Ed25519Signer = DESK) -> bytes:
    return by.sign_envelope(KEY_REQUEST_TYPE, order.encode()).encode()


def vault_order(order: Order, by: Ed25519Signer = DESK) -> bytes:
    return by.sign_envelope(VAULT_ORDER_TYPE, order.encode()).encode()


def about(**changes: Any) -> dict[str, Any]:
    """Return the fields of an order about a vault."""
    fields = asked(**changes)
    return {
        name: value
        for name, value in fields.items()
        if name not in ("path", "version", "kind") or name in changes
    }


def reloaded(one: OrderExecutor) -> None:
    """Load what the signer committed, as its next start does."""
    again = fresh(one)
    load(again, registry_records(one), vault_records(one), seen_by(one))
    assert again.vault == one.register


@pytest.mark.parametrize("path", [OWN_PATH, "keys/base-signer", "wallets/main/hot"])
def test_keys_in_scope_are_made_rotated_and_deactivated(path: str) -> None:
    one = executor_with()
    orders: tuple[KeyOrder, ...] = (
        KeyRequest(**terms(path=path)),
        KeyRotation(**terms(path=path), version=1),
        KeyDeactivation(**terms(path=path), version=2),
    )
    for order in orders:
        assert one.send(key_order(order)).topic is Topic.VAULT
    reloaded(one)


SHARES_IT = Grant(effect="allow", vault="*", paths="wallets/*", rights=("sign",))
KEY_ATTACKS: dict[str, tuple[str, KeyRequest]] = {
    "a key of another account": (
        "account ops is not in its scope",
        KeyRequest(**terms(account=NEIGHBOUR, path="keys/hot")),
    ),
    "a key of an agent with a key of its own": (
        "belongs to no agent",
        KeyRequest(**terms(path="agents/alice/keys/hot")),
    ),
    "a key of an agent of another gateway": (
        "belongs to no agent",
        KeyRequest(**terms(path="agents/carol/keys/hot")),
    ),
    "a key of its gateway's agent of another account": (
        "belongs to no agent",
        KeyRequest(**terms(path="agents/dave/keys/hot")),
    ),
    "a key of an agent to come": (
        "belongs to no agent",
        KeyRequest(**terms(path="agents/erin/keys/hot")),
    ),
    "a key of an agent with a longer name": (
        "belongs to no agent",
        KeyRequest(**terms(path="agents/bob2/keys/hot")),
    ),
    "a key that alice may use": ("agent alice", KeyRequest(**terms(path="keys/alices"))),
    "a key that a grant lets alice use": ("agent alice", KeyRequest(**terms(path="wallets/main"))),
}


@pytest.mark.parametrize("name", KEY_ATTACKS)
def test_a_key_outside_the_scope_is_refused(name: str) -> None:
    because, order = KEY_ATTACKS[name]
    one = executor_with(
        agent(key_paths=("keys/alices",)), AccessSet(agent="alice", grants=(SHARES_IT,))
    )
    assert because in why(one.send(key_order(order), order.account))
    assert one.send(key_order(order, ADMIN), order.account).topic is Topic.VAULT


@pytest.mark.parametrize("kind", [KeyRotation, KeyDeactivation])
def test_a_key_that_alice_uses_is_neither_rotated_nor_deactivated(
    kind: Callable[..., KeyOrder],
) -> None:
    one = executor_with(agent(key_paths=("wallets/shared",)))
    one.send(key_order(KeyRequest(**terms(path="wallets/shared")), ADMIN))
    order = kind(**terms(path="wallets/shared"), version=1)
    assert "agent alice" in why(one.send(key_order(order)))


def test_secrets_and_vault_keys_of_its_accounts_are_ordered() -> None:
    one = executor_with()
    assert one.send(put(by=DESK)).topic is Topic.VAULT
    assert SecretAccess.decode(one.records[0].value).actor == "desk"
    rotation = VaultKeyOrder(**about(change="kek", sequence=1))
    assert one.send(vault_order(rotation)).topic is Topic.VAULT
    reloaded(one)


VAULT_ATTACKS: dict[str, Order] = {
    "a secret of another account": SecretOrder(**asked(account=NEIGHBOUR)),
    "a vault key of another account": VaultKeyOrder(
        **about(account=NEIGHBOUR, change="kek", sequence=1)
    ),
    "a vault key under another root": VaultKeyOrder(**about(change="root", sequence=1)),
    "a provider's root": ProviderRootOrder(**about(), provider="gcp", sequence=1),
    "a recovery": RecoveryOrder(
        **about(path="prod/db", version=1),
        share_for=FOR_CLIENT,
        why="lost",
        expires_at_ms=NOW_MS + 1,
    ),
}


@pytest.mark.parametrize("name", VAULT_ATTACKS)
def test_a_vault_order_outside_the_scope_is_refused(name: str) -> None:
    _, registry = organisation()
    order = VAULT_ATTACKS[name]
    envelope = DESK.sign_envelope(VAULT_ORDER_TYPE, order.encode())
    with pytest.raises(KeyOrderError, match="scoped admin desk may not give the order"):
        open_vault_order(envelope, registry)
    by_admin = ADMIN.sign_envelope(VAULT_ORDER_TYPE, order.encode())
    assert open_vault_order(by_admin, registry).actor == "admin-0"


def narrowed(one: OrderExecutor, entry: Entry) -> None:
    one.registry.apply(one.operator.write(entry))


@pytest.mark.parametrize(
    "entry",
    [
        scope(active=False),
        scope(public_key=MALLORY.public_key),
        scope(accounts=(NEIGHBOUR,)),
        gateway_agent(public_key="0x" + "77" * 32, gateway=None),
    ],
)
def test_what_it_ordered_stays_valid_and_it_orders_no_more(entry: Entry) -> None:
    one = executor_with()
    made: Outgoing = one.send(key_order(KeyRequest(**terms(path=OWN_PATH))))
    assert one.send(put(by=DESK)).topic is Topic.VAULT
    narrowed(one, entry)
    again = KeyRotation(**terms(path=OWN_PATH), version=1)
    assert why(one.send(key_order(again)))
    reloaded(one)
    assert KeyProvisioned.decode(made.value).path == OWN_PATH


def test_an_order_from_before_its_revocation_is_refused_after_it() -> None:
    """An attacker who held the order back gains nothing."""
    one = executor_with()
    held_back = key_order(KeyRequest(**terms(path=OWN_PATH)))
    assert open_order(held_back, one.registry)
    narrowed(one, scope(active=False))
    assert "not signed by an admin" in why(one.send(held_back))
    assert why(one.send(put(by=DESK)))
    with pytest.raises(RegistryRecordError, match="no admin key"):
        one.registry.apply(by_desk(one.operator, gateway_agent(active=False)))


@pytest.mark.parametrize("by", [GATEWAY, MALLORY])
def test_no_other_key_orders_keys(by: Ed25519Signer) -> None:
    one = executor_with()
    assert "not signed by an admin" in why(
        one.send(key_order(KeyRequest(**terms(path=OWN_PATH)), by))
    )


def test_the_organisation_of_an_order_is_checked() -> None:
    one = executor_with()
    assert ORG != "evil"
    assert why(one.send(key_order(KeyRequest(**terms(path=OWN_PATH, org="evil")))))
    assert one.send(key_order(KeyRequest(**terms(path=OWN_PATH)))).topic is Topic.VAULT
    assert one.keys.find(ACCOUNT, OWN_PATH) is not None

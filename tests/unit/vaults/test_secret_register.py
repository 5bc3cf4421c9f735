"""Attacks on secret versions: none can be changed, skipped, re-typed, moved or rolled back."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dsse import VAULT_ORDER_TYPE
from schemas.keys.vault_events import SecretKind, SecretOrder, SecretStored, vault_answer_id
from schemas.registry.records import VaultCreated
from signer.core.registry.registry import Registry
from signer.custody.event_signing import Ed25519Signer
from signer.keys.access import Accessor, Allowed, decide
from signer.keys.orders import KeyOrderError
from signer.keys.register import VaultRegister
from signer.keys.vaults.secret_register import target_of
from tests.harness.builders.cases import (
    ACCOUNT,
    ADMIN,
    ALICE,
    MALLORY,
    NOW_MS,
    ORG,
    SIGNER,
    agent,
    registered,
)
from tests.harness.builders.secret_vaults import ALL

PLACE = (ACCOUNT, "main", "prod/db")
BOX = "0x" + "bb" * 32


def vaults() -> Registry:
    main = VaultCreated(account=ACCOUNT, vault="main", mode="envelope")
    return registered(main, VaultCreated(account=ACCOUNT, vault="spare", mode="envelope"))[1]


def stored(
    version: int = 1,
    *,
    order: dict[str, Any] | None = None,
    by: Ed25519Signer = ADMIN,
    signer: Ed25519Signer = SIGNER,
    **changes: Any,
) -> bytes:
    """Return a signer's event of a version; ``order`` changes the order and so the event."""
    terms: dict[str, Any] = {
        "account": ACCOUNT,
        "vault": "main",
        "path": "prod/db",
        "version": version,
        "kind": "password",
    }
    asked = (
        terms
        | {"org": ORG, "box": BOX, "requested_at_ms": NOW_MS, "registry_sequence": 0}
        | (order or {})
    )
    request = by.sign_envelope(VAULT_ORDER_TYPE, SecretOrder(**asked).encode())
    fields = {name: asked[name] for name in terms}
    made: dict[str, Any] = {
        "id": vault_answer_id(request.body()),
        "request": request,
        "generated": asked["box"] is None,
        "mode": "envelope",
        "wrapped_kek": "0x01",
        "wrapped_dek": f"0x{version:02x}",
        "ciphertext": f"0xcc{version:02x}",
        "stored_at_ms": NOW_MS,
        "signer": SIGNER.keyid,
    }
    return signer.sign_event(SecretStored(**(fields | made | changes)))


def refuses(register: VaultRegister, raw: bytes, because: str) -> None:
    before = copy.deepcopy(register)
    with pytest.raises(KeyOrderError, match=because):
        register.load(raw, vaults())
    assert register == before


def holding(*events: bytes) -> VaultRegister:
    register = VaultRegister()
    for raw in events:
        register.load(raw, vaults())
    return register


def test_versions_follow_one_another_and_stay() -> None:
    register = holding(stored(1), stored(2), stored(3))
    assert [version.ciphertext for version in register.secrets.history(PLACE)] == [
        "0xcc01",
        "0xcc02",
        "0xcc03",
    ]


@given(st.lists(st.integers(1, 5), max_size=12))
def test_whatever_is_replayed_in_whatever_order_leaves_the_longest_run_from_the_first(
    versions: list[int],
) -> None:
    register, length, registry = VaultRegister(), 0, vaults()
    for version in versions:
        if version <= length + 1:
            register.load(stored(version), registry)
            length = max(length, version)
        else:
            with pytest.raises(KeyOrderError):
                register.load(stored(version), registry)
    expected = [SecretStored.decode(stored(number + 1)) for number in range(length)]
    assert list(register.secrets.history(PLACE)) == expected


def test_another_value_for_a_version_that_is_there_is_refused() -> None:
    refuses(holding(stored(1)), stored(1, ciphertext="0xdead"), r"version 1 of prod/db .*\b[12]$")
    refuses(
        holding(stored(1), stored(2)),
        stored(1, ciphertext="0xdead"),
        r"version 1 of prod/db .*\b[12]$",
    )


@pytest.mark.parametrize("kind", ["note", "file", "api_key"])
def test_a_private_key_that_is_renamed_to_something_readable_is_refused(kind: SecretKind) -> None:
    register = holding(stored(order={"kind": "private_key"}))
    refuses(register, stored(2, order={"kind": kind}), "prod/db .*private_key")
    refuses(holding(), stored(order={"kind": "private_key"}, kind=kind), "not match its order")


def test_a_generated_key_that_is_passed_off_as_a_users_is_refused() -> None:
    generated: dict[str, Any] = {"kind": "ssh_key", "box": None}
    refuses(holding(), stored(order=generated, generated=False), "not match its order")
    (kept,) = holding(stored(order=generated)).secrets.history(PLACE)
    off = Accessor(agent(intents_api_enabled=False), (ALL,))
    target = target_of(kept, vaults().vaults[ACCOUNT, "main"], signs=False)
    assert not isinstance(decide(off, target, "get", NOW_MS), Allowed)


@pytest.mark.parametrize(
    "change",
    [{"vault": "spare"}, {"path": "prod/other"}, {"version": 2}, {"account": "ops"}],
)
def test_a_version_that_is_moved_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(KeyOrderError):
        holding().load(stored(**change), vaults())


@pytest.mark.parametrize("vault", ["__agent-keys", "__treasury-keys", "unknown"])
def test_no_secret_goes_into_an_unknown_vault_or_a_vault_for_keys(vault: str) -> None:
    refuses(holding(), stored(order={"vault": vault}), "treasury .* vault ")


@pytest.mark.parametrize("mode", ["2of3_multi_hsm", "2of2_client_custody"])
def test_a_version_of_another_mode_than_its_vaults_is_refused(mode: Any) -> None:
    refuses(holding(), stored(mode=mode), "mode envelope")
    refuses(holding(), stored(client_share="0x01"), "mode envelope")


@pytest.mark.parametrize("by", [MALLORY, ALICE])
def test_an_order_or_event_with_an_unauthorised_signature_is_refused(by: Ed25519Signer) -> None:
    refuses(holding(), stored(by=by), "admin key")
    refuses(holding(), stored(signer=by), "signed by any key")


def test_the_register_accepts_an_agents_order_without_checking_grants() -> None:
    assert holding(stored(by=ALICE, order={"agent": "alice"})).secrets.history(PLACE)


def test_an_order_of_another_organisation_is_refused() -> None:
    refuses(holding(), stored(order={"org": "other"}), "not match its order")


def test_an_order_serves_once() -> None:
    refuses(holding(), stored(id=BOX), r"\bid\b")

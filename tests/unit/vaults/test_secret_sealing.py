"""Secrets in every mode: sealed by real holders, opened by the required parts, and moved."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from schemas.dsse import VAULT_ORDER_TYPE
from schemas.keys.vault_events import Rewrap, VaultKeyOrder
from schemas.registry.custody import CustodyMode
from schemas.registry.records import VaultCreated
from signer.custody.errors import ClientShareMissingError, CustodyError
from signer.custody.sealing import Holders
from signer.keys.orders import KeyOrderError
from signer.keys.vaults.rewraps import apply_rewrap, verify_rewrap
from signer.keys.vaults.rotation import Rotation
from signer.keys.vaults.secret_register import SecretRegister
from signer.keys.vaults.secret_sealing import SecretSealing
from tests.harness.builders.cases import ACCOUNT, ADMIN, NOW_MS, ORG, SIGNER, registered
from tests.harness.builders.custody_material import Stream
from tests.harness.builders.custody_providers import MODES, WITH_CLIENT, clouds
from tests.harness.builders.secret_vaults import VALUE, order, put, received


@contextmanager
def keeping(mode: CustodyMode) -> Iterator[SecretSealing]:
    _, registry = registered(VaultCreated(account=ACCOUNT, vault="main", mode=mode))
    with clouds() as some:
        holders = Holders(some.root, some.holders("2of3_multi_hsm").providers)
        yield SecretSealing(registry, SecretRegister(), holders, Stream(mode))


@pytest.mark.parametrize("mode", MODES)
def test_every_version_is_read_in_every_mode(mode: CustodyMode) -> None:
    with keeping(mode) as keeper:
        made = [put(keeper, order(mode, n), VALUE + bytes((n,))) for n in (1, 2, 3)]
        for number, stored in enumerate(made, 1):
            assert keeper.open(stored, received(stored)).secret == VALUE + bytes((number,))


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_a_secret_of_a_client_stays_shut_without_it_and_with_another_versions_share(
    mode: CustodyMode,
) -> None:
    with keeping(mode) as keeper:
        first, second = put(keeper, order(mode, 1)), put(keeper, order(mode, 2))
        with pytest.raises(ClientShareMissingError):
            keeper.open(first)
        with pytest.raises(CustodyError, match="prod/db, version 1"):
            keeper.open(first, received(second))


@pytest.mark.parametrize("mode", MODES)
def test_an_order_that_is_not_for_the_next_version_stores_nothing(mode: CustodyMode) -> None:
    with keeping(mode) as keeper:
        put(keeper, order(mode))
        for wrong in (order(mode, 1), order(mode, 3), order(mode, 2, kind="note")):
            with pytest.raises(KeyOrderError):
                keeper.seal(wrong, VALUE, SIGNER.keyid, NOW_MS)


@pytest.mark.parametrize("vault", ["__agent-keys", "unknown"])
def test_no_secret_is_sealed_into_an_unknown_vault_or_a_vault_for_keys(vault: str) -> None:
    with keeping("envelope") as keeper, pytest.raises(KeyOrderError, match=vault):
        keeper.seal(order("envelope", vault=vault), VALUE, SIGNER.keyid, NOW_MS)


def test_ciphertexts_swapped_between_paths_open_nothing() -> None:
    with keeping("envelope") as keeper:
        one = put(keeper, order("envelope"))
        other = put(keeper, order("envelope", path="prod/other"))
        versions = keeper.secrets.wrappings.versions
        here, there = versions
        versions[here], versions[there] = versions[there], versions[here]
        for stored in (one, other):
            with pytest.raises(CustodyError):
                keeper.open(stored)


def rewrap(keeper: SecretSealing, event: Rewrap) -> None:
    signed = type(event).decode(SIGNER.sign_event(event))
    vault = verify_rewrap(signed, keeper.registry)
    apply_rewrap(keeper.secrets.wrappings, vault, signed)


@pytest.mark.parametrize("mode", ["envelope", "2of2_client_custody"])
def test_a_new_kek_leaves_every_secret_readable_at_every_step(mode: CustodyMode) -> None:
    with keeping(mode) as keeper:
        made = [put(keeper, order(mode, path=f"prod/{n}")) for n in range(3)]
        vault, root = keeper.registry.vaults[ACCOUNT, "main"], keeper.holders.root
        rotation = Rotation(ORG, vault, keeper.secrets.wrappings, SIGNER.keyid, NOW_MS)
        asked = VaultKeyOrder(
            org=ORG,
            account=ACCOUNT,
            vault="main",
            change="kek",
            sequence=1,
            requested_at_ms=NOW_MS,
            registry_sequence=0,
        )
        request = ADMIN.sign_envelope(VAULT_ORDER_TYPE, asked.encode())
        changed = rotation.change_key(request, root, root, Stream("new KEK"))
        rewrap(keeper, changed)
        steps = list(rotation.rewrap_outdated(root, Stream("rewrap")))
        assert len(steps) == len(made)
        for step in (None, *steps):
            if step is not None:
                rewrap(keeper, step)
            assert all(keeper.open(each, received(each)).secret == VALUE for each in made)

"""Wrappings are forward-only: no event brings back an old, foreign or weaker key."""

import copy
from itertools import permutations
from typing import Any, get_args

import pytest

from schemas.keys.key_events import KeyProvisioned
from schemas.keys.vault_events import SecretRewrapped, VaultKeyChanged
from schemas.registry.custody import AGENT_KEYS, CustodyMode
from signer.core.registry.registry import Registry
from signer.custody.envelope import SealedSecret
from signer.keys.orders import KeyOrderError
from signer.keys.register import VaultRegister
from signer.keys.vault_paths import VersionId
from tests.harness.builders.cases import (
    ADMIN,
    ALICE,
    KEY_PATH,
    MALLORY,
    SIGNER,
    key_answer,
    key_request,
    with_keys,
)
from tests.harness.builders.cases import registered as usually_registered
from tests.harness.builders.vault_events import (
    FUND,
    answered,
    changed,
    ordered,
    registered,
    rewrapped,
    wrapped_in,
)

MODES: tuple[CustodyMode, ...] = get_args(CustodyMode)
HERE = VersionId(FUND, AGENT_KEYS, KEY_PATH, 1)
OLD_ANSWER = (
    b'"mode":"envelope"', b'"wrapped_kek":"0x01"', b'"wrapped_dek":"0x02"',
)  # fmt: skip


def keys_in(mode: CustodyMode) -> tuple[VaultRegister, Registry]:
    registry, register = registered(mode), VaultRegister()
    register.load(SIGNER.sign_event(answered(mode)), registry)
    return register, registry


def refuses(register: VaultRegister, raw: bytes, registry: Registry, because: str) -> None:
    before = copy.deepcopy(register)
    with pytest.raises(KeyOrderError, match=because):
        register.load(raw, registry)
    assert register == before


def now(register: VaultRegister) -> SealedSecret:
    sealed = register.wrappings.sealed(HERE)
    assert sealed is not None
    return sealed


def test_an_answer_from_before_there_were_modes_is_read_as_it_was_written() -> None:
    raw = SIGNER.sign_event(key_answer(key_request()))
    assert all(part in raw for part in OLD_ANSWER)
    assert b"wrapped_shares" not in raw
    assert b"client_share" not in raw
    assert KeyProvisioned.decode(raw).encode() == raw
    assert (
        with_keys(usually_registered()[1]).wrappings.wrapped_kek(("treasury", AGENT_KEYS))
        == b"\x01"
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_key_is_taken_in_the_mode_of_its_vault(mode: CustodyMode) -> None:
    register, _ = keys_in(mode)
    providers = [share.provider for share in now(register).wrapped_shares]
    assert providers == [share["provider"] for share in wrapped_in(mode).get("wrapped_shares", ())]


@pytest.mark.parametrize(("mode", "stored"), list(permutations(MODES, 2)))
def test_a_downgraded_mode_in_the_stored_event_is_refused(
    mode: CustodyMode, stored: CustodyMode
) -> None:
    forged = SIGNER.sign_event(answered(stored))
    refuses(VaultRegister(), forged, registered(mode), rf"\b{stored}\b.* {mode}$")
    disguised = SIGNER.sign_event(answered(stored).model_copy(update={"mode": mode}))
    with pytest.raises(KeyOrderError):
        VaultRegister().load(disguised, registered(mode))


@pytest.mark.parametrize(
    "shares",
    [
        ("aws", "gcp", "azure"),
        ("gcp", "aws"),
        ("gcp", "aws", "mine"),
        ("gcp", "gcp", "gcp"),
    ],
)
def test_shares_of_other_providers_than_the_vault_names_are_refused(
    shares: tuple[str, ...],
) -> None:
    wrapped = tuple({"provider": name, "blob": "0x01"} for name in shares)
    forged = SIGNER.sign_event(answered("2of3_multi_hsm", wrapped_shares=wrapped))
    refuses(VaultRegister(), forged, registered("2of3_multi_hsm"), "2of3_multi_hsm")


@pytest.mark.parametrize("mode", MODES)
def test_a_clients_share_that_the_mode_lacks_or_wants_is_refused(mode: CustodyMode) -> None:
    share = None if answered(mode).client_share else "0x0c"
    forged = SIGNER.sign_event(answered(mode, client_share=share))
    refuses(VaultRegister(), forged, registered(mode), f"client share.*{mode}")


@pytest.mark.parametrize("vault", ["main", "__treasury-keys", "other"])
def test_a_key_in_another_vault_than_was_ordered_is_refused(vault: str) -> None:
    forged = SIGNER.sign_event(answered("envelope", vault=vault))
    refuses(VaultRegister(), forged, registered("envelope"), "another key")


def test_a_new_kek_rewraps_every_version_and_decrypts_none() -> None:
    register, registry = keys_in("envelope")
    register.load(changed(), registry)
    assert register.wrappings.wrapped_kek((FUND, AGENT_KEYS)) == b"\x02"
    assert now(register) == SealedSecret(b"\x01", b"\x01", b"\x03")
    assert list(register.wrappings.outdated((FUND, AGENT_KEYS))) == [HERE]
    register.load(rewrapped(), registry)
    assert now(register) == SealedSecret(b"\x02", b"\x03", b"\x03")
    assert not list(register.wrappings.outdated((FUND, AGENT_KEYS)))


def test_an_interrupted_kek_rotation_can_be_read_and_continues() -> None:
    register, registry = keys_in("envelope")
    register.load(changed(), registry)
    again = VaultRegister()
    for raw in (SIGNER.sign_event(answered("envelope")), changed()):
        again.load(raw, registry)
    assert again == register
    again.load(rewrapped(), registry)
    assert not list(again.wrappings.outdated((FUND, AGENT_KEYS)))


def test_a_new_root_re_wraps_the_kek_and_leaves_all_versions_alone() -> None:
    register, registry = keys_in("envelope")
    register.load(changed("root", wrapped_kek="0x09"), registry)
    assert now(register) == SealedSecret(b"\x09", b"\x01", b"\x03")
    assert not list(register.wrappings.outdated((FUND, AGENT_KEYS)))


def test_a_new_root_between_two_keks_is_refused() -> None:
    register, registry = keys_in("envelope")
    register.load(changed(), registry)
    refuses(register, changed("root", 2, "0x09"), registry, "finish .*rotation")


@pytest.mark.parametrize("kind", ["kek", "root"])
def test_rolling_a_vault_back_to_a_key_that_it_had_is_refused(kind: Any) -> None:
    register, registry = keys_in("envelope")
    register.load(changed(), registry)
    register.load(rewrapped(), registry)
    for former in ("0x01", "0x02"):
        refuses(register, changed(kind, 2, former), registry, "had this key before")


def test_replaying_old_vault_events_changes_nothing() -> None:
    register, registry = keys_in("envelope")
    history = [
        SIGNER.sign_event(answered("envelope")),
        changed(),
        rewrapped(),
        changed("kek", 2, "0x04"),
        rewrapped(2, wrapped_kek="0x04", wrapped_dek="0x05"),
    ]
    for raw in history[1:]:
        register.load(raw, registry)
    before = copy.deepcopy(register)
    for raw in history:
        register.load(raw, registry)
    assert register == before


def test_a_second_event_of_a_number_that_was_taken_is_refused() -> None:
    register, registry = keys_in("envelope")
    register.load(changed(), registry)
    register.load(rewrapped(), registry)
    refuses(register, changed(wrapped_kek="0x08"), registry, "does not follow")
    refuses(register, rewrapped(wrapped_dek="0x08"), registry, "does not follow")
    refuses(register, rewrapped(3, wrapped_dek="0x08"), registry, "does not follow")


def test_putting_a_version_back_under_the_kek_that_was_replaced_is_refused() -> None:
    register, registry = keys_in("envelope")
    register.load(changed(), registry)
    refuses(register, rewrapped(wrapped_kek="0x01", wrapped_dek="0x07"), registry, "former key")


def test_an_unknown_version_is_not_rewrapped() -> None:
    register, registry = keys_in("envelope")
    register.load(changed(), registry)
    refuses(register, rewrapped(version=2), registry, "event's id")
    other = rewrapped(path="keys/other")
    refuses(register, other, registry, "event's id")


@pytest.mark.parametrize("by", [MALLORY, ALICE, ADMIN])
def test_a_re_wrapping_that_no_signer_signed_is_refused(by: Any) -> None:
    register, registry = keys_in("envelope")
    refuses(
        register, by.sign_event(VaultKeyChanged.decode(changed())), registry, "signed by any key"
    )
    refuses(
        register, by.sign_event(SecretRewrapped.decode(rewrapped())), registry, "signed by any key"
    )


@pytest.mark.parametrize(
    ("request_envelope", "because"),
    [
        (ordered(by=MALLORY), "admin key"),
        (ordered(change="root"), "another key"),
        (ordered(sequence=2), "another key"),
        (ordered(vault="main"), "another key"),
        (ordered(account="treasury"), "another key"),
        (ordered(org="other"), "another key"),
        (ordered(requested_at_ms=1), r"\bid\b"),
    ],
)
def test_a_new_kek_that_no_admin_ordered_so_is_refused(request_envelope: Any, because: str) -> None:
    register, registry = keys_in("envelope")
    refuses(register, changed(request=request_envelope), registry, because)


@pytest.mark.parametrize("mode", ["2of3_multi_hsm", "2of3_multi_hsm_client"])
def test_a_providers_new_root_re_wraps_its_share_alone(mode: CustodyMode) -> None:
    register, registry = keys_in(mode)
    shares = wrapped_in(mode)["wrapped_shares"]
    anew = ({"provider": "gcp", "blob": "0x09"}, *shares[1:])
    event = rewrapped(wrapped_kek=None, wrapped_dek=None, wrapped_shares=anew)
    register.load(event, registry)
    assert [share.blob for share in now(register).wrapped_shares] == [b"\x09", b"\x01", b"\x01"]
    refuses(register, changed(), registry, "no key that could change")


@pytest.mark.parametrize("mode", ["2of3_multi_hsm", "2of3_client_custody"])
def test_a_vault_of_providers_gets_no_kek_by_re_wrapping(mode: CustodyMode) -> None:
    register, registry = keys_in(mode)
    refuses(register, rewrapped(), registry, f"mode {mode}")

"""Key bytes never appear in output, logs, copies or dumps."""

import base64
import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from schemas.keys.curves import Curve
from signer.custody import aead
from signer.custody.curves import new_secp256k1_secret
from signer.custody.envelope import SealedSecret, new_vault_key, open_secret, seal_secret
from signer.custody.errors import CustodyError, KmsUnavailableError
from signer.custody.event_signing import Ed25519Signer
from signer.custody.handle import AddressHandle, KeyHandle
from signer.custody.identity import Identity
from signer.custody.keyring import Keyring, KeyringLimits
from signer.custody.kms.journal import KmsJournal
from signer.custody.sealing import Holders
from signer.keys.custody_records import CustodyRecords
from signer.stage.state import StateMac
from sixgate.services.slot import SignerKeys
from tests.harness.builders.custody_material import (
    HERE,
    OTHER_ROOT,
    ROOT,
    SECRET,
    FailingKms,
    LyingKms,
    Stream,
    root_kms,
)
from tests.harness.builders.secrecy import printed, rendered, shows

LIMITS = KeyringLimits(handles_max=2, idle_ms_max=100, age_ms_max=100, uses_max=100)


@dataclass(frozen=True)
class Vault:
    """A sealed secret, and the secret values of all its layers."""

    sealed: SealedSecret
    kek: bytes
    dek: bytes


@pytest.fixture
def vault() -> Vault:
    random_bytes = Stream("secrecy")
    wrapped_kek = new_vault_key(root_kms(), HERE.vault_context, random_bytes)
    sealed = seal_secret(root_kms(), wrapped_kek, HERE, SECRET, random_bytes)
    kek, dek = (draw for draw in random_bytes.drawn if len(draw) == aead.KEY_BYTES)
    return Vault(sealed, kek, dek)


def test_the_search_of_these_tests_finds_a_secret_in_every_spelling() -> None:
    leaks = [
        repr(SECRET), repr(bytearray(SECRET)), SECRET.hex(), repr(list(SECRET)),
        base64.b64encode(SECRET).decode(), str(int.from_bytes(SECRET, "big")),
    ]  # fmt: skip
    assert all(shows(leak, SECRET) for leak in leaks)


def things(vault: Vault) -> list[tuple[str, object]]:
    handle = KeyHandle(open_secret(root_kms(), HERE, vault.sealed))
    closed = KeyHandle(bytearray(SECRET))
    closed.close()
    ring: Keyring[str] = Keyring(lambda _name: KeyHandle(bytearray(SECRET)), lambda: 0, LIMITS)
    return [
        ("handle", handle),
        ("closed handle", closed),
        ("kms", root_kms()),
        ("ring", ring),
        ("key of a ring", ring.key("a")),
        ("entries of a ring", list(ring._entries.values())),  # noqa: SLF001 - an attacker's look
        ("handle of an address", AddressHandle(Curve.ED25519, bytearray(SECRET))),
        *((type(keeper).__name__, keeper) for keeper in keepers()),
        ("sealed", vault.sealed),
        ("context", HERE),
    ]


def test_nothing_that_holds_a_key_prints_it(vault: Vault) -> None:
    for name, thing in things(vault):
        assert shows(printed(thing), SECRET, ROOT, vault.kek, vault.dek) == [], name


def test_a_sealed_secret_prints_no_blob_although_they_are_ciphertext(vault: Vault) -> None:
    assert repr(vault.sealed) == "SealedSecret()"


def test_a_handle_has_no_public_way_to_its_key() -> None:
    handle = KeyHandle(bytearray(SECRET))
    public = [name for name in dir(handle) if not name.startswith("_")]
    assert public == ["close", "public_key", "sign"]
    assert not hasattr(handle, "__dict__")
    conversions: list[Callable[[Any], object]] = [bytes, bytearray, memoryview, int, list]
    for convert in conversions:
        with pytest.raises(TypeError):
            convert(handle)


JOURNAL = KmsJournal(lambda: 0)


def keepers() -> tuple[object, ...]:
    """Everything of the signer's that holds a secret for longer than a call."""
    state_mac = StateMac(SECRET)
    identity, records = Ed25519Signer("signer-0", SECRET), CustodyRecords("signer-0", "", JOURNAL)
    held = SignerKeys(identity, SECRET, Holders(root_kms()), records)
    return KeyHandle(bytearray(SECRET)), root_kms(), Identity(identity, SECRET), state_mac, held


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_that_holds_a_key_is_pickled(protocol: int) -> None:
    for keeper in keepers():
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            pickle.dumps(keeper, protocol)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_nothing_that_holds_a_key_is_copied(duplicate: Callable[[Any], Any]) -> None:
    for keeper in keepers():
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            duplicate(keeper)


def failures(vault: Vault) -> dict[str, Callable[[], object]]:
    """Every way to fail that has key material on the stack, as a caller would meet it."""
    sealed = vault.sealed
    down = KmsUnavailableError("The KMS does not answer; try again.")
    flipped = bytes((sealed.ciphertext[-1] ^ 1,))
    lying = LyingKms(root_kms(), lambda key: bytearray(key[::-1]))
    short = LyingKms(root_kms(), lambda key: key[:31])

    def with_kms(kms: Any) -> Callable[[], object]:
        return lambda: open_secret(kms, HERE, sealed)

    return {
        "a secret changed": lambda: open_secret(
            root_kms(), HERE, replace(sealed, ciphertext=sealed.ciphertext[:-1] + flipped)
        ),
        "a data key changed": lambda: open_secret(
            root_kms(), HERE, replace(sealed, wrapped_dek=sealed.wrapped_dek[:-1] + flipped)
        ),
        "a vault key changed": lambda: open_secret(
            root_kms(), HERE, replace(sealed, wrapped_kek=sealed.wrapped_kek[:-1] + flipped)
        ),
        "another root": with_kms(root_kms(OTHER_ROOT)),
        "a KMS down on open": with_kms(FailingKms(root_kms(), down, 1)),
        "a KMS down on wrap": lambda: new_vault_key(
            FailingKms(root_kms(), down, 1), HERE.vault_context, Stream("secrecy")
        ),
        "a KMS down on the proof": lambda: new_vault_key(
            FailingKms(root_kms(), down, 2), HERE.vault_context, Stream("secrecy")
        ),
        "a KMS that lies on open": with_kms(lying),
        "a KMS that lies on the proof": lambda: new_vault_key(
            lying, HERE.vault_context, Stream("secrecy")
        ),
        "a KMS that cuts keys": with_kms(short),
        "a secret that is no key": lambda: KeyHandle(bytearray(SECRET + b"\x00")),
        "a digest that is none": lambda: KeyHandle(bytearray(SECRET)).sign(b""),
        "an address whose key is none": lambda: AddressHandle(
            Curve.ED25519, bytearray(SECRET + b"\x00")
        ),
        "a source that is dry": lambda: new_secp256k1_secret(lambda _size: SECRET[:-1]),
    }


FAILURES = (
    "a secret changed", "a data key changed", "a vault key changed", "another root",
    "a KMS down on open", "a KMS down on wrap", "a KMS down on the proof",
    "a KMS that lies on open", "a KMS that lies on the proof", "a KMS that cuts keys",
    "a secret that is no key", "a digest that is none", "an address whose key is none",
    "a source that is dry",
)  # fmt: skip


@pytest.mark.parametrize("case", FAILURES)
def test_no_failure_shows_a_key_even_with_every_local_variable_printed(
    vault: Vault, case: str
) -> None:
    with pytest.raises((CustodyError, ValueError)) as caught:
        failures(vault)[case]()
    assert shows(rendered(caught.value), SECRET, ROOT, vault.kek, vault.dek) == []


def test_every_failure_is_tried(vault: Vault) -> None:
    assert tuple(failures(vault)) == FAILURES

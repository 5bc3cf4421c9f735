"""Rotation of a customer key, against a vault that keeps every version."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from signer.custody.cmek import CmekContext, layer_of, require_layer
from signer.custody.errors import CmekRefusedError, CorruptError
from sixgate.authoring.customer_key import CustomerKey, rekeyed
from sixgate.authoring.customer_rotation import BATCH_MAX, CustomerRotation, VersionId
from sixgate.authoring.vault_orders import NewSecret, VaultId
from tests.harness.builders.custody_material import Stream

OLD = CustomerKey(hashlib.sha256(b"old").digest())
NEW = CustomerKey(hashlib.sha256(b"new").digest())
STRANGE = CustomerKey(hashlib.sha256(b"strange").digest())
MAIN = VaultId("treasury", "main")
MANY = 2 * BATCH_MAX + 50


class KilledError(Exception):
    """The rotating process dies at this point."""


def place(path: str, version: int) -> CmekContext:
    return CmekContext(org="acme", **MAIN._asdict(), path=path, version=version)


def plain(path: str) -> bytes:
    return f"value of {path}".encode()


@dataclass
class Vault:
    """Accepts the next version of a secret only under the new key, as the signer does."""

    values: dict[VersionId, bytes] = field(default_factory=dict)
    reads: list[VersionId] = field(default_factory=list)
    stores_left: int = 1_000_000

    @classmethod
    def filled(cls, count: int, key: CustomerKey = OLD) -> "Vault":
        names = [(f"secrets/{number:04}", 1) for number in range(count)]
        return cls({one: key.seal(place(*one), plain(one[0]), Stream("cmek")) for one in names})

    def read(self, path: str, version: int) -> bytes:
        self.reads.append((path, version))
        return self.values[path, version]

    def store(self, new: NewSecret) -> dict[str, Any]:
        if not self.stores_left:
            raise KilledError
        self.stores_left -= 1
        assert new.value is not None
        assert new.version == max(v for path, v in self.values if path == new.path) + 1
        require_layer(new.value, NEW.fingerprint)
        self.values[new.path, new.version] = bytes(new.value)
        return {"path": new.path}

    def secrets(self) -> list[dict[str, Any]]:
        return [{"path": path, "version": v, "kind": "note"} for path, v in sorted(self.values)]

    def newest(self) -> dict[str, int]:
        return dict(sorted(self.values))

    def readable(self) -> bool:
        """Return whether every version opens under the key that its layer names."""
        keys = {key.fingerprint: key for key in (OLD, NEW)}
        return all(
            keys[str(layer_of(value))].open(place(*name), value) == plain(name[0])
            for name, value in self.values.items()
        )


def rotation(vault: Vault, old: CustomerKey = OLD) -> CustomerRotation:
    return CustomerRotation("acme", MAIN, old, NEW, vault.read, vault.store, Stream("rotation"))


def rotate(vault: Vault, old: CustomerKey = OLD) -> int:
    return len(list(rotation(vault, old).move(vault.secrets())))


def test_all_secrets_are_rotated_in_batches_of_100_and_stay_readable() -> None:
    vault, most_ahead = Vault.filled(MANY), 0
    for done, _ in enumerate(rotation(vault).move(vault.secrets()), 1):
        most_ahead = max(most_ahead, len(vault.reads) - done)
        if done % BATCH_MAX in (0, 1):
            assert vault.readable()
    assert most_ahead < BATCH_MAX == 100
    assert len(vault.values) == 2 * MANY
    assert set(vault.newest().values()) == {2}
    assert {layer_of(vault.values[each]) for each in vault.newest().items()} == {NEW.fingerprint}
    assert vault.readable()


@pytest.mark.parametrize("written", [0, 1, 37, 100])
def test_a_rotation_killed_in_its_third_batch_continues_from_stored_values(
    written: int,
) -> None:
    vault = Vault.filled(4 * BATCH_MAX)
    vault.stores_left = 2 * BATCH_MAX + written
    with pytest.raises(KilledError):
        rotate(vault)
    assert vault.readable()
    vault.stores_left = 1_000_000
    assert rotate(vault) == 2 * BATCH_MAX - written
    assert set(vault.newest().values()) == {2}
    assert vault.readable()
    assert rotate(vault) == 0


def test_only_the_newest_version_of_a_secret_is_rotated() -> None:
    vault = Vault.filled(1)
    path = "secrets/0000"
    vault.values[path, 2] = OLD.seal(place(path, 2), plain(path), Stream())
    assert rotate(vault) == 1
    assert [layer_of(value) for value in vault.values.values()] == [
        OLD.fingerprint, OLD.fingerprint, NEW.fingerprint,
    ]  # fmt: skip


def test_a_value_under_neither_key_is_named_and_its_batch_is_not_stored() -> None:
    vault = Vault.filled(3)
    vault.values["secrets/strange", 1] = STRANGE.seal(place("secrets/strange", 1), b"x", Stream())
    before = dict(vault.values)
    with pytest.raises(CmekRefusedError, match="secrets/strange, version 1"):
        rotate(vault)
    assert vault.values == before


def test_a_value_under_another_enrolled_key_is_skipped_and_reported() -> None:
    vault = Vault.filled(3)
    left = "secrets/strange"
    vault.values[left, 1] = STRANGE.seal(place(left, 1), plain(left), Stream())
    second = replace(rotation(vault), others=frozenset((STRANGE.fingerprint,)))
    assert len(list(second.move(vault.secrets()))) == 3
    assert second.left == [left]
    after = replace(rotation(vault, STRANGE), others=frozenset((OLD.fingerprint,)))
    assert len(list(after.move(vault.secrets()))) == 1
    assert (after.left, layer_of(vault.values[left, 2])) == ([], NEW.fingerprint)


def test_a_modified_value_is_refused_and_its_batch_is_not_stored() -> None:
    vault = Vault.filled(2)
    changed = bytearray(vault.values["secrets/0001", 1])
    changed[-1] ^= 1
    vault.values["secrets/0001", 1] = bytes(changed)
    before = dict(vault.values)
    with pytest.raises(CorruptError):
        rotate(vault)
    assert vault.values == before
    with pytest.raises(CorruptError):
        rekeyed(STRANGE, NEW, place("a", 1), OLD.seal(place("a", 1), b"x", Stream()), Stream())

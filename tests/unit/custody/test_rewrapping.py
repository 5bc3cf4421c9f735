"""Rotations of wrapping keys: nothing is decrypted, and an interruption loses nothing."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import pytest

from schemas.registry.custody import CustodyMode
from signer.custody.context import SecretContext
from signer.custody.envelope import SealedSecret, new_vault_key
from signer.custody.errors import CorruptError, KmsKeyNotFoundError, KmsUnavailableError
from signer.custody.opening import open_sealed
from signer.custody.rewrapping import Entry, rewrap_deks, rewrap_vault_key
from signer.custody.sealing import Holders, Sealing, seal
from tests.harness.builders.custody_material import (
    OTHER_ROOT,
    SECRET,
    FailingKms,
    LyingKms,
    Stream,
    root_kms,
)
from tests.harness.builders.custody_providers import PROVIDED, in_mode, sealed_in

KEPT: tuple[CustodyMode, ...] = ("envelope", "2of2_client_custody")
COUNT = 5


class Vault:
    """A vault with a few secrets under one KEK, and the shares that its client keeps."""

    def __init__(self, mode: CustodyMode) -> None:
        self.context = in_mode(mode).vault_context
        self.random_bytes = Stream(f"vault {mode}")
        self.holders = Holders(root_kms())
        self.old = new_vault_key(root_kms(), self.context, self.random_bytes)
        self.new = new_vault_key(root_kms(), self.context, self.random_bytes)
        self.contexts = [
            in_mode(mode).model_copy(update={"path": f"keys/{n}"}) for n in range(COUNT)
        ]
        self.sealings: list[Sealing] = [
            seal(self.holders, self.old, context, SECRET + bytes((n,)), self.random_bytes)
            for n, context in enumerate(self.contexts)
        ]

    @property
    def entries(self) -> list[Entry]:
        return [(c, s.sealed) for c, s in zip(self.contexts, self.sealings, strict=True)]

    def rotate(self, entries: list[Entry] | None = None) -> Iterator[Entry]:
        return rewrap_deks(
            root_kms(), self.context, self.new, entries or self.entries, self.random_bytes
        )

    def put(self, context: SecretContext, sealed: SealedSecret) -> None:
        at = self.contexts.index(context)
        self.sealings[at] = replace(self.sealings[at], sealed=sealed)

    def readable(self) -> bool:
        opened = [
            open_sealed(self.holders, context, each.sealed, each.client_share).secret
            for context, each in zip(self.contexts, self.sealings, strict=True)
        ]
        return opened == [SECRET + bytes((n,)) for n in range(COUNT)]


@pytest.mark.parametrize("mode", KEPT)
def test_a_vault_key_is_rotated_and_every_secret_still_opens(mode: CustodyMode) -> None:
    vault = Vault(mode)
    before = vault.entries
    for context, sealed in vault.rotate():
        vault.put(context, sealed)
    assert vault.readable()
    assert {sealed.wrapped_kek for _, sealed in vault.entries} == {vault.new}
    for (_, old), (_, new) in zip(before, vault.entries, strict=True):
        assert old.ciphertext == new.ciphertext
        assert old.wrapped_dek != new.wrapped_dek


@pytest.mark.parametrize("mode", KEPT)
@pytest.mark.parametrize("done", range(COUNT + 1))
def test_an_interrupted_rotation_leaves_everything_readable_and_continues(
    mode: CustodyMode, done: int
) -> None:
    vault = Vault(mode)
    for context, sealed in islice(vault.rotate(), done):
        vault.put(context, sealed)
    assert vault.readable()
    rest = list(vault.rotate())
    assert len(rest) == COUNT - done
    for context, sealed in rest:
        vault.put(context, sealed)
    assert vault.readable()
    assert list(vault.rotate()) == []


def test_no_secret_is_decrypted_by_a_rotation(monkeypatch: pytest.MonkeyPatch) -> None:
    vault = Vault("envelope")
    broken = [(context, replace(sealed, ciphertext=b"")) for context, sealed in vault.entries]
    monkeypatch.delattr("signer.custody.envelope.open_under_dek")
    assert len(list(vault.rotate(broken))) == COUNT


def test_a_vault_key_asks_the_root_once_however_many_secrets_there_are() -> None:
    vault = Vault("envelope")
    counting = FailingKms(root_kms(), KmsUnavailableError("no"), fails_at=0)
    list(rewrap_deks(counting, vault.context, vault.new, vault.entries, vault.random_bytes))
    assert counting.calls == 2


@pytest.mark.parametrize("mode", KEPT)
def test_a_secret_moved_from_another_vault_or_version_is_not_rewrapped(mode: CustodyMode) -> None:
    vault = Vault(mode)
    (context, sealed), *_ = vault.entries
    other_version = context.model_copy(update={"version": context.version + 1})
    with pytest.raises(CorruptError):
        list(vault.rotate([(other_version, sealed)]))
    for change in ({"vault": "other"}, {"mode": "2of3_multi_hsm"}):
        with pytest.raises(ValueError, match="KEK"):
            list(vault.rotate([(context.model_copy(update=change), sealed)]))


@pytest.mark.parametrize("mode", PROVIDED)
def test_a_vault_without_a_kek_cannot_rotate_it(mode: CustodyMode) -> None:
    entries = [(in_mode(mode), sealed_in(mode).sealed)]
    new = new_vault_key(root_kms(), in_mode(mode).vault_context, Stream())
    with pytest.raises(ValueError, match="KEK"):
        list(rewrap_deks(root_kms(), in_mode(mode).vault_context, new, entries, Stream()))


def test_an_old_layer_put_under_the_new_vault_key_by_hand_does_not_open() -> None:
    vault = Vault("envelope")
    (context, sealed), *_ = vault.entries
    vault.put(context, replace(sealed, wrapped_kek=vault.new))
    with pytest.raises(CorruptError):
        vault.readable()


def test_the_root_is_rotated_and_the_old_one_is_no_more_needed() -> None:
    vault = Vault("envelope")
    other = root_kms(OTHER_ROOT)
    moved = rewrap_vault_key(root_kms(), other, vault.context, vault.old)
    for context, sealed in vault.entries:
        vault.put(context, replace(sealed, wrapped_kek=moved))
    vault.holders = Holders(other)
    assert vault.readable()
    vault.holders = Holders(root_kms())
    with pytest.raises(KmsKeyNotFoundError):
        vault.readable()


def test_a_new_root_that_would_not_give_the_key_back_is_found_before_it_is_relied_on() -> None:
    vault = Vault("envelope")
    lying = LyingKms(root_kms(OTHER_ROOT), lambda key: key[::-1])
    with pytest.raises(CorruptError, match=r"nothing (was|is) stored"):
        rewrap_vault_key(root_kms(), lying, vault.context, vault.old)

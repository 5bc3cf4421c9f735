"""The envelope against an attacker who has the stored blobs, but not the root key."""

from dataclasses import replace
from functools import partial

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from signer.custody import aead
from signer.custody.context import Layer, SecretContext
from signer.custody.envelope import (
    SECRET_BYTES_MAX,
    SealedSecret,
    new_vault_key,
    open_secret,
    seal_secret,
)
from signer.custody.errors import (
    CorruptError,
    CustodyError,
    KmsDeniedError,
    KmsKeyDisabledError,
    KmsKeyNotFoundError,
    KmsUnavailableError,
    RandomnessError,
    SecretSizeError,
)
from signer.custody.kms.port import WRAPPED_BYTES_MAX
from tests.harness.builders.custody_material import (
    ELSEWHERE,
    HERE,
    OTHER_ROOT,
    ROOT,
    SECRET,
    FailingKms,
    LyingKms,
    Stream,
    root_kms,
    sealed_at,
)

BLOBS = ("wrapped_kek", "wrapped_dek", "ciphertext")


def moved(change: dict[str, object]) -> SecretContext:
    return SecretContext.model_validate(HERE.model_dump() | change)


def refuses(context: SecretContext, sealed: SealedSecret) -> bool:
    with pytest.raises(CorruptError):
        open_secret(root_kms(), context, sealed)
    return True


def test_a_sealed_secret_opens_where_it_was_sealed() -> None:
    opened = open_secret(root_kms(), HERE, sealed_at(HERE))
    assert opened == SECRET
    assert isinstance(opened, bytearray)


@pytest.mark.parametrize("size_bytes", [0, 1, 32, SECRET_BYTES_MAX])
def test_secrets_of_every_size_open_again(size_bytes: int) -> None:
    secret = Stream()(size_bytes)
    assert open_secret(root_kms(), HERE, sealed_at(HERE, secret)) == secret


def test_a_secret_over_the_limit_is_refused() -> None:
    with pytest.raises(SecretSizeError, match="65537 bytes"):
        sealed_at(HERE, bytes(SECRET_BYTES_MAX + 1))


def test_every_version_has_a_data_key_and_nonces_of_its_own() -> None:
    kms, random_bytes = root_kms(), Stream()
    wrapped_kek = new_vault_key(kms, HERE.vault_context, random_bytes)
    first, second = (seal_secret(kms, wrapped_kek, HERE, SECRET, random_bytes) for _ in range(2))
    keys = [draw for draw in random_bytes.drawn if len(draw) == aead.KEY_BYTES]
    assert len(set(keys)) == 3  # the vault's, and one for each sealing
    nonces = [
        blob[1:13] for each in (first, second) for blob in (each.wrapped_dek, each.ciphertext)
    ]
    assert len(set(nonces)) == 4


def test_the_stored_blobs_hold_no_layer_in_clear() -> None:
    random_bytes = Stream("seed")
    kms = root_kms()
    wrapped_kek = new_vault_key(kms, HERE.vault_context, random_bytes)
    sealed = seal_secret(kms, wrapped_kek, HERE, SECRET, random_bytes)
    stored = sealed.wrapped_kek + sealed.wrapped_dek + sealed.ciphertext
    keys = [draw for draw in random_bytes.drawn if len(draw) == aead.KEY_BYTES]
    assert not any(secret in stored for secret in [*keys, SECRET])


@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_whole_moved_secret_does_not_open(place: str) -> None:
    assert refuses(moved(ELSEWHERE[place]), sealed_at(HERE))


@pytest.mark.parametrize("place", ["path", "later version", "earlier version"])
@pytest.mark.parametrize("blob", ["wrapped_dek", "ciphertext"])
def test_a_blob_swapped_between_secrets_of_one_vault_does_not_open(place: str, blob: str) -> None:
    kms, random_bytes = root_kms(), Stream()
    wrapped_kek = new_vault_key(kms, HERE.vault_context, random_bytes)
    there = moved(ELSEWHERE[place])
    mine = seal_secret(kms, wrapped_kek, HERE, SECRET, random_bytes)
    other = seal_secret(kms, wrapped_kek, there, SECRET, random_bytes)
    assert refuses(HERE, replace(mine, **{blob: getattr(other, blob)}))


@pytest.mark.parametrize("place", ELSEWHERE)
@pytest.mark.parametrize("blob", BLOBS)
def test_a_blob_swapped_between_vaults_does_not_open(place: str, blob: str) -> None:
    mine, other = sealed_at(HERE), sealed_at(moved(ELSEWHERE[place]))
    assert refuses(HERE, replace(mine, **{blob: getattr(other, blob)}))


def test_the_blobs_of_an_older_version_do_not_open_as_the_current_one() -> None:
    kms, random_bytes = root_kms(), Stream()
    wrapped_kek = new_vault_key(kms, HERE.vault_context, random_bytes)
    old = seal_secret(kms, wrapped_kek, moved({"version": 1}), b"leaked", random_bytes)
    seal_secret(kms, wrapped_kek, HERE, SECRET, random_bytes)
    assert refuses(HERE, old)
    assert open_secret(kms, moved({"version": 1}), old) == b"leaked"


def test_a_wrapped_data_key_does_not_open_as_the_secret() -> None:
    sealed = sealed_at(HERE)
    assert refuses(HERE, replace(sealed, ciphertext=sealed.wrapped_dek))
    assert refuses(HERE, replace(sealed, wrapped_dek=sealed.ciphertext))


def sealed_under(layer: Layer, aad: bytes) -> bytes:
    """A blob that is right in everything but perhaps its AAD."""
    if layer is Layer.KEK:
        return root_kms().wrap(SECRET, aad)
    return aead.seal(aead.load_key(ROOT), Stream()(aead.NONCE_BYTES), SECRET, aad)


def opened_under(layer: Layer, blob: bytes, aad: bytes) -> bytearray:
    return (
        root_kms().unwrap(blob, aad)
        if layer is Layer.KEK
        else aead.unseal(aead.load_key(ROOT), blob, aad)
    )


@pytest.mark.parametrize("layer", Layer)
@pytest.mark.parametrize("mode", ["2of2_client_custody", "2of3_multi_hsm", "", "Envelope"])
def test_a_mode_forged_in_the_stored_event_opens_no_layer(layer: Layer, mode: str) -> None:
    forged = HERE.aad(layer).replace(b'"mode":"envelope"', f'"mode":"{mode}"'.encode())
    assert forged != HERE.aad(layer)
    with pytest.raises(CorruptError):
        opened_under(layer, sealed_under(layer, forged), HERE.aad(layer))
    with pytest.raises(CorruptError):
        opened_under(layer, sealed_under(layer, HERE.aad(layer)), forged)


@pytest.mark.parametrize("layer", Layer)
@pytest.mark.parametrize("place", ELSEWHERE)
def test_each_layer_alone_is_bound_to_every_name_it_has(layer: Layer, place: str) -> None:
    """An attacker who somehow has the key above a layer cannot re-use the blob below it either."""
    there = moved(ELSEWHERE[place])
    blob = sealed_under(layer, there.aad(layer))
    if layer is Layer.KEK and there.vault_context == HERE.vault_context:
        assert opened_under(layer, blob, HERE.aad(layer)) == SECRET  # one KEK for the whole vault
    else:
        with pytest.raises(CorruptError):
            opened_under(layer, blob, HERE.aad(layer))


@pytest.mark.parametrize("layer", Layer)
@pytest.mark.parametrize("other", Layer)
def test_no_layer_passes_for_another(layer: Layer, other: Layer) -> None:
    blob = sealed_under(layer, HERE.aad(other))
    if layer is other:
        assert opened_under(layer, blob, HERE.aad(layer)) == SECRET
    else:
        with pytest.raises(CorruptError):
            opened_under(layer, blob, HERE.aad(layer))


@pytest.mark.parametrize("blob", BLOBS)
def test_a_blob_of_a_format_not_known_is_refused(blob: str) -> None:
    sealed = sealed_at(HERE)
    for version in (0, 2, 255):
        changed = bytes((version,)) + getattr(sealed, blob)[1:]
        assert refuses(HERE, replace(sealed, **{blob: changed}))


def test_a_vault_of_another_root_is_named_as_such() -> None:
    sealed = sealed_at(HERE, kms=root_kms(OTHER_ROOT))
    with pytest.raises(KmsKeyNotFoundError):
        open_secret(root_kms(), HERE, sealed)


def test_a_wrapped_key_larger_than_any_kms_makes_is_not_sent_to_one() -> None:
    kms = FailingKms(root_kms(), KmsUnavailableError("down"), fails_at=0)
    huge = replace(sealed_at(HERE), wrapped_kek=bytes(WRAPPED_BYTES_MAX + 1))
    with pytest.raises(CorruptError):
        open_secret(kms, HERE, huge)
    assert kms.calls == 0


KMS_ERRORS = [KmsUnavailableError, KmsDeniedError, KmsKeyDisabledError, KmsKeyNotFoundError]


@pytest.mark.parametrize("kind", KMS_ERRORS)
@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_kms_failure_while_making_a_vault_is_reported(
    kind: type[CustodyError], fails_at: int
) -> None:
    with pytest.raises(kind):
        new_vault_key(FailingKms(root_kms(), kind("no"), fails_at), HERE.vault_context, Stream())


@pytest.mark.parametrize("kind", KMS_ERRORS)
def test_a_kms_failure_while_sealing_or_opening_is_reported(
    kind: type[CustodyError],
) -> None:
    sealed = sealed_at(HERE)
    with pytest.raises(kind):
        open_secret(FailingKms(root_kms(), kind("no"), fails_at=1), HERE, sealed)
    failing = FailingKms(root_kms(), kind("no"), fails_at=1)
    with pytest.raises(kind):
        seal_secret(failing, sealed.wrapped_kek, HERE, SECRET, Stream())


def test_a_kms_that_returns_another_key_is_caught_before_a_vault_is_stored() -> None:
    lying = LyingKms(root_kms(), lambda _key: bytearray(32))
    with pytest.raises(CorruptError, match=r"nothing (was|is) stored"):
        new_vault_key(lying, HERE.vault_context, Stream())


def test_a_kms_that_returns_another_key_opens_nothing() -> None:
    with pytest.raises(CorruptError):
        open_secret(LyingKms(root_kms(), lambda _key: bytearray(32)), HERE, sealed_at(HERE))


@pytest.mark.parametrize("size_bytes", [0, 16, 31, 33])
def test_a_kms_that_returns_no_key_at_all_is_typed_and_wiped(size_bytes: int) -> None:
    answer = bytearray(b"\xee" * size_bytes)
    with pytest.raises(CorruptError, match="restore the vault"):
        open_secret(LyingKms(root_kms(), lambda _key: answer), HERE, sealed_at(HERE))
    assert answer == bytes(size_bytes)


def test_a_data_key_of_another_length_is_typed_although_it_is_authentic() -> None:
    kek = Stream()(aead.KEY_BYTES)
    short = aead.seal(aead.load_key(kek), bytes(12), b"short", HERE.aad(Layer.DEK))
    sealed = replace(sealed_at(HERE), wrapped_dek=short)
    with pytest.raises(CorruptError, match="restore the vault"):
        open_secret(LyingKms(root_kms(), lambda _key: bytearray(kek)), HERE, sealed)


class FaultyCipher:
    """AES-GCM on a machine that flips a bit of whatever has the given length."""

    def __init__(self, key: bytes, faulty_bytes: int) -> None:
        self.sound = AESGCM(key)
        self.faulty_bytes = faulty_bytes

    def encrypt(self, nonce: bytes, data: bytes, aad: bytes) -> bytes:
        if len(data) == self.faulty_bytes:
            data = bytes((data[0] ^ 1,)) + bytes(data[1:])
        return self.sound.encrypt(nonce, data, aad)

    def decrypt_into(self, nonce: bytes, data: bytes, aad: bytes, buffer: bytearray) -> int:
        return self.sound.decrypt_into(nonce, data, aad, buffer)


@pytest.mark.parametrize("faulty_bytes", [aead.KEY_BYTES, len(b"a long secret")])
def test_a_machine_that_miscalculates_is_caught_before_a_secret_is_stored(
    faulty_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kms, wrapped_kek = root_kms(), sealed_at(HERE).wrapped_kek
    monkeypatch.setattr(aead, "AESGCM", partial(FaultyCipher, faulty_bytes=faulty_bytes))
    with pytest.raises(CorruptError):
        seal_secret(kms, wrapped_kek, HERE, b"a long secret", Stream())


def test_a_source_of_randomness_that_runs_dry_seals_nothing() -> None:
    wrapped_kek = sealed_at(HERE).wrapped_kek
    with pytest.raises(RandomnessError):
        seal_secret(root_kms(), wrapped_kek, HERE, SECRET, lambda size: bytes(size - 1))
    with pytest.raises(RandomnessError):
        new_vault_key(root_kms(), HERE.vault_context, lambda size: bytes(size - 1))

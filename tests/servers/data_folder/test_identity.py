"""The signer's identity: sealed on disk for one organisation and service, wiped in memory."""

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.canonical import canonical_bytes
from signer.custody.errors import CorruptError, CustodyError, KmsKeyNotFoundError
from signer.custody.identity import SealedIdentity, open_identity, reseal_identity, seal_identity
from signer.custody.kms.local import LocalKms
from signer.custody.kms.root_file import create_root_file, open_local_kms
from sixgate.data_folder.creation import create_identity
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.identity import read_identity
from sixgate.data_folder.signer_files import SIGNER, FolderError, Trust
from sixgate.operate.reseal import replace_identity

ORG = "acme"


class Watched(LocalKms):
    """Attack: later memory reads find unwrapped values that were not wiped."""

    handed_out: list[bytearray]

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        self.handed_out = [super().unwrap(wrapped, context)]
        return self.handed_out[0]


class Elsewhere(LocalKms):
    """A root key that is not the folder's."""

    @property
    def key_id(self) -> str:
        return f"cloud:{super().key_id}"


def root(kind: type[LocalKms] = LocalKms) -> Any:
    return kind(secrets.token_bytes(32), secrets.token_bytes)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.signer_identity.parent.mkdir()
    create_root_file(made.root_key, secrets.token_bytes)
    trust = Trust(org=ORG, trust_root="0x" + "00" * 32, partitions=1, partitions_per_slot=1)
    made.trust_file.write_bytes(trust.encode())
    return made


def own_root(folder: Folder) -> LocalKms:
    return open_local_kms(folder.root_key, secrets.token_bytes)


def test_a_new_identity_opens_and_its_buffer_is_wiped(folder: Folder) -> None:
    kms = root(Watched)
    made = create_identity(folder, ORG, kms, secrets.token_bytes)
    assert kms.handed_out == [bytearray(64)]
    opened = open_identity(kms, read_identity(folder))
    assert opened.signer.public_key == made.public_key
    assert (len(opened.state_key), any(opened.state_key)) == (32, True)
    assert kms.handed_out == [bytearray(64)]


@pytest.mark.parametrize("changed", [{"org": "other"}, {"service": "signer-1"}])
def test_it_opens_only_for_its_organisation_and_service(
    folder: Folder, changed: dict[str, str]
) -> None:
    kms = root()
    moved = create_identity(folder, ORG, kms, secrets.token_bytes).model_copy(update=changed)
    with pytest.raises(CorruptError):
        open_identity(kms, moved)
    replace_identity(folder, moved)
    with pytest.raises(FolderError, match=f"signer-0 of {ORG}"):
        read_identity(folder)


def test_a_value_wrapped_for_another_purpose_is_no_identity(folder: Folder) -> None:
    """An attacker who can have a vault key wrapped cannot make an identity of it."""
    kms = root()
    made = create_identity(folder, ORG, kms, secrets.token_bytes)
    wrapped = kms.wrap(bytearray(64), canonical_bytes({"type": "kms.check", "v": 1}))
    forged = made.model_copy(update={"sealed": f"0x{wrapped.hex()}"})
    with pytest.raises(CorruptError):
        open_identity(kms, forged)


def test_a_file_that_claims_another_public_key_does_not_open(folder: Folder) -> None:
    kms = root()
    made = create_identity(folder, ORG, kms, secrets.token_bytes)
    claimed = made.model_copy(update={"public_key": "0x" + "11" * 32})
    with pytest.raises(CorruptError, match="public key"):
        open_identity(kms, claimed)


def test_every_flipped_bit_of_the_sealed_secrets_is_detected(folder: Folder) -> None:
    kms = root()
    made = create_identity(folder, ORG, kms, secrets.token_bytes)
    sealed = bytes.fromhex(made.sealed[2:])
    for place in range(len(sealed)):
        broken = bytearray(sealed)
        broken[place] ^= 1 << secrets.randbelow(8)
        with pytest.raises(CustodyError):
            open_identity(kms, made.model_copy(update={"sealed": f"0x{broken.hex()}"}))


def test_another_root_opens_nothing(folder: Folder) -> None:
    made = create_identity(folder, ORG, root(), secrets.token_bytes)
    with pytest.raises(KmsKeyNotFoundError):
        open_identity(root(), made)


def test_damaged_and_oversized_files_are_refused(folder: Folder) -> None:
    sealed = create_identity(folder, ORG, root(), secrets.token_bytes).encode()
    for content, why in (
        (sealed[:-1], "damaged"),
        (b"{" * 40_000, "32768 bytes"),
        (b"", "damaged"),
    ):
        folder.signer_identity.write_bytes(content)
        with pytest.raises(FolderError, match=why):
            read_identity(folder)


def test_an_identity_of_an_older_version_opens_as_software(folder: Folder) -> None:
    both = bytearray(range(64))
    blob = own_root(folder).wrap(both, b"sixgate/signer-identity/v1")
    folder.signer_identity.write_bytes(blob)
    adopted = read_identity(folder)
    assert adopted.in_software
    opened = open_identity(own_root(folder), adopted)
    assert opened.state_key == bytes(both[32:])
    assert folder.signer_identity.read_bytes() == blob, "reading changes nothing"
    assert replace_identity(folder, adopted)
    assert open_identity(own_root(folder), read_identity(folder)).state_key == bytes(both[32:])


def test_a_root_key_that_does_not_unwrap_seals_nothing(folder: Folder) -> None:
    class Lying(LocalKms):
        def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
            return bytearray(len(super().unwrap(wrapped, context)))

    kms = root()
    made = create_identity(folder, ORG, kms, secrets.token_bytes)
    with pytest.raises(CorruptError, match=r"nothing (was|is) stored"):
        reseal_identity(kms, root(Lying), made)


STEPS = ("open", "write", "fsync", "replace", "unlink", "close")


def _dying_at(step: int) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield replacements of system calls; the ``step``-th call ends the process."""
    left = [step]

    def ending(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*values: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)
            return real(*values, **more)

        return call

    for name in STEPS:
        yield name, ending(name)


def _killed_at(step: int, folder: Folder, sealed: SealedIdentity) -> bool:
    """Replace the file in another process that dies at a step; return whether it died."""
    child = os.fork()
    if child == 0:
        for name, call in list(_dying_at(step)):
            setattr(os, name, call)
        replace_identity(folder, sealed)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_after_a_kill_at_any_step_it_opens_under_one_of_both_roots(folder: Folder) -> None:
    before, after = own_root(folder), root(Elsewhere)
    made = create_identity(folder, ORG, before, secrets.token_bytes)
    moved, roots, found = reseal_identity(before, after, made), {}, set()
    roots[before.key_id], roots[after.key_id] = before, after
    step = 0
    while _killed_at(step, folder, moved):
        now = read_identity(folder)
        opened = open_identity(roots[now.root], now)
        assert opened.signer.public_key == made.public_key
        assert opened.state_key == open_identity(before, made).state_key
        found.add(now.root)
        replace_identity(folder, made)
        step += 1
    assert step > len(STEPS)
    assert found == set(roots), "it was killed before the rename and after it"
    assert read_identity(folder).root == after.key_id


def test_a_failed_write_leaves_the_old_file(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create_identity(folder, ORG, own_root(folder), secrets.token_bytes)

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    moved = reseal_identity(own_root(folder), root(Elsewhere), made)
    with pytest.raises(FolderError, match="No space left"):
        replace_identity(folder, moved)
    assert read_identity(folder) == made
    assert sorted(path.name for path in folder.signer_identity.parent.iterdir()) == [
        "root.key",
        "signer.sealed",
    ]


def test_resealing_keeps_the_identity() -> None:
    before, after = root(), root(Elsewhere)
    made = seal_identity(before, ORG, SIGNER, bytearray(range(64)))
    moved = reseal_identity(before, after, made)
    assert (moved.root, moved.public_key) == (after.key_id, made.public_key)
    assert (made.in_software, moved.in_software) == (True, False)
    assert open_identity(after, moved).state_key == open_identity(before, made).state_key

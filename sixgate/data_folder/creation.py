"""Creates a data folder with its keys and the first records of its registry.

1. Fill a draft folder beside the final path, every file and folder synced.
   *If the process ends here, the hidden draft is left behind; a retry makes another one.*
2. Rename the draft to the final path and sync the parent.
   *If the process ends here, the folder is absent or complete.*
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from schemas.record import Outgoing
from schemas.registry.records import GENESIS_PREVIOUS, Entry, OrgCreated, ServiceRole, ServiceSet
from schemas.topics import Topic
from signer.custody.atomic_write import MODE_PRIVATE, sync_folder, write_atomic
from signer.custody.buffers import RandomBytes
from signer.custody.event_signing import Ed25519Signer
from signer.custody.identity import SealedIdentity, new_identity
from signer.custody.kms.port import RootKms
from signer.custody.kms.root_file import create_root_file, open_local_kms
from sixgate.authoring.operator import record_envelope
from sixgate.data_folder.folder import ADMIN, LEDGER, REGISTRAR, SIMULATOR, Folder
from sixgate.data_folder.holder_files import create_local_holders
from sixgate.data_folder.key_files import SEED_BYTES, create_key_file, load_key_file
from sixgate.data_folder.signer_files import SIGNER, FolderError, SignerFiles, Trust
from streams.log.sqlite import SqliteLog


class Founding(NamedTuple):
    """The initial organisation; its numbers of partitions cannot change later."""

    org: str
    entries: Sequence[Entry] = ()
    partitions: int = 4
    partitions_per_slot: int | None = None


def create(
    path: Path, founding: Founding, now_ms: int, random_bytes: Callable[[int], bytes]
) -> Folder:
    """Create a data folder atomically and durably.

    Raises ``FolderError`` if the folder exists and is not empty, or cannot be written.
    """
    try:
        _require_free(path)
        draft = path.with_name(f".{path.name}.{random_bytes(8).hex()}")
        try:
            # 1. Draft.
            _fill(Folder(draft), founding, now_ms, random_bytes)
            # 2. Atomic: an empty folder at ``path`` is replaced.
            draft.replace(path)
            sync_folder(path.parent)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise FolderError(f"{path} cannot be created: {error.strerror}") from None
    return Folder(path)


def _require_free(path: Path) -> None:
    """Raise ``FolderError`` unless the path is free or an empty folder."""
    if path.exists() and any(path.iterdir()):
        raise FolderError(f"{path} is not empty: choose another folder, or use it without init")
    if path.resolve() == Path.cwd():
        raise FolderError(f"{path} is the current folder, which cannot be replaced: choose another")


def _fill(
    folder: Folder, founding: Founding, now_ms: int, random_bytes: Callable[[int], bytes]
) -> None:
    org, entries, partitions, partitions_per_slot = founding
    keys = folder.path / "keys"
    folders = (folder.path, folder.genesis, keys, keys / "agents")
    for each in folders:
        each.mkdir(mode=0o700, parents=True)
    services = _make_keys(folder, org, random_bytes)
    admin = folder.admin()
    first = OrgCreated(
        org=org,
        admin_keys=(admin.public_key,),
        partitions=partitions,
        partitions_per_slot=partitions_per_slot,
    )
    records = _chain(admin, org, [first, *services, *entries], now_ms)
    log = SqliteLog(folder.inbox, partitions)
    log.append([Outgoing(Topic.REGISTRY, "", raw) for raw, _ in records], now_ms)
    log.close()
    trust = Trust(
        org=org,
        trust_root=records[0][1],
        partitions=partitions,
        partitions_per_slot=partitions_per_slot or partitions,
    )
    write_atomic(folder.trust_file, trust.encode(), replace=False)
    for each in folders:
        sync_folder(each)


def _make_keys(folder: Folder, org: str, random_bytes: Callable[[int], bytes]) -> list[Entry]:
    services: dict[str, ServiceRole] = {
        LEDGER: "ledger",
        SIMULATOR: "simulator",
        REGISTRAR: "registrar",
    }
    for name in (ADMIN, *services):
        create_key_file(folder.key(name), random_bytes(SEED_BYTES))
    create_root_file(folder.root_key, random_bytes)
    create_local_holders(folder.holder_keys, random_bytes)
    kms = open_local_kms(folder.root_key, random_bytes)
    signer = create_identity(folder, org, kms, random_bytes)
    keys = {name: load_key_file(folder.key(name), name) for name in services}
    return [
        ServiceSet(role="signer", name=SIGNER, public_key=signer.public_key, active=True),
        *(
            ServiceSet(role=role, name=name, public_key=keys[name].public_key, active=True)
            for name, role in services.items()
        ),
    ]


def _chain(
    admin: Ed25519Signer, org: str, entries: Sequence[Entry], now_ms: int
) -> list[tuple[bytes, str]]:
    records: list[tuple[bytes, str]] = []
    previous = GENESIS_PREVIOUS
    for sequence, entry in enumerate(entries):
        envelope, previous = record_envelope(admin, org, (sequence, previous), entry, now_ms)
        records.append((envelope, previous))
    return records


def create_identity(
    folder: SignerFiles, org: str, kms: RootKms, random_bytes: RandomBytes
) -> SealedIdentity:
    """Create the signer's identity, sealed under a root key; never replaces an existing one.

    Raises ``OSError``, ``CustodyError``.
    """
    sealed = new_identity(kms, org, SIGNER, random_bytes)
    write_atomic(folder.signer_identity, sealed.encode(), replace=False, mode=MODE_PRIVATE)
    return sealed

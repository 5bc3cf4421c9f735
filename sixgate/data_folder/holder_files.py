"""The root keys of the software providers that hold shares, each in a file of its own."""

import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from schemas.custody import PROVIDERS
from signer.custody.atomic_write import sync_folder
from signer.custody.kms.local import LocalKms
from signer.custody.kms.root_file import create_root_file, open_local_kms
from sixgate.data_folder.folder import Folder, FolderError


def make_local_holders(folder: Path, random_bytes: Callable[[int], bytes]) -> None:
    """Make the files of all providers, or none; raise ``RootFileError``, ``OSError``.

    A part of them would be taken for all there ever were, and what lacks is never made anew.
    """
    draft = folder.with_name(f".{folder.name}.{random_bytes(8).hex()}")
    try:
        draft.mkdir(mode=0o700)
        for name in PROVIDERS:
            create_root_file(_file(draft, name), random_bytes)
        draft.replace(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def complete_holders(folder: Folder) -> None:
    """Make the providers of a folder from before there were any; raise ``FolderError``.

    One of them that is missing beside others is not made anew: its shares would stay shut.
    """
    try:
        if not folder.holder_keys.exists():
            make_local_holders(folder.holder_keys, secrets.token_bytes)
    except OSError as error:
        raise FolderError(f"{folder.holder_keys} cannot be made: {error.strerror}") from None


def open_local_holders(
    folder: Path, random_bytes: Callable[[int], bytes]
) -> Iterator[tuple[str, LocalKms]]:
    """Open the providers whose files are there: one that is missing is one that fails.

    Raise ``RootFileError`` for a file that cannot be used.
    """
    for name in PROVIDERS:
        if _file(folder, name).exists():
            yield name, open_local_kms(_file(folder, name), random_bytes)


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.key"

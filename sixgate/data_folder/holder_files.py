"""Root key files of the software providers that hold shares, one per provider.

``create_local_holders``:
1. Write all files to a draft folder beside the final one.
   *If the process ends here, the hidden draft is left behind; a retry makes another one.*
2. Rename the draft and sync the parent.
   *If the process ends here, the set is absent or complete.*
"""

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from schemas.registry.custody import PROVIDERS
from signer.custody.atomic_write import sync_folder
from signer.custody.kms.root_file import create_root_file
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.signer_files import FolderError, holder_file


def create_local_holders(folder: Path, random_bytes: Callable[[int], bytes]) -> None:
    """Create the files of all providers atomically; raise ``RootFileError``, ``OSError``.

    A partial set would be permanent: a missing file is never recreated.
    """
    draft = folder.with_name(f".{folder.name}.{random_bytes(8).hex()}")
    try:
        # 1. Draft.
        draft.mkdir(mode=0o700)
        for name in PROVIDERS:
            create_root_file(holder_file(draft, name), random_bytes)
        # 2. Atomic.
        draft.replace(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def ensure_local_holders(folder: Folder) -> None:
    """Create the providers of a folder of an older version; raise ``FolderError``.

    If only some files are missing, they are not recreated: new keys would not open the shares.
    """
    try:
        if not folder.holder_keys.exists():
            create_local_holders(folder.holder_keys, secrets.token_bytes)
    except OSError as error:
        raise FolderError(f"{folder.holder_keys} cannot be created: {error.strerror}") from None

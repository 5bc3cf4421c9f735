"""The signer's own secrets: wrapped on disk, and wiped where they were unwrapped."""

import secrets
from pathlib import Path

from signer.custody.kms.local import LocalKms
from sixgate.folder import Folder
from sixgate.identity import create_identity, open_identity


class Watched(LocalKms):
    """The attack: whoever reads memory later finds what was handed out and not wiped."""

    handed_out: list[bytearray]

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        self.handed_out = [super().unwrap(wrapped, context)]
        return self.handed_out[0]


def test_what_was_created_is_opened_and_its_buffer_wiped(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.signer_identity.parent.mkdir()
    kms = Watched(secrets.token_bytes(32), secrets.token_bytes)
    made = create_identity(folder, kms, secrets.token_bytes)
    opened, state_key = open_identity(folder, kms)
    assert opened.public_key == made.public_key
    assert (len(state_key), any(state_key)) == (32, True)
    assert kms.handed_out == [bytearray(64)]

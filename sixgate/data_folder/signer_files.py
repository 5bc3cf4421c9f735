"""Files of a data folder that a signer reads: trust anchor, sealed identity and software keys.

Readers of a folder need no cryptography, so nothing here opens a key.
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from schemas.canonical import Canonical, MalformedError
from schemas.fields import Digest, Name

SIGNER = "signer-0"


class FolderError(Exception):
    """A data folder cannot be created or used; the message is for its user."""


class Trust(Canonical):
    """The trust anchor of a folder: organisation, trust root and partitions."""

    v: int = Field(ge=1, le=1, default=1)
    org: Name
    trust_root: Digest
    partitions: int = Field(ge=1)
    partitions_per_slot: int = Field(ge=1)


@dataclass(frozen=True, slots=True)
class SignerFiles:
    """The paths of a signer's files in one data folder."""

    path: Path

    @property
    def trust_file(self) -> Path:
        """The trust anchor, read before anything else."""
        return self.path / "trust.json"

    @property
    def root_key(self) -> Path:
        """The root key of the software KMS."""
        return self.path / "keys" / "root.key"

    @property
    def holder_keys(self) -> Path:
        """The root keys of the software providers that hold shares."""
        return self.path / "keys" / "holders"

    @property
    def signer_identity(self) -> Path:
        """The signer's seed and state key, wrapped by the root key."""
        return self.path / "keys" / "signer.sealed"

    def trust(self) -> Trust:
        """Read the trust anchor; raise ``FolderError`` if this is not a data folder."""
        try:
            return Trust.decode(self.trust_file.read_bytes())
        except FileNotFoundError:
            raise FolderError(f"{self.path} is not a data folder: run sixgate init first") from None
        except OSError as error:
            raise FolderError(f"{self.path} cannot be read: {error.strerror}") from None
        except MalformedError as error:
            raise FolderError(f"{self.trust_file} is damaged ({error}): restore it") from None


def holder_file(folder: Path, provider: str) -> Path:
    """Return the root key file of a software provider in the folder of holders."""
    return folder / f"{provider}.key"

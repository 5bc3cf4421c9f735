"""What all sections of the settings share: their base class, and the files with one secret."""

from ipaddress import ip_address
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from signer.custody.buffers import wiping
from signer.custody.errors import PrivateFileError
from signer.custody.private_file import read_private
from sixgate.errors import SettingsError

LINE_BYTES_MAX = 4_096


class Section(BaseModel):
    """An immutable section; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def loopback(host: str) -> bool:
    """Return whether a host name or address is loopback."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_secret_line(file: Path) -> str:
    """Return the stripped text of a file; raises ``SettingsError`` unless it is private text."""
    try:
        with wiping(read_private(file, LINE_BYTES_MAX)) as line:
            return line.decode().strip()
    except PrivateFileError as error:
        raise SettingsError(f"{file} {error}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file} is not UTF-8 text") from None

"""Reader of a secret from a file that only its owner can read."""

from pathlib import Path

from signer.custody.buffers import wiping
from signer.custody.errors import PrivateFileError
from signer.custody.private_file import read_private
from sixgate.errors import SettingsError

LINE_BYTES_MAX = 4_096


def read_secret_line(file: Path) -> str:
    """Return the stripped text of a file; raises ``SettingsError`` unless it is private text."""
    try:
        with wiping(read_private(file, LINE_BYTES_MAX)) as line:
            return line.decode().strip()
    except PrivateFileError as error:
        raise SettingsError(f"{file} {error}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file} is not UTF-8 text") from None

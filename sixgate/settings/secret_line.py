"""A secret that lies in a file of its own, which nobody else may read."""

import os
import stat
from pathlib import Path

from sixgate.settings_wrong import SettingsWrong

OTHERS = stat.S_IRWXG | stat.S_IRWXO
LINE_BYTES_MAX = 4_096


def read_secret_line(file: Path) -> str:
    """Return the one line of a file; raises ``SettingsWrong`` where others may read it too."""
    try:
        with file.open("rb") as opened:
            if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & OTHERS:
                raise SettingsWrong(f"{file} may be read by others: run chmod 600 on it")
            return opened.read(LINE_BYTES_MAX).decode().strip()
    except OSError as error:
        raise SettingsWrong(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsWrong(f"{file} is no text") from None

"""Exceptions of the embedded log, and the translation of SQLite's errors into them."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LogError(Exception):
    """The embedded log cannot be used. A failed write is stored as a whole or not at all."""


class LogDamagedError(LogError):
    """A file is not a database, is damaged, or was made by another version."""


class LogWriteError(LogError):
    """The disk is full or failed, or the file is not writable: the write's outcome is unknown."""


_UNWRITABLE = {
    sqlite3.SQLITE_FULL: "the disk is full: free space and start again",
    sqlite3.SQLITE_READONLY: "permission to write it is missing: give this user write permission",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: check that the folder exists and is writable",
    sqlite3.SQLITE_PERM: "permission to open it is missing: give this user permission",
    sqlite3.SQLITE_IOERR: "the disk reported an error: check the disk and start again",
    sqlite3.SQLITE_BUSY: "another program has locked it: stop that program",
}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Translate SQLite's errors about ``path``; by then this process rolled it back."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _UNWRITABLE:
            raise LogWriteError(f"{path.name}: {_UNWRITABLE[code]}") from error
        name = getattr(error, "sqlite_errorname", "unreadable")
        raise LogDamagedError(
            f"{path.name} is damaged or not a database of this program ({name}): "
            "restore it from a good copy"
        ) from error

"""Reproducible tar files: owner, time, mode and order do not depend on the machine."""

import hashlib
import stat
import tarfile
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple


class Member(NamedTuple):
    """The metadata and digest of one file in a tar file."""

    path: str
    kind: bytes
    mode: int
    owner: tuple[int, int, str, str]
    time_s: float
    link: str
    sha256: str


def pack(tree: Path, tar: Path, epoch_s: int) -> None:
    """Write everything under ``tree`` sorted by path, owned by root, dated ``epoch_s``.

    Folders and executable files get mode 755, all others 644.
    """
    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(tree.rglob("*"), key=lambda path: path.relative_to(tree).parts):
            _add(archive, path, str(path.relative_to(tree)), epoch_s)


def _add(archive: tarfile.TarFile, path: Path, name: str, epoch_s: int) -> None:
    info = archive.gettarinfo(path, name)
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = epoch_s
    info.mode = 0o755 if info.isdir() or info.mode & stat.S_IXUSR else 0o644
    if not info.isreg():
        archive.addfile(info)
        return
    with path.open("rb") as content:
        archive.addfile(info, content)


def first_difference(one: Path, other: Path) -> str | None:
    """Return the first member in which two tar files differ, and how; None if they are equal."""
    for left, right in zip_longest(_members(one), _members(other)):
        if left != right:
            return _describe(left, right)
    return None


def digest(file: Path) -> str:
    """Return a file's SHA-256 in hex."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _members(tar: Path) -> list[Member]:
    with tarfile.open(tar) as archive:
        return [_member(archive, info) for info in archive]


def _member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Member:
    content = archive.extractfile(info) if info.isreg() else None
    sha256 = hashlib.file_digest(content, "sha256").hexdigest() if content else ""  # type: ignore[arg-type] # it is a file
    owner = (info.uid, info.gid, info.uname, info.gname)
    return Member(info.name, info.type, info.mode, owner, info.mtime, info.linkname, sha256)


def _describe(left: Member | None, right: Member | None) -> str:
    if left is None or right is None or left.path != right.path:
        first = min(member.path for member in (left, right) if member)
        return f"{first} is only in one of them"
    fields = [name for name, a, b in zip(Member._fields, left, right, strict=True) if a != b]
    return f"{left.path} differs in {', '.join(fields)}"

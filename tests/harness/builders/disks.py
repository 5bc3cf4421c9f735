"""Sizes of disks, as ``shutil.disk_usage`` returns them."""

from typing import NamedTuple


class Disk(NamedTuple):
    """The size of a disk and its free part in bytes; by default there is enough of both."""

    total: int = 10**12
    free: int = 10**12


NEARLY_FULL = Disk(free=10**9)

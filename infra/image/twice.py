"""Two builds of the layer under everything that must not matter, compared."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from infra.image.archive import digest, first_difference
from infra.image.errors import ImageError
from infra.image.layer import LEFT_OUT, RUNTIME, SOURCES, fetch


class Circumstances(NamedTuple):
    """Where a build is made, with which umask, dates of sources and environment."""

    place: str
    umask: int
    sources_s: int
    variables: dict[str, str]


class Built(NamedTuple):
    """What a build made."""

    wheel: Path
    layer: Path


ONE = Circumstances(
    "one", 0o022, 1_000_000_000, {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"}
)
OTHER = Circumstances(
    "at another place",
    0o077,
    1_700_000_000,
    {"TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2"},
)


def build_twice(root: Path, *, whole: bool) -> dict[str, str]:
    """Build a checkout's wheel and layer twice, return their SHA-256; ``whole`` has dependencies.

    Raises ``ImageError`` with the name of the first file that differs.
    """
    with TemporaryDirectory() as place:
        wheels = Path(place) / "wheels"
        wheels.mkdir()
        if whole:
            fetch(root, wheels)
        one, other = (_built(root, Path(place), wheels, each) for each in (ONE, OTHER))
        if found := first_difference(one.layer, other.layer):
            raise ImageError(f"two builds of the layer differ: {found}")
        digests, again = ({file.name: digest(file) for file in built} for built in (one, other))
        if differing := [name for name, sha256 in digests.items() if again[name] != sha256]:
            raise ImageError(f"two builds of {differing[0]} differ, and not in its files")
        return digests


def _built(root: Path, place: Path, wheels: Path, under: Circumstances) -> Built:
    """Build in a copy of the checkout, in a process of its own."""
    own = place / under.place
    _copy(root, own / "checkout", under)
    shutil.copytree(wheels, own / "wheels", copy_function=os.link)
    tar = own / "layer.tar"
    words = ["layer", str(tar), "--wheels", str(own / "wheels")]
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "infra.image", *words],
        cwd=own / "checkout",
        env=os.environ | under.variables,
        umask=under.umask,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise ImageError("a build failed: it says above why")
    (wheel,) = (own / "wheels").glob("sixgate-*.whl")
    return Built(wheel, tar)


def _copy(root: Path, checkout: Path, under: Circumstances) -> None:
    checkout.mkdir(parents=True)
    for name in (*SOURCES, RUNTIME):
        target = checkout / name
        target.parent.mkdir(exist_ok=True)
        if (root / name).is_dir():
            shutil.copytree(root / name, target, ignore=LEFT_OUT)
        else:
            shutil.copy(root / name, target)
    for path in checkout.rglob("*"):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~under.umask)
        os.utime(path, (under.sources_s, under.sources_s))

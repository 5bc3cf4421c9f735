"""Reproducibility check: builds wheel and layer twice in different environments and compares."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tools.image.archive import digest, first_difference
from tools.image.errors import ImageError
from tools.image.layer import LEFT_OUT, RUNTIME, SOURCES, fetch


class BuildEnvironment(NamedTuple):
    """Path, umask, source dates and variables of a build; none of them may change its result."""

    place: str
    umask: int
    sources_s: int
    variables: dict[str, str]


class BuildResult(NamedTuple):
    """The files that a build made."""

    wheel: Path
    layer: Path


ONE = BuildEnvironment(
    "one", 0o022, 1_000_000_000, {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"}
)
OTHER = BuildEnvironment(
    "at another place",
    0o077,
    1_700_000_000,
    {"TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2"},
)


def build_twice(root: Path, *, with_dependencies: bool) -> dict[str, str]:
    """Build a checkout's wheel and layer twice and return their SHA-256 by file name.

    Raises ``ImageError`` with the name of the first file that differs.
    """
    with TemporaryDirectory() as place:
        wheels = Path(place) / "wheels"
        wheels.mkdir()
        if with_dependencies:
            fetch(root, wheels)
        one, other = (_built(root, Path(place), wheels, each) for each in (ONE, OTHER))
        if found := first_difference(one.layer, other.layer):
            raise ImageError(f"two builds of the layer differ: {found}")
        digests, again = ({file.name: digest(file) for file in built} for built in (one, other))
        if differing := [name for name, sha256 in digests.items() if again[name] != sha256]:
            raise ImageError(
                f"two builds of {differing[0]} differ, although the layer's files are equal"
            )
        return digests


def _built(root: Path, place: Path, wheels: Path, under: BuildEnvironment) -> BuildResult:
    """Build in a copy of the checkout, in a separate process."""
    folder = place / under.place
    _copy(root, folder / "checkout", under)
    shutil.copytree(wheels, folder / "wheels", copy_function=os.link)
    tar = folder / "layer.tar"
    words = ["layer", str(tar), "--wheels", str(folder / "wheels")]
    done = subprocess.run(  # noqa: S603 - constant command
        [sys.executable, "-m", "tools.image", *words],
        cwd=folder / "checkout",
        env=os.environ | under.variables,
        umask=under.umask,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise ImageError("a build failed: see its output above")
    (wheel,) = (folder / "wheels").glob("sixgate-*.whl")
    return BuildResult(wheel, tar)


def _copy(root: Path, checkout: Path, under: BuildEnvironment) -> None:
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

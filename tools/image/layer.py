"""Reproducible image layer: locked dependencies and this project, as one tar file.

It depends only on the sources and on hash-pinned wheels, so every build has the same bytes.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tools.image.archive import pack
from tools.image.bytecode import compile_tree
from tools.image.errors import ImageError

# The sources of the wheels; the Dockerfile copies the same into its build stage.
SOURCES = (
    "LICENSE",
    "README.md",
    "client",
    "infra",
    "pyproject.toml",
    "schemas",
    "signer",
    "sixgate",
    "streams",
    "tools",
)
RUNTIME = "requirements/runtime.txt"
EPOCH_S_DEFAULT = 315_532_800  # 1980-01-01, the earliest date in a wheel
LOCKED = ("--no-deps", "--require-hashes", "--only-binary", ":all:")
LAUNCHER = """#!/usr/local/bin/python3
from sixgate.cli import main

main()
"""
# Files that tools leave in a checkout, the folder where operators keep Terraform's state, and the
# simulated platform: no measured machine may attest itself by it.
LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "*.pyc", "*.egg-info", "node_modules", ".*", "gke", "simulated_platform"
)
_SCRIPT = re.compile(rb"^(\.\./)+bin/[^\n]*\n", re.MULTILINE)  # a script's line in RECORD


class Project(NamedTuple):
    """A checkout, and the time with which all files made from it are dated."""

    root: Path
    epoch_s: int


def epoch_s() -> int:
    """Return SOURCE_DATE_EPOCH or the default; raise ``ImageError`` if it is not a valid time."""
    value = os.environ.get("SOURCE_DATE_EPOCH", str(EPOCH_S_DEFAULT))
    if not value.isdecimal() or int(value) < EPOCH_S_DEFAULT:
        raise ImageError(
            f"SOURCE_DATE_EPOCH is {value!a}: give seconds since 1970, at least {EPOCH_S_DEFAULT}"
        )
    return int(value)


def fetch(root: Path, wheels: Path) -> None:
    """Download the wheels of a checkout's locked dependencies, each checked by its hash."""
    _pip("download", *LOCKED, "-r", str(root / RUNTIME), "-d", str(wheels))


def build_wheel(project: Project, wheels: Path) -> Path:
    """Build this project's wheel and its client's from a clean copy; return the former."""
    with TemporaryDirectory() as place:
        clean = Path(place) / "source"
        _copy(project.root, clean)
        options = ("--no-deps", "--no-build-isolation", "--no-index", "-w", str(wheels))
        _pip(
            "wheel",
            *options,
            str(clean),
            str(clean / "client"),
            SOURCE_DATE_EPOCH=str(project.epoch_s),
        )
    (wheel,) = wheels.glob("sixgate-*.whl")
    return wheel


def build_layer(project: Project, wheels: Path, tar: Path) -> None:
    """Install the wheels of a folder as in the image, and pack the result.

    If the folder has no dependencies, the layer contains only this project.
    """
    wheel = build_wheel(project, wheels)
    with TemporaryDirectory() as place:
        prefix = Path(place) / "usr" / "local"
        offline = ("--no-index", "--find-links", str(wheels))
        if set(wheels.iterdir()) - set(wheels.glob("sixgate*.whl")):
            _install(prefix, *offline, *LOCKED, "-r", str(project.root / RUNTIME))
        # By name, because pip would record a path.
        version = wheel.name.split("-")[1]
        ours = (f"sixgate=={version}", f"sixgate-client=={version}")
        _install(prefix, *offline, "--no-deps", *ours)
        _keep_one_script(prefix)
        compile_tree(_packages(prefix))
        pack(Path(place), tar, project.epoch_s)


def _copy(root: Path, clean: Path) -> None:
    """Copy the wheel's sources with fixed modes, because a wheel stores modes."""
    clean.mkdir()
    for name in SOURCES:
        source, target = root / name, clean / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=LEFT_OUT, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(source, target)
    for path in (clean, *clean.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _install(prefix: Path, *words: str) -> None:
    quiet = ("--ignore-installed", "--no-compile", "--no-warn-script-location")
    _pip("install", *quiet, "--prefix", str(prefix), *words)


def _keep_one_script(prefix: Path) -> None:
    """Keep one command, rewritten: generated scripts contain the path of the installing Python."""
    shutil.rmtree(prefix / "bin", ignore_errors=True)
    (prefix / "bin").mkdir()
    (prefix / "bin" / "sixgate").write_text(LAUNCHER)
    (prefix / "bin" / "sixgate").chmod(0o755)
    for record in _packages(prefix).glob("*.dist-info/RECORD"):
        record.write_bytes(_SCRIPT.sub(b"", record.read_bytes()))


def _packages(prefix: Path) -> Path:
    variables = {"base": str(prefix), "platbase": str(prefix)}
    return Path(sysconfig.get_path("purelib", "posix_prefix", variables))


def _pip(command: str, *words: str, **variables: str) -> None:
    pip = [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *words], env=os.environ | variables, umask=0o022, check=False)  # noqa: S603 - constant commands
    if done.returncode:
        raise ImageError(f"pip {command} failed: see its output above")

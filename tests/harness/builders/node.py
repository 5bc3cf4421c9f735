"""Runs the committed Node.js scripts whose libraries are independent of ours."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tools.local.lock import file_lock

INSTALL_S_MAX = 300
RUN_S_MAX = 300


def run_script(folder: Path, script: str, *arguments: str) -> Any:
    """Install the packages of a folder's lock, run a script and return the JSON it prints.

    Without Node.js or npm's registry the test is skipped; with CI=true it fails.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        _without("Node.js 20 with npm is absent")
    with file_lock(folder / "package.json"):  # two test processes may arrive at the same time
        _install(npm, folder)
    done = subprocess.run(
        [node, script, *arguments],
        cwd=folder, capture_output=True, text=True, timeout=RUN_S_MAX, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    return json.loads(done.stdout)


def _install(npm: str, folder: Path) -> None:
    lock, installed = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    if installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    done = subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=folder, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        _without(f"npm ci failed in {folder.name}: {done.stderr[-300:]}")


def _without(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)

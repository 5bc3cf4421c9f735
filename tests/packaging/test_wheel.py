"""The files that the Dockerfile copies suffice: the demo runs from their wheel alone."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.harness.builders.compose import ROOT, copied_into_the_image, image_environment

DEMO_S_MAX = 300


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel of the files that the Dockerfile copies, and unpack it."""
    place = tmp_path_factory.mktemp("wheel")
    for path in copied_into_the_image():
        copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
        (place / "context" / path).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / path, place / "context" / path)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    build = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(place), "."]
    subprocess.run(build, check=True, cwd=place / "context")
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(place / "installed")
    return place / "installed"


def test_the_demo_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    env = {"PATH": "", "PYTHONPATH": str(installed), "HOME": str(tmp_path), **image_environment()}
    where = "import sixgate; print(sixgate.__file__)"
    for words in (["-c", where], ["-m", "sixgate", "demo"]):
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=DEMO_S_MAX,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert words[0] == "-m" or done.stdout.startswith(str(installed))

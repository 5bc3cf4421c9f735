"""The client's wheel works alone: with its own requirements and without the rest of the tree."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
# -S: neither the environment's packages nor the editable installs of this tree.
ALONE = [sys.executable, "-I", "-S", "-c"]
USE = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
import sixgate_client
from importlib.util import find_spec
assert not any(map(find_spec, ("sixgate", "schemas", "signer", "streams", "pydantic")))
client = sixgate_client.Client("http://127.0.0.1:9", api_key="ocv_a")
try:
    client.chains()
except sixgate_client.ConnectionFailedError:
    print(sixgate_client.__file__)
"""
USE_KAFKA = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from sixgate_client.kafka import Outcomes, Producer
print(Outcomes.__module__, Producer.__module__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("client")
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    shutil.copytree(ROOT / "client", place / "source", ignore=left_out)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    build = [sys.executable, "-m", "pip", "wheel", *options, "-w", str(place), "."]
    subprocess.run(build, check=True, cwd=place / "source")
    (found,) = place.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def unpacked(wheel: Path) -> Path:
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(wheel.parent / "unpacked")
    return wheel.parent / "unpacked"


def required(wheel: Path, extra: str) -> Iterator[Requirement]:
    """Yield the wheel's requirements, as its metadata names them."""
    with zipfile.ZipFile(wheel) as opened:
        (name,) = (name for name in opened.namelist() if name.endswith("/METADATA"))
        metadata = opened.read(name).decode()
    for line in re.findall(r"^Requires-Dist: (.*)$", metadata, re.MULTILINE):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def closure(requirements: Iterator[Requirement]) -> dict[str, Distribution]:
    """Return the installed distributions that requirements need, directly or not."""
    found: dict[str, Distribution] = {}
    missing = [requirement.name for requirement in requirements]
    while missing:
        name = missing.pop()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # only for another platform or Python
        needed = map(Requirement, found[name].requires or ())
        missing += [one.name for one in needed if one.marker is None or one.marker.evaluate()]
    return found


def copied(distributions: dict[str, Distribution], folder: Path) -> Path:
    for one in distributions.values():
        for file in one.files or ():
            source = Path(str(one.locate_file(file)))
            if ".." not in file.parts and source.is_file():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, folder / file)
    return folder


def run(program: str, *folders: Path) -> str:
    paths = json.dumps([str(folder) for folder in folders])
    done = subprocess.run(
        [*ALONE, program, paths], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_needs_httpx_alone(wheel: Path, unpacked: Path, tmp_path: Path) -> None:
    assert [one.name for one in required(wheel, "")] == ["httpx"]
    needed = copied(closure(required(wheel, "")), tmp_path)
    assert run(USE, unpacked, needed).startswith(str(unpacked))


def test_its_extra_adds_kafka(wheel: Path, unpacked: Path, tmp_path: Path) -> None:
    needed = copied(closure(required(wheel, "kafka")), tmp_path)
    assert run(USE_KAFKA, unpacked, needed)


def test_it_is_typed_and_has_nothing_else(unpacked: Path) -> None:
    assert (unpacked / "sixgate_client" / "py.typed").exists()
    folders = {path.name for path in unpacked.iterdir() if path.suffix != ".dist-info"}
    assert folders == {"sixgate_client"}

"""The image's layer, without dependencies, which take a minute (``make image-twice``)."""

import marshal
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.builders.compose import ROOT, copied_into_the_image
from tools.image import reproducibility
from tools.image.archive import first_difference, pack
from tools.image.bytecode import MARSHAL_VERSION, compile_tree
from tools.image.errors import ImageError
from tools.image.layer import (
    EPOCH_S_DEFAULT,
    LEFT_OUT,
    RUNTIME,
    SOURCES,
    Project,
    build_layer,
    build_wheel,
    epoch_s,
)

HEAD_BYTES = 16  # PEP 552
PROJECT = Project(ROOT, EPOCH_S_DEFAULT)


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("layer")
    (place / "wheels").mkdir()
    build_layer(PROJECT, place / "wheels", place / "layer.tar")
    return place / "layer.tar"


def test_two_builds_in_different_environments_are_identical() -> None:
    digests = reproducibility.build_twice(ROOT, with_dependencies=False)
    assert {Path(name).suffix for name in digests} == {".whl", ".tar"}


def test_a_build_that_contains_its_path_is_detected_with_the_file_name(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for name in (*SOURCES, RUNTIME):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, checkout / name, ignore=LEFT_OUT)
        else:
            shutil.copy(ROOT / name, checkout / name)
    leaking = "\n_keep = _keep_one_script\n\n\ndef _keep_one_script(prefix):\n"
    leaking += '    _keep(prefix)\n    (prefix / "bin" / "place").write_text(os.getcwd())\n'
    with (checkout / "tools" / "image" / "layer.py").open("a") as code:
        code.write(leaking)
    with pytest.raises(ImageError, match=r"usr/local/bin/place .*sha256"):
        reproducibility.build_twice(checkout, with_dependencies=False)


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (lambda tree: (tree / "b").write_text("other"), "b differs in sha256"),
        (lambda tree: (tree / "b").chmod(0o755), "b differs in mode"),
        (lambda tree: (tree / "b").unlink(), "b is only in one of them"),
        (lambda tree: (tree / "aa").write_text(""), "aa is only in one of them"),
        (lambda tree: (tree / "c").write_text(""), "c is only in one of them"),
        (lambda tree: tree.chmod(0o700), None),
    ],
)
def test_the_first_difference_is_named(
    tmp_path: Path, change: Callable[[Path], object], difference: str | None
) -> None:
    for name in ("one", "other"):
        tree = tmp_path / name
        tree.mkdir()
        (tree / "a").write_text("a")
        (tree / "b").write_text("b")
    change(tmp_path / "other")
    for name in ("one", "other"):
        pack(tmp_path / name, tmp_path / f"{name}.tar", EPOCH_S_DEFAULT)
    assert first_difference(tmp_path / "one.tar", tmp_path / "other.tar") == difference


def test_the_layer_does_not_contain_path_time_or_user_of_the_build(layer: Path) -> None:
    with tarfile.open(layer) as archive:
        members = archive.getmembers()
        content = b"".join(archive.extractfile(m).read() for m in members if m.isreg())  # type: ignore[union-attr] # a file
    assert {m.mtime for m in members} == {EPOCH_S_DEFAULT}
    assert {(m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, "", "")}
    assert {m.mode for m in members} == {0o755, 0o644}
    assert [m.name for m in members] == sorted(
        (m.name for m in members), key=lambda n: n.split("/")
    )
    for place in (str(layer.parent), sys.prefix, str(ROOT)):
        assert place.encode() not in content, place


def test_the_layer_is_one_folder_with_packages_and_one_command(layer: Path) -> None:
    with tarfile.open(layer) as archive:
        names = archive.getnames()
    assert [n for n in names if n.startswith("usr/local/bin/")] == ["usr/local/bin/sixgate"]
    assert {"/".join(n.split("/")[:3]) for n in names if n.count("/") > 1} == {
        "usr/local/bin",
        "usr/local/lib",
    }


def test_the_command_runs_from_the_layer_and_writes_nothing_beside_it(
    layer: Path, tmp_path: Path
) -> None:
    with tarfile.open(layer) as archive:
        archive.extractall(tmp_path, filter="data")
    (packages,) = (tmp_path / "usr" / "local" / "lib").glob("python3.*/site-packages")
    before = sorted(tmp_path.rglob("*"))
    launcher = tmp_path / "usr" / "local" / "bin" / "sixgate"
    done = subprocess.run(
        [sys.executable, launcher, "--version"],
        env={"PYTHONPATH": str(packages), "ETH_HASH_BACKEND": "pysha3"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert done.stdout.split() == ["sixgate", version]
    assert sorted(tmp_path.rglob("*")) == before


def test_the_simulated_platform_is_not_in_the_layer_and_refused_by_name(
    layer: Path, tmp_path: Path
) -> None:
    with tarfile.open(layer) as archive:
        assert not [name for name in archive.getnames() if "simulated_platform" in name]
        archive.extractall(tmp_path, filter="data")
    (packages,) = (tmp_path / "usr" / "local" / "lib").glob("python3.*/site-packages")
    code = "from sixgate.attesting.factory import simulated_source; simulated_source()"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],  # without the editable install of the checkout
        env={"PYTHONPATH": f"{packages}:{sysconfig.get_path('purelib')}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "PlatformUnavailableError: this installation has no simulated platform" in done.stderr


def test_bytecode_is_found_by_python_and_has_the_real_path(tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text("def where():\n    return where.__code__.co_filename\n")
    (tmp_path / "broken.py").write_text("print 'of another Python'\n")
    assert compile_tree(tmp_path) == 1
    (tmp_path / "sample.py").write_text("raise SystemExit('the source was read')\n")
    code = "import sample; print(sample.where())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(tmp_path / "sample.py")


def test_bytecode_does_not_depend_on_object_sharing_in_the_compiler(tmp_path: Path) -> None:
    """Loading and dumping it gives the same bytes, which newer marshal versions do not promise."""
    (tmp_path / "code.py").write_text("def a(b, c=('d', 'd')):\n    return b, c, a\n")
    compile_tree(tmp_path)
    (compiled,) = tmp_path.rglob("*.pyc")
    body = compiled.read_bytes()[HEAD_BYTES:]
    assert marshal.dumps(marshal.loads(body), MARSHAL_VERSION) == body  # noqa: S302 - our own


def test_the_wheel_has_the_images_files_only(tmp_path: Path) -> None:
    assert sorted(SOURCES) == sorted(
        name for name in copied_into_the_image() if not name.startswith("requirements/")
    )
    wheel = build_wheel(PROJECT, tmp_path)
    assert wheel.name.startswith("sixgate-")


def test_an_invalid_date_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for said in ("yesterday", "-1", "0"):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", said)
        with pytest.raises(ImageError, match="SOURCE_DATE_EPOCH"):
            epoch_s()

"""Downloads Kafka and ClickHouse into ``build/``; versions and hashes are pinned in ``pins/``.

1. Take a file lock: tests and developers may download at the same time.
2. Download into ``NAME.partial`` and check the hashes. *If the process ends here, the next run
   starts again.*
3. Rename the folder to its final name, which contains the digest of the pins. It exists only if the
   download is complete.
"""

import shutil
import subprocess
from collections.abc import Callable
from hashlib import file_digest, sha256
from pathlib import Path

from tools.local.errors import ServerError
from tools.local.lock import file_lock

PINS = Path(__file__).parent / "pins"
DOWNLOADS = Path(__file__).parents[2] / "build" / "servers"
FETCH_S_MAX = 900
_COPY_JARS = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_CLICKHOUSE = "node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"


def kafka_jars() -> Path:
    """Return the folder of Kafka's jars, checked against ``jars.sha256`` when downloaded."""
    return _fetched("kafka", ("pom.xml", "jars.sha256"), _fetch_checked_jars)


def clickhouse_library() -> Path:
    """Return ClickHouse's shared library; npm checks the ``integrity`` hashes of its lock file."""
    pins = ("package.json", "package-lock.json", ".npmrc")
    return _fetched("clickhouse", pins, _fetch_library) / _CLICKHOUSE


def pin() -> None:
    """Pin the hashes of the versions in ``pom.xml`` and ``package.json``; review the diff."""
    with file_lock(DOWNLOADS / "pin.lock"):
        draft = _emptied(DOWNLOADS / "pin.partial")
        _fetch_jars(draft)
        (PINS / "jars.sha256").write_text(_listing(draft))
        shutil.rmtree(draft)
        _run("npm", "install", "--package-lock-only", "--prefix", str(PINS), *_QUIET)


def tool(name: str) -> str:
    """Return a program's path; raise ``ServerError`` naming its package if it is missing."""
    if found := shutil.which(name):
        return found
    raise ServerError(f"{name} is missing: install {_PACKAGES[name]} and retry.")


_PACKAGES = {
    "java": "a Java 17 runtime (Debian: openjdk-17-jre-headless)",
    "mvn": "Maven (Debian: maven)",
    "npm": "Node.js 20 or newer with npm",
}
_QUIET = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")


def _fetched(name: str, pins: tuple[str, ...], fetch: Callable[[Path], None]) -> Path:
    """Return the folder of a complete download; new pins give it a new name (steps 1 to 3)."""
    digest = sha256(b"\0".join((PINS / pin).read_bytes() for pin in pins)).hexdigest()
    target = DOWNLOADS / f"{name}-{digest[:16]}"
    # 1. The second process finds the finished folder.
    with file_lock(DOWNLOADS / f"{name}.lock"):
        if not target.is_dir():
            # 2. Leftovers of a crash are deleted first.
            draft = _emptied(DOWNLOADS / f"{name}.partial")
            fetch(draft)
            # 3. Atomic: a folder with this name is always complete.
            draft.rename(target)
    return target


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _fetch_checked_jars(folder: Path) -> None:
    _fetch_jars(folder)
    found, pinned = _listing(folder), (PINS / "jars.sha256").read_text()
    wrong = sorted(set(found.splitlines()) ^ set(pinned.splitlines()))
    if wrong:
        names = ", ".join(sorted({line.split()[1] for line in wrong}))
        raise ServerError(f"Kafka's jars are not the pinned ones ({names}): nothing was installed.")


def _fetch_jars(folder: Path) -> None:
    _run("mvn", "-B", "-q", "-f", str(PINS / "pom.xml"), _COPY_JARS, f"-DoutputDirectory={folder}")


def _fetch_library(folder: Path) -> None:
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(PINS / name, folder)
    _run("npm", "ci", "--prefix", str(folder), *_QUIET)
    if not (folder / _CLICKHOUSE).is_file():
        raise ServerError("ClickHouse's library is for Linux on x86-64 with glibc only.")


def _listing(folder: Path) -> str:
    return "".join(f"{_sha256(jar)}  {jar.name}\n" for jar in sorted(folder.glob("*.jar")))


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return file_digest(handle, "sha256").hexdigest()


def _run(name: str, *arguments: str) -> None:
    log = DOWNLOADS / f"{name}.log"
    with log.open("wb") as output:
        ended = subprocess.run(  # noqa: S603 - an installed program with constant arguments
            [tool(name), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=FETCH_S_MAX,
        )
    if ended.returncode:
        raise ServerError(f"{name} could not download the servers: see {log}.")

"""The commands with which README.md of ``infra/gke`` adds people, with a folder as the volume."""

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from sixgate.gateway.database import Database
from sixgate.gateway.people import People, Person
from tests.harness.builders.gke import GKE
from tests.harness.cli.command_line import InProcess

KUBECTL = """#!/bin/sh
test "$1" = exec || exit 0
for command; do :; done
exec sh -c "$(printf %s "$command" | sed "s#/data#$VOLUME#")"
"""
FORGING = """#!/bin/sh
test "$1" = exec || exit 0
cat forged
case "$*" in *--stdin*) cat >sent ;; esac
"""
SIXGATE = f"""#!/bin/sh
exec {sys.executable} -m sixgate "$@"
"""


class Cluster:
    """An operator's machine, and the gateway's volume."""

    def __init__(self, place: Path) -> None:
        self.place, self.volume = place, place / "volume"
        self.volume.mkdir()
        for name, text in (("kubectl", KUBECTL), ("sixgate", SIXGATE)):
            (place / name).write_text(text)
            (place / name).chmod(0o755)

    def add(self, name: str, *, first: bool, stops: bool = True) -> None:
        """Run the page's commands; the first time without those that the page excepts.

        A shell of an operator does not stop when a command fails.
        """
        text = _commands().replace("add bob --config sixgate.toml", f"add {name}")
        commands = [
            command
            for command in re.split(r"(?<!\|)\n", text)
            if not (first and "cat /data" in command)
        ]
        path = f"{self.place}:{os.environ['PATH']}"
        subprocess.run(
            ["/bin/bash", "-euo" if stops else "-uo", "pipefail", "-c", "\n".join(commands)],
            cwd=self.place,
            env=os.environ | {"PATH": path, "VOLUME": str(self.volume)},
            check=stops,
        )

    def people(self) -> set[str]:
        with closing(Database(self.volume / "gateway" / "gateway.db")) as database:
            return {person.name for person in People(database).all()}

    def forge_answers(self, content: bytes) -> None:
        """Answer every command in a pod with ``content``, and keep what the command is sent."""
        (self.place / "forged").write_bytes(content)
        (self.place / "kubectl").write_text(FORGING)


def _commands() -> str:
    found = re.search(
        r"### People\n.*?```sh\n(.*?)\n```", (GKE / "README.md").read_text(), re.DOTALL
    )
    assert found
    return found[1]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    InProcess(tmp_path / "sixgate-data").ok("init", "--org", "acme")
    return Cluster(tmp_path)


def test_the_documented_commands_add_people_and_lose_nothing_on_the_volume(
    cluster: Cluster,
) -> None:
    cluster.add("alice", first=True)
    gateway = cluster.volume / "gateway"
    (gateway / "tokens.pem").write_text("stays")
    with closing(Database(gateway / "gateway.db")) as database:
        People(database).add(Person("3", "carol", None, "admin", 1, active=True))
        # The gateway was killed: its newest changes are in the log beside the file.
        shutil.copytree(gateway, cluster.place / "killed")
    shutil.rmtree(gateway)
    shutil.copytree(cluster.place / "killed", gateway)
    assert (gateway / "gateway.db-wal").stat().st_size > 0
    cluster.add("bob", first=False)
    assert cluster.people() == {"alice", "bob", "carol"}
    assert (gateway / "tokens.pem").read_text() == "stays"
    assert [path.stat().st_mode & 0o777 for path in (gateway, gateway / "gateway.db")] == [
        0o700,
        0o600,
    ]


def test_a_forged_answer_of_the_cluster_neither_writes_nor_reads_other_files(
    cluster: Cluster,
) -> None:
    cluster.add("alice", first=True)
    trust, key = (cluster.place / "sixgate-data" / name for name in ("trust.json", "keys/root.key"))
    before = trust.read_bytes()
    with io.BytesIO() as content:
        with tarfile.open(fileobj=content, mode="w") as archive:
            link = tarfile.TarInfo("gateway/gateway.db")
            link.type, link.linkname = tarfile.LNKTYPE, "keys/root.key"
            archive.addfile(link)
            archive.addfile(tarfile.TarInfo("trust.json"))
        cluster.forge_answers(content.getvalue())
    cluster.add("bob", first=False, stops=False)
    assert key.read_bytes() not in (cluster.place / "sent").read_bytes()
    assert trust.read_bytes() == before

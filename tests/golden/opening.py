"""Opens a golden folder: its archive, a clock at its time, a running node, and what it shows."""

import json
import lzma
import re
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sixgate.api.operator.serving import serving_operators
from sixgate.data_folder.folder import Folder
from sixgate.services.embedded.node import Node, running
from tests.harness.cli.command_line import InProcess

HERE = Path(__file__).parent
ARCHIVE, EXPECTED = HERE / "folder.tar.xz", HERE / "expected.json"
NS_PER_MS = 1_000_000
HOUR_MS, DAY_MS = 60 * 60 * 1000, 24 * 60 * 60 * 1000
# The command that lists each, and the members that must stay.
_LISTS = {
    "agents": (("agents", "list"), "agent account spent_wei limit_wei left_wei record"),
    "keys": (("keys", "list"), "account path vault version chain state imported address"),
    "vaults": (("vaults", "list"), "account vault mode providers customer_keys"),
    "services": (("services",), "role name public_key active"),
    "admins": (("admins", "list"), "name public_key active accounts gateway ceiling"),
    "people": (("people", "list"), "id name role active"),
    "chains": (("chains", "list"), "chain_id name aliases default_fees"),
    "intents": (
        ("intents", "list", "--limit", "1000"),
        "intent account agent kind outcome reason transaction_hash sequence repeats",
    ),
}
_SIGNED = (
    "id intent account sender chain_id nonce key_path key_version raw_transaction decided_at_ms "
    "policy boot signature"
)
_ROWS = """SELECT topic, count(), lower(hex(SHA256(arrayStringConcat(groupArray(body)))))
FROM (SELECT topic, body FROM ledger WHERE seq < {} ORDER BY seq) GROUP BY topic ORDER BY topic"""
_HEAD = "SELECT seq, lower(hex(hash)) FROM ledger WHERE seq < {} ORDER BY seq DESC LIMIT 1"


@contextmanager
def clock_at(now_ms: int) -> Iterator["Clock"]:
    """Set this process's wall clock; the time since boot stays right."""
    right = time.time, time.time_ns
    clock = Clock(now_ms * NS_PER_MS - time.time_ns())
    try:
        time.time_ns = lambda: right[1]() + clock.wrong_ns
        time.time = lambda: right[0]() + clock.wrong_ns / 1e9
        yield clock
    finally:
        time.time, time.time_ns = right


class Clock:
    """A wall clock that runs, and that can be set forward while no node runs."""

    def __init__(self, wrong_ns: int) -> None:
        self.wrong_ns = wrong_ns

    def forward(self, ms: int) -> None:
        """Set the clock forward."""
        self.wrong_ns += ms * NS_PER_MS


@contextmanager
def opened(data: Path) -> Iterator[tuple[Node, InProcess]]:
    """Run the node of a folder in this process; the commands use it over its socket."""
    folder = Folder(data)
    with folder.ownership_lock(), running(folder) as node, serving_operators(folder, node):
        yield node, InProcess(data)


def pack(root: Path) -> None:
    """Write the archive: sorted names, no times, no owners, modes kept."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime = member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    merged = [part for part in root.rglob("0_*_*_*") if not part.name.endswith("_0")]
    with lzma.open(ARCHIVE, "wb", preset=9) as out, tarfile.open(fileobj=out, mode="w") as archive:
        for path in sorted(root.rglob("*")):
            if not any(_replaces(part, path) for part in merged):
                archive.add(path, path.relative_to(root), recursive=False, filter=plain)


def _replaces(merged: Path, path: Path) -> bool:
    """Return whether the engine's merge left a path over: it removes such parts minutes later."""
    if not path.is_relative_to(merged.parent) or path.is_relative_to(merged):
        return False
    part = path.relative_to(merged.parent).parts[:1]
    blocks = re.fullmatch(r"0_(\d+)_(\d+)_\d+", "".join(part))
    first, last = (int(number) for number in merged.name.split("_")[1:3])
    return blocks is not None and first <= int(blocks[1]) and int(blocks[2]) <= last


def unpack(root: Path) -> Path:
    """Unpack the archive; return the data folder."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(root, filter="tar")
    return root / "data"


def shown(node: Node, cli: InProcess, rows: int) -> dict[str, Any]:
    """Return what an open folder shows; of the ledger, the first rows."""
    found: dict[str, Any] = {
        name: chosen(cli.ok(*words, "--json").json, members)
        for name, (words, members) in _LISTS.items()
    }
    registry = node.registry()
    found["registry"] = [registry["sequence"], registry["head"]]
    found["settings"] = cli.ok("settings", "get", "--json").json
    found["access"] = cli.ok("access", "list", "--json").json
    events = [line["event"] for line in cli.ok("signed", "--json").lines]
    found["signed"] = chosen(events, _SIGNED)
    for one in found["vaults"]:
        words = (one["vault"], "--account", one["account"], "--json")
        one["contents"] = cli.ok("vaults", "show", *words).json
    for name, query in (("topics", _ROWS), ("head", _HEAD)):
        found[name] = cli.ok("ledger", "sql", query.format(rows), "--json").json["rows"]
    return found


def write_expected(found: dict[str, Any]) -> None:
    """Write what the folder must show, one line for each row."""
    parts = []
    for name, value in found.items():
        rows = [json.dumps(row) for row in value] if isinstance(value, list) else []
        text = "[\n{}\n]".format(",\n".join(rows)) if rows else json.dumps(value)
        parts.append(f"{json.dumps(name)}: {text}")
    EXPECTED.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def chosen(rows: list[dict[str, Any]], members: str) -> list[dict[str, Any]]:
    """Return some members of each row."""
    return [{name: row[name] for name in members.split() if name in row} for row in rows]


def name_of(mode: str) -> str:
    """Return the name of the agent and of the account whose keys are kept in a mode."""
    return f"safe-{mode.replace('_', '-')}"


def sealed_share(cli: InProcess, clients: Path, mode: str) -> Any:
    """Return the client share of a mode's key, sealed to the signer for the mode's agent."""
    words = ("keys", "seal-share", "--agent", name_of(mode))
    return cli.ok(*words, "--share", str(clients / f"{mode}.key")).json

"""The embedded pipeline end to end, with its ledger, against eth-account alone."""

import base64
import os
import sqlite3
import statistics
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import fixtures
from benchmarks.measure import Figure, seconds
from sixgate.api import Json
from sixgate.data_folder.folder import Folder
from sixgate.services.embedded.node import Node, running

INTENTS, ROUNDS = 10_000, 5
SINGLES = 300
WARM_UP = 300
COMMITS = 3
EXTRA_MS_MAX = 5


def figures() -> Iterator[Figure]:
    """Yield the rows of this group."""
    agent = fixtures.new_agent()
    keys = map(str, range(WARM_UP + SINGLES + INTENTS))
    records = [record_of(raw) for raw in fixtures.signed(agent, keys)]
    with TemporaryDirectory() as directory:
        folder = fixtures.make_folder(Path(directory) / "data", agent)
        with running(folder) as node:
            submit(node, records[:WARM_UP])
            yield _single(node, records[WARM_UP : WARM_UP + SINGLES], folder)
            yield _many(node, records[WARM_UP + SINGLES :])


def record_of(raw: bytes) -> Json:
    return {"key": fixtures.ACCOUNT, "value": base64.b64encode(raw).decode()}


def submit(node: Node, records: list[Json]) -> None:
    ends = list(node.submit(records, wait=True))
    signed = [end for end in ends[1:] if end["result"]["type"] == "transaction.signed"]
    assert len(signed) == len(records)


def _many(node: Node, records: list[Json]) -> Figure:
    """Interleave rounds of the pipeline and of the peer, and compare the medians."""
    peer, share = fixtures.Peer(), len(records) // ROUNDS
    ours, theirs = [], []
    for number in range(ROUNDS):
        part = records[number * share : (number + 1) * share]
        ours.append(seconds(lambda part=part: submit(node, part)) / share)  # type: ignore[misc] # mypy cannot infer a lambda's default
        node.pipeline.settle()  # otherwise the ledger would slow down the peer
        theirs.append(seconds(lambda: [peer() for _ in range(share)]) / share)
    rate, peer_rate = 1 / statistics.median(ours), 1 / statistics.median(theirs)
    return Figure(
        "embedded pipeline",
        f"{ROUNDS * share:,} intents, from submit to durably signed",
        rate,
        "intents/s",
        "eth-account alone",
        peer_rate,
        "at least half the peer's",
        rate >= peer_rate / 2,
    )


def _single(node: Node, records: list[Json], folder: Folder) -> Figure:
    """Submit one intent at a time; measure a durable commit on the same disk in between."""
    disk = _Disk(folder.path / "commit.db")
    ours, commits = [], []
    for record in records:
        ours.append(seconds(lambda record=record: submit(node, [record])) * 1000)  # type: ignore[misc] # as above
        commits.append(seconds(disk.commit) * 1000)
    value, commit = statistics.median(ours), statistics.median(commits)
    return Figure(
        "embedded pipeline",
        "a single intent, from submit to signed, p50",
        value,
        "ms",
        "a durable SQLite commit",
        commit,
        f"at most {COMMITS} commits + {EXTRA_MS_MAX} ms",
        value <= COMMITS * commit + EXTRA_MS_MAX,
    )


class _Disk:
    """Durable commits on this disk, as a reference."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("CREATE TABLE t (v BLOB)")

    def commit(self) -> None:
        self._db.execute("INSERT INTO t VALUES (?)", (os.urandom(512),))

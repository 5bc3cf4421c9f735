"""Time per intent in the embedded pipeline, by part."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import fixtures
from benchmarks.measure import MICRO, Figure
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.stage.batch import Intents
from signer.stage.slot import Commit
from sixgate.services.embedded.assembly import assemble
from streams.runners.embedded import EmbeddedRunner

INTENTS = 4_000
CHUNK = 500


class TimedRunner(EmbeddedRunner):
    """The runner with a timer around each part of a batch."""

    times: dict[str, float]

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Time a part without the parts that are timed inside it."""
        start, before = time.perf_counter(), sum(self.times.values())
        yield
        inside = sum(self.times.values()) - before
        self.times[part] = self.times.get(part, 0) + time.perf_counter() - start - inside

    def _run_gates(self, submitted: Sequence[Record], now_ms: int) -> Intents:
        with self.timed("admission and gates, with one Ed25519 verification"):
            return super()._run_gates(submitted, now_ms)

    def _commit_all(self, commits: Iterable[Commit], now_ms: int) -> None:
        """Time preparing a commit separately from committing it."""
        following = iter(commits)
        for part in ("the signer's decision", "build, sign, verify the sender, sign the outcome"):
            with self.timed(part):
                made = list(islice(following, 1))
            with self.timed("both commits"):
                super()._commit_all(made, now_ms)


def figures() -> Iterator[Figure]:
    """Yield one row per part, in µs per intent, against one signature of eth-account."""
    times = _run(INTENTS)
    peer = fixtures.Peer()
    start = time.perf_counter()
    for _ in range(INTENTS // 4):
        peer()
    peer_us = (time.perf_counter() - start) / (INTENTS // 4) * MICRO
    for part, spent in times.items():
        value = spent / INTENTS * MICRO
        yield Figure(
            "budget",
            part,
            value,
            "µs",
            "eth-account, one signature",
            peer_us,
            "no bound",
            holds=True,
        )


def _run(intents: int) -> dict[str, float]:
    agent = fixtures.new_agent()
    with TemporaryDirectory() as directory:
        parts = assemble(fixtures.make_folder(Path(directory) / "data", agent), lambda _: None)
        runner = _timed(parts.runner)
        parts.start()
        runner.step()
        runner.times.clear()
        values = list(fixtures.signed(agent, map(str, range(intents))))
        for start in range(0, intents, CHUNK):
            chunk = values[start : start + CHUNK]
            parts.inbox.append([Outgoing(Topic.SUBMITTED, fixtures.ACCOUNT, v) for v in chunk], 0)
        while runner.step():
            continue
        parts.close()
    return runner.times


def _timed(runner: EmbeddedRunner) -> TimedRunner:
    fields: dict[str, Callable[..., object]] = {
        name: getattr(runner, name) for name in EmbeddedRunner.__slots__
    }
    timed = TimedRunner(**fields)  # type: ignore[arg-type] # the same fields
    timed.times = {}
    return timed

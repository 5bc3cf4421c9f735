"""The contract of the signer's state store, tested on the fake and on the real store."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from schemas.record import Record
from schemas.topics import Topic
from signer.keys.authorized_use import KeyUse
from signer.stage.memory import Memory
from signer.stage.recorded import Recorded
from signer.stage.stage import SigningStage
from signer.stage.state import StateKey, StateStore, StateWrite
from streams.kafka.state import StateTable, key_of, value_of
from streams.log.pipeline import PipelineLog
from tests.harness.builders.cases import (
    ACCOUNT,
    DAY_MS,
    NOW_MS,
    SECRET,
    SIGNER,
    arrival,
    intent,
    provisioned,
    registered,
)
from tests.harness.builders.ethereum import MemoryKey
from tests.harness.builders.known_outcomes import KnownOutcomes
from tests.harness.builders.state_store import DictStateStore
from tests.harness.pipeline.signer_process import SLOT, STATE_MAC

ONE, TWO = StateKey("treasury", "live", "0x01"), StateKey("treasury", "live", "0x02")
OPS = StateKey("ops", "live", "0x01")
HEAD, SLOT_KEY = StateKey("treasury", "head", ""), StateKey("", "slot", "0")
Commit: TypeAlias = Callable[[Sequence[StateWrite]], None]


@dataclass
class Opened:
    """A store, with functions to commit to it and to restart it."""

    store: StateStore
    commit: Commit
    reopened: Callable[[], StateStore]


def in_memory(_: Path) -> Iterator[Opened]:
    store = DictStateStore()
    yield Opened(store, store.commit, lambda: store)


def in_sqlite(folder: Path) -> Iterator[Opened]:
    path = folder / "pipeline.db"
    logs = [PipelineLog(path, 4)]

    def again() -> PipelineLog:
        logs.append(PipelineLog(path, 4))
        return logs[-1]

    yield Opened(logs[0], lambda writes: logs[0].commit([], writes, NOW_MS), again)
    for log in logs:
        log.close()


def in_kafka(_: Path) -> Iterator[Opened]:
    """Simulate compaction of the topic: keep the newest record of each key."""
    store, topic = StateTable(), dict[bytes, Record]()

    def commit(writes: Sequence[StateWrite]) -> None:
        for write in writes:
            key, value = key_of(write.key), value_of(write) or b""
            topic[key] = Record(Topic.STATE, 0, len(topic), key.decode(), value, NOW_MS)
            store.apply(write)

    def again() -> StateTable:
        table = StateTable()
        for record in topic.values():
            table.load(record)
        return table

    yield Opened(store, commit, again)


@pytest.fixture(params=[in_memory, in_sqlite, in_kafka], ids=lambda made: made.__name__)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    yield from request.param(tmp_path)


def live(
    key: StateKey, value: bytes = b"v", *, pending: bool = False, until: int = 0
) -> StateWrite:
    return StateWrite(key, value, pending, until)


def test_a_new_store_is_empty(opened: Opened) -> None:
    store = opened.store
    assert store.get(ONE) is None
    assert list(store.live_of("treasury")) == []
    assert list(store.pending_accounts()) == []
    assert list(store.forgettable("treasury", 2**53, 9)) == []


def test_committed_records_are_read_at_once_and_after_a_restart(opened: Opened) -> None:
    value = bytes(range(256)) * 40
    opened.commit([live(ONE, value), StateWrite(HEAD, b"h"), StateWrite(SLOT_KEY, b"s")])
    for store in (opened.store, opened.reopened()):
        assert (store.get(ONE), store.get(HEAD), store.get(SLOT_KEY)) == (value, b"h", b"s")
        assert store.get(TWO) is None


def test_a_later_write_replaces_and_a_removal_deletes(opened: Opened) -> None:
    opened.commit([live(ONE, b"old"), live(TWO, b"two")])
    opened.commit([live(ONE, b"new"), StateWrite(TWO, None)])
    for store in (opened.store, opened.reopened()):
        assert store.get(ONE) == b"new"
        assert dict(store.live_of("treasury")) == {ONE: b"new"}
    opened.commit([StateWrite(TWO, None)])  # removing a missing record is allowed
    assert opened.store.get(TWO) is None


def test_an_account_s_live_records_are_its_own_and_all_of_them(opened: Opened) -> None:
    near = [StateKey(name, "live", "0x01") for name in ("treasury2", "treasur", "t%", "")]
    opened.commit([live(ONE), live(TWO), live(OPS), StateWrite(HEAD, b"h"), *map(live, near)])
    assert dict(opened.store.live_of("treasury")) == {ONE: b"v", TWO: b"v"}
    assert dict(opened.store.live_of("ops")) == {OPS: b"v"}
    assert dict(opened.store.live_of("t%")) == {near[2]: b"v"}


def test_an_account_is_pending_while_one_of_its_records_is(opened: Opened) -> None:
    opened.commit([live(ONE, pending=True), live(TWO, pending=True), live(OPS)])
    assert list(opened.store.pending_accounts()) == ["treasury"]
    opened.commit([live(ONE)])
    assert list(opened.store.pending_accounts()) == ["treasury"]
    opened.commit([live(TWO)])
    assert list(opened.reopened().pending_accounts()) == []


@pytest.mark.parametrize(("until", "goes"), [(99, True), (100, False), (101, False)])
def test_only_expired_records_can_be_forgotten(opened: Opened, until: int, *, goes: bool) -> None:
    opened.commit([live(ONE, until=until), live(OPS, until=0), StateWrite(HEAD, b"h")])
    assert list(opened.store.forgettable("treasury", 100, 9)) == ([ONE] if goes else [])


def test_pending_records_are_not_forgotten_and_the_count_is_bounded(opened: Opened) -> None:
    keys = [StateKey("treasury", "live", f"0x{n:02x}") for n in range(10)]
    opened.commit([live(key, until=1, pending=n < 5) for n, key in enumerate(keys)])
    found = opened.store.forgettable("treasury", 100, 3)
    assert len(found) == 3
    assert set(found) <= set(keys[5:])
    assert set(opened.store.forgettable("treasury", 100, 99)) == set(keys[5:])


def test_records_may_be_read_while_others_are_written(opened: Opened) -> None:
    opened.commit([live(ONE), live(TWO)])
    seen = []
    for key, value in list(opened.store.live_of("treasury")):
        opened.commit([live(key, value + b"!")])
        seen.append(opened.store.get(key))
    assert seen == [b"v!", b"v!"]


def test_a_signers_whole_history_works_with_the_store(opened: Opened) -> None:
    """Sign, forget, restart: the loaded state passes every check."""
    _, registry = registered()
    memory = Memory(opened.store, STATE_MAC, SLOT)
    keys = provisioned(registry)
    key_use = KeyUse(lambda *_: MemoryKey(SECRET))
    stage = SigningStage(SIGNER, registry, memory, keys, key_use, Recorded(KnownOutcomes()))
    for turn in range(4):
        at_ms = NOW_MS + turn * DAY_MS
        asked = intent(idempotency_key=f"{turn}", expires_at_ms=at_ms + 1)
        batch = stage.allocate([arrival(asked, turn)], at_ms)
        opened.commit(memory.drain())
        stage.sign(batch)
        opened.commit(memory.drain(memory.slot.model_copy(update={"last_ms": at_ms})))
    again = Memory(opened.reopened(), STATE_MAC, SLOT)
    account = again.account(ACCOUNT)
    assert (account.sequence, account.nonces) == (4, memory.account(ACCOUNT).nonces)
    assert account.live_count == len(list(opened.store.live_of(ACCOUNT))) == 2
    assert again.slot.last_ms == NOW_MS + 3 * DAY_MS
    assert list(again.pinned()) == []

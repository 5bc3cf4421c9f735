"""The signer's memory: every attack on a record is detected, and the state stays bounded."""

from collections.abc import Callable
from contextlib import nullcontext, suppress

import pytest

from signer.core.account import owner_key
from signer.stage.memory import FORGET_COUNT_MAX, Memory
from signer.stage.state import (
    MAC_BYTES,
    StateIntegrityError,
    StateKey,
    StateRollbackError,
    StateWrite,
)
from tests.harness.builders.cases import (
    ACCOUNT,
    DAY_MS,
    ETH,
    HOUR_MS,
    NOW_MS,
    arrival,
    intent,
    provisioned,
    registered,
)
from tests.harness.builders.state_store import DictStateStore
from tests.harness.pipeline.signer_process import SLOT, STATE_MAC, Crash, Died, Disk, SignerProcess

HEAD = StateKey(ACCOUNT, "head", "")


def lived(die: Crash | None = None) -> DictStateStore:
    """Return the state after three signed intents; the last may have been interrupted."""
    _, registry = registered()
    process = SignerProcess(Disk(), registry, provisioned(registry))
    for n in range(2):
        process.run([arrival(intent(idempotency_key=f"{n}", value_wei=ETH))], NOW_MS + n)
    with suppress(Died):
        process.run([arrival(intent(idempotency_key="2", value_wei=ETH))], NOW_MS + 2, die)
    return process.disk.state


def live_keys(store: DictStateStore) -> list[StateKey]:
    return [key for key, _ in store.live_of(ACCOUNT)]


def load(store: DictStateStore) -> Memory:
    """Verify the whole state, as the signer does at start."""
    memory = Memory(store, STATE_MAC, SLOT)
    memory.account(ACCOUNT)
    list(memory.pinned())
    return memory


def put(store: DictStateStore, key: StateKey, value: bytes | None) -> None:
    store.put(StateWrite(key, value, pending=True, forget_at_ms=0))


def flip_head(store: DictStateStore) -> None:
    put(store, HEAD, store.versions[HEAD][-1][:-2] + b"]}")


def roll_head_back(store: DictStateStore) -> None:
    put(store, HEAD, store.versions[HEAD][-2])


def delete_head(store: DictStateStore) -> None:
    del store.records[HEAD]


def delete_live(store: DictStateStore) -> None:
    del store.records[live_keys(store)[0]]


def roll_live_back(store: DictStateStore) -> None:
    key = live_keys(store)[0]
    put(store, key, store.versions[key][0])


def swap_lives(store: DictStateStore) -> None:
    one, two = live_keys(store)[:2]
    values = store.records[one].value, store.records[two].value
    put(store, one, values[1])
    put(store, two, values[0])


def copy_live(store: DictStateStore) -> None:
    first = live_keys(store)[0]
    put(store, StateKey(ACCOUNT, "live", "0x" + "00" * 32), store.records[first].value)


def bring_live_from_elsewhere(store: DictStateStore) -> None:
    first = live_keys(store)[0]
    elsewhere = StateKey("ops", "live", first.key)
    put(store, first, STATE_MAC.protect(elsewhere, (store.records[first].value or b"")[MAC_BYTES:]))


def seal_under_another_key(store: DictStateStore) -> None:
    first = live_keys(store)[0]
    body = (store.records[first].value or b"")[MAC_BYTES:]
    put(store, first, bytes(MAC_BYTES) + body)


def empty_live(store: DictStateStore) -> None:
    put(store, live_keys(store)[0], b"")


def damage_slot(store: DictStateStore) -> None:
    put(store, StateKey("", "slot", SLOT), b"\x00" * 50)


@pytest.mark.parametrize(
    "attack",
    [
        flip_head,
        roll_head_back,
        delete_head,
        delete_live,
        roll_live_back,
        swap_lives,
        copy_live,
        bring_live_from_elsewhere,
        seal_under_another_key,
        empty_live,
        damage_slot,
    ],
)
@pytest.mark.parametrize("die", [None, Crash.BEFORE_SIGNING])
def test_an_attack_on_the_state_halts_the_signer(
    attack: Callable[[DictStateStore], None], die: Crash | None
) -> None:
    store = lived(die)
    load(store)
    attack(store)
    with pytest.raises(StateIntegrityError):
        load(store)


def hinting(store: DictStateStore) -> Memory:
    """Return the memory of a store that claims that every record may be forgotten."""
    for key in live_keys(store):
        value = store.records[key].value
        pinned = value is not None and b'"pinned":{' in value
        store.put(StateWrite(key, value, pending=pinned, forget_at_ms=0))
    return Memory(store, STATE_MAC, SLOT)


def removed(memory: Memory, now_ms: int) -> int:
    memory.forget(ACCOUNT, now_ms, lambda _: True)
    return len([write for write in memory.drain() if write.value is None])


@pytest.mark.parametrize(
    ("die", "age_ms", "count"),
    [
        (None, HOUR_MS, 0),
        (None, DAY_MS, 0),
        (None, DAY_MS + 1, 1),
        (None, DAY_MS + 3, 3),
        (Crash.BEFORE_SIGNING, 30 * DAY_MS, 2),  # the third is pinned and not yet signed
    ],
)
def test_a_store_with_false_hints_loses_no_record(
    die: Crash | None, age_ms: int, count: int
) -> None:
    assert removed(hinting(lived(die)), NOW_MS + age_ms) == count


def test_only_pinned_outcomes_are_recovered() -> None:
    assert list(load(lived()).pinned()) == []
    [(key, live)] = load(lived(Crash.BEFORE_OUTCOMES)).pinned()
    assert key == owner_key("alice", "2")
    assert (live.sequence, live.idempotency_key) == (3, "2")


def test_stored_records_do_not_reveal_the_set_digest() -> None:
    """A set digest that sums visible numbers can be forged (Wagner's generalised birthday)."""
    store = lived()
    shown = [int.from_bytes(sealed[:MAC_BYTES], "big") for _, sealed in store.live_of(ACCOUNT)]
    heads = [
        int(Memory(store, STATE_MAC, SLOT).account(ACCOUNT).live_digest, 16),
        *(int(value.split(b'"live_digest":"')[1][:66], 16) for value in store.versions[HEAD]),
    ]
    sums = {sum(shown) % 2**256, *shown}
    steps = {(after - before) % 2**256 for before in heads for after in heads}
    assert not sums & set(heads)
    assert not set(shown) & steps


def test_live_records_are_forgotten_when_done_and_a_day_old() -> None:
    _, registry = registered()
    process = SignerProcess(Disk(), registry, provisioned(registry))
    process.run([arrival(intent(expires_at_ms=NOW_MS + HOUR_MS))], NOW_MS)
    counts = []
    for n, at_ms in enumerate((NOW_MS + DAY_MS, NOW_MS + DAY_MS + 1)):
        late = intent(idempotency_key=f"late-{n}", expires_at_ms=at_ms + DAY_MS)
        process.run([arrival(late)], at_ms)
        counts.append(process.memory.account(ACCOUNT).live_count)
    assert counts == [2, 2]  # at 24 h it is still there, a millisecond later it is not
    assert load(process.disk.state).account(ACCOUNT).live_count == 2


def test_forgetting_is_bounded_per_batch_and_finishes_in_a_few() -> None:
    _, registry = registered()
    process = SignerProcess(Disk(), registry, provisioned(registry))
    many = [intent(idempotency_key=f"{n}", gas_limit=1) for n in range(FORGET_COUNT_MAX + 8)]
    process.run([arrival(one) for one in many], NOW_MS)
    counts = []
    for n in range(2):
        at_ms = NOW_MS + 2 * DAY_MS
        late = intent(idempotency_key=f"late-{n}", expires_at_ms=at_ms + HOUR_MS)
        process.run([arrival(late)], at_ms)
        counts.append(process.memory.account(ACCOUNT).live_count)
    assert counts == [8 + 1, 2]


def test_a_commit_writes_one_record_per_intent_and_one_head_per_account() -> None:
    _, registry = registered()
    process = SignerProcess(Disk(), registry, provisioned(registry))
    for n in range(50):
        process.run([arrival(intent(idempotency_key=f"{n}"))], NOW_MS + n)
    batch = process.stage.allocate([arrival(intent(idempotency_key="last"))], NOW_MS + 60)
    assert [write.key.kind for write in process.memory.drain()] == ["live", "head"]
    process.stage.sign(batch)
    assert [write.key.kind for write in process.memory.drain()] == ["live", "head"]
    assert process.memory.drain() == []


@pytest.mark.parametrize(
    ("newest", "behind"),
    [({ACCOUNT: 3}, False), ({ACCOUNT: 4}, True), ({"ops": 1}, True), ({}, False)],
)
def test_a_state_behind_the_newest_outcome_halts_before_any_live_record_is_read(
    newest: dict[str, int], *, behind: bool
) -> None:
    store = lived()
    memory = Memory(store, STATE_MAC, SLOT)
    delete_live(store)
    with pytest.raises(StateRollbackError) if behind else nullcontext():
        memory.check_not_behind(newest)


@pytest.mark.parametrize(
    "place", [HEAD, StateKey("", "slot", SLOT), StateKey(ACCOUNT, "live", owner_key("alice", "2"))]
)
def test_a_record_of_another_version_halts_with_an_explanation(place: StateKey) -> None:
    store = lived()
    put(store, place, STATE_MAC.protect(place, b'{"v":2}'))

    def read() -> None:
        memory = Memory(store, STATE_MAC, SLOT)
        memory.check_not_behind({ACCOUNT: 1})
        memory.live(ACCOUNT, place.key)

    with pytest.raises(StateIntegrityError, match="another version"):
        read()


def test_the_next_batch_sees_undrained_changes() -> None:
    """Outcomes may be committed with the next batch; until then the store has the old record."""
    memory = load(store := lived(Crash.BEFORE_SIGNING))
    [(key, live)] = memory.pinned()
    memory.set_live(key, live.done())
    memory.begin()
    found = memory.live(ACCOUNT, key)
    assert found is not None
    assert found.pinned is None
    store.commit(memory.drain())
    load(store)

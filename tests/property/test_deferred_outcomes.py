"""Outcomes committed with the next batch, with a crash at every step: same bytes, no loss."""

from collections.abc import Iterator
from contextlib import nullcontext
from itertools import count
from typing import Any

import pytest
from hypothesis import given

from schemas.intents.outcome import AnyOutcome, decode_outcome
from schemas.topics import Topic
from signer.core.window import SIGN_MS_MAX
from signer.keys.authorized_use import OpenedKey
from signer.keys.descriptor import KeyDescriptor
from signer.keys.keychain import LIMITS
from signer.stage import slot
from signer.stage.stage import Arrival, HaltError
from tests.harness.builders.cases import NOW_MS
from tests.harness.builders.crashing_signer import (
    AGENTS,
    SignerRun,
    arrivals_of,
    ask,
    batches,
    check_settled,
)
from tests.harness.pipeline.signer_process import Died, Disk
from tests.harness.sizes import effort


def by_account(disk: Disk) -> list[AnyOutcome]:
    """Return the published outcomes by account; order is defined within an account only."""
    return sorted(disk.outcomes, key=lambda outcome: outcome.account)


def deaths(read: list[list[Arrival]]) -> Iterator[Disk]:
    """Yield the disk after every possible single crash, and after a run without one."""
    for dies_at in count():
        disk, handed_out = Disk(), dict[str, set[bytes]]()
        try:
            SignerRun(disk, handed_out, dies_at).run(read)
        except Died:
            SignerRun(disk, handed_out).run(read)
            assert all(len(versions) == 1 for versions in handed_out.values())
            yield disk
        else:
            yield disk
            return


@effort(0.3, soak=2)
@given(asked_for=batches)
def test_the_same_outcomes_are_published_once_after_any_crash(
    asked_for: list[list[tuple[str, str, int]]],
) -> None:
    read = arrivals_of(asked_for)
    *interrupted, whole = deaths(read)
    for disk in interrupted:
        check_settled(disk.outcomes)
        assert by_account(disk) == by_account(whole)
        assert SignerRun(disk, {}).slot.state.positions == {"decided/0": len(read)}
    assert {o.intent for o in whole.outcomes} == {a.clearance.intent for b in read for a in b}


def test_outcomes_are_committed_with_the_next_batch_or_alone() -> None:
    life = SignerRun(Disk(), {})
    first = life.slot.pin([ask("alice", "a", 1)], [], NOW_MS, {})
    life.slot.sign()
    assert life.slot.has_unpublished
    second = life.slot.pin([ask("alice", "b", 1)], [], NOW_MS, {})
    assert not life.slot.has_unpublished
    life.slot.sign()
    last = life.slot.publish()
    sequences = [
        [decode_outcome(e.value).sequence for e in commit.events if e.topic is Topic.OUTCOMES]
        for commit in (first, second, last)
    ]
    assert sequences == [[], [1], [2]]


@pytest.mark.parametrize("batches_read", [1, 2, 3])
def test_nothing_is_signed_before_its_commit(batches_read: int) -> None:
    life = SignerRun(Disk(), {})
    for number in range(batches_read):
        commit = life.slot.pin([ask("bob", str(number), 1)], [], NOW_MS, {})
        made = [decode_outcome(e.value) for e in commit.events if e.topic is Topic.OUTCOMES]
        assert [outcome.sequence for outcome in made] == ([number] if number else [])
        life.slot.sign()


@pytest.mark.parametrize(("late_ms", "halts"), [(SIGN_MS_MAX, False), (SIGN_MS_MAX + 1, True)])
def test_a_signature_that_took_too_long_is_not_published(late_ms: int, *, halts: bool) -> None:
    life = SignerRun(Disk(), {})
    open_key = life.slot.stage.key_use.open_key

    def slow(key: KeyDescriptor, *asker: Any) -> OpenedKey:
        life.now_ms = NOW_MS + late_ms
        return open_key(key, *asker)

    life.slot.pin([ask("bob", "a", 1)], [], NOW_MS, {})
    life.slot.stage.key_use.open_key = slow
    with pytest.raises(HaltError, match=f"{late_ms} ms") if halts else nullcontext():
        life.slot.sign()
    assert life.slot.has_unpublished != halts


def open_slowly(life: SignerRun) -> set[str]:
    """Delay the first opening of every key; return the set of opened addresses."""
    open_key, opened = life.slot.stage.key_use.open_key, set[str]()

    def slow(key: KeyDescriptor, *asker: Any) -> OpenedKey:
        if key.address not in opened:
            opened.add(key.address)
            life.now_ms += SIGN_MS_MAX + 1
        return open_key(key, *asker)

    life.slot.stage.key_use.open_key = slow
    return opened


def test_a_batch_whose_keys_open_slowly_is_charged_when_they_are_open() -> None:
    disk, asked = Disk(), [ask(agent, name, 1) for agent in AGENTS for name in "ab"]
    life = SignerRun(disk, {})
    opened = open_slowly(life)
    life.run([asked])
    check_settled(disk.outcomes)
    assert {o.intent for o in disk.outcomes} == {one.clearance.intent for one in asked}
    account = life.slot.account(disk.outcomes[0].account)
    assert [at_ms for at_ms, _ in account.spent.entries] == [life.now_ms]
    assert life.now_ms > NOW_MS + SIGN_MS_MAX * len(opened)


@pytest.mark.parametrize("count_max", [1, 2, 64])
def test_a_start_with_a_slow_kms_finishes_what_was_pinned(
    monkeypatch: pytest.MonkeyPatch, count_max: int
) -> None:
    disk = Disk()
    asked = [ask(agent, name, 1) for agent in AGENTS for name in "ab"]
    disk.commit(*SignerRun(disk, {}).slot.pin(asked, [], NOW_MS, {"decided/0": 1}))

    life = SignerRun(disk, {})
    opened = open_slowly(life)
    monkeypatch.setattr(slot, "RECOVERED_COUNT_MAX", count_max)
    life.run([asked])
    assert opened
    check_settled(disk.outcomes)
    assert {o.intent for o in disk.outcomes} == {one.clearance.intent for one in asked}


def test_a_start_finishes_where_keys_close_before_a_slower_kms_has_opened_them_all() -> None:
    disk = Disk()
    asked = [ask("alice", "a", 1), ask("carol", "a", 1)]  # two accounts with one key each
    disk.commit(*SignerRun(disk, {}).slot.pin(asked, [], NOW_MS, {"decided/0": 1}))
    life, used_ms = SignerRun(disk, {}), dict[str, int]()
    open_key, open_ms = life.slot.stage.key_use.open_key, LIMITS.idle_ms_max + 1

    def closing(key: KeyDescriptor, *asker: Any) -> OpenedKey:
        if life.now_ms - used_ms.get(key.address, 0) > LIMITS.idle_ms_max:
            life.now_ms += open_ms
        used_ms[key.address] = life.now_ms
        return open_key(key, *asker)

    life.slot.stage.key_use.open_key = closing
    life.run([asked])
    assert {o.intent for o in disk.outcomes} == {one.clearance.intent for one in asked}

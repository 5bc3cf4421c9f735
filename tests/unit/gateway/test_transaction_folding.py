"""The projection of transactions equals the log, wherever folding ends and begins again."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.intents.outcome import decode_outcome
from schemas.record import Record
from schemas.topics import Topic
from sixgate.api_error import ApiError
from sixgate.gateway import transactions as module
from sixgate.gateway.transaction_store import TransactionStore
from sixgate.gateway.transactions import Transactions
from sixgate.services.embedded.log_files import LogFiles
from tests.harness.pipeline.embedded import (
    STRANGER,
)
from tests.harness.pipeline.read_rig import AGENTS, ReadRig, outcomes

CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"mode": "submit"},
    {"to": STRANGER},
    {"value_wei": 2 * 10**18},
)
actions = st.tuples(
    st.sampled_from(AGENTS), st.sampled_from(CHANGES), st.sampled_from(("", "", "read", "reopen"))
)


@given(taken=st.lists(actions, min_size=5, max_size=30), page_count=st.sampled_from((2, 500)))
@settings(max_examples=8)
def test_projection_equals_a_replay_of_the_whole_log(
    tmp_path_factory: pytest.TempPathFactory,
    taken: list[tuple[str, dict[str, Any], str]],
    page_count: int,
) -> None:
    expected: dict[str, list[str]] = {agent: [] for agent in AGENTS}
    with (
        closing(ReadRig(tmp_path_factory.mktemp("replay") / "data")) as rig,
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setattr(module, "PAGE_COUNT", page_count)
        for number, (agent, changes, then) in enumerate(taken):
            producer = rig.trader if agent == "trader" else rig.saver
            expected[agent] = rig.submit(producer.signed(f"k{number}", **changes)) + expected[agent]
            if then == "reopen":
                rig.reopen()
            elif then == "read":
                rig.newest()
        check_against_log(rig, expected)


def check_against_log(rig: ReadRig, expected: dict[str, list[str]]) -> None:
    """Compare every reply with the outcome in the log, and with a projection built from nothing."""
    ends = {o.intent: o for o in (decode_outcome(record.value) for record in outcomes(rig))}
    with closing(rig.opened("again.db")) as rebuilt:
        rebuilt.catch_up()
        for agent, ids in expected.items():
            listed = rig.newest(agent)
            assert [reply["id"] for reply in listed] == ids
            again = rebuilt.newest(agent, 1000, include_signed_tx=True).replies
            assert list(map(orjson.loads, again)) == listed
            for reply in listed:
                end = ends[reply["id"]]
                assert reply["tx_hash"] == getattr(end, "transaction_hash", None)
                assert reply["signed_tx"] == getattr(end, "raw_transaction", None)
                assert reply["reason"] == getattr(end, "reason", None)
                assert reply["nonce"] == getattr(end, "nonce", None)


@pytest.mark.parametrize("killed_at", [1, 2, 3, 8, 9, 14])
def test_killed_process_in_the_middle_of_folding_loses_nothing(
    rig: ReadRig, killed_at: int
) -> None:
    ids = rig.submit(*(rig.trader.signed(f"k{number}") for number in range(7)))
    rig.transactions.close()
    child = os.fork()
    if child == 0:  # ends without closing anything, in the middle of a transaction
        fold_until_write(rig.folder.reads, rig, killed_at)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED
    rig.transactions = rig.opened()
    assert [reply["id"] for reply in rig.newest()] == ids[::-1]
    assert {reply["status"] for reply in rig.newest()} == {"sign_only"}


KILLED = 9


def fold_until_write(path: Path, rig: ReadRig, killed_at: int) -> None:
    """Fold in pages of two records and end the process at the start of one write of a row."""
    written = 0

    def killing(write: Callable[..., None]) -> Callable[..., None]:
        def killed(*arguments: Any) -> None:
            nonlocal written
            written += 1
            if written == killed_at:
                os._exit(KILLED)
            write(*arguments)

        return killed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "PAGE_COUNT", 2)
        for name in ("add", "show"):
            patched.setattr(TransactionStore, name, killing(getattr(TransactionStore, name)))
        feed = LogFiles(rig.folder, rig.folder.trust().partitions, lambda: 0)
        Transactions(path, feed, rig).catch_up()


class LogWithoutIntents(LogFiles):
    """A log that keeps outcomes longer than intents."""

    def read(self, topic: Topic, partition: int, offset: int, count_max: int) -> Sequence[Record]:
        if topic is Topic.SUBMITTED:
            return []
        return super().read(topic, partition, offset, count_max)


def test_outcome_is_shown_without_the_intent(rig: ReadRig) -> None:
    signed, refused = rig.submit(rig.trader.signed("a"), rig.trader.signed("b", to=STRANGER))
    with (
        closing(LogWithoutIntents(rig.folder, rig.folder.trust().partitions, rig.versions)) as feed,
        closing(Transactions(rig.folder.path / "again.db", feed, rig)) as found,
    ):
        found.catch_up()
        page = found.newest("trader", 10, include_signed_tx=True)
        replies = list(map(orjson.loads, page.replies))
    whole = {reply["id"]: reply for reply in rig.newest()}
    assert {reply["id"] for reply in replies} == {signed, refused}
    for reply in replies:
        for name in ("tx_hash", "signed_tx", "reason", "to", "value_wei", "chain"):
            assert reply[name] == whole[reply["id"]][name]


def test_catching_up_has_a_deadline_and_goes_on_later(
    rig: ReadRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_COUNT", 2)
    ids = rig.submit(*(rig.trader.signed(f"k{number}") for number in range(7)))
    attempts = 0
    while not rig.transactions.is_current():
        attempts += 1
        assert attempts < 100
        with suppress(ApiError):
            rig.transactions.catch_up(within_s=0)
    assert attempts > 1
    assert [reply["id"] for reply in rig.newest()] == ids[::-1]


def test_file_of_another_version_or_damaged_is_built_again(rig: ReadRig) -> None:
    (intent_id,) = rig.submit(rig.trader.signed("a"))
    rig.newest()
    path = rig.folder.reads
    for damage in ("version", "bytes"):
        rig.transactions.close()
        if damage == "version":
            with closing(sqlite3.connect(path)) as other:
                other.execute("PRAGMA user_version = 99")
        else:
            path.write_bytes(b"not a database" * 100)
        rig.transactions = rig.opened()
        assert [reply["id"] for reply in rig.newest()] == [intent_id]


def test_projection_of_another_log_is_built_again(rig: ReadRig, tmp_path: Path) -> None:
    rig.submit(rig.trader.signed("a"), rig.trader.signed("b"))
    rig.newest()
    with closing(ReadRig(tmp_path / "other")) as other:
        (intent_id,) = other.submit(other.trader.signed("a"))
        path = rig.folder.reads
        rig.transactions.close()
        with closing(Transactions(path, other.feed, other)) as moved:
            moved.catch_up()
            page = moved.newest("trader", 10, include_signed_tx=False)
            assert [orjson.loads(reply)["id"] for reply in page.replies] == [intent_id]
    rig.transactions = rig.opened()

"""The projection of transactions equals the log, whoever writes to the log and whenever it ends."""

import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.audit import audited
from schemas.dsse import INTENT_TYPE
from schemas.intent import intent_digest
from schemas.outcome import decode_outcome
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.signatures import Ed25519Signer
from sixgate.api_error import ApiError
from sixgate.embedded.log_files import LogFiles
from sixgate.gateway import transactions as module
from sixgate.gateway.transaction_fold import parsed
from sixgate.gateway.transaction_store import Filter, TransactionStore
from sixgate.gateway.transactions import Transactions
from tests.harness.pipeline.embedded import (
    ACCOUNT,
    STRANGER,
    Pipeline,
    Producer,
    make_folder,
    misplaced,
    open_pipeline,
)

AGENTS = ("trader", "saver")


class Rig:
    """A pipeline, its agents and a projection of its log."""

    def __init__(self, path: Path) -> None:
        signers = [Ed25519Signer(name, secrets.token_bytes(32)) for name in AGENTS]
        self.folder = make_folder(path, signers)
        self.pipeline: Pipeline = open_pipeline(self.folder)
        self.trader, self.saver = (Producer(signer) for signer in signers)
        self.pipeline.drain()
        self.feed = LogFiles(self.folder, self.folder.trust().partitions)
        self.transactions = self.opened()

    def opened(self, name: str = "reads.db") -> Transactions:
        registry = self.pipeline.runner.stage.registry
        return Transactions(self.folder.path / name, self.feed, lambda: registry)

    def reopen(self) -> None:
        self.transactions.close()
        self.transactions = self.opened()

    def submit(self, *values: bytes) -> list[str]:
        """Submit intents, let the pipeline decide them, and return their ids."""
        self.pipeline.submit(*values)
        self.pipeline.drain()
        return [id_of(value) for value in values]

    @property
    def current(self) -> Transactions:
        self.transactions.catch_up()
        return self.transactions

    def newest(self, agent: str = "trader", **filters: Any) -> list[dict[str, Any]]:
        page = self.current.newest(agent, 1000, Filter(**filters), include_signed_tx=True)
        return page.replies

    def close(self) -> None:
        self.transactions.close()
        self.feed.close()
        self.pipeline.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with closing(Rig(tmp_path / "data")) as made:
        yield made


def id_of(value: bytes) -> str:
    return parsed(value).id


def outcomes(rig: Rig) -> list[Record]:
    partitions = range(rig.feed.partitions_of(Topic.OUTCOMES))
    return [r for p in partitions for r in rig.feed.read(Topic.OUTCOMES, p, 0, 10_000)]


def append_to_log(rig: Rig, *events: Outgoing) -> None:
    rig.pipeline.runner.pipeline.append(events, 0)


def test_reply_has_the_outcome_as_soon_as_it_is_committed(rig: Rig) -> None:
    pipeline, value = rig.pipeline, rig.trader.signed("a")
    pipeline.submit(value)
    pending = rig.current.reply("trader", id_of(value))
    pipeline.drain()
    signed = rig.current.reply("trader", id_of(value), include_signed_tx=True)
    assert pending is not None
    assert (pending["status"], pending["tx_hash"], pending["chain"]) == ("pending", None, "base")
    assert signed is not None
    (outcome,) = [orjson.loads(record.value) for record in outcomes(rig)]
    assert signed["status"] == "sign_only"
    assert signed["tx_hash"] == outcome["transaction_hash"]
    assert signed["signed_tx"] == outcome["raw_transaction"]
    assert rig.current.reply("trader", signed["tx_hash"]) == {
        name: member for name, member in signed.items() if name not in ("signed_tx", "signature")
    }


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
        closing(Rig(tmp_path_factory.mktemp("replay") / "data")) as rig,
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


def check_against_log(rig: Rig, expected: dict[str, list[str]]) -> None:
    """Compare every reply with the outcome in the log, and with a projection built from nothing."""
    ends = {o.intent: o for o in (decode_outcome(record.value) for record in outcomes(rig))}
    with closing(rig.opened("again.db")) as rebuilt:
        rebuilt.catch_up()
        for agent, ids in expected.items():
            listed = rig.newest(agent)
            assert [reply["id"] for reply in listed] == ids
            assert rebuilt.newest(agent, 1000, include_signed_tx=True).replies == listed
            for reply in listed:
                end = ends[reply["id"]]
                assert reply["tx_hash"] == getattr(end, "transaction_hash", None)
                assert reply["signed_tx"] == getattr(end, "raw_transaction", None)
                assert reply["reason"] == getattr(end, "reason", None)
                assert reply["nonce"] == getattr(end, "nonce", None)


@pytest.mark.parametrize("killed_at", [1, 2, 3, 8, 9, 14])
def test_killed_process_in_the_middle_of_folding_loses_nothing(rig: Rig, killed_at: int) -> None:
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


def fold_until_write(path: Path, rig: Rig, killed_at: int) -> None:
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
        feed = LogFiles(rig.folder, rig.folder.trust().partitions)
        registry = rig.pipeline.runner.stage.registry
        Transactions(path, feed, lambda: registry).catch_up()


def test_forged_outcome_changes_nothing(rig: Rig) -> None:
    value = rig.trader.signed("a")
    rig.pipeline.submit(value)
    forger = Ed25519Signer("signer-0", secrets.token_bytes(32))
    (genuine_id,) = rig.submit(rig.trader.signed("b"))
    for record in outcomes(rig):
        outcome = decode_outcome(record.value)
        copy = outcome.model_copy(update={"intent": "0x" + "77" * 32, "signature": None})
        append_to_log(rig, Outgoing(Topic.OUTCOMES, ACCOUNT, forger.sign_event(copy)))
    assert rig.current.reply("trader", "0x" + "77" * 32) is None
    assert len(rig.newest()) == 2
    assert {reply["id"] for reply in rig.newest()} == {genuine_id, id_of(value)}


def test_intent_that_its_agent_did_not_sign_is_invisible(rig: Rig) -> None:
    stranger = Ed25519Signer("trader", secrets.token_bytes(32))
    body = rig.trader.intent("a").encode()
    rig.pipeline.submit(stranger.sign_envelope(INTENT_TYPE, body).encode(), b"{}", b"\xff")
    assert rig.newest() == []
    rig.pipeline.submit(rig.trader.signer.sign_envelope(INTENT_TYPE, body).encode())
    (pending,) = rig.newest()
    assert (pending["id"], pending["status"]) == (intent_digest(body), "pending")


def test_misrouted_intent_is_invisible(rig: Rig) -> None:
    rig.pipeline.submit(rig.trader.signed("a"), key=misplaced(rig.folder))
    assert rig.newest() == []


def test_intent_of_a_revoked_agent_stays_visible_by_its_outcome(rig: Rig) -> None:
    (intent_id,) = rig.submit(rig.trader.signed("a"))
    del rig.pipeline.runner.stage.registry.agents["trader"]
    reply = rig.current.reply("trader", intent_id)
    assert reply is not None
    assert reply["status"] == "sign_only"


def test_agent_sees_no_transaction_of_another_agent(rig: Rig) -> None:
    (intent_id,) = rig.submit(rig.saver.signed("a"))
    reply = rig.current.reply("saver", intent_id)
    assert reply is not None
    assert rig.current.reply("trader", intent_id) is None
    assert rig.current.reply("trader", reply["tx_hash"]) is None
    assert rig.current.with_key("trader", "a") is None
    assert rig.newest("trader") == []


def test_pages_neither_skip_nor_repeat_while_transactions_arrive(rig: Rig) -> None:
    ids = rig.submit(*(rig.trader.signed(f"k{number}") for number in range(11)))
    seen: list[str] = []
    place = None
    while True:
        page = rig.current.newest("trader", 3, Filter(before=place), include_signed_tx=False)
        seen += [reply["id"] for reply in page.replies]
        place = page.next
        if place is None:
            break
        rig.submit(rig.trader.signed(f"late{len(seen)}"))
    assert seen == ids[::-1]


def test_status_and_key_restrict_a_list(rig: Rig) -> None:
    good, bad = rig.submit(rig.trader.signed("a"), rig.trader.signed("b", to=STRANGER))
    assert [reply["id"] for reply in rig.newest(status="refused")] == [bad]
    assert [reply["id"] for reply in rig.newest(status="sign_only")] == [good]
    assert [reply["id"] for reply in rig.newest(idempotency_keys=("x", "b"))] == [bad]
    assert rig.newest(status="'; DROP TABLE transactions; --") == []
    assert rig.newest(idempotency_keys=("%",)) == []


def test_key_leads_to_the_request_that_did_not_conflict(rig: Rig) -> None:
    first, conflicting = rig.submit(rig.trader.signed("a"), rig.trader.signed("a", value_wei=7))
    found = rig.current.with_key("trader", "a")
    assert found is not None
    assert found["id"] == first
    refused = rig.current.reply("trader", conflicting)
    assert refused is not None
    assert refused["reason"] == "idempotency_conflict"


def repetition(intent: str, first: str) -> Outgoing:
    return audited("intent.duplicate", "x/0/0", intent, first, actor="signer-0", at_ms=0)


def test_repetition_leads_to_the_reply_of_the_first_intent(rig: Rig) -> None:
    (first,) = rig.submit(rig.trader.signed("a"))
    again = rig.trader.signed("a", expires_at_ms=rig.trader.now_ms() + 999_000)
    rig.pipeline.submit(again)
    append_to_log(rig, repetition(id_of(again), first))
    reply = rig.current.reply("trader", id_of(again))
    assert reply is not None
    assert reply["id"] == first
    assert [one["id"] for one in rig.newest()] == [first]


def test_signer_lets_a_repetition_share_the_first_outcome(rig: Rig) -> None:
    (first,) = rig.submit(rig.trader.signed("a"))
    (again,) = rig.submit(rig.trader.signed("a", expires_at_ms=rig.trader.now_ms() + 999_000))
    reply = rig.current.reply("trader", again)
    assert reply is not None
    assert (reply["id"], reply["status"]) == (first, "sign_only")
    assert again != first
    assert [one["id"] for one in rig.newest()] == [first]


def test_forged_repetition_of_another_request_is_ignored(rig: Rig) -> None:
    (other,) = rig.submit(rig.saver.signed("a"))
    mine = rig.trader.signed("a")
    rig.pipeline.submit(mine)
    append_to_log(rig, repetition(id_of(mine), other))
    reply = rig.current.reply("trader", id_of(mine))
    assert reply is not None
    assert (reply["id"], reply["status"]) == (id_of(mine), "pending")


class LogWithoutIntents(LogFiles):
    """A log that keeps outcomes longer than intents."""

    def read(self, topic: Topic, partition: int, offset: int, count_max: int) -> Sequence[Record]:
        if topic is Topic.SUBMITTED:
            return []
        return super().read(topic, partition, offset, count_max)


def test_outcome_is_shown_without_the_intent(rig: Rig) -> None:
    signed, refused = rig.submit(rig.trader.signed("a"), rig.trader.signed("b", to=STRANGER))
    registry = rig.pipeline.runner.stage.registry
    with (
        closing(LogWithoutIntents(rig.folder, rig.folder.trust().partitions)) as feed,
        closing(Transactions(rig.folder.path / "again.db", feed, lambda: registry)) as found,
    ):
        found.catch_up()
        replies = found.newest("trader", 10, include_signed_tx=True).replies
    whole = {reply["id"]: reply for reply in rig.newest()}
    assert {reply["id"] for reply in replies} == {signed, refused}
    for reply in replies:
        for name in ("tx_hash", "signed_tx", "reason", "to", "value_wei", "chain"):
            assert reply[name] == whole[reply["id"]][name]


def test_catching_up_has_a_deadline_and_goes_on_later(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
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


def test_file_of_another_version_or_damaged_is_built_again(rig: Rig) -> None:
    (intent_id,) = rig.submit(rig.trader.signed("a"))
    rig.newest()
    path = rig.folder.path / "reads.db"
    for damage in ("version", "bytes"):
        rig.transactions.close()
        if damage == "version":
            with closing(sqlite3.connect(path)) as other:
                other.execute("PRAGMA user_version = 99")
        else:
            path.write_bytes(b"not a database" * 100)
        rig.transactions = rig.opened()
        assert [reply["id"] for reply in rig.newest()] == [intent_id]


def test_projection_of_another_log_is_built_again(rig: Rig, tmp_path: Path) -> None:
    rig.submit(rig.trader.signed("a"), rig.trader.signed("b"))
    rig.newest()
    with closing(Rig(tmp_path / "other")) as other:
        (intent_id,) = other.submit(other.trader.signed("a"))
        path = rig.folder.reads
        registry = other.pipeline.runner.stage.registry
        rig.transactions.close()
        with closing(Transactions(path, other.feed, lambda: registry)) as moved:
            moved.catch_up()
            page = moved.newest("trader", 10, include_signed_tx=False)
            assert [reply["id"] for reply in page.replies] == [intent_id]
    rig.transactions = rig.opened()


def test_threads_read_their_own_writes_while_others_read(rig: Rig) -> None:
    failures: list[BaseException] = []
    turn = threading.Lock()

    def work(number: int) -> None:
        try:
            for round_number in range(5):
                value = rig.trader.signed(f"{number}-{round_number}")
                with turn:
                    rig.submit(value)
                reply = rig.current.reply("trader", id_of(value))
                assert reply is not None
                assert reply["status"] == "sign_only"
        except BaseException as error:  # noqa: BLE001 - shown by the test's thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(rig.newest()) == 30

"""The node of a data folder: in this process, through its socket, and with damaged files."""

import base64
import os
import secrets
import shutil
import socket
import sqlite3
import stat
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import orjson
import pytest

from schemas.canonical import canonical_bytes
from schemas.record import Outgoing
from schemas.topics import INTERNAL_BYTES_MAX, Topic
from signer.custody.event_signing import Ed25519Signer
from signer.stage.state import StateIntegrityError, StateRollbackError
from sixgate.answers.outcome_notifications import Notice
from sixgate.answers.pending_records import names_of
from sixgate.answers.verification import Verification
from sixgate.api import Api, ApiError
from sixgate.api.operator.calls import OPERATOR_CALLS
from sixgate.api.operator.connection import connect, lost, remote_api
from sixgate.backends.waiting import first_end
from sixgate.data_folder.creation import Founding, create
from sixgate.data_folder.folder import Folder, FolderBusyError
from sixgate.data_folder.signer_files import FolderError
from sixgate.remote_calls.proxy import remote
from sixgate.remote_calls.unix_link import UnixLink, short_path
from sixgate.services.embedded.node import Node, running
from sixgate.services.embedded.pipeline import Pipeline
from streams.ledger.errors import LedgerError
from streams.ledger.table import LedgerTable, Row
from streams.log.errors import LogError
from streams.log.pipeline import PipelineLog
from streams.log.sqlite import number
from tests.harness.cli.clients import (
    ask,
    record,
    request,
    results,
    status_and_body,
    submit,
    verified,
)
from tests.harness.judge.promises import check, in_folder
from tests.harness.pipeline.embedded import ACCOUNT, STRANGER, Producer

NOW_MS = 1
NOTICE_S_MAX = 30
STRANGER_KEY = Ed25519Signer("stranger", b"s" * 32).public_key


@pytest.fixture
def api(folder: Folder) -> Iterator[Api]:
    with connect(folder.path) as found:
        yield found


def test_the_socket_answers_what_the_node_answers(
    api: Api, folder: Folder, trader: Producer
) -> None:
    intent = submit(api, trader.signed("a"))[0]["intent"]
    with connect(folder.path) as remote:
        assert not isinstance(remote, Node)
        assert remote.registry() == api.registry()
        assert remote.trail(intent) == api.trail(intent)
        assert list(remote.signed(after=0, follow=False)) == list(api.signed(after=0, follow=False))
        assert results(submit(remote, trader.signed("b"))) == ["signed"]
        assert verified(remote) == verified(api)
        with pytest.raises(ApiError, match="no intent"):
            remote.trail("0xffff")


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("name", ["wait", "settle", "pipeline", "signed_or_tick", "__init__"])
def test_only_methods_of_the_api_are_served(folder: Folder, name: str) -> None:
    assert name not in OPERATOR_CALLS.by_name
    for method in ("GET", "POST"):
        status, body = status_and_body(ask(folder, request(method, f"/v1/operator/{name}")))
        assert (status, orjson.loads(body)["code"]) == (404, "method_unknown")


def test_amounts_beyond_64_bits_are_exact_in_sql(api: Api, folder: Folder) -> None:
    query = "SELECT toUInt256('20000000000000000000') AS wei, [toInt128(-1)], 7, toDate(0), nan"
    row = ["20000000000000000000", ["-1"], 7, "1970-01-01", None]
    with connect(folder.path) as remote:
        assert remote.sql(query)["rows"] == [row]
    assert api.sql(query)["rows"][0][:-1] == row[:-1]


HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
WHOLE = HEAD + b'b\r\n{"item":1}\n\r\n1\r\n\n\r\ne\r\n{"done":true}\n\r\n0\r\n\r\n'


def test_an_owner_that_ends_during_a_call_is_a_lost_connection() -> None:
    for length in range(WHOLE.index(b"}\n\r\n0")):
        ours, theirs = socket.socketpair()
        theirs.sendall(WHOLE[:length])
        theirs.close()
        api = remote(UnixLink([ours].pop), OPERATOR_CALLS, lost)
        with pytest.raises(ApiError) as caught:
            list(api.signed(after=0, follow=True))
        assert caught.value.code == "connection_lost"


def test_a_client_that_looks_up_an_undecided_intent_is_notified_of_its_outcome(
    folder: Folder, trader: Producer
) -> None:
    """Its repetition may be found while the first intent is pinned and not yet signed."""
    first, watched = trader.signed("a"), SimpleQueue[list[Notice]]()
    digest = names_of(first, ACCOUNT)[1]
    with running(folder) as node, node.backend.wait.watching([], watched) as watch:
        assert first_end(node.backend, watch, digest) is None
        assert results(submit(node, first)) == ["signed"]
        ((name, outcome),) = watched.get(timeout=NOTICE_S_MAX)
        assert (name, outcome["intent"]) == (digest, digest)
        found = first_end(node.backend, watch, digest)
        assert found is not None
        assert found["id"] == outcome["id"]


def test_an_absent_owner_is_a_lost_connection(folder: Folder) -> None:
    with pytest.raises(ApiError) as caught:
        remote_api(folder).status()
    assert caught.value.code == "connection_lost"


def test_undecided_intents_are_counted(api: Api, trader: Producer) -> None:
    assert isinstance(api, Node)
    with api.pipeline.lock:
        before = api.status()["waiting"]
        next(iter(api.submit([record(trader.signed(str(n))) for n in range(7)], wait=False)))
        assert (before, api.status()["waiting"]) == (0, 7)
    submit(api, trader.signed("last"))
    assert api.status()["waiting"] == 0


def test_undecided_intents_are_counted_until_the_commit(
    folder: Folder, trader: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that lists intents meanwhile gets the number of missing ones."""
    before, after = list[int](), list[int]()
    commit = PipelineLog.commit
    pipeline = Pipeline(folder, lambda _: after.append(pipeline.waiting()))

    def counting(log: PipelineLog, *what: Any) -> None:
        before.append(pipeline.waiting())
        commit(log, *what)

    pipeline.start()
    try:
        with pipeline.lock:
            after.clear()
            monkeypatch.setattr(PipelineLog, "commit", counting)
            values = [trader.signed(name) for name in "abc"]
            pipeline.append([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in values])
            pipeline.step()
        assert (before[0], after[0]) == (3, 0)
    finally:
        pipeline.stop()


def run_and_take_away(folder: Folder, replaced: str) -> None:
    with connect(folder.path) as api:
        assert isinstance(api, Node)
        folder.path.rename(folder.path.with_name("moved"))
        if replaced == "by another":
            folder.path.mkdir()
        api.wait(threading.Event())


@pytest.mark.parametrize("replaced", ["by nothing", "by another"])
def test_a_folder_removed_or_replaced_while_in_use_halts(folder: Folder, replaced: str) -> None:
    with pytest.raises(FolderError, match=f"{folder.path} .*(removed|replaced)"):
        run_and_take_away(folder, replaced)


def test_only_the_owner_may_use_the_socket(api: Api, folder: Folder) -> None:
    assert api.status()["pid"] == os.getpid()
    assert stat.S_IMODE(folder.socket.stat().st_mode) == 0o600


def test_a_second_owner_is_refused(api: Api, folder: Folder) -> None:
    assert api.status()
    with pytest.raises(FolderBusyError), folder.ownership_lock():
        pass


def test_a_stale_socket_is_replaced(folder: Folder) -> None:
    with socket.socket(socket.AF_UNIX) as abandoned, short_path(folder.socket) as address:
        abandoned.bind(address)
    with connect(folder.path) as api:
        assert api.status()["org"] == "acme"
    assert not folder.socket.exists()


@pytest.mark.parametrize("code", ["registry_refused", "key_refused"])
def test_an_oversized_operators_record_is_not_parsed(api: Api, code: str) -> None:
    ask = {"registry_refused": api.register, "key_refused": api.order_key}[code]
    before = api.registry()["sequence"]
    with pytest.raises(ApiError, match=f"{INTERNAL_BYTES_MAX} bytes") as caught:
        ask(base64.b64encode(b"{" * (INTERNAL_BYTES_MAX + 1)).decode())
    assert (caught.value.code, api.registry()["sequence"]) == (code, before)
    with pytest.raises(ApiError, match="JSON"):
        ask(base64.b64encode(b"{" * INTERNAL_BYTES_MAX).decode())


def test_a_genuine_refusal_among_the_signed_transactions_is_left_out(
    folder: Folder, trader: Producer
) -> None:
    with connect(folder.path) as api:
        submit(api, trader.signed("a"))
        refusal = submit(api, trader.signed("b", to=STRANGER))[0]["result"]
    log = PipelineLog(folder.pipeline, folder.trust().partitions)
    log.append([Outgoing(Topic.SIGNED, ACCOUNT, canonical_bytes(refusal))], 1)
    log.close()
    with connect(folder.path) as api:
        submit(api, trader.signed("c"))
        found = list(api.signed(after=0, follow=False))
    assert [one["event"]["type"] for one in found] == ["transaction.signed"] * 2


def test_an_outcome_with_a_malformed_signature_stops_nothing(
    folder: Folder, trader: Producer
) -> None:
    with connect(folder.path) as api:
        submit(api, trader.signed("a"))
    log = PipelineLog(folder.pipeline, folder.trust().partitions)
    body = {"account": ACCOUNT, "id": "0x" + "11" * 32, "intent": "0x" + "22" * 32}
    forged = body | {"sequence": 9, "signature": "0xzz", "type": "intent.rejected"}
    log.append([Outgoing(Topic.OUTCOMES, ACCOUNT, canonical_bytes(forged))], 1)
    log.close()
    with connect(folder.path) as api:
        assert results(submit(api, trader.signed("b"))) == ["signed"]


def rewrite_history(folder: Folder) -> None:
    """Change one old record of the log and rebuild ledger and heads from it."""
    shutil.rmtree(folder.ledger)
    folder.heads.unlink()
    db = sqlite3.connect(folder.pipeline)
    with db:
        db.execute("UPDATE records SET at_ms = at_ms - 1 WHERE position = 2")
    db.close()


def test_a_remembered_head_detects_a_rewritten_ledger(folder: Folder, trader: Producer) -> None:
    with connect(folder.path) as api:
        submit(api, trader.signed("a"))
        head = api.head()["envelope"]
        assert verified(api, head)["heads"] >= 1
    rewrite_history(folder)
    with connect(folder.path) as api:
        submit(api, trader.signed("b"))
        assert verified(api)
        with pytest.raises(ApiError, match="Row"):
            verified(api, head)


def test_a_ledger_without_its_rows_is_detected_by_its_heads(
    folder: Folder, trader: Producer
) -> None:
    with connect(folder.path) as api:
        submit(api, trader.signed("a"))
    shutil.rmtree(folder.ledger)
    with pytest.raises(LedgerError, match="missing"), connect(folder.path):
        pass


class Shortened(LedgerTable):
    """The attack: an engine that shows one reader less than the other."""

    def rows(self, first: int = 0, stop: int | None = None) -> Iterator[Row]:
        return islice(super().rows(first, stop), self.tip().rows - 1)


def test_an_engine_that_shows_the_verifiers_different_rows_is_detected(
    api: Api, folder: Folder, trader: Producer
) -> None:
    submit(api, trader.signed("a"))
    assert verified(api)
    service = api.pipeline.parts.ledger_service  # type: ignore[attr-defined]
    shortened = Shortened(service._clickhouse, folder.trust().org)  # noqa: SLF001 - the engine under it
    with pytest.raises(ApiError, match="missing") as caught:
        list(Verification(service._clickhouse, shortened, [STRANGER_KEY], service, None).run())  # noqa: SLF001
    assert caught.value.code == "ledger_wrong"


def test_an_old_copy_of_the_state_is_detected(
    folder: Folder, trader: Producer, tmp_path: Path
) -> None:
    with connect(folder.path) as api:
        submit(api, trader.signed("a"))
    shutil.copy(folder.pipeline, tmp_path / "yesterday.db")
    with connect(folder.path) as api:
        submit(api, trader.signed("b"))
    for file in folder.path.glob("pipeline.db*"):
        file.unlink()
    shutil.copy(tmp_path / "yesterday.db", folder.pipeline)
    with (
        pytest.raises((StateRollbackError, LedgerError), match=r"older|newer"),
        connect(folder.path),
    ):
        pass


def test_a_start_that_is_refused_leaves_the_ledger_as_it_was(
    folder: Folder, trader: Producer
) -> None:
    with connect(folder.path) as api:
        submit(api, trader.signed("a"))
    log = PipelineLog(folder.pipeline, folder.trust().partitions)
    log.append([Outgoing(Topic.AUDIT, "", b"{}")], 1)
    log.close()
    db = sqlite3.connect(folder.inbox)
    with db:
        db.execute("UPDATE records SET value = x'7b7d' WHERE topic = ?", (number(Topic.REGISTRY),))
    db.close()
    before = folder.heads.read_bytes()
    with pytest.raises(StateIntegrityError), connect(folder.path):
        pass
    assert folder.heads.read_bytes() == before


@pytest.mark.parametrize("name", ["pipeline.db", "inbox.db"])
def test_a_damaged_log_is_reported_in_one_sentence(
    folder: Folder, trader: Producer, name: str
) -> None:
    with connect(folder.path) as api:
        submit(api, trader.signed("a"))
    for file in folder.path.glob(f"{name}-*"):
        file.unlink()
    damaged = folder.path / name
    damaged.write_bytes(b"\x00" * 4096 + damaged.read_bytes()[4096:])
    with pytest.raises(LogError, match=name), connect(folder.path):
        pass


def test_a_damaged_ledger_is_reported_in_one_sentence(folder: Folder, trader: Producer) -> None:
    with connect(folder.path) as api:
        submit(api, trader.signed("a"))
    for file in folder.ledger.rglob("*.bin"):
        file.write_bytes(b"\x00" * file.stat().st_size)
    with pytest.raises((LedgerError, ApiError)) as caught, connect(folder.path) as api:
        verified(api)
    assert "\n" not in str(caught.value)


def fill_disk(api: Api) -> None:
    """Prevent the pipeline's file from growing."""
    db = api.pipeline.parts.runner.pipeline._db  # type: ignore[attr-defined] # noqa: SLF001 - the disk under the log
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")


def submit_to_a_full_disk(folder: Folder, values: list[bytes]) -> None:
    with connect(folder.path) as api:
        fill_disk(api)
        with pytest.raises(ApiError, match="disk is full"):
            submit(api, *values)


def test_a_full_disk_halts_with_nothing_half_written(folder: Folder, trader: Producer) -> None:
    values = [trader.signed(str(n), data="0x" + "00" * 60_000) for n in range(40)]
    with pytest.raises(LogError, match="disk is full"):
        submit_to_a_full_disk(folder, values)
    check(in_folder(folder.path), settled=False)
    with connect(folder.path) as api:
        assert results(submit(api, *values)) == ["fee_unknown"] * 40
    check(in_folder(folder.path), settled=True)


def test_a_missing_or_non_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="sixgate init"), connect(tmp_path / "nothing"):
        pass
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(FolderError, match="not empty"):
        create(tmp_path / "full", Founding("acme"), NOW_MS, secrets.token_bytes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]


@pytest.mark.parametrize("name", ["", ".", "..", "/", "../empty"])
def test_the_current_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(FolderError, match=r"current folder|not empty"):
        create(Path(name), Founding("acme"), NOW_MS, secrets.token_bytes)
    assert list(tmp_path.rglob("*")) == [tmp_path / "empty"]

"""Reads of transactions show what agents and signers signed, and nothing of other agents."""

import copy
import secrets
import threading
from contextlib import closing

import orjson
import pytest

from schemas.dsse import INTENT_TYPE
from schemas.intents.intent import intent_digest
from schemas.intents.outcome import decode_outcome
from schemas.ledger.audit import audited
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.core.registry.registered import Registered
from signer.custody.event_signing import Ed25519Signer
from sixgate.gateway.transaction_store import Filter
from sixgate.gateway.transactions import Transactions
from tests.harness.pipeline.embedded import (
    ACCOUNT,
    STRANGER,
    misplaced,
)
from tests.harness.pipeline.read_rig import ReadRig, append_to_log, id_of, outcomes


def test_reply_has_the_outcome_as_soon_as_it_is_committed(rig: ReadRig) -> None:
    pipeline, value = rig.pipeline, rig.trader.signed("a")
    pipeline.submit(value)
    pending = rig.reply("trader", id_of(value))
    pipeline.drain()
    signed = rig.reply("trader", id_of(value), signed=True)
    assert pending is not None
    assert (pending["status"], pending["tx_hash"], pending["chain"]) == ("pending", None, "base")
    assert signed is not None
    (outcome,) = [orjson.loads(record.value) for record in outcomes(rig)]
    assert signed["status"] == "sign_only"
    assert signed["tx_hash"] == outcome["transaction_hash"]
    assert signed["signed_tx"] == outcome["raw_transaction"]
    assert rig.reply("trader", signed["tx_hash"]) == {
        name: member for name, member in signed.items() if name not in ("signed_tx", "signature")
    }


def test_forged_outcome_changes_nothing(rig: ReadRig) -> None:
    value = rig.trader.signed("a")
    rig.pipeline.submit(value)
    forger = Ed25519Signer("signer-0", secrets.token_bytes(32))
    (genuine_id,) = rig.submit(rig.trader.signed("b"))
    for record in outcomes(rig):
        outcome = decode_outcome(record.value)
        copy = outcome.model_copy(update={"intent": "0x" + "77" * 32, "signature": None})
        append_to_log(rig, Outgoing(Topic.OUTCOMES, ACCOUNT, forger.sign_event(copy)))
    assert rig.reply("trader", "0x" + "77" * 32) is None
    assert len(rig.newest()) == 2
    assert {reply["id"] for reply in rig.newest()} == {genuine_id, id_of(value)}


class LateRegistry:
    """A registry that has its signers only after a refresh."""

    def __init__(self, rig: ReadRig) -> None:
        self._newest = rig.registered
        self.registered: Registered = copy.deepcopy(self._newest)
        self.registered.signer_keys.clear()
        self.refreshes = 0

    def refresh(self) -> None:
        self.registered = self._newest
        self.refreshes += 1


def test_outcome_of_a_signer_that_was_just_registered_is_shown(rig: ReadRig) -> None:
    (intent,) = rig.submit(rig.trader.signed("a"))
    late = LateRegistry(rig)
    path = rig.folder.gateway_files / "late.db"
    with closing(Transactions(path, rig.feed, late)) as found:
        found.catch_up()
        reply = found.reply("trader", intent)
    assert reply is not None
    assert orjson.loads(reply)["status"] == "sign_only"
    assert late.refreshes == 1


def test_intent_that_its_agent_did_not_sign_is_invisible(rig: ReadRig) -> None:
    stranger = Ed25519Signer("trader", secrets.token_bytes(32))
    body = rig.trader.intent("a").encode()
    rig.pipeline.submit(stranger.sign_envelope(INTENT_TYPE, body).encode(), b"{}", b"\xff")
    assert rig.newest() == []
    rig.pipeline.submit(rig.trader.signer.sign_envelope(INTENT_TYPE, body).encode())
    (pending,) = rig.newest()
    assert (pending["id"], pending["status"]) == (intent_digest(body), "pending")


def test_misrouted_intent_is_invisible(rig: ReadRig) -> None:
    rig.pipeline.submit(rig.trader.signed("a"), key=misplaced(rig.folder))
    assert rig.newest() == []


def test_intent_of_a_revoked_agent_stays_visible_by_its_outcome(rig: ReadRig) -> None:
    (intent_id,) = rig.submit(rig.trader.signed("a"))
    del rig.pipeline.runner.slot.registry.agents["trader"]
    reply = rig.reply("trader", intent_id)
    assert reply is not None
    assert reply["status"] == "sign_only"


def test_agent_sees_no_transaction_of_another_agent(rig: ReadRig) -> None:
    (intent_id,) = rig.submit(rig.saver.signed("a"))
    reply = rig.reply("saver", intent_id)
    assert reply is not None
    assert rig.reply("trader", intent_id) is None
    assert rig.reply("trader", reply["tx_hash"]) is None
    assert rig.newest("trader") == []


def test_pages_neither_skip_nor_repeat_while_transactions_arrive(rig: ReadRig) -> None:
    ids = rig.submit(*(rig.trader.signed(f"k{number}") for number in range(11)))
    seen: list[str] = []
    place = None
    while True:
        page = rig.current.newest("trader", 3, Filter(before=place), include_signed_tx=False)
        seen += [orjson.loads(reply)["id"] for reply in page.replies]
        place = page.next
        if place is None:
            break
        rig.submit(rig.trader.signed(f"late{len(seen)}"))
    assert seen == ids[::-1]


def test_status_and_key_restrict_a_list(rig: ReadRig) -> None:
    good, bad = rig.submit(rig.trader.signed("a"), rig.trader.signed("b", to=STRANGER))
    assert [reply["id"] for reply in rig.newest(status="refused")] == [bad]
    assert [reply["id"] for reply in rig.newest(status="sign_only")] == [good]
    assert [reply["id"] for reply in rig.newest(idempotency_keys=("x", "b"))] == [bad]
    assert rig.newest(status="'; DROP TABLE transactions; --") == []
    assert rig.newest(idempotency_keys=("%",)) == []


def test_another_request_with_a_used_key_is_shown_as_refused(rig: ReadRig) -> None:
    first, conflicting = rig.submit(rig.trader.signed("a"), rig.trader.signed("a", value_wei=7))
    assert [reply["id"] for reply in rig.newest(idempotency_keys=("a",))] == [conflicting, first]
    refused = rig.reply("trader", conflicting)
    assert refused is not None
    assert refused["reason"] == "idempotency_conflict"


def repetition(intent: str, first: str) -> Outgoing:
    return audited("intent.duplicate", "x/0/0", intent, first, actor="signer-0", at_ms=0)


def test_repetition_leads_to_the_reply_of_the_first_intent(rig: ReadRig) -> None:
    (first,) = rig.submit(rig.trader.signed("a"))
    again = rig.trader.signed("a", expires_at_ms=rig.trader.now_ms() + 999_000)
    rig.pipeline.submit(again)
    append_to_log(rig, repetition(id_of(again), first))
    reply = rig.reply("trader", id_of(again))
    assert reply is not None
    assert reply["id"] == first
    assert [one["id"] for one in rig.newest()] == [first]


def test_signer_lets_a_repetition_share_the_first_outcome(rig: ReadRig) -> None:
    (first,) = rig.submit(rig.trader.signed("a"))
    (again,) = rig.submit(rig.trader.signed("a", expires_at_ms=rig.trader.now_ms() + 999_000))
    reply = rig.reply("trader", again)
    assert reply is not None
    assert (reply["id"], reply["status"]) == (first, "sign_only")
    assert again != first
    assert [one["id"] for one in rig.newest()] == [first]


def test_forged_repetition_of_another_request_is_ignored(rig: ReadRig) -> None:
    (other,) = rig.submit(rig.saver.signed("a"))
    mine = rig.trader.signed("a")
    rig.pipeline.submit(mine)
    append_to_log(rig, repetition(id_of(mine), other))
    reply = rig.reply("trader", id_of(mine))
    assert reply is not None
    assert (reply["id"], reply["status"]) == (id_of(mine), "pending")


def test_threads_read_their_own_writes_while_others_read(rig: ReadRig) -> None:
    failures: list[BaseException] = []
    turn = threading.Lock()

    def work(number: int) -> None:
        try:
            for round_number in range(5):
                value = rig.trader.signed(f"{number}-{round_number}")
                with turn:
                    rig.submit(value)
                reply = rig.reply("trader", id_of(value))
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


def test_a_page_ends_early_at_its_limit_of_bytes(
    rig: ReadRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand transactions with the most data would be half a gigabyte for each request."""
    data = "0x" + "ab" * 20_000
    ids = rig.submit(*(rig.trader.signed(f"k{number}", data=data) for number in range(5)))
    monkeypatch.setattr("sixgate.gateway.transactions.PAGE_BYTES_MAX", 100_000)
    pages, place = [], None
    while True:
        page = rig.current.newest("trader", 1000, Filter(place), include_signed_tx=False)
        pages.append([orjson.loads(reply)["id"] for reply in page.replies])
        if (place := page.next) is None:
            break
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [one for page in pages for one in page] == ids[::-1]
    monkeypatch.setattr("sixgate.gateway.transactions.PAGE_BYTES_MAX", 1)
    assert len(rig.current.newest("trader", 2, include_signed_tx=True).replies) == 1

"""SIGKILL of gates, signer and ledger at random, on a real broker and a real ClickHouse server.

``SIXGATE_SCALED_KILLS`` sets how many, 20 in CI; ``SIXGATE_SEED`` repeats a run.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.record import Outgoing
from schemas.topics import Topic
from signer.signatures import Ed25519Signer
from sixgate.folder import LEDGER
from sixgate.keyfiles import load_key_file
from streams.ledger.heads import HeadKey
from tests.support.embedded import ACCOUNT, STRANGER, Producer
from tests.support.ledger_judge import LedgerJudge
from tests.support.outside import check
from tests.support.scaled import Scaled, all_ended, on_kafka, organisation

KILLS = int(os.environ.get("SIXGATE_SCALED_KILLS", "20"))
SEED = os.environ.get("SIXGATE_SEED", secrets.token_hex(4))
INTENTS_PER_LIFE = 250
LIFE_MS_MIN, LIFE_MS_MAX = 200, 3_000
NAMES = ("gates", "signer", "ledger")
LEVEL_S_MAX = 120


@pytest.fixture
def trader() -> Producer:
    return Producer(Ed25519Signer("trader", secrets.token_bytes(32)))


@pytest.fixture
def scaled(tmp_path: Path, trader: Producer) -> Iterator[Scaled]:
    with organisation(tmp_path, [trader.signer]) as scaled:
        yield scaled


def drawn(number: int, what: str, below: int) -> int:
    """Draw a number: the same for the same seed."""
    found = hashlib.sha256(f"{SEED}/{number}/{what}".encode()).digest()
    return int.from_bytes(found[:4], "big") % below


def submit(scaled: Scaled, trader: Producer, life: int) -> None:
    """Append good intents, ones that rules refuse, a replay and garbage."""
    values = [trader.signed(f"{life}-{n}", value_wei=10**9) for n in range(INTENTS_PER_LIFE)]
    values += [trader.signed(f"{life}-no", to=STRANGER), values[0], b"garbage %d" % life]
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in values])


def judge_ledger(scaled: Scaled) -> None:
    """Wait until the ledger is level with every topic, and recompute it."""
    assert scaled.server is not None
    key = HeadKey(load_key_file(scaled.folder.key(LEDGER), LEDGER))
    judge = LedgerJudge(scaled.broker, scaled.server, key)
    wanted, ends_at_s = len(judge.records()), time.monotonic() + LEVEL_S_MAX
    while judge.rows() < wanted:
        assert time.monotonic() < ends_at_s, scaled.log("ledger")
        time.sleep(0.2)
    judge.judge()


def test_no_kill_loses_an_intent_signs_one_twice_or_breaks_the_ledger(
    scaled: Scaled, trader: Producer
) -> None:
    for name in NAMES:
        scaled.start(name)
    for life in range(KILLS):
        submit(scaled, trader, life)
        time.sleep((LIFE_MS_MIN + drawn(life, "ms", LIFE_MS_MAX - LIFE_MS_MIN)) / 1000)
        name = NAMES[drawn(life, "name", len(NAMES))]
        scaled.kill(name)
        scaled.start(name)
    scaled.settle(all_ended)
    found = check(on_kafka(scaled.servers), settled=True)
    assert len(found.intents) == KILLS * (INTENTS_PER_LIFE + 1), f"seed {SEED}"
    assert len(found.signed) == KILLS * INTENTS_PER_LIFE, f"seed {SEED}"
    judge_ledger(scaled)
    for name in NAMES:
        scaled.stop(name)

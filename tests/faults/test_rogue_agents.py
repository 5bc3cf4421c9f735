"""Attacks by agents with valid keys."""

import secrets
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from schemas.fields import SAFE_INTEGER_MAX, UINT256_MAX
from schemas.registry.key_chains import SIGNING_CHAINS, KeyChain
from schemas.registry.policy import Policy
from signer.custody.event_signing import Ed25519Signer
from sixgate.api.operator.connection import connect
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import SIMULATOR, Folder
from sixgate.data_folder.key_files import load_key_file
from streams.simulators.local import LocalSimulator
from streams.simulators.report import Reporter
from tests.harness.builders.known_outcomes import KnownOutcomes
from tests.harness.judge.promises import check, in_folder
from tests.harness.pipeline.embedded import (
    ACCOUNT,
    POLICY,
    ManualTime,
    Pipeline,
    Producer,
    key_order,
    make_folder,
    open_pipeline,
)
from tests.harness.pipeline.embedded_fixtures import (
    ends,
    nonces,
    submitted,
)
from tests.harness.pipeline.simulation_pool import UNHURRIED

PENDING_NONCE_MAX = 2**32 - 1  # the most that a report can say
DAY_MS = 24 * 60 * 60 * 1000
OPEN_POLICY = Policy(
    tx_to_allowlist="any",
    tx_max_value_eth="unlimited",
    tx_max_fee_eth="unlimited",
    tx_daily_limit_eth="unlimited",
    tx_allowed_chains="any",
    intents_per_minute="unlimited",
)


def colleagues(tmp_path: Path, policy: Policy = POLICY) -> tuple[Producer, Producer, Pipeline]:
    rogue = Producer(Ed25519Signer("rogue", secrets.token_bytes(32)))
    honest = Producer(Ed25519Signer("honest", secrets.token_bytes(32)))
    agents = [rogue.signer, honest.signer]
    return rogue, honest, open_pipeline(make_folder(tmp_path / "data", agents, policy))


@pytest.mark.parametrize("nonce", [1, 64, PENDING_NONCE_MAX, SAFE_INTEGER_MAX])
def test_an_agent_cannot_burn_the_nonces_of_a_shared_key(tmp_path: Path, nonce: int) -> None:
    rogue, honest, pipeline = colleagues(tmp_path)
    pipeline.submit(rogue.signed("a", nonce=nonce), honest.signed("b"))
    events = pipeline.drain()
    assert ends(events) == ["nonce_too_high", "signed"]
    assert nonces(events) == [0]


def test_an_agents_spending_cannot_overflow_another_agents_daily_total(tmp_path: Path) -> None:
    rogue, honest, pipeline = colleagues(tmp_path, OPEN_POLICY)
    most = UINT256_MAX - 21_000 * 10**9
    pipeline.submit(rogue.signed("a", value_wei=most), honest.signed("b", value_wei=10**18))
    assert ends(pipeline.drain()) == ["signed", "signed"]


def test_refusals_of_far_expiry_neither_fill_the_state_nor_slow_the_account(
    folder: Folder, trader: Producer
) -> None:
    moment, ledger = ManualTime(), KnownOutcomes(newest=100)
    trader.now_ms = lambda: moment.wall
    pipeline = open_pipeline(folder, moment.clock(), ledger=ledger)
    far_ms = 4_102_444_799_000
    pipeline.submit(*(trader.signed(f"{n}", expires_at_ms=far_ms) for n in range(20)))
    assert ends(pipeline.drain()) == ["expiry_too_far"] * 20
    ledger.asked.clear()
    moment.forward(30 * DAY_MS)
    for n in range(2):
        pipeline.submit(trader.signed(f"later-{n}"))
        assert ends(pipeline.drain()) == ["signed"]
    assert ledger.asked == []
    assert len(list(pipeline.runner.pipeline.live_of(ACCOUNT))) == 1 + 2


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": SAFE_INTEGER_MAX, "gas_limit": SAFE_INTEGER_MAX},
        {"gas_limit": SAFE_INTEGER_MAX, "max_fee_per_gas_wei": UINT256_MAX},
        {"max_fee_per_gas_wei": 0, "max_priority_fee_per_gas_wei": UINT256_MAX},
        {"value_wei": UINT256_MAX},
        {"chain_id": SAFE_INTEGER_MAX},
        {"data": "0x" + "00" * 80_000, "gas_limit": 10**7},
        {"data": "0x" + "ff" * 80_000},
        {"to": None, "data": "0x"},
        {"idempotency_key": '"\\' * 64},
        {"expires_at_ms": 0},
        {"key_path": "agents/somebody-else/" + "/".join(["a" * 57] * 4)},
    ],
)
def test_every_extreme_of_an_intent_has_one_readable_outcome(
    folder: Folder, trader: Producer, changes: dict[str, Any]
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.submit(trader.signed("a", **changes), trader.signed("good"))
    assert ends(pipeline.drain())[-1] == "signed"
    pipeline.close()
    open_pipeline(folder)
    assert len(check(in_folder(folder.path), settled=True).outcomes) == 2


@pytest.mark.parametrize("of_chain", [one for one in KeyChain if one not in SIGNING_CHAINS])
def test_a_key_of_another_chain_stops_no_other_agent(tmp_path: Path, of_chain: KeyChain) -> None:
    rogue, honest, pipeline = colleagues(tmp_path)
    path = f"keys/{of_chain}-signer"
    pipeline.inbox.append([key_order(pipeline.folder, path=path, chain=of_chain)], 0)
    pipeline.drain()
    key = load_key_file(pipeline.folder.key(SIMULATOR), SIMULATOR)
    with closing(LocalSimulator(pipeline.folder.genesis, UNHURRIED)) as simulator:
        pipeline.runner.simulate = Reporter(simulator, key, wall_ms, 1_000)
        pipeline.submit(rogue.signed("a", key_path=path, simulate_first=True), honest.signed("b"))
        assert ends(pipeline.drain()) == ["simulation_missing", "signed"]


HOSTILE = [
    b'{"a":' * 5_000,
    b"[" * 200_000,
    b'"' + b"\\ud800" * 100 + b'"',
    b'{"payload":"","payloadType":"","signatures":[]}',
    b"1" * 100_000,
    b'{"' + "\U0001f600".encode() * 20_000 + b'":1}',
]


def test_hostile_bytes_end_unattributed(folder: Folder, trader: Producer) -> None:
    with connect(folder.path) as api:
        for number, value in enumerate(HOSTILE, 1):
            records = [submitted(value), submitted(trader.signed(f"{number}"))]
            _, *found = api.submit(records, wait=True)
            assert sorted(end["result"]["type"] for end in found) == [
                "intent.unattributed",
                "transaction.signed",
            ], value[:80]
        assert list(api.verify(head=None))[-1]["verified"]["outcomes"] == len(HOSTILE)


def test_the_same_intent_in_another_envelope_is_a_duplicate(
    folder: Folder, trader: Producer
) -> None:
    pipeline, intent = open_pipeline(folder), trader.signed("a")
    renamed = intent.replace(b'"keyid":"trader"', b'"keyid":"another-name"')
    assert renamed != intent
    pipeline.submit(intent, renamed)
    assert ends(pipeline.drain()) == ["signed"]
    check(in_folder(folder.path), settled=True)

"""Attacks by simulators, and simulation reports that are forged."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import pytest

from schemas.dsse import SIMULATION_TYPE, Envelope
from schemas.fields import SAFE_INTEGER_MAX, UINT256_MAX
from schemas.intents.outcome import TransactionSigned
from schemas.intents.simulation import SimulationReport
from schemas.record import Record
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from signer.stage.stage import Arrival
from sixgate.clocks import boot_ms, wall_ms
from sixgate.data_folder.folder import SIMULATOR, Folder
from sixgate.data_folder.key_files import load_key_file
from streams.gates import cascade
from streams.gates.passage import GateProjections, Passage
from streams.simulators.breaker import BreakerLimits, State
from streams.simulators.guarded import GuardedSimulator
from streams.simulators.local import LocalSimulator
from streams.simulators.report import Reporter
from tests.harness.judge.promises import check, in_folder
from tests.harness.pipeline.embedded import (
    ACCOUNT,
    KEY_PATH,
    Producer,
    no_simulation,
    open_pipeline,
)
from tests.harness.pipeline.embedded_fixtures import (
    HOME,
    ends,
    nonces,
)
from tests.harness.pipeline.simulation_pool import UNHURRIED

PENDING_NONCE_MAX = 2**32 - 1  # the most that a report can say


def reporting(
    folder: Folder, forger: Ed25519Signer | None = None, **changes: Any
) -> Callable[[Sequence[Passage]], list[Envelope]]:
    """Return a simulator that returns the given report."""
    signer = forger or load_key_file(folder.key(SIMULATOR), SIMULATOR)

    def simulate(passages: Sequence[Passage]) -> list[Envelope]:
        return [signer.sign_envelope(SIMULATION_TYPE, report(p).encode()) for p in passages]

    def report(passage: Passage) -> SimulationReport:
        now_ms = passage.case.facts.at_ms
        terms: dict[str, Any] = {
            "simulator": SIMULATOR,
            "intent": passage.case.digest,
            "chain_id": 8453,
            "status": "succeeded",
            "simulated_at_ms": now_ms,
            "expires_at_ms": now_ms + 60_000,
        }
        return SimulationReport.model_construct(**(terms | changes))

    return simulate


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"intent": "0x" + "00" * 32}, "simulation_untrusted"),
        ({"chain_id": 1}, "simulation_untrusted"),
        ({"pending_nonce": PENDING_NONCE_MAX + 1}, "simulation_untrusted"),
        ({"gas_limit": 2**63}, "simulation_untrusted"),
        ({"gas_limit": SAFE_INTEGER_MAX}, "fee_too_high"),
        ({"max_fee_per_gas_wei": UINT256_MAX}, "fee_too_high"),
        ({"status": "whatever"}, "simulation_untrusted"),
        ({"expires_at_ms": 0}, "simulation_stale"),
        ({"status": "reverted", "revert_reason": "x" * 1024}, "simulation_reverted"),
        ({"status": "failed", "revert_reason": ""}, "simulation_failed"),
    ],
)
def test_an_absurd_report_or_one_of_another_intent_rejects(
    folder: Folder, trader: Producer, changes: dict[str, Any], reason: str
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.runner.simulate = reporting(folder, **changes)
    pipeline.submit(trader.signed("a", simulate_first=True))
    assert ends(pipeline.drain()) == [reason]
    check(in_folder(folder.path), settled=True)


def test_a_report_signed_by_an_agent_rejects(folder: Folder, trader: Producer) -> None:
    pipeline = open_pipeline(folder)
    pipeline.runner.simulate = reporting(folder, trader.signer)
    pipeline.submit(trader.signed("a", simulate_first=True))
    assert ends(pipeline.drain()) == ["simulation_untrusted"]


@pytest.mark.parametrize("pending", [65, PENDING_NONCE_MAX])
def test_a_simulators_pending_nonce_does_not_burn_the_keys_nonces(
    folder: Folder, trader: Producer, pending: int
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.runner.simulate = reporting(folder, pending_nonce=pending)
    pipeline.submit(trader.signed("a", simulate_first=True), trader.signed("b"))
    events = pipeline.drain()
    assert ends(events) == ["nonce_too_high", "signed"]
    assert nonces(events) == [0]


def test_nonces_of_a_local_chain_are_not_signed(folder: Folder, trader: Producer) -> None:
    pipeline = open_pipeline(folder)
    pipeline.drain()
    sender = pipeline.runner.slot.vault.keys.by_path[ACCOUNT, KEY_PATH].address
    (folder.genesis / "base.json").write_text(local_chain(sender, nonce=41))
    key = load_key_file(folder.key(SIMULATOR), SIMULATOR)
    with closing(LocalSimulator(folder.genesis, UNHURRIED)) as simulator:
        pipeline.runner.simulate = Reporter(simulator, key, wall_ms, 1_000)
        pipeline.submit(trader.signed("a", simulate_first=True))
        events = pipeline.drain()
    assert ends(events) == ["signed"]
    assert nonces(events) == [0]


def local_chain(sender: str, nonce: int) -> str:
    block = {"number": 1, "timestamp_s": 1, "base_fee_wei": "0", "gas_limit": 30_000_000}
    alloc = {sender: {"balance_wei": str(10**18), "nonce": nonce}}
    return json.dumps({"version": 1, "chain_id": 8453, "block": block, "alloc": alloc})


def test_a_report_from_the_future_is_not_fresh(folder: Folder, trader: Producer) -> None:
    pipeline = open_pipeline(folder)
    last = SAFE_INTEGER_MAX
    pipeline.runner.simulate = reporting(folder, simulated_at_ms=last - 1, expires_at_ms=last)
    pipeline.submit(trader.signed("a", simulate_first=True))
    assert ends(pipeline.drain()) == ["simulation_stale"]


def test_a_stale_report_sets_no_nonce_where_no_simulation_is_required(
    folder: Folder, trader: Producer
) -> None:
    pipeline = open_pipeline(folder)
    stale = reporting(folder, pending_nonce=77, simulated_at_ms=0, expires_at_ms=1)

    pipeline.drain()
    stage = pipeline.runner.slot.stage
    world = GateProjections(stage.registry, stage.keys.reference, stage.memory.account)
    record = Record(Topic.SUBMITTED, HOME, 0, ACCOUNT, trader.signed("a"), 1)
    passage = cascade.run([record], world, wall_ms(), no_simulation).decided[0]
    carried = passage.clearance.model_copy(update={"simulation": stale([passage])[0]})
    batch = stage.allocate([Arrival("x", carried)], wall_ms())
    assert isinstance(batch.pinned[0][1].pinned, TransactionSigned)
    assert batch.pinned[0][1].pinned.nonce == 0


def test_a_genesis_that_is_a_dangling_link_stops_nothing(folder: Folder, trader: Producer) -> None:
    (folder.genesis / "base.json").symlink_to("nowhere.json")
    pipeline = open_pipeline(folder)
    key = load_key_file(folder.key(SIMULATOR), SIMULATOR)
    with closing(LocalSimulator(folder.genesis, UNHURRIED)) as simulator:
        pipeline.runner.simulate = Reporter(simulator, key, wall_ms, 1_000)
        pipeline.submit(trader.signed("a", simulate_first=True), trader.signed("b"))
        assert Counter(ends(pipeline.drain())) == {"simulation_failed": 1, "signed": 1}


def test_a_simulator_that_is_down_causes_no_delay_and_is_used_again_once_it_is_up(
    folder: Folder, trader: Producer
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.drain()
    sender = pipeline.runner.slot.vault.keys.by_path[ACCOUNT, KEY_PATH].address
    chain = folder.genesis / "base.json"
    chain.write_text("no genesis at all")
    key = load_key_file(folder.key(SIMULATOR), SIMULATOR)
    now_ms = boot_ms()

    def asked(*names: str) -> list[str]:
        pipeline.submit(
            *(trader.signed(name, simulate_first="plain" not in name) for name in names)
        )
        return ends(pipeline.drain())

    with closing(LocalSimulator(folder.genesis, UNHURRIED)) as local:
        limits = BreakerLimits(failed_count_max=2)
        simulator = GuardedSimulator(local, lambda: now_ms, limits)
        pipeline.runner.simulate = Reporter(simulator, key, wall_ms, 1_000)
        assert asked("a", "b") == ["simulation_failed"] * 2
        assert Counter(asked("c", "plain")) == {"simulation_failed": 1, "signed": 1}
        assert simulator.state is State.OPEN
        chain.write_text(local_chain(sender, nonce=0))
        assert asked("d") == ["simulation_failed"]
        now_ms += limits.open_ms
        assert asked("e") == ["signed"]
    check(in_folder(folder.path), settled=True)

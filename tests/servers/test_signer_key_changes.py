"""A signer with a new key, or a revoked one: earlier decisions stay valid and provable."""

import base64
import secrets
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.intents.outcome import decode_outcome
from schemas.record import Outgoing
from schemas.registry.custody import AGENT_KEYS
from schemas.registry.records import ChainRemoved, Entry, PolicySet, ServiceSet
from schemas.topics import Topic
from signer.core.registry.registry import Registry
from signer.custody.event_signing import Ed25519Signer
from signer.custody.identity import seal_identity
from signer.custody.kms.root_file import open_local_kms
from signer.stage.stage import HaltError
from sixgate.api.operator.connection import connect
from sixgate.authoring import operator, vault_orders
from sixgate.authoring.operator import record_envelope
from sixgate.cli.exit_codes import ExitCode
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.signer_files import SIGNER
from sixgate.services.embedded.node import Node
from sixgate.services.slot import open_signer_keys
from streams.log.pipeline import PipelineLog
from streams.log.sqlite import SqliteLog
from tests.harness.broker.kafka_proxy import Api, KafkaProxy, Point, When
from tests.harness.builders.waiting import until
from tests.harness.judge.promises import check
from tests.harness.pipeline.embedded import (
    ACCOUNT,
    BASE,
    POLICY,
    Pipeline,
    Producer,
    agent_entry,
    make_folder,
    open_pipeline,
)
from tests.harness.pipeline.embedded_fixtures import (
    Crash,
    DiesBeforeSigning,
    ends,
    registry_record,
    run_once,
)
from tests.harness.pipeline.scaled import Scaled, all_ended, on_kafka

CHARGED = Point(1, Api.END, When.AFTER)


def change_key(folder: Folder) -> str:
    """Give the signer a new key, as its operator would, and return it."""
    held, seed = open_signer_keys(folder), secrets.token_bytes(32)
    root = open_local_kms(folder.root_key, secrets.token_bytes)
    sealed = seal_identity(root, folder.trust().org, SIGNER, bytearray(seed + held.state_key))
    folder.signer_identity.write_bytes(sealed.encode())
    return Ed25519Signer(SIGNER, seed).public_key


def register_key(folder: Folder, key: str) -> None:
    entry = ServiceSet(role="signer", name=SIGNER, public_key=key, active=True)
    pipeline = open_pipeline(folder)
    registry = pipeline.runner.slot.registry
    at = registry.record_count, registry.last_digest
    pipeline.inbox.append(
        [Outgoing(Topic.REGISTRY, "", record_envelope(folder.admin(), "acme", at, entry, 1)[0])], 1
    )
    pipeline.close()


def die_before_signing(folder: Folder, intent: bytes) -> Registry:
    """Kill a pipeline that has pinned an intent; return the registry at that time."""
    dying: Pipeline = open_pipeline(folder, log=DiesBeforeSigning)
    dying.submit(intent)
    with pytest.raises(Crash):
        dying.drain()
    dying.close()
    return dying.runner.slot.registry


def register(folder: Folder, registry: Registry, *entries: Entry) -> None:
    """Append records to a registry while no process runs."""
    with closing(SqliteLog(folder.inbox, registry.partitions)) as inbox:
        for entry in entries:
            raw = registry_record(folder, registry, entry)
            registry.apply(raw)
            inbox.append([Outgoing(Topic.REGISTRY, "", raw)], 1)


def signer_set(folder: Folder, *, active: bool) -> ServiceSet:
    key = open_signer_keys(folder).identity.public_key
    return ServiceSet(role="signer", name=SIGNER, public_key=key, active=active)


def withdrawn(trader: Producer) -> Iterator[Entry]:
    """Revoke everything that an agent's intents rely on."""
    yield agent_entry(trader.signer, active=False)
    yield PolicySet(
        policy_id="standard", policy=POLICY.model_copy(update={"tx_max_value_eth": "0"})
    )
    yield ChainRemoved(chain_id=BASE.chain_id)


def submit(node: Any, intent: bytes) -> list[dict[str, Any]]:
    record = {"key": ACCOUNT, "value": base64.b64encode(intent).decode()}
    return list(node.submit([record], wait=True))[1:]


def test_outcomes_signed_with_an_older_key_still_verify(folder: Folder, trader: Producer) -> None:
    intent = trader.signed("a")
    with connect(folder.path) as node:
        [first] = submit(node, intent)
    register_key(folder, change_key(folder))
    with connect(folder.path) as node:
        assert isinstance(node, Node)
        outcomes = node.pipeline.parts.ledger_service.answers.outcomes
        assert outcomes.has_outcome(first["intent"])
        assert outcomes.newest_sequences([ACCOUNT]) == {ACCOUNT: 1}
        [again], [second] = submit(node, intent), submit(node, trader.signed("b"))
        assert (again["repeated"], second["result"]["sequence"]) == (True, 2)
        fed = [one["event"]["intent"] for one in node.signed(after=0, follow=False)]
        assert fed == [first["intent"], second["intent"]]
        found = list(node.verify(head=None))[-1]["verified"]
        assert (found["outcomes"], found["forged"]) == (2, 0)


def test_an_outcome_forged_with_a_revoked_key_halts_no_start(
    folder: Folder, trader: Producer
) -> None:
    """The ledger never deletes the outcome, so a halt would repeat at every start."""
    former = open_signer_keys(folder).identity
    with connect(folder.path) as node:
        submit(node, trader.signed("a"))
    register_key(folder, change_key(folder))
    with connect(folder.path) as node:
        submit(node, trader.signed("b"))
    trust = folder.trust()
    with closing(PipelineLog(folder.pipeline, trust.partitions)) as log:
        outcomes = [r for n in range(trust.partitions) for r in log.scan(Topic.OUTCOMES, n)]
        last = decode_outcome(outcomes[-1].value).model_copy(
            update={"sequence": 9, "signature": None}
        )
        log.append([Outgoing(Topic.OUTCOMES, ACCOUNT, former.sign_event(last))], wall_ms())
    with connect(folder.path) as node:
        assert isinstance(node, Node)
        assert (
            node.pipeline.parts.ledger_service.answers.outcomes.newest_sequences([ACCOUNT])[ACCOUNT]
            == 9
        )
        [third] = submit(node, trader.signed("c"))
        assert third["result"]["sequence"] == 3


def test_an_order_contains_the_registry_sequence_at_its_time(folder: Folder) -> None:
    """So an event of a revoked key for a later order is recognised as a thief's."""
    with connect(folder.path) as node:
        admin = operator.Admin(node, folder.admin(), wall_ms())
        operator.provision(admin, operator.KeyTarget(ACCOUNT, "keys/new"))
        place = vault_orders.VaultId(ACCOUNT, AGENT_KEYS)
        vault_orders.change_key(vault_orders.Orderer(*admin), place, "kek", 1)
        answers = [orjson.loads(each["event"]) for each in node.vault_events()]
        # The re-wrapping that follows answers no order and may come meanwhile.
        requests = [answer["request"] for answer in answers if "request" in answer][-2:]
        orders = [orjson.loads(base64.b64decode(request["payload"])) for request in requests]
        known = node.registry()["sequence"]
    assert [order["registry_sequence"] for order in orders] == [known, known]


def test_a_pinned_outcome_is_not_signed_with_an_unregistered_key(
    folder: Folder, trader: Producer
) -> None:
    run_once(folder)
    die_before_signing(folder, trader.signed("a"))
    change_key(folder)
    with pytest.raises(HaltError, match="active signer"):
        open_pipeline(folder)


def test_a_pinned_outcome_is_not_signed_by_a_signer_revoked_while_it_was_down(
    folder: Folder, trader: Producer
) -> None:
    run_once(folder)
    registry = die_before_signing(folder, trader.signed("a"))
    register(folder, registry, signer_set(folder, active=False))
    with pytest.raises(HaltError, match="active signer"):
        open_pipeline(folder)
    with closing(SqliteLog(folder.pipeline, registry.partitions)) as log:
        assert not [r for p in range(registry.partitions) for r in log.scan(Topic.OUTCOMES, p)]
    register(folder, registry, signer_set(folder, active=True))
    assert ends(open_pipeline(folder).committed) == ["signed"]


def test_a_pinned_outcome_is_signed_whatever_else_was_revoked(
    folder: Folder, trader: Producer
) -> None:
    run_once(folder)
    registry = die_before_signing(folder, trader.signed("a"))
    register(folder, registry, *withdrawn(trader))
    pipeline = open_pipeline(folder)
    assert ends(pipeline.committed) == ["signed"]
    pipeline.submit(trader.signed("b"))
    assert ends(pipeline.drain()) == ["agent_inactive"]


@pytest.mark.parametrize("idle", [True, False])
def test_a_signer_with_an_unregistered_key_halts(
    folder: Folder, trader: Producer, *, idle: bool
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.drain()
    pipeline.close()
    change_key(folder)
    pipeline = open_pipeline(folder)
    pipeline.submit(*[] if idle else [trader.signed("a")])
    with pytest.raises(HaltError, match="active signer"):
        pipeline.runner.step()
    assert pipeline.committed == []


class TestAnIdleSignerOnKafka:
    """It ends at its start, before any intent arrives."""

    def ends(self, scaled: Scaled, *words: str) -> None:
        before = len(scaled.audit())
        assert scaled.run_to_end("signer") == ExitCode.HALTED, scaled.log("signer")
        log = scaled.log("signer")
        assert "Traceback" not in log
        for word in words:
            assert word in log
        assert len(scaled.audit()) == before

    def test_with_an_unregistered_key(self, scaled: Scaled) -> None:
        scaled.start("signer")
        scaled.await_ready("signer")
        scaled.stop("signer")
        key = change_key(scaled.folder)
        self.ends(scaled, "active signer", "admin")
        scaled.register(ServiceSet(role="signer", name=SIGNER, public_key=key, active=True))
        scaled.start("signer")
        scaled.await_ready("signer")

    def test_that_was_revoked(self, scaled: Scaled) -> None:
        scaled.start("signer")
        scaled.await_ready("signer")
        scaled.stop("signer")
        scaled.register(signer_set(scaled.folder, active=False))
        self.ends(scaled, "active signer")

    def test_with_another_root_key(self, scaled: Scaled, tmp_path: Path) -> None:
        other = make_folder(tmp_path / "other", [])
        scaled.folder.root_key.write_bytes(other.root_key.read_bytes())
        self.ends(scaled, "wrapped by root", "local:")

    def test_that_trusts_another_organisation(self, scaled: Scaled, tmp_path: Path) -> None:
        """It must not record another organisation's intents as refused."""
        scaled.folder = make_folder(tmp_path / "other", [])
        self.ends(scaled, "no registry of the organisation")


class TestASignerOnKafkaThatDiedBetweenChargeAndSignature:
    """It is killed after its charge is committed; its restart reads later registry records."""

    @pytest.fixture
    def charged(self, scaled: Scaled, trader: Producer) -> Iterator[Scaled]:
        with closing(KafkaProxy(int(scaled.servers.rpartition(":")[2]))) as proxy:
            scaled.doors["signer"] = f"127.0.0.1:{proxy.port}"
            scaled.start_all()
            # The signer creates the key in an earlier transaction, which must not count here.
            until(lambda: bool(on_kafka(scaled.broker)(Topic.VAULT)))
            proxy.arm(CHARGED, partial(scaled.kill, "signer"))
            scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, trader.signed("a"))])
            proxy.await_reached()
            assert not self.made(scaled)
            yield scaled

    def made(self, scaled: Scaled) -> list[bytes]:
        """Return every outcome ever sent, committed or not."""
        return on_kafka(scaled.broker, "read_uncommitted")(Topic.OUTCOMES)

    def test_and_was_revoked_meanwhile_signs_nothing(self, charged: Scaled) -> None:
        charged.register(signer_set(charged.folder, active=False))
        assert charged.run_to_end("signer") == ExitCode.HALTED, charged.log("signer")
        assert "active signer" in charged.log("signer")
        assert not self.made(charged)
        charged.register(signer_set(charged.folder, active=True))
        charged.start("signer")
        charged.settle(all_ended)
        assert len(check(on_kafka(charged.broker), settled=True).signed) == 1

    def test_signs_what_it_charged_whatever_else_was_revoked(
        self, charged: Scaled, trader: Producer
    ) -> None:
        for entry in withdrawn(trader):
            charged.register(entry)
        charged.start("signer")
        charged.settle(all_ended)
        assert len(self.made(charged)) == 1
        assert b'"raw_transaction"' in self.made(charged)[0]

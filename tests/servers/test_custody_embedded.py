"""The embedded pipeline with vaults of every custody mode: real files, software providers."""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from schemas.record import Outgoing
from schemas.registry.custody import CustodyMode
from schemas.topics import Topic
from signer.custody.custody_modes import PLANS
from signer.custody.share_key import OVERLAP_MS
from signer.keys.share_key_rotation import ERASE_AFTER_MS, ROTATE_AFTER_MS
from signer.stage.state import StateWrite
from streams.log.pipeline import PipelineLog
from streams.log.sqlite import SqliteLog
from tests.harness.judge.promises import check, in_folder
from tests.harness.pipeline.custody_organisation import (
    HOLDERS_NEEDED,
    MODES,
    STORED_AT,
    CustodyOrganisation,
    account_of,
    make_custody_organisation,
)
from tests.harness.pipeline.custody_pipeline import ask_all, running_pipeline, send, vault_of
from tests.harness.pipeline.embedded import ManualTime, Pipeline
from tests.harness.pipeline.embedded_fixtures import Crash, ends

WITH_CLIENT = [mode for mode in MODES if PLANS[mode].needs_client]


@pytest.fixture
def organised(tmp_path: Path) -> CustodyOrganisation:
    return make_custody_organisation(tmp_path / "data")


def stock(organised: CustodyOrganisation) -> None:
    with running_pipeline(organised) as pipeline:
        send(pipeline, *organised.orders())
        assert pipeline.audits().count("key.refused") == 0


def open_secrets(pipeline: Pipeline, modes: Sequence[CustodyMode]) -> list[bytes]:
    """Open the generated secrets of some modes that need no client share."""
    keeper = pipeline.runner.slot.operations.vaults.secret_sealing
    places = [(account_of(mode), "main", STORED_AT) for mode in modes]
    return [bytes(keeper.open(e).secret) for p in places for e in keeper.secrets.history(p)]


def test_in_every_mode_an_agent_signs_before_and_after_a_restart(
    organised: CustodyOrganisation,
) -> None:
    stock(organised)
    for key in ("first", "second"):
        with running_pipeline(organised) as pipeline:
            assert set(ask_all(organised, pipeline, key).values()) == {"signed"}
    assert len(check(in_folder(organised.folder.path), settled=True).signed) == 2 * len(MODES)


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_a_missing_or_wrong_share_is_rejected_with_its_reason_without_a_charge(
    organised: CustodyOrganisation, mode: CustodyMode
) -> None:
    stock(organised)
    with running_pipeline(organised) as pipeline:
        vault = vault_of(pipeline)
        share = organised.share(mode, vault)
        wrong = organised.sent(mode, share[:-1] + bytes((share[-1] ^ 1,)), vault)
        other = organised.sent(next(each for each in WITH_CLIENT if each != mode), share, vault)
        for number, sent, reason in (
            (1, None, "client_share_missing"),
            (2, wrong, "client_share_wrong"),
            (3, other, "client_share_wrong"),
        ):
            one = organised.intent(mode, f"bad-{number}", vault, client_share=sent)
            assert send(pipeline, one) == [reason]
        account = pipeline.runner.slot.account(account_of(mode))
        assert (account.spent_wei(10**15), account.nonces) == (0, {})
        assert send(pipeline, organised.intent(mode, "good", vault)) == ["signed"]


@pytest.mark.parametrize("down", [["aws"], ["gcp", "aws"]])
def test_with_providers_down_modes_with_enough_shares_sign_and_others_reject(
    organised: CustodyOrganisation, down: list[str]
) -> None:
    stock(organised)
    for name in down:
        (organised.folder.holder_keys / f"{name}.key").unlink()
    with running_pipeline(organised) as pipeline:
        found = ask_all(organised, pipeline, "asked")
        left = {mode: PLANS[mode].providers - len(down) for mode in MODES}
        expected = {
            mode: "signed" if max(0, left[mode]) >= HOLDERS_NEEDED[mode] else "key_unavailable"
            for mode in MODES
        }
        assert found == expected
    check(in_folder(organised.folder.path), settled=True)


def test_an_intent_with_a_share_is_signed_after_a_crash(organised: CustodyOrganisation) -> None:
    stock(organised)

    class DiesSigning(PipelineLog):
        def commit(
            self, events: Sequence[Outgoing], writes: Sequence[StateWrite], at_ms: int
        ) -> None:
            if any(event.topic is Topic.SIGNED for event in events):
                raise Crash
            super().commit(events, writes, at_ms)

    with running_pipeline(organised, DiesSigning) as pipeline:
        queued = [organised.intent(mode, "queued", vault_of(pipeline)) for mode in WITH_CLIENT]
        with pytest.raises(Crash):
            send(pipeline, *queued)
    with running_pipeline(organised) as pipeline:
        assert Counter(ends(pipeline.committed)) == {"signed": len(WITH_CLIENT)}
    check(in_folder(organised.folder.path), settled=True)


@pytest.mark.parametrize("when", ["before", "after"])
def test_crashes_at_every_commit_lose_and_repeat_no_event(
    organised: CustodyOrganisation, when: str
) -> None:
    class Dies(PipelineLog):
        """Each run dies at its second commit, before or after it is durable."""

        def __init__(self, path: Path, partitions: int) -> None:
            super().__init__(path, partitions)
            self.commits = 0

        def commit(
            self, events: Sequence[Outgoing], writes: Sequence[StateWrite], at_ms: int
        ) -> None:
            self.commits += 1
            if self.commits == 2 and when == "before":
                raise Crash
            super().commit(events, writes, at_ms)
            if self.commits == 2:
                raise Crash

    inbox = SqliteLog(organised.folder.inbox, organised.folder.trust().partitions)
    deaths = 0
    for order in organised.orders():
        inbox.append([order], 0)
        try:
            with running_pipeline(organised, Dies) as pipeline:
                pipeline.drain()
        except Crash:
            deaths += 1
    inbox.close()
    with running_pipeline(organised) as pipeline:
        pipeline.drain()
        vault = vault_of(pipeline)
        ids = [orjson.loads(raw)["id"] for raw in vault()]
        assert len(ids) == len(set(ids))
        kinds = Counter(orjson.loads(raw)["type"] for raw in vault())
        assert kinds == {
            "key.provisioned": len(MODES),
            "secret.stored": 2 * len(MODES),
            "vault.key.changed": 4,
            "secret.rewrapped": 6,
            "secret.recovered": 1,
            "share.key.announced": len(MODES),
        }
        assert set(ask_all(organised, pipeline, "after").values()) == {"signed"}
        opened = open_secrets(pipeline, [mode for mode in MODES if mode not in WITH_CLIENT])
        assert len(set(opened)) == 4
    assert deaths > 0


def test_a_share_sealed_to_an_old_share_key_is_accepted_until_the_overlap_ends(
    organised: CustodyOrganisation,
) -> None:
    stock(organised)
    at, mode = ManualTime(), WITH_CLIENT[0]
    organised.traders[mode].now_ms = lambda: at.wall
    with running_pipeline(organised, clock=at.clock()) as pipeline:
        vault = vault_of(pipeline)
        queued = organised.sent(mode, organised.share(mode, vault), vault)
    at.forward(ROTATE_AFTER_MS)
    with running_pipeline(organised, clock=at.clock()) as pipeline:
        pipeline.drain()  # the next share key becomes current
        in_time = organised.intent(mode, "in-time", vault_of(pipeline), client_share=queued)
        assert send(pipeline, in_time) == ["signed"]
    at.forward(OVERLAP_MS + 60_000)
    with running_pipeline(organised, clock=at.clock()) as pipeline:
        vault = vault_of(pipeline)
        late = organised.intent(mode, "late", vault, client_share=queued)
        assert send(pipeline, late) == ["client_share_missing"]
        assert send(pipeline, organised.intent(mode, "anew", vault)) == ["signed"]
    at.forward(ERASE_AFTER_MS)
    with running_pipeline(organised, clock=at.clock()) as pipeline:
        pipeline.drain()
        kept = pipeline.runner.slot.stage.memory.share_keys()
        assert kept is not None
        assert [key.version for key in kept.keys] == [2]


def test_the_audit_records_of_an_order_are_committed_with_its_event(
    organised: CustodyOrganisation,
) -> None:
    commits: list[Sequence[Outgoing]] = []

    class Watched(PipelineLog):
        def commit(
            self, events: Sequence[Outgoing], writes: Sequence[StateWrite], at_ms: int
        ) -> None:
            super().commit(events, writes, at_ms)
            commits.append(events)

    with running_pipeline(organised, Watched) as pipeline:
        for order in organised.orders():
            send(pipeline, order)
    answering = [one for one in commits if any(b"key.provisioned" in e.value for e in one)]
    assert len(answering) == len(MODES)
    for events in answering:
        assert any(b'"action":"kms.call"' in event.value for event in events)


def test_every_order_share_delivery_and_kms_call_is_recorded(
    organised: CustodyOrganisation,
) -> None:
    with running_pipeline(organised) as pipeline:
        send(pipeline, *organised.orders())
        audits = [orjson.loads(e.value) for e in pipeline.committed if e.topic is Topic.AUDIT]
        uses = Counter(a["operation"] for a in audits if a["type"] == "secret.access")
        clients = len(WITH_CLIENT)
        assert uses == {"put": len(MODES), "rotate": len(MODES), "hand-over": 3 * clients + 1}
        assert {a["actor"] for a in audits if a["type"] == "secret.access"} == {"admin-0"}
        calls = [a["detail"] for a in audits if a.get("action") == "kms.call"]
        for call in ("wrap", "unwrap"):
            keys = {each.split(":")[1] for each in calls if each.startswith(f"{call} by")}
            assert len(keys) == 4  # of the root and three providers
        assert all(a["at_ms"] > 0 for a in audits)


def test_a_folder_of_a_version_before_providers_opens_and_signs(
    organised: CustodyOrganisation,
) -> None:
    shutil.rmtree(organised.folder.holder_keys)
    with running_pipeline(organised) as pipeline:
        vault = vault_of(pipeline)
        orders = [order for order in organised.orders() if order.key == account_of("envelope")]
        send(pipeline, *orders)
        assert send(pipeline, organised.intent("envelope", "old", vault)) == ["signed"]

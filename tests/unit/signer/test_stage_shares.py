"""The signer signs with a client's share from the intent, and after a crash with the same one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from schemas.client_share import ClientShare
from schemas.custody import CustodyMode
from schemas.intent import TransactionIntent
from schemas.keys import KeyRequest
from schemas.outcome import IntentRejected, TransactionSigned
from schemas.reasons import Reason
from schemas.registry import AgentSet
from signer.keys.accesses import KeyAccesses
from signer.keys.authorized_use import KeyUse
from tests.harness.builders.cases import KEY_PATH, NOW_MS, agent, arrival, intent
from tests.harness.builders.custody_client import Fund, fund
from tests.harness.builders.custody_providers import WITH_CLIENT
from tests.harness.builders.vault_events import FUND
from tests.harness.pipeline.signer_process import Crash, Died, Disk, SignerProcess

BOB = "bob"


def bob() -> AgentSet:
    return agent(agent=BOB, account=FUND, key_paths=(KEY_PATH,))


@contextmanager
def signing(mode: CustodyMode) -> Iterator[tuple[Fund, ClientShare]]:
    """A vault of the mode with one key, and the share that bob's client seals for the signer."""
    with fund(mode) as one:
        one.desk.registry.apply(one.desk.operator.write(bob()))
        share = one.received(one.give(KeyRequest))
        yield one, one.sent(share, BOB)


def life(one: Fund, disk: Disk) -> SignerProcess:
    """Another life of the signer: nothing is open, nothing is remembered but the disk."""
    one.desk.keychain.close()
    process = SignerProcess(disk, one.desk.registry, one.desk.keys)
    process.stage.key_use = KeyUse(one.desk.keychain.use, KeyAccesses(one.desk.keychain.openings))
    return process


def asked(share: ClientShare | None, **changes: Any) -> TransactionIntent:
    return intent(agent=BOB, account=FUND, client_share=share, **changes)


def stored(disk: Disk) -> list[bytes]:
    return [write.value or b"" for write in disk.state.records.values()]


def pinned(process: SignerProcess, one: TransactionIntent) -> Any:
    batch = process.stage.allocate([arrival(one)], NOW_MS)
    ((_, live),) = batch.pinned
    return live.pinned


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_an_intent_with_its_share_is_signed(mode: CustodyMode) -> None:
    with signing(mode) as (one, share):
        process = life(one, Disk())
        batch = process.run([arrival(asked(share))], NOW_MS)
        assert isinstance(batch.pinned[0][1].pinned, TransactionSigned)
        assert all(live.client_share is None for _, live in process.stage.unfinished())


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_an_intent_without_a_share_is_refused_also_right_after_one_with_it(
    mode: CustodyMode,
) -> None:
    with signing(mode) as (one, share):
        process = life(one, Disk())
        process.run([arrival(asked(share))], NOW_MS)
        refused = pinned(process, asked(None, idempotency_key="second"))
        assert isinstance(refused, IntentRejected)
        assert refused.reason is Reason.CLIENT_SHARE_MISSING


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_a_stolen_share_in_another_agents_intent_is_refused(mode: CustodyMode) -> None:
    with signing(mode) as (one, share):
        eve = agent(agent="eve", account=FUND, key_paths=(KEY_PATH,))
        one.desk.registry.apply(one.desk.operator.write(eve))
        process = life(one, Disk())
        stolen = intent(agent="eve", account=FUND, client_share=share)
        refused = pinned(process, stolen)
        assert isinstance(refused, IntentRejected)
        assert refused.reason is Reason.CLIENT_SHARE_WRONG


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_what_was_pinned_is_signed_after_a_crash_with_the_share_it_came_with(
    mode: CustodyMode,
) -> None:
    with signing(mode) as (one, share):
        disk = Disk()
        with pytest.raises(Died):
            life(one, disk).run([arrival(asked(share))], NOW_MS, Crash.BEFORE_SIGNING)
        assert any(share.box.encode() in kept for kept in stored(disk))
        process = life(one, disk)
        process.stage.open_keys(process.stage.unfinished(), NOW_MS)
        process.start(NOW_MS)
        assert len(disk.signed()) == 1
        assert not process.stage.unfinished()
        assert not any(share.box.encode() in kept for kept in stored(disk))


def accessed(disk: Disk) -> list[tuple[str, bool, str | None]]:
    assert all(told.operation == "sign" and told.path == KEY_PATH for told in disk.accesses)
    assert len({told.id for told in disk.accesses}) == len(disk.accesses)
    return [(told.actor, told.allowed, told.reason) for told in disk.accesses]


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_each_opening_of_a_key_is_on_record_once_and_with_whom_it_was_for(
    mode: CustodyMode,
) -> None:
    with signing(mode) as (one, share):
        process = life(one, Disk())
        process.run([arrival(asked(share, idempotency_key=f"{n}")) for n in range(3)], NOW_MS)
        assert accessed(process.disk) == [(BOB, True, None)]
        one.desk.keychain.close()
        process.run([arrival(asked(share, idempotency_key="later"))], NOW_MS + 1)
        assert accessed(process.disk) == [(BOB, True, None)] * 2
        told = process.disk.accesses[-1]
        assert (told.account, told.version, told.at_ms) == (FUND, 1, NOW_MS + 1)


def test_an_opening_after_a_crash_and_one_that_failed_are_on_record_too() -> None:
    with signing("2of2_client_custody") as (one, share):
        disk = Disk()
        with pytest.raises(Died):
            life(one, disk).run([arrival(asked(share))], NOW_MS, Crash.BEFORE_SIGNING)
        process = life(one, disk)
        process.stage.open_keys(process.stage.unfinished(), NOW_MS + 1)
        process.start(NOW_MS + 1)
        assert [told.at_ms for told in disk.accesses] == [NOW_MS, NOW_MS + 1]
        stolen = share.model_copy(update={"box": share.box[:-2] + "00"})
        process.run([arrival(asked(stolen, idempotency_key="stolen"))], NOW_MS + 2)
        assert accessed(disk) == [(BOB, True, None)] * 3


def test_an_agent_without_a_grant_opens_nothing_and_that_is_on_record() -> None:
    with signing("2of2_client_custody") as (one, share):
        eve = agent(agent="eve", account=FUND, key_paths=())
        one.desk.registry.apply(one.desk.operator.write(eve))
        process = life(one, Disk())
        process.run([arrival(intent(agent="eve", account=FUND, client_share=share))], NOW_MS)
        assert accessed(process.disk) == [("eve", False, "key_not_granted")]
        assert one.desk.keychain.openings() == 0

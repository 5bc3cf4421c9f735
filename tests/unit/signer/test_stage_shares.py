"""Signing stage: keys that open with the intent's client share, also after a crash."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from schemas.intents.intent import TransactionIntent
from schemas.intents.intent_parts import ClientShare
from schemas.intents.outcome import IntentRejected, TransactionSigned
from schemas.intents.reasons import Reason
from schemas.keys.key_events import KeyRequest
from schemas.registry.custody import CustodyMode
from schemas.registry.records import AgentSet
from signer.keys.authorized_use import KeyUse
from signer.keys.descriptor import KeyDescriptor
from tests.harness.builders.cases import KEY_PATH, NOW_MS, agent, arrival, intent
from tests.harness.builders.custody_client import Fund, fund
from tests.harness.builders.custody_providers import WITH_CLIENT
from tests.harness.builders.ethereum import MemoryKey
from tests.harness.builders.vault_events import FUND
from tests.harness.pipeline.signer_process import Crash, Died, Disk, SignerProcess

BOB = "bob"


def bob() -> AgentSet:
    return agent(agent=BOB, account=FUND, key_paths=(KEY_PATH,))


@contextmanager
def signing(mode: CustodyMode) -> Iterator[tuple[Fund, ClientShare]]:
    """Yield a vault of the mode with one key, and the share that bob's client sealed."""
    with fund(mode) as one:
        one.executor.registry.apply(one.executor.operator.write(bob()))
        share = one.received(one.give(KeyRequest))
        yield one, one.sent(share, BOB)


def restarted(one: Fund, disk: Disk) -> SignerProcess:
    """A restarted signer: no key is open, only the disk remains."""
    one.executor.keychain.close()
    process = SignerProcess(disk, one.executor.registry, one.executor.keys)
    process.stage.key_use = KeyUse(one.executor.keychain.use)
    return process


def never_opened(key: KeyDescriptor, *_: object) -> MemoryKey:
    raise AssertionError(f"{key.path} was opened")


def asked(share: ClientShare | None, **changes: Any) -> TransactionIntent:
    return intent(agent=BOB, account=FUND, client_share=share, **changes)


def stored(disk: Disk) -> list[bytes]:
    return [write.value or b"" for write in disk.state.records.values()]


def pinned(process: SignerProcess, one: TransactionIntent) -> Any:
    batch = process.stage.allocate([arrival(one)], NOW_MS)
    ((_, live),) = batch.pinned
    return live.pinned


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_an_intent_with_a_client_share_is_signed(mode: CustodyMode) -> None:
    with signing(mode) as (one, share):
        process = restarted(one, Disk())
        batch = process.run([arrival(asked(share))], NOW_MS)
        assert isinstance(batch.pinned[0][1].pinned, TransactionSigned)
        assert all(live.client_share is None for _, live in process.stage.unfinished())


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_an_intent_without_a_share_is_refused_even_after_one_with_it(
    mode: CustodyMode,
) -> None:
    with signing(mode) as (one, share):
        process = restarted(one, Disk())
        process.run([arrival(asked(share))], NOW_MS)
        refused = pinned(process, asked(None, idempotency_key="second"))
        assert isinstance(refused, IntentRejected)
        assert refused.reason is Reason.CLIENT_SHARE_MISSING


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_a_stolen_share_in_another_agents_intent_is_refused(mode: CustodyMode) -> None:
    with signing(mode) as (one, share):
        eve = agent(agent="eve", account=FUND, key_paths=(KEY_PATH,))
        one.executor.registry.apply(one.executor.operator.write(eve))
        process = restarted(one, Disk())
        stolen = intent(agent="eve", account=FUND, client_share=share)
        refused = pinned(process, stolen)
        assert isinstance(refused, IntentRejected)
        assert refused.reason is Reason.CLIENT_SHARE_WRONG


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_a_pinned_outcome_is_signed_after_a_crash_with_its_own_share(
    mode: CustodyMode,
) -> None:
    with signing(mode) as (one, share):
        disk = Disk()
        with pytest.raises(Died):
            restarted(one, disk).run([arrival(asked(share))], NOW_MS, Crash.BEFORE_SIGNING)
        assert any(share.box.encode() in record for record in stored(disk))
        process = restarted(one, disk)
        process.stage.open_keys(process.stage.unfinished(), NOW_MS)
        process.start(NOW_MS)
        assert len(disk.signed()) == 1
        assert not process.stage.unfinished()
        assert not any(share.box.encode() in record for record in stored(disk))


def accessed(disk: Disk) -> list[tuple[str, bool, str | None]]:
    assert all(access.operation == "sign" and access.path == KEY_PATH for access in disk.accesses)
    assert len({access.id for access in disk.accesses}) == len(disk.accesses)
    return [(access.actor, access.allowed, access.reason) for access in disk.accesses]


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_each_opening_of_a_key_is_recorded_once_with_its_agent(
    mode: CustodyMode,
) -> None:
    with signing(mode) as (one, share):
        process = restarted(one, Disk())
        process.run([arrival(asked(share, idempotency_key=f"{n}")) for n in range(3)], NOW_MS)
        assert accessed(process.disk) == [(BOB, True, None)]
        one.executor.keychain.close()
        process.run([arrival(asked(share, idempotency_key="later"))], NOW_MS + 1)
        assert accessed(process.disk) == [(BOB, True, None)] * 2
        access = process.disk.accesses[-1]
        assert (access.account, access.version, access.at_ms) == (FUND, 1, NOW_MS + 1)


def test_an_opening_after_a_crash_and_a_failed_one_are_recorded() -> None:
    with signing("2of2_client_custody") as (one, share):
        disk = Disk()
        with pytest.raises(Died):
            restarted(one, disk).run([arrival(asked(share))], NOW_MS, Crash.BEFORE_SIGNING)
        process = restarted(one, disk)
        process.stage.open_keys(process.stage.unfinished(), NOW_MS + 1)
        process.start(NOW_MS + 1)
        assert [access.at_ms for access in disk.accesses] == [NOW_MS, NOW_MS + 1]
        stolen = share.model_copy(update={"box": share.box[:-2] + "00"})
        process.run([arrival(asked(stolen, idempotency_key="stolen"))], NOW_MS + 2)
        assert accessed(disk) == [(BOB, True, None)] * 3


def test_an_agent_without_a_grant_opens_nothing_and_is_recorded() -> None:
    with signing("2of2_client_custody") as (one, share):
        eve = agent(agent="eve", account=FUND, key_paths=())
        one.executor.registry.apply(one.executor.operator.write(eve))
        process = restarted(one, Disk())
        process.stage.key_use = KeyUse(never_opened)
        process.run([arrival(intent(agent="eve", account=FUND, client_share=share))], NOW_MS)
        assert accessed(process.disk) == [("eve", False, "key_not_granted")]

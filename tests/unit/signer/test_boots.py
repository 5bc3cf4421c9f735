"""Outcomes name the boot that decided them, from the allocation on."""

import pytest

from schemas.canonical import MalformedError
from schemas.intents.outcome import TransactionSigned, decode_outcome
from signer.core.errors import InvalidSignatureError
from signer.custody.event_signing import verify_event
from tests.harness.builders.cases import (
    ETH,
    NOW_MS,
    SIGNER,
    arrival,
    intent,
    policy,
    provisioned,
    registered,
)
from tests.harness.pipeline.signer_process import Crash, Died, Disk, SignerProcess

FIRST, SECOND = "0x" + "01" * 32, "0x" + "02" * 32


def process(boot: str | None, disk: Disk) -> SignerProcess:
    _, registry = registered(under=policy(tx_daily_limit_eth="5"))
    started = SignerProcess(disk, registry, provisioned(registry))
    started.stage.boot = boot
    return started


def test_an_outcome_names_the_boot_that_decided() -> None:
    disk = Disk()
    process(FIRST, disk).run([arrival(intent()), arrival(intent(value_wei=9 * ETH), 1)], NOW_MS)
    assert [outcome.boot for outcome in disk.outcomes] == [FIRST, FIRST]
    for outcome in disk.outcomes:
        verify_event(outcome, SIGNER.public_key)
        with pytest.raises(InvalidSignatureError):
            verify_event(outcome.model_copy(update={"boot": SECOND}), SIGNER.public_key)


def test_an_outcome_pinned_by_an_earlier_boot_keeps_its_boot_and_bytes() -> None:
    straight, broken = Disk(), Disk()
    process(FIRST, straight).run([arrival(intent())], NOW_MS)
    with pytest.raises(Died):
        process(FIRST, broken).run([arrival(intent())], NOW_MS, Crash.BEFORE_SIGNING)
    process(SECOND, broken).start(NOW_MS)
    assert [one.value for one in broken.published] == [one.value for one in straight.published]


def test_an_outcome_without_a_boot_keeps_its_bytes() -> None:
    disk = Disk()
    process(None, disk).run([arrival(intent())], NOW_MS)
    (outcome,) = disk.outcomes
    raw = outcome.encode()
    assert isinstance(outcome, TransactionSigned)
    assert b"boot" not in raw
    assert decode_outcome(raw) == outcome
    verify_event(outcome, SIGNER.public_key)
    with pytest.raises(MalformedError):
        decode_outcome(raw.replace(b'"chain_id"', b'"boot":null,"chain_id"'))

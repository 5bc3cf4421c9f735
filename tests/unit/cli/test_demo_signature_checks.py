"""The demo checks signatures itself: one that differs from the intent is detected."""

from typing import Any

import orjson
import pytest

from schemas.intents.intent import TransactionIntent
from signer.core.account import Account
from signer.core.decide import Allocation
from signer.stage.sign import signed
from sixgate.cli.demo_records import matches_intent, recovered_address
from tests.harness.builders.cases import (
    ACCOUNT,
    GWEI,
    SECRET,
    STRANGER,
    address_of,
    case,
    intent,
    policy,
)
from tests.harness.builders.ethereum import MemoryKey
from tests.harness.builders.signer_records import judge

ENTRY = {"address": STRANGER, "storage_keys": ("0x" + "07" * 32,)}
ASKED = intent(gas_limit=100_000, nonce=0, access_list=(ENTRY,), value_wei=3, data="0x01")
OTHER: dict[str, Any] = {
    "chain_id": 1, "to": None, "value_wei": 4, "data": "0x02", "nonce": 1, "gas_limit": 99_999,
    "max_fee_per_gas_wei": GWEI + 1, "max_priority_fee_per_gas_wei": 2, "access_list": (),
    "gas_price_wei": 1, "max_fee_per_blob_gas_wei": 1, "authorization_list": (),
    "blob_versioned_hashes": ("0x01" + "ab" * 31,),
}  # fmt: skip


def event_of(one: TransactionIntent) -> dict[str, Any]:
    judged = judge(case(one, policy(tx_max_fee_eth="unlimited")), Account(account=ACCOUNT))
    assert isinstance(judged, Allocation)
    draft: Any = judged.live.pinned
    event: dict[str, Any] = orjson.loads(signed(draft, MemoryKey(SECRET)).encode())
    return event


def test_a_signature_of_the_intent_is_genuine() -> None:
    event = event_of(ASKED)
    assert matches_intent(ASKED, event)
    assert recovered_address(event) == address_of(SECRET)


@pytest.mark.parametrize("field", OTHER)
def test_a_differing_field_is_detected(field: str) -> None:
    other = ASKED.model_copy(update={field: OTHER[field]})
    assert not matches_intent(other, event_of(ASKED))


def test_bytes_that_differ_from_the_event_are_detected() -> None:
    event, another = event_of(ASKED), event_of(ASKED.model_copy(update={"value_wei": 4}))
    assert not matches_intent(ASKED, event | {"raw_transaction": another["raw_transaction"]})

"""Vault orders expire: none is executed late or a second time."""

import copy

import pytest

from schemas.partition import partition_of
from schemas.record import Record
from schemas.topics import Topic
from signer.custody.order_validity import LIFETIME_MS_MAX
from tests.harness.builders.cases import ACCOUNT, NOW_MS
from tests.harness.builders.order_executor import why
from tests.harness.builders.vault_orders import executor, generate, put, rotate


@pytest.mark.parametrize("raw", [put(), rotate(), generate(path="prod/other")])
def test_an_order_that_is_sent_again_once_it_has_expired_is_refused(raw: bytes) -> None:
    """Executed before or held back until now: neither case publishes an event."""
    with executor() as one:
        one.send(put())
        one.send(rotate())
        before = copy.deepcopy(one.register)
        record = Record(Topic.KEY_REQUESTS, partition_of(ACCOUNT, 4), 9, ACCOUNT, raw, NOW_MS)
        (refusal,) = one.operations.execute_order(record, NOW_MS + LIFETIME_MS_MAX)
        assert "expired" in why(refusal)
        assert one.register == before


@pytest.mark.parametrize("lived_ms", [1, LIFETIME_MS_MAX])
def test_an_order_lives_as_long_as_it_says_and_no_longer(lived_ms: int) -> None:
    with executor() as one:
        raw = put(expires_at_ms=NOW_MS + lived_ms)
        record = Record(Topic.KEY_REQUESTS, partition_of(ACCOUNT, 4), 9, ACCOUNT, raw, NOW_MS)
        (refusal,) = one.operations.execute_order(record, NOW_MS + lived_ms)
        assert "expired" in why(refusal)
        assert one.operations.execute_order(record, NOW_MS + lived_ms - 1)[0].topic is Topic.VAULT
        forever = put(expires_at_ms=NOW_MS + LIFETIME_MS_MAX + 1, version=2)
        assert "24 hours" in why(one.send(forever))

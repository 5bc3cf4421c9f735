"""Use of keys by intents: why a key does not open, and for how long it is not retried."""

import pytest

from schemas.intents.intent_parts import ClientShare
from schemas.intents.reasons import Reason
from signer.custody.errors import (
    ClientShareMissingError,
    CorruptError,
    CustodyError,
    KmsUnavailableError,
)
from signer.keys.accesses import KeyUseRequest
from signer.keys.authorized_use import KeyUse
from signer.keys.descriptor import KeyDescriptor
from tests.harness.builders.cases import NOW_MS, ORG, SECRET, key
from tests.harness.builders.ethereum import MemoryKey

BOB = KeyUseRequest("bob", "0x" + "11" * 32)
SHARE = ClientShare(key_version=1, share_key="0x" + "22" * 32, box="0x" + "33" * 48)


class Holders:
    """Open a key, or raise a given error; ``asked`` counts the calls."""

    def __init__(self, error: CustodyError | None = None) -> None:
        self.error = error
        self.asked = 0

    def open(self, _key: KeyDescriptor, _agent: str, _share: ClientShare | None) -> MemoryKey:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return MemoryKey(SECRET, opened=self.asked == 1)


def problem(use: KeyUse, share: ClientShare | None = None) -> Reason | None:
    return use.problem(ORG, key(), BOB, share)


@pytest.mark.parametrize(
    ("error", "share", "reason"),
    [
        (None, None, None),
        (None, SHARE, None),
        (ClientShareMissingError("none"), None, Reason.CLIENT_SHARE_MISSING),
        (ClientShareMissingError("of another key"), SHARE, Reason.CLIENT_SHARE_MISSING),
        (CorruptError("the box"), SHARE, Reason.CLIENT_SHARE_WRONG),
        (CorruptError("what is stored"), None, Reason.KEY_UNAVAILABLE),
        (KmsUnavailableError("no answer"), SHARE, Reason.KEY_UNAVAILABLE),
    ],
)
def test_a_reason_names_the_party_at_fault(
    error: CustodyError | None, share: ClientShare | None, reason: Reason | None
) -> None:
    assert problem(KeyUse(Holders(error).open), share) is reason


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (KmsUnavailableError("no answer"), 1),
        (CorruptError("x"), 3),
        (ClientShareMissingError("x"), 3),
    ],
)
def test_holders_that_failed_are_not_asked_again_in_a_batch(
    error: CustodyError, asked: int
) -> None:
    """A wrong client share is no failure of the holders: the next share is tried."""
    holders = Holders(error)
    use = KeyUse(holders.open)
    for _ in range(3):
        assert problem(use, SHARE)
    assert holders.asked == asked
    use.begin(NOW_MS)
    assert problem(use, SHARE)
    assert holders.asked == asked + 1


def test_each_opening_is_noted_once_and_so_is_a_refusal() -> None:
    holders = Holders()
    use = KeyUse(holders.open)
    use.begin(NOW_MS)
    assert problem(use) is None
    assert problem(use) is None  # open already
    use.record_refusal(ORG, key(), KeyUseRequest("eve", BOB.intent))
    assert [b'"actor":"bob"' in noted.value for noted in use.drain()] == [True, False]
    assert use.drain() == []

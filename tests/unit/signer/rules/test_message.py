import pytest

from schemas.intents.intent import MessageIntent
from schemas.intents.reasons import Reason
from schemas.registry.policy import Policy
from signer.core.account import Account
from signer.core.ethereum.personal_message import personal_message_hash
from signer.core.rules.decision import Decision, Passed, Rejected, Signable
from signer.core.rules.message import MESSAGE_BYTES_MAX, decide
from tests.harness.builders.cases import ACCOUNT, COMMON, facts, policy

HELLO = b"Please sign in to example.com"
HASH = b"\xab" * 32
OPEN = policy(message_signing_enabled=True)


def decision(message: bytes, under: Policy) -> Decision:
    intent = MessageIntent(**COMMON, message=f"0x{message.hex()}")
    return decide(intent, under, Account(account=ACCOUNT), facts())


def reason(message: bytes, *, raw: bool = False) -> Reason | None:
    under = policy(message_signing_enabled=True, allow_raw_hashes=raw)
    judged = decision(message, under)
    return judged.reason if isinstance(judged, Rejected) else None


def test_messages_are_rejected_unless_enabled() -> None:
    off = decision(HELLO, policy(allow_raw_hashes=True, eip712_default_policy="allow"))
    assert isinstance(off, Rejected)
    assert off.reason is Reason.MESSAGE_SIGNING_OFF
    digest = personal_message_hash(HELLO)
    passed = Passed({"digest": f"0x{digest.hex()}"}, Signable(digest, {}))
    assert decision(HELLO, OPEN) == passed


@pytest.mark.parametrize("raw", [False, True])
def test_a_message_is_limited_to_64_kib(*, raw: bool) -> None:
    assert reason(b"a" * MESSAGE_BYTES_MAX, raw=raw) is None
    assert reason(b"a" * (MESSAGE_BYTES_MAX + 1), raw=raw) is Reason.MESSAGE_TOO_LARGE


@pytest.mark.parametrize("message", [HASH, b"0x" + HASH.hex().encode(), b"\x19\x01", b"\x02\xc0"])
def test_hashes_and_preimages_need_a_policy_field(message: bytes) -> None:
    assert reason(message) is Reason.RAW_HASH
    assert reason(message, raw=True) is None

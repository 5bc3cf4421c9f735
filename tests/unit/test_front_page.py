"""README's consumer accepts every kind of event that the signer signed, and no other signature."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.exceptions import InvalidSignature

from schemas.outcome import SIGNED_TYPES, MessageSigned, Signed
from schemas.redaction import REDACTED_FIELDS
from tests.harness.builders.cases import MALLORY, SIGNER, intent, signed

PAGE = (Path(__file__).parents[2] / "README.md").read_text()
CONSUMER = re.findall(r"(?s)```python\n(.*?)\n```", PAGE)[1]
SHARED = Signed.model_fields.keys() - {"signature"}
TRANSACTION = signed(intent(), transaction_hash="0x" + "22" * 32, raw_transaction="0x02f8")
MESSAGE = MessageSigned(
    **{name: getattr(TRANSACTION, name) for name in SHARED},
    kind="personal_sign",
    signed_digest="0x" + "33" * 32,
    message_signature="0x" + "44" * 65,
)
EVENTS = (TRANSACTION, MESSAGE)


@pytest.fixture
def proven(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], str]:
    """Return the function of the page's program, with the signer's key in its environment."""
    monkeypatch.setenv("SIGNER_KEY", SIGNER.public_key)
    names: dict[str, Any] = {}
    exec(CONSUMER.partition("async def follow")[0], names)  # noqa: S102 - the page's own program
    found: Callable[[Any], str] = names["proven"]
    return found


@pytest.mark.parametrize("event", EVENTS, ids=SIGNED_TYPES)
def test_what_the_signer_signed_is_proven(proven: Callable[[Any], str], event: Signed) -> None:
    (redacted,) = REDACTED_FIELDS[event.plain()["type"]]
    assert proven(orjson.loads(SIGNER.sign_event(event))) == event.plain()[redacted]


@pytest.mark.parametrize("event", EVENTS, ids=SIGNED_TYPES)
def test_what_was_changed_or_forged_is_not(proven: Callable[[Any], str], event: Signed) -> None:
    true = orjson.loads(SIGNER.sign_event(event))
    (redacted,) = REDACTED_FIELDS[true["type"]]
    for wrong in (
        true | {redacted: "0x"},
        true | {"sequence": 2},
        orjson.loads(MALLORY.sign_event(event)),
    ):
        with pytest.raises(InvalidSignature):
            proven(wrong)

"""The records of the demo do what their lines say."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

import sixgate
from schemas.canonical import MalformedError
from schemas.clearance import Gate
from schemas.dsse import INTENT_TYPE, Envelope
from schemas.intent import EXPIRY_MS_MAX, TransactionIntent
from schemas.reasons import Reason
from signer.signatures import Ed25519Signer, InvalidSignatureError, open_envelope
from sixgate.authoring.intent_form import IntentFormError
from sixgate.authoring.intent_lines import split
from sixgate.cli.demo_records import DemoRecord, RecordBuilder, build_records
from tests.harness.builders.directories import ADDRESS, NOW_MS, directory, signers

EXAMPLES = Path(sixgate.__file__).parent / "examples" / "intents.jsonl"
FIRST = {"agent": "payroll", "chain": "base", "to": ADDRESS, "value": "1", "label": "first"}


def records(*lines: dict[str, Any]) -> list[DemoRecord]:
    keys = iter(range(100))
    stranger = Ed25519Signer("stranger", b"s" * 32)
    builder = RecordBuilder(directory(), signers, stranger, NOW_MS, lambda: f"key-{next(keys)}")
    return build_records(split(b"\n".join(json.dumps(line).encode() for line in lines)), builder)


def built(kind: str, **more: Any) -> tuple[DemoRecord, DemoRecord]:
    line = {"demo": kind, "label": kind, "expect": "expired"} | more
    first, second = records(FIRST, line)
    return first, second


def test_a_replay_is_the_same_bytes() -> None:
    first, replay = built("replay", of="first")
    assert (replay.value, replay.account) == (first.value, first.account)


def test_a_changed_replay_keeps_the_key_and_is_signed_by_its_agent() -> None:
    first, changed = built("changed", of="first", value="0.75")
    assert isinstance(first.intent, TransactionIntent)
    assert isinstance(changed.intent, TransactionIntent)
    assert changed.intent.idempotency_key == first.intent.idempotency_key
    assert changed.intent.value_wei != first.intent.value_wei
    key = signers("payroll").public_key
    open_envelope(Envelope.decode(changed.value), INTENT_TYPE, key)


def test_shifted_expiries_are_outside_the_accepted_range() -> None:
    line = {name: value for name, value in FIRST.items() if name != "label"}
    for kind, least, most in (("expired", -EXPIRY_MS_MAX, 0), ("far", EXPIRY_MS_MAX, 2**53)):
        _, record = built(kind, **line)
        assert record.intent
        assert least < record.intent.expires_at_ms - NOW_MS < most


def test_a_forged_record_does_not_carry_its_agents_signature() -> None:
    _, forged = built("forged", **{k: v for k, v in FIRST.items() if k != "label"})
    with pytest.raises(InvalidSignatureError):
        open_envelope(Envelope.decode(forged.value), INTENT_TYPE, signers("payroll").public_key)


def test_a_misrouted_record_has_another_accounts_key() -> None:
    line = {k: v for k, v in FIRST.items() if k != "label"} | {"account": "trading"}
    _, misrouted = built("misrouted", **line)
    assert misrouted.intent
    assert (misrouted.record()["key"], misrouted.intent.account) == ("trading", "treasury")


def test_a_malformed_record_is_sent_unchanged() -> None:
    _, broken = built("malformed", account="treasury", bytes='{"agent":')
    assert base64.b64decode(broken.record()["value"]) == b'{"agent":'
    with pytest.raises(MalformedError):
        Envelope.decode(broken.value)


@pytest.mark.parametrize(
    "line", [{"demo": "bribe"}, {"demo": "replay", "of": "ghost", "label": "x", "expect": "y"}]
)
def test_an_invalid_line_is_refused(line: dict[str, Any]) -> None:
    with pytest.raises(IntentFormError):
        records(FIRST, line)


def test_the_examples_reach_every_gate_and_name_real_reasons() -> None:
    lines = [json.loads(line) for line in EXAMPLES.read_text().splitlines()]
    expected = {line["expect"] for line in lines} - {"signed"}
    assert expected <= set(Reason)
    one_of_each = {
        Gate.ADMISSION: "agent_inactive",
        Gate.ALLOWLIST: "recipient_not_allowed",
        Gate.VALUE_CAP: "value_too_high",
        Gate.DAILY_LIMIT: "daily_limit_exceeded",
        Gate.CHAIN_RESTRICTION: "chain_not_allowed",
        Gate.SIMULATION: "simulation_reverted",
        Gate.SIGNING: "key_not_granted",
    }
    assert expected >= set(one_of_each.values())
    attacks = {line.get("demo") for line in lines}
    assert attacks >= {"replay", "changed", "expired", "forged", "malformed"}

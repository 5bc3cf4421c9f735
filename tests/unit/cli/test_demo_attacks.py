"""The demo's attacks do what their lines say."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

import sixgate
from schemas.canonical import MalformedError
from schemas.dsse import INTENT_TYPE, Envelope
from schemas.intents.intent import EXPIRY_MS_MAX, AnyIntent, TransactionIntent, decode_intent
from schemas.intents.reasons import Gate, Reason
from signer.core.errors import InvalidSignatureError
from signer.core.signatures import open_envelope
from sixgate.authoring.intent_form import IntentFormError, read_form
from sixgate.authoring.intent_lines import Draft, Submission, finish
from sixgate.cli.demo_records import Attacker
from tests.harness.builders.directories import ADDRESS, NOW_MS, directory, signers

EXAMPLES = Path(sixgate.__file__).parent / "examples" / "intents.jsonl"
FORM: dict[str, Any] = {"agent": "payroll", "chain": "base", "to": ADDRESS, "value": "1"}


def submission() -> Submission:
    draft = Draft(1, read_form(FORM | {"label": "first"}))
    ((first,), wrong) = finish([draft], directory(), signers, NOW_MS, lambda: "key-1")
    assert not wrong
    return first


def attacked(kind: str, first: Submission | None = None, **more: Any) -> tuple[str, bytes]:
    """Return the key and the value of an attack's record."""
    attacker = Attacker({"first": first or submission()}, directory(), signers, NOW_MS)
    record = attacker.record({"demo": kind, "label": kind, "expect": "expired"} | more)
    return record["key"], base64.b64decode(record["value"])


def intent_in(value: bytes) -> AnyIntent:
    return decode_intent(Envelope.decode(value).body())


def test_a_replay_is_the_same_bytes() -> None:
    first = submission()
    assert attacked("replay", first, of="first") == (first.intent.account, first.envelope)


def test_a_changed_replay_keeps_the_key_and_is_signed_by_its_agent() -> None:
    first = submission()
    _, value = attacked("changed", first, of="first", value="0.75")
    changed = intent_in(value)
    assert isinstance(first.intent, TransactionIntent)
    assert isinstance(changed, TransactionIntent)
    assert changed.idempotency_key == first.intent.idempotency_key
    assert changed.value_wei != first.intent.value_wei
    open_envelope(Envelope.decode(value), INTENT_TYPE, signers("payroll").public_key)


def test_shifted_expiries_are_outside_the_accepted_range() -> None:
    for kind, least, most in (("expired", -EXPIRY_MS_MAX, 0), ("far", EXPIRY_MS_MAX, 2**53)):
        _, value = attacked(kind, **FORM)
        assert least < intent_in(value).expires_at_ms - NOW_MS < most


def test_a_forged_record_does_not_carry_its_agents_signature() -> None:
    _, value = attacked("forged", **FORM)
    with pytest.raises(InvalidSignatureError):
        open_envelope(Envelope.decode(value), INTENT_TYPE, signers("payroll").public_key)


def test_a_misrouted_record_has_another_accounts_key() -> None:
    key, value = attacked("misrouted", **FORM, account="trading")
    assert (key, intent_in(value).account) == ("trading", "treasury")


def test_a_malformed_record_is_sent_unchanged() -> None:
    _, value = attacked("malformed", account="treasury", bytes='{"agent":')
    assert value == b'{"agent":'
    with pytest.raises(MalformedError):
        Envelope.decode(value)


@pytest.mark.parametrize("line", [{"kind": "bribe"}, {"kind": "replay", "of": "ghost"}])
def test_an_invalid_line_is_refused(line: dict[str, Any]) -> None:
    with pytest.raises(IntentFormError):
        attacked(**line)


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

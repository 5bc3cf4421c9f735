from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dsse import INTENT_TYPE, Envelope
from schemas.fields import UINT256_MAX
from schemas.intents.intent import TransactionIntent
from signer.core.signatures import open_envelope
from signer.custody.event_signing import Ed25519Signer
from sixgate.authoring.intent_form import IntentFormError, read_form
from sixgate.authoring.producer import Directory, key_changes, resolve, sign
from tests.harness.builders.directories import ADDRESS, NOW_MS, directory, registry

SIGNER = Ed25519Signer("payroll", b"p" * 32)


def resolved(**members: Any) -> TransactionIntent:
    whole = {"agent": "payroll", "chain": "base", "to": ADDRESS, "value": "1"} | members
    intent = resolve(read_form(whole), directory(), NOW_MS, lambda: "minted")
    assert isinstance(intent, TransactionIntent)
    return intent


def test_names_and_times_are_resolved() -> None:
    intent = resolved()
    assert (intent.org, intent.account, intent.chain_id) == ("acme", "treasury", 8453)
    assert (intent.idempotency_key, intent.expires_at_ms) == ("minted", NOW_MS + 600_000)
    assert intent.to == ADDRESS.lower()
    assert resolved(chain="eth").chain_id == resolved(chain=1).chain_id == 1


def test_explicit_fields_are_kept() -> None:
    intent = resolved(idempotency_key="mine", expires_at_ms=5, key_path="keys/cold", nonce=3)
    assert (intent.idempotency_key, intent.expires_at_ms) == ("mine", 5)
    assert (intent.key_path, intent.nonce) == ("keys/cold", 3)
    assert resolved(expires_at_ms=0).expires_at_ms == 0


def test_an_agent_signs_with_its_own_key_else_with_the_chain_key() -> None:
    assert resolved().key_path == "agents/payroll/chains/ethereum/private_key"
    assert resolved(agent="trader").key_path == "keys/base-signer"


def test_a_new_key_lists_the_agents_whose_default_key_it_affects() -> None:
    own = "agents/trader/chains/ethereum/private_key"
    known = registry()
    known["keys"].append({"account": "trading", "path": "keys/base-signer"})
    (sentence,) = key_changes(Directory.of(known), "trading", own)
    assert sentence.startswith("trader now ")
    assert sentence.index(own) < sentence.index("keys/base-signer") < sentence.index("key_path")
    (sentence,) = key_changes(directory(), "treasury", "keys/base-signer")
    assert sentence.startswith("payroll still ")
    assert sentence.index("agents/payroll/") < sentence.index("keys/base-signer")
    assert list(key_changes(directory(), "trading", own)) == []
    assert list(key_changes(directory(), "trading", "keys/base-signer")) == []
    assert list(key_changes(directory(), "treasury", "keys/other")) == []


def test_a_key_at_the_same_path_of_another_account_is_ignored() -> None:
    foreign = registry()
    foreign["keys"] = [{"account": "trading", "path": "agents/payroll/chains/ethereum/private_key"}]
    form = read_form({"agent": "payroll", "chain": "base", "to": ADDRESS, "value": "1"})
    intent = resolve(form, Directory.of(foreign), NOW_MS, lambda: "k")
    assert intent.key_path == "keys/base-signer"


def test_a_chain_whose_name_makes_no_valid_path_requires_a_key_path() -> None:
    odd = registry()
    odd["chains"].append({"chain_id": 5, "name": "l2.test"})
    form = read_form({"agent": "trader", "chain": "l2.test", "to": ADDRESS, "value": "1"})
    with pytest.raises(IntentFormError, match=r"key_path: .*keys/l2\.test-signer"):
        resolve(form, Directory.of(odd), NOW_MS, lambda: "k")


@pytest.mark.parametrize(
    ("members", "field", "hint"),
    [
        ({"agent": "payrol"}, "agent", "did you mean payroll?"),
        ({"agent": "x"}, "agent", "sixgate agents add x"),
        ({"chain": "bsae"}, "chain", "did you mean base?"),
    ],
)
def test_unregistered_names_are_refused_before_signing(
    members: dict[str, Any], field: str, hint: str
) -> None:
    with pytest.raises(IntentFormError) as caught:
        resolved(**members)
    [(wrong, why)] = caught.value.problems
    assert (wrong, members[field] in why, hint in why) == (field, True, True)


def test_an_unknown_chain_id_is_left_to_the_gates() -> None:
    assert resolved(chain=999).chain_id == 999


@given(
    value=st.integers(min_value=0, max_value=UINT256_MAX),
    data=st.binary(max_size=64),
    gas=st.none() | st.integers(min_value=1, max_value=2**53 - 1),
    nonce=st.none() | st.integers(min_value=0, max_value=2**53 - 1),
    simulate=st.booleans(),
)
def test_the_envelope_carries_exactly_the_intent_under_the_agents_key(
    value: int, data: bytes, gas: int | None, nonce: int | None, *, simulate: bool
) -> None:
    fields = {"value_wei": str(value), "data": "0x" + data.hex(), "simulate_first": simulate}
    fields |= {"gas_limit": gas} if gas else {}
    fields |= {"nonce": nonce} if nonce is not None else {}
    whole = {"agent": "payroll", "chain": 1, "to": ADDRESS} | fields
    intent = resolve(read_form(whole), directory(), NOW_MS, lambda: "k")
    body = open_envelope(Envelope.decode(sign(intent, SIGNER)), INTENT_TYPE, SIGNER.public_key)
    assert TransactionIntent.decode(body) == intent
    assert (intent.value_wei, intent.data, intent.gas_limit) == (value, fields["data"], gas)
    assert (intent.nonce, intent.simulate_first) == (nonce, simulate)

from typing import Any

import orjson
import pytest

from schemas.canonical import MalformedError, canonical_bytes
from schemas.registry.policy import Policy, TypedDataDomain
from schemas.registry.records import PolicySet
from tests.harness.builders.cases import ETH, RECIPIENT, policy

RAW = policy().encode()
AMOUNTS = ("tx_max_value_eth", "tx_max_fee_eth", "tx_daily_limit_eth")


def test_an_empty_policy_limits_only_the_fee() -> None:
    empty = Policy()
    assert empty.fee_wei_max == ETH // 20
    limits = (empty.value_wei_max, empty.daily_wei_max, empty.intents_max)
    assert (*limits, empty.recipients, empty.chains) == (None,) * 5
    assert empty.allow_contract_creation is False


def test_open_fields_are_absent_or_empty() -> None:
    assert set(Policy().open_fields) == {
        "tx_to_allowlist",
        "tx_max_value_eth",
        "tx_daily_limit_eth",
        "tx_allowed_chains",
        "intents_per_minute",
    }
    assert policy().open_fields == ()


def test_zero_is_a_limit_and_not_an_open_field() -> None:
    nothing = policy(**dict.fromkeys(AMOUNTS, "0"), intents_per_minute=0)
    assert nothing.open_fields == ()
    assert (nothing.value_wei_max, nothing.fee_wei_max, nothing.daily_wei_max) == (0, 0, 0)
    assert nothing.intents_max == 0


def test_any_and_unlimited_and_open_fields_mean_no_limit() -> None:
    explicit, left = policy(), Policy(tx_max_fee_eth="unlimited")
    assert (explicit.value_wei_max, explicit.daily_wei_max, explicit.intents_max) == (
        None,
        None,
        None,
    )
    assert (explicit.recipients, explicit.chains) == (None, None)
    assert left.fee_wei_max is None


@pytest.mark.parametrize("name", AMOUNTS)
@pytest.mark.parametrize(
    "amount", ["1.0", "01", "1e3", "-1", "", ".5", "5.", "any", "Unlimited", "0x1", "1,5", " 1"]
)
def test_a_limit_has_one_spelling(name: str, amount: str) -> None:
    with pytest.raises(ValueError, match=name):
        policy(**{name: amount})


@pytest.mark.parametrize("name", AMOUNTS)
def test_a_limit_is_never_a_number(name: str) -> None:
    for number in (1, 0.5, True):
        with pytest.raises(ValueError, match=name):
            policy(**{name: number})


@pytest.mark.parametrize(
    "wrong",
    [
        {"tx_to_allowlist": ("any",)},
        {"tx_to_allowlist": "unlimited"},
        {"tx_to_allowlist": (RECIPIENT.upper(),)},
        {"tx_to_allowlist": (None,)},
        {"tx_to_allowlist": (RECIPIENT,) * 4097},
        {"tx_allowed_chains": ("Base",)},
        {"tx_allowed_chains": (8453,)},
        {"intents_per_minute": "5"},
        {"intents_per_minute": -1},
        {"intents_per_minute": True},
        {"allow_contract_creation": 1},
        {"tx_max_fee_eth": None},
        {"tx_to_allow_list": "any"},
    ],
)
def test_an_invalid_policy_is_rejected(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        policy(**wrong)


def test_an_unknown_field_is_rejected_by_name() -> None:
    with pytest.raises(MalformedError) as refusal:
        Policy.decode(RAW.replace(b'"tx_max_fee_eth"', b'"tx_max_fees_eth"'))
    assert refusal.value.where == "tx_max_fees_eth"


LISTED = TypedDataDomain(verifying_contract=RECIPIENT)
GUARDS: dict[str, Any] = {
    "message_signing_enabled": True,
    "allow_raw_hashes": True,
    "eip712_default_policy": "allow",
    "eip712_domain_allowlist": (LISTED,),
    "delegate_allowlist": (RECIPIENT,),
    "allow_any_chain_delegation": True,
}
BEFORE_MESSAGES = (
    b'{"allow_contract_creation":false,"intents_per_minute":60,"tx_allowed_chains":["base"],'
    b'"tx_daily_limit_eth":"5","tx_max_fee_eth":"0.05","tx_max_value_eth":"1",'
    b'"tx_to_allowlist":"any"}'
)


def test_fields_for_messages_allow_nothing_by_default() -> None:
    empty = Policy()
    assert empty.message_signing_enabled is False
    assert empty.allow_raw_hashes is False
    assert empty.eip712_default_policy == "deny"
    assert empty.eip712_domain_allowlist == ()
    assert empty.delegate_allowlist == ()
    assert empty.allow_any_chain_delegation is False
    assert not GUARDS.keys() & set(empty.open_fields)


def test_a_policy_without_message_fields_keeps_its_bytes_and_digest() -> None:
    assert Policy.decode(BEFORE_MESSAGES).encode() == BEFORE_MESSAGES
    record = PolicySet(policy_id="p", policy=Policy.decode(BEFORE_MESSAGES)).encode()
    assert BEFORE_MESSAGES in record


@pytest.mark.parametrize("name", GUARDS)
def test_a_set_message_field_round_trips(name: str) -> None:
    opened = policy(**{name: GUARDS[name]})
    assert f'"{name}":'.encode() in opened.encode()
    assert Policy.decode(opened.encode()) == opened


@pytest.mark.parametrize("name", GUARDS)
def test_a_default_message_field_has_one_encoding(name: str) -> None:
    closed = orjson.dumps(Policy.model_fields[name].default)
    raw = BEFORE_MESSAGES[:-1] + b',"' + name.encode() + b'":' + closed + b"}"
    with pytest.raises(MalformedError):
        Policy.decode(canonical_bytes(orjson.loads(raw)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"verifying_contract": "any"},
        {"verifying_contract": RECIPIENT, "chain_id": 0},
        {"verifying_contract": RECIPIENT, "chain_id": "1"},
        {"verifying_contract": RECIPIENT, "primary_types": ()},
        {"verifying_contract": RECIPIENT, "primary_types": "Permit"},
        {"verifying_contract": RECIPIENT, "primary_type": ("Permit",)},
        {"chain_id": 1},
    ],
)
def test_an_invalid_domain_entry_is_rejected(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        TypedDataDomain(**wrong)

"""Whatever a policy within a ceiling allows, the ceiling allows: random pairs, sampled intents."""

from itertools import product
from typing import Any

import orjson
from hypothesis import event, given
from hypothesis import strategies as st

from schemas.intents.intent import AnyIntent, MessageIntent, TypedDataIntent
from schemas.registry.policy import Policy, TypedDataDomain
from signer.core.access import matches, may_overlap
from signer.core.account import Account
from signer.core.case import apply_rule
from signer.core.registry.ceiling import loosened_fields, looser_fields
from signer.core.registry.settings import Settings
from signer.core.rules import RULES
from signer.core.rules.decision import Passed
from tests.harness.builders.cases import (
    ACCOUNT,
    AGENT,
    BASE,
    COMMON,
    ETH,
    GWEI,
    MAINNET,
    NOW_MS,
    RECIPIENT,
    STRANGER,
    case,
    chain,
    intent,
    signed,
)
from tests.harness.builders.intent_kinds import delegation, open_policy
from tests.harness.builders.path_globs import globs, paths
from tests.harness.sizes import effort

AMOUNTS = ("0", "0.00003", "1", "2", "unlimited")
ADDRESSES = (RECIPIENT, STRANGER)
NOTE = [{"name": "title", "type": "string"}, {"name": "text", "type": "string"}]
SPENDS = [{"name": "spender", "type": "address"}, {"name": "value", "type": "uint256"}]

PAIRED = {
    "message_signing_enabled": "allow_raw_hashes",
    "eip712_default_policy": "eip712_domain_allowlist",
    "delegate_allowlist": "allow_any_chain_delegation",
}
PAIRED |= {second: first for first, second in PAIRED.items()}

some = st.booleans()
subsets = st.sampled_from([(), ADDRESSES[:1], ADDRESSES[1:], ADDRESSES])
domains = st.builds(
    TypedDataDomain,
    verifying_contract=st.just(RECIPIENT),
    chain_id=st.sampled_from([None, BASE]),
    name=st.sampled_from([None, "A", "B"]),
    primary_types=st.sampled_from([None, ("Note",), ("Permit",), ("Note", "Permit")]),
)
policies = st.builds(
    Policy,
    tx_to_allowlist=st.sampled_from(["any", ADDRESSES[:1], ADDRESSES[1:], ADDRESSES]),
    tx_max_value_eth=st.sampled_from(AMOUNTS),
    tx_max_fee_eth=st.sampled_from(AMOUNTS),
    tx_daily_limit_eth=st.sampled_from(AMOUNTS),
    tx_allowed_chains=st.sampled_from(["any", ("base",), ("ethereum",), ("base", "ethereum")]),
    intents_per_minute=st.sampled_from([0, 1, "unlimited"]),
    allow_contract_creation=some,
    message_signing_enabled=some,
    allow_raw_hashes=some,
    eip712_default_policy=st.sampled_from(["deny", "allow"]),
    eip712_domain_allowlist=st.one_of(st.just(()), st.tuples(domains), st.tuples(domains, domains)),
    delegate_allowlist=subsets,
    allow_any_chain_delegation=some,
)


def message(text: bytes) -> MessageIntent:
    return MessageIntent(**COMMON, message=f"0x{text.hex()}")


def typed_data(primary_type: str, **domain: Any) -> TypedDataIntent:
    kinds = {"name": "string", "chainId": "uint256", "verifyingContract": "address"}
    permit = primary_type == "Permit"
    document = {
        "types": {
            "EIP712Domain": [{"name": n, "type": kinds[n]} for n in kinds if n in domain],
            primary_type: SPENDS if permit else NOTE,
        },
        "primaryType": primary_type,
        "domain": domain,
        "message": {"spender": STRANGER, "value": "1"} if permit else {"title": "x", "text": "y"},
    }
    return TypedDataIntent(**COMMON, typed_data=orjson.dumps(document).decode())


SAMPLES: tuple[AnyIntent, ...] = (
    *(
        intent(to=to, value_wei=wei, max_fee_per_gas_wei=fee, gas_limit=60_000, chain_id=chain_id)
        for to, wei, fee, chain_id in product(
            (None, *ADDRESSES), (0, ETH, 2 * ETH), (GWEI // 10, GWEI), (BASE, MAINNET)
        )
    ),
    *(message(text) for text in (b"hello", bytes(32))),
    *(
        typed_data(kind, verifyingContract=contract, **name, **on)
        for kind, contract, name, on in product(
            ("Note", "Permit", "Other"),
            ADDRESSES,
            ({}, {"name": "A"}, {"name": "B"}),
            ({}, {"chainId": BASE}),
        )
    ),
    *(
        delegation(delegate=delegate, chain_id=chain_id)
        for delegate, chain_id in product(ADDRESSES, (0, BASE))
    ),
)
"""Intents below and above every limit that the strategies draw."""
CHAINS = {BASE: chain(), MAINNET: chain(chain_id=MAINNET, name="ethereum", aliases=())}
IDLE = Account(account=ACCOUNT)
BUSY = IDLE.decided(AGENT, NOW_MS).charged(signed(intent(value_wei=ETH)))


def allowed(one: AnyIntent, under: Policy, account: Account, *, strict: bool) -> bool:
    """Return whether the rules of all gates pass an intent."""
    facts = {"settings": Settings(require_explicit=strict), "chain": CHAINS.get(one.chain_id)}
    judged = case(one, under, **facts)
    rules = RULES[one.kind].values()
    return all(isinstance(apply_rule(rule, judged, account), Passed) for rule in rules)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Policy, Policy]:
    """Draw a ceiling, and a policy that differs from it in a few fields."""
    ceiling, other = draw(policies), draw(policies)
    fields = draw(st.sets(st.sampled_from(sorted(Policy.model_fields)), min_size=1, max_size=4))
    return ceiling.model_copy(update={name: getattr(other, name) for name in fields}), ceiling


@given(pairs(), some)
@effort(2)
def test_a_ceiling_allows_whatever_a_policy_within_it_allows(
    pair: tuple[Policy, Policy],
    strict: bool,  # noqa: FBT001 - drawn
) -> None:
    policy, ceiling = pair
    if looser_fields(policy, ceiling):
        event("looser")
        return
    event("within")
    for one, account in product(SAMPLES, (IDLE, BUSY)):
        if allowed(one, policy, account, strict=strict):
            assert allowed(one, ceiling, account, strict=strict), one


@st.composite
def changes(draw: st.DrawFn) -> tuple[Policy, Policy, Policy]:
    """Draw a policy, a ceiling and a new policy with fields of both and of a third one."""
    before, ceiling, other = draw(policies), draw(policies), draw(policies)
    source = st.sampled_from([before, before, ceiling, ceiling, other])
    fields = {name: getattr(draw(source), name) for name in Policy.model_fields}
    return before, ceiling, before.model_copy(update=fields)


@given(changes())
@effort(2)
def test_a_change_allows_nothing_beyond_a_mixture_of_ceiling_and_former_policy(
    drawn: tuple[Policy, Policy, Policy],
) -> None:
    """The mixture takes each field from one of the two, and both fields of a pair from the same."""
    before, ceiling, policy = drawn
    if loosened_fields(policy, ceiling, before):
        event("loosened")
        return
    looser = set(looser_fields(policy, ceiling))
    event("kept" if looser else "within")
    kept = looser | {PAIRED[name] for name in looser if name in PAIRED}
    mixture = ceiling.model_copy(update={name: getattr(before, name) for name in kept})
    assert looser_fields(policy, mixture) == ()


@given(policies, policies)
def test_a_policy_may_stay_as_it_is_under_any_ceiling(policy: Policy, ceiling: Policy) -> None:
    assert loosened_fields(policy, ceiling, policy) == ()


@given(policies)
def test_a_policy_is_within_itself(policy: Policy) -> None:
    assert looser_fields(policy, policy) == ()


def test_every_sample_distinguishes_policies() -> None:
    """A sample that no policy allows would prove nothing."""
    every = open_policy(
        allow_contract_creation=True,
        allow_raw_hashes=True,
        delegate_allowlist=ADDRESSES,
        allow_any_chain_delegation=True,
        eip712_domain_allowlist=tuple(
            TypedDataDomain(verifying_contract=one, primary_types=("Note", "Other", "Permit"))
            for one in ADDRESSES
        ),
    )
    for one in SAMPLES:
        unbound = isinstance(one, TypedDataIntent) and "chainId" not in one.typed_data
        spends = isinstance(one, TypedDataIntent) and "Permit" in one.typed_data
        assert allowed(one, every, IDLE, strict=True) is not (unbound and spends), one


@given(globs, globs, paths)
def test_globs_that_match_one_path_may_overlap(one: str, other: str, path: str) -> None:
    if matches(one, path) and matches(other, path):
        assert may_overlap(one, other)
        assert may_overlap(other, one)

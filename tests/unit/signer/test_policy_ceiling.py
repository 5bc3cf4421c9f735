"""A policy is within a ceiling only if each of its limits is."""

from typing import Any

import pytest

from schemas.registry.policy import Policy, TypedDataDomain
from signer.core.registry.ceiling import FIELD_RULES, looser_fields

ONE, TWO = "0x" + "11" * 20, "0x" + "22" * 20
ANY_ETH = (None, "unlimited")

# Each field: values that are at most as loose as the first one, then values that are looser.
CASES: dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {
    "tx_to_allowlist": (((ONE, TWO), (ONE,), (TWO, ONE)), ((), "any", ("0x" + "33" * 20,))),
    "tx_max_value_eth": (("1", "0.5", "0"), ("1.000000000000000001", "10", *ANY_ETH)),
    "tx_max_fee_eth": (("0.01", "0"), ("0.02", "unlimited")),
    "tx_daily_limit_eth": (("2", "1"), ("2.1", *ANY_ETH)),
    "tx_allowed_chains": ((("base", "ethereum"), ("base",)), ((), "any", ("polygon",))),
    "intents_per_minute": ((5, 0), (6, *ANY_ETH)),
    "allow_contract_creation": ((False,), (True,)),
    "message_signing_enabled": ((False,), (True,)),
    "allow_raw_hashes": ((False,), (True,)),
    "eip712_default_policy": (("deny",), ("allow",)),
    "delegate_allowlist": (((ONE,), ()), ((ONE, TWO), (TWO,))),
    "allow_any_chain_delegation": ((False,), (True,)),
}


def domain(**changes: Any) -> TypedDataDomain:
    return TypedDataDomain(**({"verifying_contract": ONE} | changes))


def looser(own: tuple[TypedDataDomain, ...], most: tuple[TypedDataDomain, ...], word: Any) -> bool:
    """Return whether lists of domains are looser, under the same word for unlisted domains."""
    common = {"eip712_default_policy": word}
    policy = Policy(eip712_domain_allowlist=own, **common)
    return bool(looser_fields(policy, Policy(eip712_domain_allowlist=most, **common)))


def test_every_field_of_a_policy_has_a_rule() -> None:
    assert set(FIELD_RULES) == set(Policy.model_fields)
    assert set(CASES) | {"eip712_domain_allowlist"} == set(Policy.model_fields)


def test_the_rules_know_every_field_of_a_domain() -> None:
    known = {"verifying_contract", "chain_id", "name", "version", "primary_types"}
    assert set(TypedDataDomain.model_fields) == known


def test_a_field_without_a_rule_is_looser(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = {name: rule for name, rule in FIELD_RULES.items() if name != "intents_per_minute"}
    monkeypatch.setattr("signer.core.registry.ceiling.FIELD_RULES", rules)
    assert looser_fields(Policy(), Policy()) == ("intents_per_minute",)


@pytest.mark.parametrize("field", CASES)
def test_each_field_is_compared_by_itself(field: str) -> None:
    within, beyond = CASES[field]
    ceiling = Policy(**{field: within[0]})
    for value in within:
        assert looser_fields(Policy(**{field: value}), ceiling) == ()
    for value in beyond:
        assert looser_fields(Policy(**{field: value}), ceiling) == (field,)


@pytest.mark.parametrize("field", CASES)
def test_nothing_is_looser_than_a_ceiling_without_a_limit(field: str) -> None:
    within, beyond = CASES[field]
    for value in (*within, *beyond):
        assert looser_fields(Policy(**{field: value}), Policy(**{field: value})) == ()
    for limitless in [value for value in beyond if value in ((), "any", None, "unlimited")]:
        for value in (*within, *beyond):
            assert looser_fields(Policy(**{field: value}), Policy(**{field: limitless})) == ()


@pytest.mark.parametrize(
    ("own", "most"),
    [
        (domain(), domain(chain_id=1)),
        (domain(chain_id=2), domain(chain_id=1)),
        (domain(name="A"), domain(name="B")),
        (domain(), domain(version="1")),
        (domain(verifying_contract=TWO), domain()),
        (domain(), domain(primary_types=("Order",))),
        (domain(primary_types=("Order", "Permit")), domain(primary_types=("Order",))),
        # An entry with types may allow typed data that spends; one without types may not.
        (domain(primary_types=("Permit",)), domain()),
    ],
)
def test_a_domain_that_no_entry_of_the_ceiling_covers_is_looser(
    own: TypedDataDomain, most: TypedDataDomain
) -> None:
    for word in ("deny", "allow"):
        assert looser((own,), (most,), word)
        assert looser((own, most), (most,), word)
        assert looser((own,), (), word)


@pytest.mark.parametrize(
    ("own", "most"),
    [
        (domain(), domain()),
        (domain(chain_id=1, name="A", version="1"), domain()),
        (domain(chain_id=1), domain(chain_id=1)),
        (domain(primary_types=("Order",)), domain(primary_types=("Permit", "Order"))),
    ],
)
def test_a_domain_that_an_entry_of_the_ceiling_covers_is_within(
    own: TypedDataDomain, most: TypedDataDomain
) -> None:
    assert not looser((own,), (most,), "deny")
    assert not looser((own,), (domain(verifying_contract=TWO), most), "deny")


def test_a_restricted_domain_must_stay_listed_if_unlisted_domains_are_allowed() -> None:
    """Without its entry, every type of the domain would be allowed."""
    restricted = domain(primary_types=("Order",))
    assert looser((), (restricted,), "allow")
    narrower = domain(primary_types=("Order",), chain_id=1)
    assert looser((narrower,), (restricted,), "allow")
    assert not looser((), (restricted,), "deny")
    assert not looser((narrower,), (restricted,), "deny")
    assert not looser((restricted,), (restricted,), "allow")
    assert not looser((), (domain(),), "allow")

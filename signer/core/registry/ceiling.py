"""Policy ceilings: compares each limit of a policy with the same limit of a ceiling. Pure.

Each field has a rule of its own, and a field without a rule counts as looser: a new field cannot be
forgotten. The rules compare fields one by one, so they may refuse a policy that happens to be
tighter as a whole; they never accept one that allows an intent which the ceiling does not.

A change may keep what a full admin allowed beyond the ceiling: only what it loosens is compared.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Any, TypeAlias

from schemas.registry.policy import Policy, TypedDataDomain

FieldRule: TypeAlias = Callable[[Policy, Policy], bool]
"""Returns whether a field of the first policy is at most as loose as in the second, the ceiling."""


def looser_fields(policy: Policy, ceiling: Policy) -> tuple[str, ...]:
    """Return the fields of a policy that are looser than the ceiling, or that have no rule."""
    return tuple(
        name
        for name in Policy.model_fields
        if name not in FIELD_RULES or not FIELD_RULES[name](policy, ceiling)
    )


def loosened_fields(policy: Policy, ceiling: Policy, before: Policy) -> tuple[str, ...]:
    """Return the fields that are looser than the ceiling, without those that a change keeps.

    A change keeps a field if it leaves or tightens it, and the fields of which one decides what the
    other allows (``_TOGETHER``).
    """
    loosened = set(looser_fields(policy, before))
    return tuple(
        name
        for name in looser_fields(policy, ceiling)
        if loosened & {name, *_TOGETHER.get(name, ())}
    )


def _at_most(limit: Callable[[Policy], int | None]) -> FieldRule:
    """Compare amounts, where None means no limit."""

    def rule(policy: Policy, ceiling: Policy) -> bool:
        own, most = limit(policy), limit(ceiling)
        return most is None or (own is not None and own <= most)

    return rule


def _within(names: Callable[[Policy], frozenset[str] | None]) -> FieldRule:
    """Compare sets of allowed names, where None means any name."""

    def rule(policy: Policy, ceiling: Policy) -> bool:
        own, most = names(policy), names(ceiling)
        return most is None or (own is not None and own <= most)

    return rule


def _only_if(allowed: Callable[[Policy], Any]) -> FieldRule:
    """Compare switches, where true allows something."""
    return lambda policy, ceiling: bool(allowed(ceiling) or not allowed(policy))


def _default_allows(policy: Policy) -> bool:
    return policy.eip712_default_policy == "allow"


def _domains(policy: Policy, ceiling: Policy) -> bool:
    """Compare lists of typed-data domains.

    1. An entry of the ceiling covers each entry of the policy.
    2. A policy that allows unlisted domains must list each domain that the ceiling restricts to
       some types: a listed domain is restricted, so removing its entry would allow all its types.
    """
    # 1.
    covered = all(
        any(_covers(most, entry) for most in ceiling.eip712_domain_allowlist)
        for entry in policy.eip712_domain_allowlist
    )
    # 2.
    restricted = [one for one in ceiling.eip712_domain_allowlist if one.primary_types is not None]
    kept = all(
        any(_lists_all_of(entry, one) for entry in policy.eip712_domain_allowlist)
        for one in restricted
    )
    return covered and (kept or not _default_allows(policy))


def _covers(most: TypedDataDomain, entry: TypedDataDomain) -> bool:
    """Return whether an entry of a ceiling allows all domains and types of an entry.

    An entry that names its types may allow typed data that spends, which one without types may not.
    So an entry without types covers only entries without types.
    """
    if not _lists_all_of(most, entry):
        return False
    if most.primary_types is None or entry.primary_types is None:
        return most.primary_types is entry.primary_types
    return set(entry.primary_types) <= set(most.primary_types)


def _lists_all_of(wide: TypedDataDomain, narrow: TypedDataDomain) -> bool:
    """Return whether an entry lists every domain that another lists; its types do not matter."""
    return all(
        getattr(wide, name) in (None, getattr(narrow, name))
        for name in TypedDataDomain.model_fields
        if name != "primary_types"
    )


# Each field with the other one of its pair. Otherwise a field from the ceiling could switch on what
# an earlier policy lists beyond it, and the pair would allow what neither of them allows.
_TOGETHER = {
    one: others
    for pair in (
        ("message_signing_enabled", "allow_raw_hashes"),
        ("eip712_default_policy", "eip712_domain_allowlist"),
        ("delegate_allowlist", "allow_any_chain_delegation"),
    )
    for one, others in ((pair[0], pair[1:]), (pair[1], pair[:1]))
}
FIELD_RULES: Mapping[str, FieldRule] = MappingProxyType(
    {
        "tx_to_allowlist": _within(attrgetter("recipients")),
        "tx_max_value_eth": _at_most(attrgetter("value_wei_max")),
        "tx_max_fee_eth": _at_most(attrgetter("fee_wei_max")),
        "tx_daily_limit_eth": _at_most(attrgetter("daily_wei_max")),
        "tx_allowed_chains": _within(attrgetter("chains")),
        "intents_per_minute": _at_most(attrgetter("intents_max")),
        "allow_contract_creation": _only_if(attrgetter("allow_contract_creation")),
        "message_signing_enabled": _only_if(attrgetter("message_signing_enabled")),
        "allow_raw_hashes": _only_if(attrgetter("allow_raw_hashes")),
        "eip712_default_policy": _only_if(_default_allows),
        "eip712_domain_allowlist": _domains,
        "delegate_allowlist": lambda policy, ceiling: (
            set(policy.delegate_allowlist) <= set(ceiling.delegate_allowlist)
        ),
        "allow_any_chain_delegation": _only_if(attrgetter("allow_any_chain_delegation")),
    }
)
"""The rule of each field of a policy."""

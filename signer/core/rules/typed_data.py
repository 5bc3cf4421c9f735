"""Typed data rule: which EIP-712 domains and types may be signed."""

from schemas.intents.intent import TypedDataIntent
from schemas.intents.reasons import Reason
from schemas.registry.policy import Policy, TypedDataDomain
from signer.core.account import Account
from signer.core.ethereum.typed_data.document import TypedData, read_typed_data
from signer.core.ethereum.typed_data.errors import TypedDataError
from signer.core.rules.decision import Decision, GateFacts, Passed, Rejected, Signable
from signer.core.rules.spending import find_spending

# Maximum length of an evidence value; a path of 32 names of 64 characters is longer.
_PLACE_MAX = 1024


def decide(
    intent: TypedDataIntent, policy: Policy, _account: Account, facts: GateFacts
) -> Decision:
    """Reject typed data that is invalid, or whose domain and type the policy does not allow.

    If the organisation requires explicit policies, typed data that can spend is judged strictly.
    """
    try:
        typed_data = read_typed_data(intent.typed_data, intent.chain_id)
    except TypedDataError as error:
        evidence = {"code": error.code.value, "place": error.location[:_PLACE_MAX]}
        return Rejected(Reason.INVALID_TYPED_DATA, f"{error.code}: {error}", evidence)
    return _judge(typed_data, policy, strict=facts.settings.require_explicit)


def _judge(typed_data: TypedData, policy: Policy, *, strict: bool) -> Decision:
    """Reject parsed typed data that the policy does not allow.

    1. If the policy names chains, the domain must be bound to one chain.
    2. If entries list the domain, one of them must allow the primary type.
    3. For other domains the default decides, except for typed data that can spend.
    4. Typed data that can spend must be listed and bound to one chain; otherwise it would bypass
       the chain rules. With ``strict``, its entry must name its primary type.
    """
    # 1.
    if policy.chains is not None and not typed_data.domain.one_chain:
        return _refuse(Reason.CHAIN_NOT_ALLOWED, typed_data, "is valid on every chain")
    # 2.
    listing = [entry for entry in policy.eip712_domain_allowlist if _lists(entry, typed_data)]
    allowing = [entry for entry in listing if _allows(entry, typed_data.primary_type)]
    spending = find_spending(typed_data.structs)
    if spending is not None:
        # 4.
        return _judge_spending(typed_data, spending, allowing, strict=strict)
    # 3.
    if allowing or (not listing and policy.eip712_default_policy == "allow"):
        return Passed(_evidence(typed_data), _signable(typed_data))
    return _refuse(Reason.DOMAIN_NOT_ALLOWED, typed_data, "is not listed")


def _judge_spending(
    typed_data: TypedData, spending: str, allowing: list[TypedDataDomain], *, strict: bool
) -> Decision:
    if not allowing:
        why = "is not listed"
    elif not typed_data.domain.one_chain:
        why = "is valid on every chain, because its domain has no chainId"
    elif strict and all(entry.primary_types is None for entry in allowing):
        why = "is listed without its type"
    else:
        evidence = _evidence(typed_data) | {"spending": spending}
        return Passed(evidence, _signable(typed_data))
    return _refuse(Reason.SPENDING_NOT_ALLOWED, typed_data, f"can spend ({spending}) and {why}")


def _lists(entry: TypedDataDomain, typed_data: TypedData) -> bool:
    """Return whether an entry lists a domain; a field that the domain lacks matches no value."""
    domain = typed_data.domain
    return (
        entry.verifying_contract == domain.verifying_contract
        and entry.chain_id in (None, domain.chain_id)
        and entry.name in (None, domain.name)
        and entry.version in (None, domain.version)
    )


def _allows(entry: TypedDataDomain, primary_type: str) -> bool:
    return entry.primary_types is None or primary_type in entry.primary_types


def _evidence(typed_data: TypedData) -> dict[str, str]:
    contract = typed_data.domain.verifying_contract
    return {
        "digest": f"0x{typed_data.digest.hex()}",
        "primary_type": typed_data.primary_type,
        **({"verifying_contract": contract} if contract else {}),
    }


def _signable(typed_data: TypedData) -> Signable:
    contract = typed_data.domain.verifying_contract
    about = {"primary_type": typed_data.primary_type, "verifying_contract": contract}
    return Signable(typed_data.digest, about)


def _refuse(reason: Reason, typed_data: TypedData, why: str) -> Rejected:
    contract = typed_data.domain.verifying_contract or "no contract"
    detail = f"{typed_data.primary_type!r} of {contract} {why}"
    return Rejected(reason, detail, _evidence(typed_data))

"""May this typed data be signed for this chain?"""

from schemas.intent import TypedDataIntent
from schemas.policy import Policy, TypedDataDomain
from schemas.reasons import Reason
from signer.account import Account
from signer.ethereum.typed_data.document import TypedData, read_typed_data
from signer.ethereum.typed_data.errors import TypedDataError
from signer.rules.decision import Decision, Facts, Passed, Rejected, Signable
from signer.rules.spending import find_spending

# An evidence's value may be this long; 32 levels of names of 64 characters are longer.
_PLACE_MAX = 1024


def decide(intent: TypedDataIntent, policy: Policy, _account: Account, facts: Facts) -> Decision:
    """Reject typed data that is invalid, or whose domain and type the policy does not allow.

    Where the organisation's policies must be explicit, what can spend is judged strictly.
    """
    try:
        typed_data = read_typed_data(intent.typed_data, intent.chain_id)
    except TypedDataError as error:
        evidence = {"code": error.code.value, "place": error.place[:_PLACE_MAX]}
        return Rejected(Reason.INVALID_TYPED_DATA, f"{error.code}: {error}", evidence)
    return _judge(typed_data, policy, strict=facts.settings.require_explicit)


def _judge(typed_data: TypedData, policy: Policy, *, strict: bool) -> Decision:
    """Reject typed data, already read, that the policy does not allow.

    1. Where the policy names chains, it must be for one chain. 2. Entries that list the domain
    decide: one of them must allow the primary type. 3. Of other domains the default decides, but
    never on what can spend. 4. What can spend must be for one
    chain, as the rules on chains would else be passed by, and under ``strict`` its entry names
    its primary type.
    """
    if policy.chains is not None and not typed_data.domain.one_chain:
        return _refuse(Reason.CHAIN_NOT_ALLOWED, typed_data, "is good on every chain")
    listing = [entry for entry in policy.eip712_domain_allowlist if _lists(entry, typed_data)]
    allowing = [entry for entry in listing if _allows(entry, typed_data.primary_type)]
    spending = find_spending(typed_data.structs)
    if spending is not None:
        return _judge_spending(typed_data, spending, allowing, strict=strict)
    if allowing or (not listing and policy.eip712_default_policy == "allow"):
        return Passed(_evidence(typed_data), _signable(typed_data))
    return _refuse(Reason.DOMAIN_NOT_ALLOWED, typed_data, "is not listed")


def _judge_spending(
    typed_data: TypedData, spending: str, allowing: list[TypedDataDomain], *, strict: bool
) -> Decision:
    if not allowing:
        why = "is not listed"
    elif not typed_data.domain.one_chain:
        why = "is good on every chain, as its domain has no chainId"
    elif strict and all(entry.primary_types is None for entry in allowing):
        why = "is listed without its type"
    else:
        evidence = _evidence(typed_data) | {"spending": spending}
        return Passed(evidence, _signable(typed_data))
    return _refuse(Reason.SPENDING_NOT_ALLOWED, typed_data, f"can spend ({spending}) and {why}")


def _lists(entry: TypedDataDomain, typed_data: TypedData) -> bool:
    """Tell whether an entry is about a domain; what the domain leaves out matches nothing said."""
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

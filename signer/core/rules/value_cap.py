"""Value cap rule: the value of one transaction, and the maximum cost of its gas and blobs."""

from schemas.intents.intent import TransactionIntent
from schemas.intents.money import wei_to_eth
from schemas.intents.reasons import Reason
from schemas.registry.policy import Policy
from signer.core.account import Account
from signer.core.fees import resolve_fees
from signer.core.rules.decision import Decision, GateFacts, Passed, Rejected
from signer.core.rules.simulation import usable_report


def decide(
    intent: TransactionIntent, policy: Policy, _account: Account, facts: GateFacts
) -> Decision:
    """Reject a value over ``tx_max_value_eth``, or a cost over ``tx_max_fee_eth``.

    The cost is the maximum for gas and blobs, without the value. Unknown fees are not judged here;
    the signing rule rejects them.
    """
    if policy.value_wei_max is not None and intent.value_wei > policy.value_wei_max:
        return _over(Reason.VALUE_TOO_HIGH, "value", intent.value_wei, policy.value_wei_max)
    fees = resolve_fees(intent, usable_report(facts), facts.chain)
    if fees is None or policy.fee_wei_max is None or fees.wei_max <= policy.fee_wei_max:
        return Passed({"fee_wei": str(fees.wei_max)} if fees else {})
    return _over(Reason.FEE_TOO_HIGH, "fee", fees.wei_max, policy.fee_wei_max)


def _over(reason: Reason, what: str, wei: int, wei_max: int) -> Rejected:
    detail = f"{what} {wei_to_eth(wei)} is over the cap of {wei_to_eth(wei_max)}"
    return Rejected(reason, detail, {f"{what}_wei": str(wei), f"{what}_wei_max": str(wei_max)})

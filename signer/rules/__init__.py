"""The rules, in the order in which an intent meets them."""

from schemas.clearance import Gate
from signer.rules import (
    admission,
    allowlist,
    chain_restriction,
    daily_limit,
    signing,
    simulation,
    value_cap,
)
from signer.rules.decision import Rule

RULES: tuple[tuple[Gate, Rule], ...] = (
    (Gate.ADMISSION, admission.decide),
    (Gate.ALLOWLIST, allowlist.decide),
    (Gate.VALUE_CAP, value_cap.decide),
    (Gate.DAILY_LIMIT, daily_limit.decide),
    (Gate.CHAIN_RESTRICTION, chain_restriction.decide),
    (Gate.SIMULATION, simulation.decide),
    (Gate.SIGNING, signing.decide),
)

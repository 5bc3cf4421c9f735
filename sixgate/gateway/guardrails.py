"""Guardrails of the documented API as a policy of the registry, and back. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from schemas.canonical import malformed
from schemas.intents.money import wei_to_eth
from schemas.registry.policy import Policy
from signer.core.errors import AddressError
from signer.core.ethereum.address import checksum_address, parse_address
from signer.core.registry.registered import Registered
from sixgate.api.models import submission_fields
from sixgate.gateway.chain_names import find_chain

AMOUNTS = ("tx_max_value_eth", "tx_daily_limit_eth", "tx_max_fee_eth")
SAME = ("intents_per_minute", "message_signing_enabled", "eip712_default_policy")
ANY = ["any"]
OF_ANY = ("tx_to_allowlist", "tx_allowed_chains")


class GuardrailError(ValueError):
    """A guardrail has a wrong value; ``fields`` maps its name to the reason."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {why}" for name, why in fields.items()))
        self.fields = dict(fields)


def with_guardrails(before: Policy, members: Mapping[str, Any], registered: Registered) -> Policy:
    """Return a policy with the given members changed; raise ``GuardrailError``."""
    wrong: dict[str, str] = {}
    changes: dict[str, Any] = {}
    for name, value in members.items():
        try:
            changes[name] = _converted(name, value, registered)
        except ValueError as error:
            wrong[name] = str(error).rstrip(".")
    if wrong:
        raise GuardrailError(wrong)
    kept = json.loads(before.encode())
    known = {name: value for name, value in (kept | changes).items() if value is not None}
    try:
        policy = Policy.model_validate_json(json.dumps(known))
    except ValidationError as error:
        problem = malformed(error)
        raise GuardrailError({problem.where: problem.why}) from None
    _check_explicit(policy, registered)
    return policy


def guardrails_of(policy: Policy) -> dict[str, Any]:
    """Return a policy's guardrails as the API's members."""
    domains = [domain.plain() for domain in policy.eip712_domain_allowlist]
    for domain in domains:
        domain["verifying_contract"] = _checksummed(domain["verifying_contract"])
    recipients = policy.tx_to_allowlist
    chains = policy.tx_allowed_chains
    return {
        "tx_to_allowlist": ANY if recipients == "any" else list(map(_checksummed, recipients)),
        "tx_allowed_chains": ANY if chains == "any" else list(chains),
        "tx_max_value_eth": policy.tx_max_value_eth,
        "tx_daily_limit_eth": policy.tx_daily_limit_eth,
        "tx_max_fee_eth": policy.tx_max_fee_eth,
        "intents_per_minute": policy.intents_per_minute,
        "message_signing_enabled": policy.message_signing_enabled,
        "eip712_default_policy": policy.eip712_default_policy,
        "eip712_domain_allowlist": domains,
        "delegate_allowlist": list(map(_checksummed, policy.delegate_allowlist)),
    }


def _converted(name: str, value: Any, registered: Registered) -> Any:
    if name in AMOUNTS:
        return value if value in (None, "unlimited") else wei_to_eth(submission_fields.value(value))
    if name in SAME:
        return value
    if value == ANY and name in OF_ANY:
        return "any"
    match name:
        case "tx_to_allowlist" | "delegate_allowlist":
            return list(dict.fromkeys(_address(text) for text in value))
        case "tx_allowed_chains":
            return list(dict.fromkeys(_chain(text, registered) for text in value))
        case "eip712_domain_allowlist":
            return [_domain(one) for one in value]
    raise ValueError("is not supported")


def _address(text: str) -> str:
    try:
        return f"0x{parse_address(text).hex()}"
    except AddressError as error:
        raise ValueError(f"{text[:64]!a} {error}") from None


def _checksummed(address: str) -> str:
    return checksum_address(bytes.fromhex(address[2:]))


def _chain(text: str, registered: Registered) -> str:
    chain = find_chain(registered, text)
    if chain is None:
        raise ValueError(f"no chain {text[:64]!a} is registered: see GET /v1/chains")
    return chain.name


def _domain(one: Mapping[str, Any]) -> dict[str, Any]:
    contract = {"verifying_contract": _address(one["verifying_contract"])}
    return {name: value for name, value in {**one, **contract}.items() if value is not None}


def _check_explicit(policy: Policy, registered: Registered) -> None:
    """Refuse open limits where the organisation requires explicit ones.

    The signer would refuse every intent of such an agent; this says it at once.
    """
    if registered.settings.require_explicit and policy.open_fields:
        what = 'must be explicit in this organisation: send a limit, "unlimited" or ["any"]'
        raise GuardrailError(dict.fromkeys(policy.open_fields, what))

"""Explains an agent's limits and what is left of them today, from its API reply. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sixgate_client.errors import Json
from sixgate_client.types import SigningKey

from schemas.intents.money import eth_to_wei, wei_to_eth

LISTED_MAX = 20
_ASK = "Ask a person to change it."


def explained(agent: Mapping[str, Any], chains: Sequence[Json], keys: Sequence[SigningKey]) -> Json:
    """Return the agent's rules, what is left of them today, and one sentence for each."""
    allowed = _listed(agent, "tx_allowed_chains")
    enabled = [chain for chain in chains if chain.get("is_enabled", True)]
    usable = [chain for chain in enabled if not allowed or _is_in(chain, allowed)]
    limits = {
        "intents_api_enabled": bool(agent.get("intents_api_enabled")),
        "chains": [chain["name"] for chain in usable],
        "recipients": _listed(agent, "tx_to_allowlist") or "any",
        "max_value_eth": _limit(agent, "tx_max_value_eth"),
        "daily_limit_eth": _limit(agent, "tx_daily_limit_eth"),
        "spent_24h_eth": agent.get("tx_spent_today_eth"),
        "left_24h_eth": left_eth(agent),
        "may_sign_messages": bool(agent.get("message_signing_enabled")),
        "typed_data_policy": agent.get("eip712_default_policy", "deny"),
        "typed_data_contracts": _typed_data_contracts(agent),
        "keys": [{"chain": key.get("chain"), "address": key.get("address")} for key in keys],
    }
    return {"agent_id": agent.get("id"), **limits, "sentences": _sentences(limits)}


def left_eth(agent: Mapping[str, Any]) -> str | None:
    """Return the ETH that the daily limit still allows; None without a limit or known spending."""
    try:
        limit_wei = eth_to_wei(str(agent["tx_daily_limit_eth"]))
        spent_wei = eth_to_wei(str(agent["tx_spent_today_eth"]))
    except (KeyError, ValueError):  # no amount, such as null or "unlimited"
        return None
    return wei_to_eth(max(limit_wei - spent_wei, 0))


def would_pass(reason: str, agent: Json) -> str | None:
    """Return what would pass the rule that refused with ``reason``; None if nothing is known."""
    found = _WOULD_PASS.get(reason)
    return found(agent) if found else _ADVICE.get(reason)


def _value(agent: Json) -> str:
    return f"A value of at most {agent.get('tx_max_value_eth')} ETH in one transaction."


def _daily(agent: Json) -> str:
    left = left_eth(agent)
    if left is None:
        return "A smaller value, or the same one when the last 24 hours' spending has aged out."
    if left == "0":
        return "No value above 0 until the last 24 hours' spending has aged out."
    return f"A value of at most {left} ETH now; more when the last 24 hours' spending has aged out."


def _recipient(agent: Json) -> str:
    return f"One of the allowed recipients: {_names(agent.get('tx_to_allowlist'))}. {_ASK}"


def _chain(agent: Json) -> str:
    return f"One of the allowed chains: {_names(agent.get('tx_allowed_chains'))}. {_ASK}"


def _domain(agent: Json) -> str:
    return f"Typed data of a listed contract: {_names(_typed_data_contracts(agent))}. {_ASK}"


_WOULD_PASS: Mapping[str, Callable[[Json], str]] = {
    "value_too_high": _value,
    "daily_limit_exceeded": _daily,
    "recipient_not_allowed": _recipient,
    "chain_not_allowed": _chain,
    "domain_not_allowed": _domain,
    "spending_not_allowed": _domain,
}
_ADVICE: Mapping[str, str] = {
    "agent_inactive": "Nothing, until a person activates this agent.",
    "agent_expired": "Nothing, until a person extends this agent.",
    "intents_api_off": "Nothing, until a person enables the Intents API for this agent.",
    "people_only": "Nothing an agent sends: only a person may do this.",
    "agent_has_own_key": "Intents that the agent signs itself: this gateway cannot.",
    "message_signing_off": "Nothing, until a person enables message signing for this agent.",
    "contract_creation": "A transaction with a recipient.",
    "fee_too_high": "A lower max_fee_per_gas or gas_limit.",
    "fee_unknown": "The same transaction with gas_limit and max_fee_per_gas.",
    "chain_unknown": "A registered chain: call explain_policy for their names.",
    "idempotency_conflict": "The first request unchanged. A new key would be a second transaction.",
    "rate_exceeded": "The same request in a minute.",
    "quota_exceeded": "The same request later: the result says when; or one with less data.",
    "disk_low": "The same request once an operator has freed disk space.",
    "nonce_used": "The same transaction without nonce.",
    "nonce_too_high": "The same transaction without nonce.",
    "simulation_reverted": "A transaction that does not revert: read the reason, change the call.",
    "simulation_failed": "A transaction that does not revert: read the reason, change the call.",
    "simulation_unavailable": "The same request later, if the simulator is available again.",
    "simulation_missing": "A chain with a simulator; or simulate_first false, if that is allowed.",
    "key_unknown": "A chain with a key: call list_signing_keys; a person provisions keys.",
    "key_not_granted": "A key of this agent: call list_signing_keys.",
    "key_inactive": "Another key: call list_signing_keys; a person rotates keys.",
    "raw_hash": "A message that is text, and not a hash or a transaction.",
    "message_too_large": "A message of at most 64 KiB.",
}


def _sentences(limits: Json) -> list[str]:
    if not limits["intents_api_enabled"]:
        return ["You may sign nothing: the Intents API is off for this agent."]
    sentences = [f"You may use these chains: {_names(limits['chains'])}."]
    recipients = limits["recipients"]
    sentences.append(
        "You may send to any address."
        if recipients == "any"
        else f"You may send only to: {_names(recipients)}."
    )
    if limits["max_value_eth"] is not None:
        sentences.append(f"One transaction may send at most {limits['max_value_eth']} ETH.")
    if limits["daily_limit_eth"] is not None:
        sentences.append(
            f"In 24 hours you may send {limits['daily_limit_eth']} ETH; "
            f"{limits['left_24h_eth'] or 'an unknown part'} is left now."
        )
    may = "may" if limits["may_sign_messages"] else "may not"
    sentences.append(f"You {may} sign messages.")
    contracts = limits["typed_data_contracts"]
    if limits["typed_data_policy"] == "allow":
        sentences.append("You may sign typed data; permits only of listed contracts.")
    sentences.append(
        f"Listed contracts of typed data: {_names(contracts)}."
        if contracts
        else "No contract of typed data is listed."
    )
    return sentences


def _listed(agent: Mapping[str, Any], name: str) -> list[str]:
    """Return a list of what is allowed; it is empty if anything is."""
    found = agent.get(name) or []
    return [] if found == ["any"] else list(found)


def _limit(agent: Mapping[str, Any], name: str) -> str | None:
    found = agent.get(name)
    return None if found == "unlimited" else found


def _typed_data_contracts(agent: Mapping[str, Any]) -> list[str]:
    """Return the verifying contracts whose typed data may be signed."""
    entries = agent.get("eip712_domain_allowlist") or ()
    return [str(entry["verifying_contract"]) for entry in entries if "verifying_contract" in entry]


def _names(names: object) -> str:
    listed = [str(name) for name in names] if isinstance(names, list | tuple) else []
    more = f" and {len(listed) - LISTED_MAX} more" if len(listed) > LISTED_MAX else ""
    return ", ".join(listed[:LISTED_MAX]) + more if listed else "none"


def _is_in(chain: Json, allowed: list[str]) -> bool:
    return str(chain.get("name")) in allowed or str(chain.get("chain_id")) in allowed

"""Formats of values in tables and sheets: addresses, amounts, states, times in UTC."""

import json
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from schemas.intents.money import wei_to_eth
from schemas.registry.key_chains import KeyChain
from sixgate.api import Json
from sixgate.cli.terminal import safe


def key_address(key: Json) -> str:
    """Format a key's address in its chain's notation."""
    return _in_notation(KeyChain(key["chain"]), key["address"])


def address(lower: str) -> str:
    """Format an Ethereum address with its checksum (EIP-55)."""
    return _in_notation(KeyChain.ETHEREUM, lower)


def _in_notation(chain: KeyChain, address: str) -> str:
    from signer.keys.addresses.derivation import display_address

    return display_address(chain, address)


def remaining_limit(budget: Json) -> str:
    """Return the rest of a daily limit, in the chain's native unit."""
    return "unlimited" if budget["left_wei"] is None else wei_to_eth(int(budget["left_wei"]))


def spent(budget: Json) -> str:
    """Return what was spent of a daily limit, in the chain's native unit."""
    return wei_to_eth(int(budget["spent_wei"]))


def policy_value(value: Any) -> str:
    """Format a field of a policy."""
    if isinstance(value, bool):
        return str(value).lower()  # as in a policy file
    if not isinstance(value, list):
        return str(value)
    return ", ".join(one if isinstance(one, str) else json.dumps(one) for one in value)


def activity(record: Json) -> Text:
    """Return whether an agent or an admin is active, coloured."""
    return safe("yes", "green") if record["active"] else safe("no", "red")


def format_time(at_ms: int) -> str:
    """Format a time to the second."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def format_time_ms(at_ms: int) -> str:
    """Format a time to the millisecond."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"

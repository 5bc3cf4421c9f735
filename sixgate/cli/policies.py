"""Policies: their options, and their content from flags, a policy file and the current policy."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from schemas.canonical import malformed
from schemas.intents.money import eth_to_wei, wei_to_eth
from schemas.registry.policy import Policy
from signer.core.errors import AddressError
from signer.core.ethereum.address import parse_address
from sixgate.api import Json
from sixgate.cli.declare import Option, gathered
from sixgate.cli.exit_codes import fail_usage
from sixgate.cli.files import read_json_file
from sixgate.cli.options import FILE
from sixgate.cli.session import Session

RATE_NEW = 60
"""Intents per minute of a new policy without a file, unless a flag sets it."""

# No flag for eip712_domain_allowlist: an entry has five fields, so it needs a policy file.
_HELP = {
    "tx_max_value_eth": ("--max-value-eth ETH", "Maximum value per transaction, or unlimited."),
    "tx_daily_limit_eth": ("--daily-limit-eth ETH", "Maximum value in 24 hours, or unlimited."),
    "tx_max_fee_eth": ("--max-fee-eth ETH", "Maximum cost of gas and blobs, or unlimited."),
    "tx_to_allowlist": ("--allow-to ADDRESSES", "Recipients separated by commas, or any."),
    "tx_allowed_chains": ("--chains NAMES", "Chains separated by commas, or any."),
    "intents_per_minute": (
        "--rate N",
        f"Intents per minute, or unlimited. A new policy starts with {RATE_NEW}.",
    ),
    "allow_contract_creation": ("--allow-creation/--deny-creation", "Allow contract creation."),
    "message_signing_enabled": ("--messages/--no-messages", "Allow signing messages."),
    "allow_raw_hashes": ("--raw-hashes/--no-raw-hashes", "Allow messages that could be a hash."),
    "eip712_default_policy": (
        "--typed-data-default WORD",
        "Typed data of unlisted contracts: deny or allow.",
    ),
    "delegate_allowlist": (
        "--delegates ADDRESSES",
        "Contracts to delegate to, separated by commas.",
    ),
    "allow_any_chain_delegation": (
        "--any-chain-delegation/--one-chain-delegation",
        "Allow delegations for every chain.",
    ),
}
_LISTS = {"tx_to_allowlist", "tx_allowed_chains", "delegate_allowlist"}
_OPTIONS = [
    Option(shown, text, name=field, multiple=field in _LISTS)
    for field, (shown, text) in _HELP.items()
]
FLAGS = {one.name: one.flag for one in _OPTIONS}
policy_flags = gathered("flags", *_OPTIONS)
"""Add an option for each field of a policy; those given arrive as ``flags``."""
policy_file = Option("--policy FILE", "Whole policy in JSON. Flags override it.", type=FILE)


def compose(session: Session, before: Json, file: Path | None, flags: Json) -> Policy:
    """Return the policy: flags override the file, which overrides the earlier policy.

    Ends the command if a field is wrong, or missing although ``policies.require_explicit`` is set.
    """
    base = _read(file) if file else {} if before else {"intents_per_minute": RATE_NEW}
    given = base | flags
    members = before | _normal(session, given, flags)
    try:
        policy = Policy.model_validate_json(json.dumps(members))
    except ValidationError as error:
        wrong = malformed(error)
        field = wrong.where.split(".")[0]
        shown = f" {given[field]!a}" if field in given else ""
        fail_usage(f"{_named(field, flags)}{shown}: {wrong.why}")
    if session.registry["settings"]["policies.require_explicit"] and policy.open_fields:
        open_flags = ", ".join(FLAGS[field] for field in policy.open_fields)
        words = "any (--allow-to, --chains) or unlimited (amounts)"
        fail_usage(f"the policy does not set {open_flags}: give a limit, or the word {words}")
    return policy


def _read(file: Path) -> Json:
    members = read_json_file(file)
    if not isinstance(members, dict):
        fail_usage(f"{file} must hold one JSON object: the policy")
    return members


def _named(field: str, flags: Json) -> str:
    """Name a field as the user wrote it: as a flag, or as a member of the file."""
    return FLAGS[field] if field in flags else f"the policy's {field}"


def _normal(session: Session, members: Json, flags: Json) -> Json:
    """Normalise amounts, addresses and chain names."""
    normal = dict(members)
    for field, value in members.items():
        try:
            if isinstance(value, list) and field in _OF_LIST:
                normal[field] = _OF_LIST[field](session, value)
            elif isinstance(value, str) and value != "unlimited" and field in _OF_TEXT:
                normal[field] = _OF_TEXT[field](value)
        except (ValueError, AddressError) as error:
            fail_usage(f"{_named(field, flags)} {_typed(value)!a}: {error}")
    return normal


def _typed(value: Any) -> Any:
    """Return the value as typed: a list of one comes from a single flag."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _amount(value: str) -> str:
    if value == "any":
        raise ValueError("for an amount without a limit write unlimited")
    return wei_to_eth(eth_to_wei(value))


def _rate(value: str) -> int:
    if not (value.isdecimal() and value.isascii()):
        raise ValueError("a rate is a whole number of intents per minute, or unlimited")
    return int(value)


def _recipients(session: Session, values: list[Any]) -> Any:
    given = _split_commas(values)
    return "any" if given == ["any"] else _delegates(session, values)


def _delegates(_session: Session, values: list[Any]) -> list[str]:
    return [f"0x{parse_address(one).hex()}" for one in _split_commas(values)]


def _chains(session: Session, values: list[Any]) -> Any:
    names = _split_commas(values)
    return "any" if names == ["any"] else [session.chain(name)["name"] for name in names]


def _split_commas(values: list[Any]) -> list[str]:
    return [one.strip() for text in values for one in str(text).split(",")]


def _domains(_session: Session, entries: list[Any]) -> list[Any]:
    """Normalise the contract addresses; the model validates the rest."""
    return [_domain(entry) if isinstance(entry, dict) else entry for entry in entries]


def _domain(entry: Json) -> Json:
    contract = entry.get("verifying_contract")
    if not isinstance(contract, str):
        return entry
    return entry | {"verifying_contract": f"0x{parse_address(contract).hex()}"}


_OF_TEXT: dict[str, Callable[[str], Any]] = {
    "tx_max_value_eth": _amount,
    "tx_daily_limit_eth": _amount,
    "tx_max_fee_eth": _amount,
    "intents_per_minute": _rate,
}
_OF_LIST: dict[str, Callable[[Session, list[Any]], Any]] = {
    "tx_to_allowlist": _recipients,
    "tx_allowed_chains": _chains,
    "delegate_allowlist": _delegates,
    "eip712_domain_allowlist": _domains,
}

"""Policies as operators write them: from flags, from a file, or one laid over another."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from schemas.canonical import malformed
from schemas.money import eth_to_wei, wei_to_eth
from schemas.policy import Policy
from signer.ethereum.address import parse_address
from signer.ethereum.errors import AddressError
from sixgate.api import Json
from sixgate.cli.session import Session, usage
from sixgate.cli.shared_options import with_options
from sixgate.strict_json import JsonWrong, read_json

PANEL = "Policy"
RATE_NEW = 60
"""What a new policy made of flags alone allows a minute, unless a flag says it."""


_FLAGS = {
    "tx_max_value_eth": "--max-value-eth",
    "tx_daily_limit_eth": "--daily-limit-eth",
    "tx_max_fee_eth": "--max-fee-eth",
    "tx_to_allowlist": "--allow-to",
    "tx_allowed_chains": "--chains",
    "intents_per_minute": "--rate",
    "allow_contract_creation": "--allow-creation/--deny-creation",
}


def _option(field: str, text: str, metavar: str | None = None) -> Any:
    return typer.Option(_FLAGS[field], metavar=metavar, help=text, rich_help_panel=PANEL)


_OPTIONS: dict[str, Any] = {
    "tx_max_value_eth": Annotated[
        str | None, _option("tx_max_value_eth", "Most of one value, or unlimited.", "ETH")
    ],
    "tx_daily_limit_eth": Annotated[
        str | None, _option("tx_daily_limit_eth", "Most of any 24 h, or unlimited.", "ETH")
    ],
    "tx_max_fee_eth": Annotated[
        str | None, _option("tx_max_fee_eth", "Most of gas x max fee, or unlimited.", "ETH")
    ],
    "tx_to_allowlist": Annotated[
        list[str] | None, _option("tx_to_allowlist", "A recipient (repeatable), or any.", "ADDRESS")
    ],
    "tx_allowed_chains": Annotated[
        list[str] | None, _option("tx_allowed_chains", "Chains between commas, or any.", "NAMES")
    ],
    "intents_per_minute": Annotated[
        str | None,
        _option(
            "intents_per_minute", f"Most intents of a minute, or unlimited. New: {RATE_NEW}.", "N"
        ),
    ],
    "allow_contract_creation": Annotated[
        bool | None, _option("allow_contract_creation", "May it create contracts?")
    ],
}

PolicyFile = Annotated[
    Path | None,
    typer.Option(
        "--policy", metavar="FILE", help="A policy in JSON; flags win.", rich_help_panel=PANEL
    ),
]
PolicyId = Annotated[
    str | None,
    typer.Option("--policy-id", metavar="ID", help="The policy's name.", rich_help_panel=PANEL),
]


with_limits = with_options("flags", _OPTIONS)
"""Give a command one option for each field of a policy; they arrive together as ``flags``."""


def compose(session: Session, before: Json, file: Path | None, flags: Json) -> Policy:
    """Return the policy that flags, laid over a file, laid over an earlier policy make.

    Ends the command where a field is wrong, or open although the organisation wants words.
    """
    base = _read(file) if file else {} if before else {"intents_per_minute": RATE_NEW}
    members = before | _normal(session, base | flags)
    try:
        policy = Policy.model_validate_json(json.dumps(members))
    except ValidationError as error:
        usage(f"the policy is wrong at {malformed(error)}")
    if session.registry["settings"]["policies.require_explicit"] and policy.open_fields:
        open_flags = ", ".join(_FLAGS[field] for field in policy.open_fields)
        usage(f"the policy leaves open {open_flags}: give a limit, or say any or unlimited")
    return policy


def _read(file: Path) -> Json:
    try:
        members = read_json(file.read_bytes())
    except JsonWrong as error:
        usage(f"{file} {error}")
    if not isinstance(members, dict):
        usage(f"{file} must hold one JSON object: the policy")
    return members


def _normal(session: Session, members: Json) -> Json:
    """Bring amounts, addresses and chain names into their one form."""
    normal = dict(members)
    for field in members.keys() & _NORMAL.keys():
        try:
            normal[field] = _NORMAL[field](session, members[field])
        except (ValueError, AddressError) as error:
            usage(f"{field} {members[field]!a}: {error}")
    return normal


def _amount(_session: Session, value: Any) -> Any:
    if not isinstance(value, str) or value == "unlimited":
        return value
    return wei_to_eth(eth_to_wei(value))


def _recipients(_session: Session, value: Any) -> Any:
    if value == ["any"]:
        return "any"
    if not isinstance(value, list):
        return value
    return [f"0x{parse_address(str(address)).hex()}" for address in value]


def _chains(session: Session, value: Any) -> Any:
    if not isinstance(value, list):
        return value
    names = [name.strip() for text in value for name in str(text).split(",")]
    return "any" if names == ["any"] else [session.chain(name)["name"] for name in names]


def _rate(_session: Session, value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


_NORMAL: dict[str, Callable[[Session, Any], Any]] = {
    "tx_max_value_eth": _amount,
    "tx_daily_limit_eth": _amount,
    "tx_max_fee_eth": _amount,
    "tx_to_allowlist": _recipients,
    "tx_allowed_chains": _chains,
    "intents_per_minute": _rate,
}

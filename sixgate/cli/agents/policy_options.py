"""The options that make a policy, shared by the commands that add and change agents."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sixgate.cli.shared_options import with_options

PANEL = "Policy"
PANEL_NEEDED = "Policy: what a new one must say"
RATE_NEW = 60
"""What a new policy made of flags alone allows a minute, unless a flag says it."""


# Typed data's domains are written in a policy's file: an entry has five fields.
FLAGS = {
    "tx_max_value_eth": "--max-value-eth",
    "tx_daily_limit_eth": "--daily-limit-eth",
    "tx_max_fee_eth": "--max-fee-eth",
    "tx_to_allowlist": "--allow-to",
    "tx_allowed_chains": "--chains",
    "intents_per_minute": "--rate",
    "allow_contract_creation": "--allow-creation/--deny-creation",
    "message_signing_enabled": "--messages/--no-messages",
    "allow_raw_hashes": "--raw-hashes/--no-raw-hashes",
    "eip712_default_policy": "--typed-data-default",
    "delegate_allowlist": "--delegates",
    "allow_any_chain_delegation": "--any-chain-delegation/--one-chain-delegation",
}


_NEEDED = ("tx_max_value_eth", "tx_daily_limit_eth", "tx_to_allowlist", "tx_allowed_chains")


def _option(field: str, text: str, metavar: str | None = None) -> Any:
    panel = PANEL_NEEDED if field in _NEEDED else PANEL
    return typer.Option(FLAGS[field], metavar=metavar, help=text, rich_help_panel=panel)


_OPTIONS: dict[str, Any] = {
    "tx_max_value_eth": Annotated[
        str | None, _option("tx_max_value_eth", "Most of one value, or unlimited.", "ETH")
    ],
    "tx_daily_limit_eth": Annotated[
        str | None, _option("tx_daily_limit_eth", "Most of any 24 h, or unlimited.", "ETH")
    ],
    "tx_max_fee_eth": Annotated[
        str | None,
        _option("tx_max_fee_eth", "Most that gas and blobs may cost, or unlimited.", "ETH"),
    ],
    "tx_to_allowlist": Annotated[
        list[str] | None,
        _option("tx_to_allowlist", "Recipients between commas, or any.", "ADDRESSES"),
    ],
    "tx_allowed_chains": Annotated[
        list[str] | None,
        _option("tx_allowed_chains", "Chains between commas, or any.", "NAMES"),
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
    "message_signing_enabled": Annotated[
        bool | None, _option("message_signing_enabled", "May it sign messages?")
    ],
    "allow_raw_hashes": Annotated[
        bool | None, _option("allow_raw_hashes", "Messages that are hashes, too?")
    ],
    "eip712_default_policy": Annotated[
        str | None,
        _option(
            "eip712_default_policy", "Typed data of contracts not listed: deny, allow.", "WORD"
        ),
    ],
    "delegate_allowlist": Annotated[
        list[str] | None,
        _option("delegate_allowlist", "Contracts to delegate to, between commas.", "ADDRESSES"),
    ],
    "allow_any_chain_delegation": Annotated[
        bool | None, _option("allow_any_chain_delegation", "Delegations on every chain?")
    ],
}

PolicyFile = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        help="The whole policy in JSON; flags win.",
        rich_help_panel=PANEL,
    ),
]
PolicyId = Annotated[
    str | None,
    typer.Option("--policy-id", metavar="ID", help="The policy's name.", rich_help_panel=PANEL),
]


with_limits = with_options("flags", _OPTIONS)
"""Give a command one option for each field of a policy; they arrive together as ``flags``."""

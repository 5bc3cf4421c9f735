"""Options for the fields of a policy, shared by ``agents add`` and ``agents update``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sixgate.cli.shared_options import with_options

PANEL = "Policy"
PANEL_NEEDED = "Policy limits (required for a new policy)"
RATE_NEW = 60
"""Intents per minute of a new policy without a file, unless a flag sets it."""


# No flag for eip712_domain_allowlist: an entry has five fields, so it needs a policy file.
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
        str | None,
        _option("tx_max_value_eth", "Maximum value per transaction, or unlimited.", "ETH"),
    ],
    "tx_daily_limit_eth": Annotated[
        str | None, _option("tx_daily_limit_eth", "Maximum value in 24 hours, or unlimited.", "ETH")
    ],
    "tx_max_fee_eth": Annotated[
        str | None,
        _option("tx_max_fee_eth", "Maximum cost of gas and blobs, or unlimited.", "ETH"),
    ],
    "tx_to_allowlist": Annotated[
        list[str] | None,
        _option("tx_to_allowlist", "Recipients separated by commas, or any.", "ADDRESSES"),
    ],
    "tx_allowed_chains": Annotated[
        list[str] | None,
        _option("tx_allowed_chains", "Chains separated by commas, or any.", "NAMES"),
    ],
    "intents_per_minute": Annotated[
        str | None,
        _option(
            "intents_per_minute",
            f"Intents per minute, or unlimited. A new policy starts with {RATE_NEW}.",
            "N",
        ),
    ],
    "allow_contract_creation": Annotated[
        bool | None, _option("allow_contract_creation", "Allow contract creation.")
    ],
    "message_signing_enabled": Annotated[
        bool | None, _option("message_signing_enabled", "Allow signing messages.")
    ],
    "allow_raw_hashes": Annotated[
        bool | None, _option("allow_raw_hashes", "Allow messages that could be a hash.")
    ],
    "eip712_default_policy": Annotated[
        str | None,
        _option(
            "eip712_default_policy", "Typed data of unlisted contracts: deny or allow.", "WORD"
        ),
    ],
    "delegate_allowlist": Annotated[
        list[str] | None,
        _option(
            "delegate_allowlist", "Contracts to delegate to, separated by commas.", "ADDRESSES"
        ),
    ],
    "allow_any_chain_delegation": Annotated[
        bool | None, _option("allow_any_chain_delegation", "Allow delegations for every chain.")
    ],
}

PolicyFile = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        help="Whole policy in JSON. Flags override it.",
        rich_help_panel=PANEL,
    ),
]
PolicyId = Annotated[
    str | None,
    typer.Option("--policy-id", metavar="ID", help="Name of the policy.", rich_help_panel=PANEL),
]


with_limits = with_options("flags", _OPTIONS)
"""Add an option for each field of a policy; those given arrive as ``flags``."""

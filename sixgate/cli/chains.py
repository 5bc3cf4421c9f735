"""``sixgate chains``: the registered chains and their default fees."""

from collections.abc import Callable
from typing import Any

import click

from schemas.registry.records import ChainRemoved, ChainSet
from sixgate.api import Json
from sixgate.authoring.form_fields import gwei_to_wei, wei_to_gwei
from sixgate.cli.declare import Option, argument, flag, gathered, group
from sixgate.cli.exit_codes import fail_usage
from sixgate.cli.options import NAME, chain_argument
from sixgate.cli.render import Answer, Field, Listing, table
from sixgate.cli.session import Session, entry, shows, with_session
from sixgate.cli.terminal import notice

app = group("chains", example="list")
_POSITIVE = click.IntRange(min=1)

_details = gathered(
    "details",
    Option("--symbol", "Symbol of the native unit, such as ETH."),
    Option("--explorer URL", "Block explorer of the chain."),
    Option(
        "--alias",
        "Alias (repeatable). Replaces the current list.",
        name="aliases",
        type=NAME,
        multiple=True,
    ),
    Option("--testnet/--mainnet", "Kind of network."),
    Option("--rpc-url URL", "RPC endpoint of a node."),
    Option("--gas-limit GAS", "Gas limit of a plain transfer.", type=_POSITIVE),
    Option("--max-fee-gwei GWEI", "Default maximum fee per gas.", name="max_fee_per_gas_wei"),
    Option(
        "--priority-fee-gwei GWEI",
        "Default priority fee per gas.",
        name="max_priority_fee_per_gas_wei",
    ),
)
_FEE_FIELDS = ("gas_limit", "max_fee_per_gas_wei", "max_priority_fee_per_gas_wei")


def _gwei(wei: int | str) -> str:
    return f"{wei_to_gwei(int(wei))} gwei"


def _fee(field: str, form: Callable[[Any], str]) -> Callable[[Json], str]:
    return lambda chain: form(chain["default_fees"][field]) if "default_fees" in chain else "-"


def _aliases(chain: Json) -> tuple[str, ...]:
    names = ", ".join(chain.get("aliases", ()))
    return (f"also {names}",) if names else ()


_FIELDS = (
    Field("id", "chain_id", right=True),
    Field("name"),
    Field("unit", "symbol"),
    Field("gas", _fee("gas_limit", "{:,}".format), right=True),
    Field("max fee", _fee("max_fee_per_gas_wei", _gwei), right=True),
    Field("tip", _fee("max_priority_fee_per_gas_wei", _gwei), right=True),
)


def _listing(chains: list[Json], *, aliases: bool) -> Listing:
    return table(*_FIELDS, details=_aliases if aliases else None)(chains)


@app.command("list", example="--aliases")
@flag("--aliases", "Show aliases.")
@shows(_listing)
def list_(here: Session, *, aliases: bool) -> Answer:
    """List the registered chains."""
    return Answer(here.registry["chains"], aliases=aliases)


@app.command(
    "add",
    example=(
        "31337 anvil --symbol ETH --explorer http://localhost --testnet --gas-limit "
        "21000 --max-fee-gwei 10 --priority-fee-gwei 1"
    ),
)
@argument("CHAIN_ID", "EIP-155 chain id.", type=_POSITIVE)
@argument("NAME", "Name in lower case, with hyphens.", type=NAME)
@_details
@with_session
def add(here: Session, *, chain_id: int, name: str, details: Json) -> None:
    """Register a chain."""
    base = {"chain_id": chain_id, "name": name, "symbol": "ETH", "explorer": "", "testnet": False}
    taken = [c["name"] for c in here.registry["chains"] if c["chain_id"] == chain_id]
    if taken:
        fail_usage(f"chain {chain_id} is already {taken[0]}: change it with sixgate chains update")
    here.register(_chain(base, details))
    notice(f"Chain {name} is registered.")


@app.command("update", example="base --max-fee-gwei 0.5 --priority-fee-gwei 0.1")
@chain_argument
@_details
@with_session
def update(here: Session, *, chain: str, details: Json) -> None:
    """Change the given properties of a chain."""
    if not details:
        fail_usage(
            "nothing to change: give an option (sixgate chains update --help), such as --alias NAME"
        )
    before = here.chain(chain)
    here.register(_chain(before, details))
    notice(f"Chain {before['name']} is changed.")


@app.command("remove", example="fantom")
@chain_argument
@with_session
def remove(here: Session, *, chain: str) -> None:
    """Remove a chain: its intents are refused. The record stays in the registry."""
    before = here.chain(chain)
    here.register(ChainRemoved(chain_id=before["chain_id"]))
    notice(f"Chain {before['name']} is removed.")


def _chain(before: Json, details: Json) -> ChainSet:
    own = {field: value for field, value in details.items() if field not in _FEE_FIELDS}
    fees = before.get("default_fees", {}) | {
        field: _amount(details[field]) for field in _FEE_FIELDS if field in details
    }
    _check_fees(fees)
    return entry(ChainSet, **before | own | {"default_fees": fees or None})


def _check_fees(fees: Json) -> None:
    """End the command if a fee is missing, or the max fee is below the priority fee."""
    if not fees:
        return
    if set(fees) != set(_FEE_FIELDS):
        fail_usage(
            "new default fees need --gas-limit, --max-fee-gwei and --priority-fee-gwei together"
        )
    most, tip = (int(fees[field]) for field in _FEE_FIELDS[1:])
    if most < tip:
        fail_usage(
            f"the max fee ({_gwei(most)}) is below the priority fee ({_gwei(tip)}), which it "
            "includes: raise --max-fee-gwei or lower --priority-fee-gwei"
        )


def _amount(value: int | str) -> int | str:
    """Return gas unchanged, and gwei converted to wei."""
    if isinstance(value, int):
        return value
    try:
        return str(gwei_to_wei(value))
    except ValueError as error:
        fail_usage(f"{value!a} is {error}")

"""``sixgate chains``: the registered chains and their default fees."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from schemas.money import gwei_to_wei, wei_to_gwei
from schemas.registry import ChainRemoved, ChainSet
from sixgate.api import Json
from sixgate.cli.entries import entry
from sixgate.cli.listing import Listing, Row, show
from sixgate.cli.options import DATA_DEFAULT, AsJson, Chain, Data, checked_name, checked_names
from sixgate.cli.session import fail_usage, session
from sixgate.cli.shared_options import with_options
from sixgate.cli.terminal import notices, print_json, screen

app = typer.Typer(
    no_args_is_help=True,
    help="Manage the chains that intents may name.",
    epilog="Example: sixgate chains list",
)
_FEES = "Default fees"


def _fee(flag: str, text: str) -> Any:
    return Annotated[
        str | None, typer.Option(flag, metavar="GWEI", help=text, rich_help_panel=_FEES)
    ]


_with_details = with_options(
    "details",
    {
        "symbol": Annotated[
            str | None, typer.Option(help="Symbol of the native unit, such as ETH.")
        ],
        "explorer": Annotated[
            str | None, typer.Option(metavar="URL", help="Block explorer of the chain.")
        ],
        "aliases": Annotated[
            list[str] | None,
            typer.Option(
                "--alias",
                metavar="NAME",
                callback=checked_names,
                help="Alias (repeatable). Replaces the current list.",
            ),
        ],
        "testnet": Annotated[
            bool | None, typer.Option("--testnet/--mainnet", help="Kind of network.")
        ],
        "rpc_url": Annotated[
            str | None, typer.Option(metavar="URL", help="RPC endpoint of a node.")
        ],
        "gas_limit": Annotated[
            int | None,
            typer.Option(
                min=1, metavar="GAS", help="Gas limit of a plain transfer.", rich_help_panel=_FEES
            ),
        ],
        "max_fee_per_gas_wei": _fee("--max-fee-gwei", "Maximum fee per gas."),
        "max_priority_fee_per_gas_wei": _fee("--priority-fee-gwei", "Priority fee per gas."),
    },
)
_FEE_FIELDS = ("gas_limit", "max_fee_per_gas_wei", "max_priority_fee_per_gas_wei")


@app.command("list", epilog="Example: sixgate chains list --aliases")
def list_(
    *,
    aliases: Annotated[bool, typer.Option("--aliases", help="Show aliases.")] = False,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """List the registered chains."""
    with session(data) as here:
        chains = here.registry["chains"]
    if as_json:
        print_json(chains)
    else:
        show(_chain_list(chains, aliases=aliases), screen())


@app.command(
    epilog="Example: sixgate chains add 31337 anvil --symbol ETH --explorer http://localhost "
    "--testnet --gas-limit 21000 --max-fee-gwei 10 --priority-fee-gwei 1"
)
@_with_details
def add(
    *,
    chain_id: Annotated[int, typer.Argument(min=1, metavar="CHAIN_ID", help="EIP-155 chain id.")],
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", callback=checked_name, help="Name in lower case, with hyphens."
        ),
    ],
    data: Data = DATA_DEFAULT,
    details: Json,
) -> None:
    """Register a chain."""
    base = {"chain_id": chain_id, "name": name, "symbol": "ETH", "explorer": "", "testnet": False}
    with session(data) as here:
        taken = [c["name"] for c in here.registry["chains"] if c["chain_id"] == chain_id]
        if taken:
            fail_usage(
                f"chain {chain_id} is already {taken[0]}: change it with sixgate chains update"
            )
        here.register(_chain(base, details))
    notices().print(f"Chain {name} is registered.", highlight=False)


@app.command(
    epilog="Example: sixgate chains update base --max-fee-gwei 0.5 --priority-fee-gwei 0.1"
)
@_with_details
def update(*, chain: Chain, data: Data = DATA_DEFAULT, details: Json) -> None:
    """Change the given properties of a chain."""
    if not details:
        fail_usage(
            "nothing to change: give an option (sixgate chains update --help), such as --alias NAME"
        )
    with session(data) as here:
        before = here.chain(chain)
        here.register(_chain(before, details))
    notices().print(f"Chain {before['name']} is changed.", highlight=False)


@app.command(epilog="Example: sixgate chains remove fantom")
def remove(*, chain: Chain, data: Data = DATA_DEFAULT) -> None:
    """Remove a chain: its intents are refused. The record stays in the registry."""
    with session(data) as here:
        before = here.chain(chain)
        here.register(ChainRemoved(chain_id=before["chain_id"]))
    notices().print(f"Chain {before['name']} is removed.", highlight=False)


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


def _chain_list(chains: Sequence[Json], *, aliases: bool) -> Listing:
    columns = ("id", "name", "unit", "gas", "max fee", "tip")
    found = [Row(_cells(chain), _aliases(chain) if aliases else ()) for chain in chains]
    return Listing(columns, found, right=("id", "gas", "max fee", "tip"))


def _cells(chain: Json) -> tuple[object, ...]:
    fees = chain.get("default_fees")
    costs = (
        (f"{fees['gas_limit']:,}", *(_gwei(fees[field]) for field in _FEE_FIELDS[1:]))
        if fees
        else ("-", "-", "-")
    )
    return (chain["chain_id"], chain["name"], chain["symbol"], *costs)


def _aliases(chain: Json) -> tuple[str, ...]:
    names = ", ".join(chain.get("aliases", ()))
    return (f"also {names}",) if names else ()


def _gwei(wei: int | str) -> str:
    return f"{wei_to_gwei(int(wei))} gwei"

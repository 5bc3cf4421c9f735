"""Chains are found by name, alias or chain id."""

import pytest

from schemas.registry.records import ChainSet
from signer.core.registry.registered import Registered
from sixgate.gateway.chain_names import find_chain


def chain(chain_id: int, name: str, *aliases: str) -> ChainSet:
    return ChainSet(
        chain_id=chain_id, name=name, aliases=aliases, symbol="ETH", explorer="", testnet=False
    )


BASE, ODD = chain(8453, "base", "base-mainnet"), chain(1, "8453x")
REGISTERED = Registered(chains={8453: BASE, 1: ODD})


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("base", BASE), ("base-mainnet", BASE), ("8453", BASE), (8453, BASE), ("8453x", ODD),
        ("Base", None), ("08453", None), ("", None), ("+1", None), ("\u0661", None), (2, None),
        (-1, None), ("9" * 5000, None),
    ],
)  # fmt: skip
def test_a_chain_has_names_and_one_id(given: str | int, found: ChainSet | None) -> None:
    assert find_chain(REGISTERED, given) == found


@pytest.mark.parametrize("given", [8453, "8453"])
def test_an_id_goes_before_an_equal_name_of_an_old_record(given: str | int) -> None:
    old = chain(5, "8453", "10")
    registered = Registered(chains={5: old, 8453: BASE})
    assert find_chain(registered, given) == BASE
    assert find_chain(registered, "10") == old  # no chain has this id

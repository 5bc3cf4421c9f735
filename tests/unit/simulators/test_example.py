import pytest
from eth_utils.address import to_checksum_address

from streams.simulators.example import (
    BURNS_GAS,
    FUNDED_USDC_BASE_UNITS,
    LANDMARKS,
    REVERTS_WITH_ERROR,
    REVERTS_WITH_REASON,
    Landmarks,
    example_genesis,
)
from streams.simulators.genesis import GenesisError, parse_genesis
from streams.simulators.revm import Revm
from streams.simulators.simulation import Call, FailureReason, Simulation, Status
from tests.harness.builders.simulation import ALICE, BOB, ETHER, calldata

WELL_KNOWN = {
    # Circle's list of USDC contracts, WETH9 (a predeploy on Base), Uniswap's list of SwapRouter02
    1: (
        "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
        "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
        "0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45",
    ),
    8453: (
        "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
        "0x4200000000000000000000000000000000000006",
        "0x2626664c2603336E57B271c5C0b26F421741e481",
    ),
    11155111: (
        "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238",
        "0xfFf9976782d46CC05630D1f6eBAb18b2324d6B14",
        "0x3bFA4769FB09eefC5a80d6E87c3B9C650f7Ae48E",
    ),
}
ON_EVERY_CHAIN = pytest.mark.parametrize("chain_id", LANDMARKS)


class Chain:
    """An example chain on which Alice holds ten ether."""

    def __init__(self, chain_id: int) -> None:
        self.chain_id = chain_id
        self.marks: Landmarks = LANDMARKS[chain_id]
        self.revm = Revm(parse_genesis(example_genesis(chain_id, {ALICE: 10 * ETHER})))

    def try_call(self, to: str, data: bytes = b"", value_wei: int = 0) -> Simulation:
        return self.revm.simulate(
            Call(
                account="treasury",
                chain_id=self.chain_id,
                sender=ALICE,
                to=to,
                data=data,
                value_wei=value_wei,
            )
        )


@pytest.fixture
def chain(chain_id: int) -> Chain:
    return Chain(chain_id)


def _deltas(simulation: Simulation) -> dict[tuple[str, str], int]:
    return {(c.address, c.asset): c.delta_base_units for c in simulation.balance_changes}


def test_landmarks_are_the_published_addresses() -> None:
    found = {
        chain_id: tuple(map(to_checksum_address, (marks.usdc, marks.weth, marks.router)))
        for chain_id, marks in LANDMARKS.items()
    }

    assert found == WELL_KNOWN


@ON_EVERY_CHAIN
def test_a_usdc_transfer_moves_exactly_its_amount(chain: Chain) -> None:
    data = calldata("Usdc", "transfer(address,uint256)", BOB, 250_000_000)

    simulation = chain.try_call(chain.marks.usdc, data)

    assert simulation.status is Status.SUCCEEDED
    assert _deltas(simulation) == {
        (ALICE, chain.marks.usdc): -250_000_000,
        (BOB, chain.marks.usdc): 250_000_000,
    }


@ON_EVERY_CHAIN
def test_a_funded_account_holds_its_usdc_to_the_last_unit(chain: Chain) -> None:
    all_of_it = calldata("Usdc", "transfer(address,uint256)", BOB, FUNDED_USDC_BASE_UNITS)
    one_more = calldata("Usdc", "transfer(address,uint256)", BOB, FUNDED_USDC_BASE_UNITS + 1)

    assert chain.try_call(chain.marks.usdc, all_of_it).status is Status.SUCCEEDED
    refused = chain.try_call(chain.marks.usdc, one_more)
    assert (refused.status, refused.reason, refused.detail) == (
        Status.REVERTED,
        FailureReason.ERROR_STRING,
        "ERC20: transfer amount exceeds balance",
    )
    assert refused.balance_changes == ()


@ON_EVERY_CHAIN
def test_a_weth_deposit_turns_ether_into_the_token(chain: Chain) -> None:
    simulation = chain.try_call(chain.marks.weth, calldata("Weth", "deposit()"), 3 * ETHER)

    assert _deltas(simulation) == {
        (ALICE, "native"): -3 * ETHER,
        (ALICE, chain.marks.weth): 3 * ETHER,
        (chain.marks.weth, "native"): 3 * ETHER,
    }


@ON_EVERY_CHAIN
def test_ether_sent_to_weth_without_calldata_is_a_deposit(chain: Chain) -> None:
    simulation = chain.try_call(chain.marks.weth, b"", ETHER)

    assert _deltas(simulation)[ALICE, chain.marks.weth] == ETHER


@ON_EVERY_CHAIN
def test_a_swap_pays_the_constant_product_price(chain: Chain) -> None:
    order = (chain.marks.weth, chain.marks.usdc, 3000, ALICE, ETHER, 2_400_000_000, 0)
    signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"

    simulation = chain.try_call(chain.marks.router, calldata("Router", signature, order), ETHER)

    charged = ETHER * 997 // 1000
    bought = charged * 2_500_000_000_000 // (1000 * ETHER + charged)
    assert _deltas(simulation) == {
        (ALICE, "native"): -ETHER,
        (ALICE, chain.marks.usdc): bought,
        (chain.marks.router, chain.marks.usdc): -bought,
        (chain.marks.router, chain.marks.weth): ETHER,
        (chain.marks.weth, "native"): ETHER,
    }


@ON_EVERY_CHAIN
@pytest.mark.parametrize(
    ("minimum", "value_wei", "complaint"),
    [
        (2_600_000_000, ETHER, "Too little received"),
        (0, ETHER - 1, "Value is not amountIn"),
        (0, 0, "ERC20: transfer amount exceeds allowance"),
    ],
)
def test_a_failed_swap_has_a_reason(
    chain: Chain, minimum: int, value_wei: int, complaint: str
) -> None:
    order = (chain.marks.weth, chain.marks.usdc, 3000, ALICE, ETHER, minimum, 0)
    signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"

    simulation = chain.try_call(chain.marks.router, calldata("Router", signature, order), value_wei)

    assert (simulation.reason, simulation.detail) == (FailureReason.ERROR_STRING, complaint)


@ON_EVERY_CHAIN
def test_the_reverting_and_gas_burning_contracts_work(chain: Chain) -> None:
    with_error = chain.try_call(REVERTS_WITH_ERROR)
    with_reason = chain.try_call(REVERTS_WITH_REASON)
    burnt = chain.try_call(BURNS_GAS)

    assert (with_error.reason, with_error.detail) == (
        FailureReason.CUSTOM_ERROR,
        "0x4ef41257 VaultClosed(uint256)",
    )
    assert (with_reason.reason, with_reason.detail) == (
        FailureReason.ERROR_STRING,
        "vault is paused",
    )
    assert (burnt.status, burnt.reason) == (Status.FAILED, FailureReason.OUT_OF_GAS)


def test_gas_is_what_another_node_charges() -> None:
    # Receipts of anvil 1.7.1 (--hardfork osaka) holding the same genesis of chain 1.
    chain = Chain(1)
    signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"
    order = (chain.marks.weth, chain.marks.usdc, 3000, ALICE, ETHER, 0, 0)
    transfer = calldata("Usdc", "transfer(address,uint256)", BOB, 1_000_000)

    assert chain.try_call(BOB, value_wei=5).gas_used == 21_000
    assert chain.try_call(chain.marks.usdc, transfer).gas_used == 51_448
    assert chain.try_call(chain.marks.weth, calldata("Weth", "deposit()"), ETHER).gas_used == 44_979
    swap = chain.try_call(chain.marks.router, calldata("Router", signature, order), ETHER)
    assert swap.gas_used == 61_078


def test_there_is_no_example_of_an_unknown_chain() -> None:
    with pytest.raises(GenesisError, match="chain 5, "):
        example_genesis(5, {})


def test_a_contracts_address_cannot_be_funded() -> None:
    with pytest.raises(GenesisError, match="0xa0b8"):
        example_genesis(1, {LANDMARKS[1].usdc: 1})

from hypothesis import example, given
from hypothesis import strategies as st

from signer.core.ethereum.gas import floor_gas
from signer.core.ethereum.transaction import FeeMarketTransaction
from streams.simulators.gas import calldata_floor_gas, search_gas_limit


@given(st.binary(max_size=2_000))
def test_the_floor_agrees_with_the_signers(data: bytes) -> None:
    transaction = FeeMarketTransaction(
        chain_id=1,
        nonce=0,
        max_priority_fee_per_gas_wei=0,
        max_fee_per_gas_wei=0,
        gas_limit=0,
        to=bytes(20),
        value_wei=0,
        data=data,
    )

    assert calldata_floor_gas(data) == floor_gas(transaction)


@given(
    spent=st.integers(21_000, 10**7),
    missing=st.integers(0, 10**7),
    spare=st.integers(0, 10**7),
)
@example(spent=21_000, missing=0, spare=0)
@example(spent=21_000, missing=1, spare=0)
def test_the_limit_found_works_and_is_at_most_1_5_percent_too_high(
    spent: int, missing: int, spare: int
) -> None:
    smallest = spent + missing

    found = search_gas_limit(lambda gas_limit: gas_limit >= smallest, spent, smallest + spare)

    assert smallest <= found <= smallest + spare
    assert (found - smallest) * 1000 <= found * 15


@given(spent=st.integers(21_000, 2**24), smallest=st.integers(21_000, 2**24))
def test_the_search_takes_few_runs(spent: int, smallest: int) -> None:
    runs: list[int] = []

    def works(gas_limit: int) -> bool:
        runs.append(gas_limit)
        return gas_limit >= smallest

    search_gas_limit(works, min(spent, smallest), 2**24)

    assert len(runs) <= 20


def test_a_transaction_that_needs_the_whole_limit_keeps_it() -> None:
    assert search_gas_limit(lambda gas_limit: gas_limit == 10**6, 21_000, 10**6) == 10**6

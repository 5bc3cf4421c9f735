"""Random programs on a reused machine, against a new machine for every run."""

from hypothesis import given
from hypothesis import strategies as st

from streams.simulators.execution import Machine
from streams.simulators.genesis import Genesis
from streams.simulators.simulation import Call
from tests.harness.builders.simulation import ALICE, BOB, CONTRACT, OTHER, call, call_to, genesis
from tests.harness.sizes import effort

THIRD = "0x" + "c2" * 20
CONTRACTS = (CONTRACT, OTHER, THIRD)
ADDRESSES = st.sampled_from([*CONTRACTS, BOB])
SLOTS = st.integers(0, 2)


def _sstore(slot: int, value: int) -> bytes:
    return bytes.fromhex(f"60{value:02x} 60{slot:02x} 55")


def _touch(opcode: str, address: str) -> bytes:
    return bytes.fromhex(f"73{address[2:]} {opcode} 50")


# Statements that leave the stack as it was. The gas that is left goes into storage and logs, so a
# slot or an address that is warm because an earlier run used it cannot hide.
STATEMENTS = st.one_of(
    st.builds(_sstore, SLOTS, SLOTS),
    SLOTS.map(lambda slot: bytes.fromhex(f"60{slot:02x} 54 50")),  # SLOAD
    SLOTS.map(lambda slot: bytes.fromhex(f"5a 60{slot:02x} 55")),  # SSTORE the gas left
    SLOTS.map(lambda slot: bytes.fromhex(f"6001 60{slot:02x} 5d")),  # TSTORE
    SLOTS.map(lambda slot: bytes.fromhex(f"60{slot:02x} 5c 5f 55")),  # SSTORE a TLOAD
    st.just(bytes.fromhex("5a 5f 52 6020 5f a0")),  # LOG0 the gas left
    st.just(bytes.fromhex("6160015f52 6002 601e 5f f0 50")),  # CREATE
    ADDRESSES.map(lambda address: _touch("31", address)),  # BALANCE
    ADDRESSES.map(lambda address: _touch("3f", address)),  # EXTCODEHASH
    st.builds(
        lambda address, gas, value: call_to(address, gas, value) + b"\x50",
        ADDRESSES,
        st.sampled_from(["5a", "61ffff", "612000"]),
        st.sampled_from([0, 0, 1, 200]),
    ),
)
ENDS = st.one_of(
    st.sampled_from([b"\x00", b"\x00", b"\x5f\x5f\xfd", b"\xfe"]),
    ADDRESSES.map(lambda address: bytes.fromhex(f"73{address[2:]} ff")),  # SELFDESTRUCT
)
PROGRAMS = st.builds(
    lambda statements, end: b"".join(statements) + end, st.lists(STATEMENTS, max_size=6), ENDS
)
CHAINS = st.lists(PROGRAMS, min_size=3, max_size=3).map(
    lambda codes: genesis(
        dict(zip(CONTRACTS, codes, strict=True)),
        storage={address: {0: 1, 1: 2} for address in CONTRACTS},
        balances_wei=dict.fromkeys(CONTRACTS, 100) | {ALICE: 10**20},
    )
)
CALLS = st.lists(
    st.one_of(
        st.builds(lambda to, value: call(to, value_wei=value), ADDRESSES, st.integers(0, 3)),
        PROGRAMS.map(lambda code: call(None, data=code)),
        st.just(call(BOB, value_wei=10**21)),
    ),
    min_size=2,
    max_size=6,
)


@effort(1)
@given(CHAINS, CALLS, st.sampled_from([30_000, 1_000_000]))
def test_a_used_machine_answers_like_a_new_one(
    start: Genesis, calls: list[Call], gas_limit: int
) -> None:
    used = Machine(start)

    for one in calls:
        assert used.run(one, gas_limit) == Machine(start).run(one, gas_limit)

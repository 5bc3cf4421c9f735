"""Chains, calls and hand-written byte code for simulators."""

from collections.abc import Mapping, Sequence
from typing import Any

from eth_abi.abi import encode

from streams.simulators.contracts import contracts
from streams.simulators.genesis import Genesis, parse_genesis
from streams.simulators.simulation import Call

ALICE = "0x" + "a1" * 20
BOB = "0x" + "b0" * 20
CONTRACT = "0x" + "c0" * 20
OTHER = "0x" + "c1" * 20
ETHER = 10**18

# The byte code is the source: opcodes, one line per statement.
LOOP_FOREVER = bytes.fromhex("5b5f56")  # JUMPDEST PUSH0 JUMP
STOP = bytes.fromhex("00")
TOUCH_2_GIB_OF_MEMORY = bytes.fromhex("60ff 637fffffff 53 00")  # MSTORE8 at the last byte
REVERT_EMPTY = bytes.fromhex("5f5ffd")
INVALID = bytes.fromhex("fe")
DEPLOY_STOP = bytes.fromhex("60015ff3")  # RETURN one zero byte: the code is STOP
# SSTORE(0, SLOAD(0) + 1), then LOG0 the new value
COUNT_AND_LOG = bytes.fromhex("5f54 6001 01 80 5f 55 5f 52 6020 5f a0 00")
# SSTORE(0, 0): clears a slot, which earns a refund when it held something
CLEAR_SLOT = bytes.fromhex("5f 5f 55 00")
# if GAS < 0x0186a0 (100,000) REVERT, else STOP
NEEDS_GAS_LEFT = bytes.fromhex("620186a0 5a 10 600a 57 00 5b 5f5ffd")


def call_to(address: str, gas: str = "5a", value: int = 0) -> bytes:
    """CALL(gas, address, value) with no data; leaves success (1 or 0) on the stack."""
    return bytes.fromhex(f"5f5f5f5f 60{value:02x} 73{address[2:]} {gas} f1")


def revert_with(data: bytes) -> bytes:
    """CODECOPY the data after the program, then REVERT with it."""
    program = bytes.fromhex(f"61{len(data):04x} 80 600a 5f 39 5f fd")
    assert len(program) == 0x0A
    return program + data


def genesis(
    codes: Mapping[str, bytes] | None = None,
    *,
    storage: Mapping[str, Mapping[int, int]] | None = None,
    balances_wei: Mapping[str, int] | None = None,
    gas_limit: int = 60_000_000,
    **others: Any,
) -> Genesis:
    """Build chain 1 with Alice's 100 ether and the given contracts."""
    alloc: dict[str, dict[str, Any]] = {ALICE: {"balance_wei": str(100 * ETHER)}}
    for address, code in (codes or {}).items():
        alloc.setdefault(address, {})["code"] = "0x" + code.hex()
    for address, balance_wei in (balances_wei or {}).items():
        alloc.setdefault(address, {})["balance_wei"] = str(balance_wei)
    for address, slots in (storage or {}).items():
        words = {f"0x{slot:064x}": f"0x{word:064x}" for slot, word in slots.items()}
        alloc.setdefault(address, {})["storage"] = words
    block = {
        "number": 7,
        "timestamp_s": 1_767_225_600,
        "base_fee_wei": "1000000000",
        "gas_limit": gas_limit,
    }
    return parse_genesis({"chain_id": 1, "block": block, "alloc": alloc, **others})


def call(to: str | None, **fields: Any) -> Call:
    """Build Alice's call on chain 1."""
    return Call(**{"account": "treasury", "chain_id": 1, "sender": ALICE, "to": to, **fields})


def calldata(contract: str, signature: str, *arguments: Any) -> bytes:
    """Encode a contract call with an independent ABI library."""
    inside = signature[signature.index("(") + 1 : -1]
    types = [inside] if inside.startswith("(") else _split(inside)
    selector = bytes.fromhex(contracts()[contract].methods[signature][2:])
    return selector + encode(types, arguments)


def _split(types: str) -> Sequence[str]:
    return types.split(",") if types else []

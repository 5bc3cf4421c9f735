"""Balance changes of one simulated transaction, from its logs and the balances after it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.fields import UINT256_MAX
from streams.simulators.simulation import NATIVE, BalanceChange

ZERO_ADDRESS = "0x" + "00" * 20
# keccak-256 of event signatures: Transfer of EIP-20, and Deposit and Withdrawal of WETH9.
_TRANSFER = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
_DEPOSIT = bytes.fromhex("e1fffcc4923d04b559f4d29a8bfc6cda04eb5b0d3c460751c2402c5c5cc9109c")
_WITHDRAWAL = bytes.fromhex("7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65")
_AMOUNT_BYTES = 32

Deltas = Counter[tuple[str, str]]
"""(address, asset) → signed change in base units."""


@dataclass(frozen=True, slots=True)
class Log:
    """One event: the emitting contract (lower-case hex), its topics and its data."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes


def balance_changes(
    logs: Iterable[Log],
    wrapped_native: str | None,
    before_wei: Mapping[str, int],
    after_wei: Mapping[str, int],
) -> tuple[BalanceChange, ...]:
    """Add up all changes, sorted by address and asset, without zeros.

    Token changes come from the token's own logs, so a dishonest token can lie about itself but not
    about other assets. Sums that no honest token can reach are capped at 2^256 - 1. An address that
    `before_wei` lacks had a balance of 0.
    """
    deltas: Deltas = Counter()
    for log in logs:
        _add_log(deltas, log, wrapped_native)
    for address, balance_wei in after_wei.items():
        deltas[address, NATIVE] += balance_wei - before_wei.get(address, 0)
    return tuple(
        BalanceChange(
            address=address,
            asset=asset,
            delta_base_units=max(-UINT256_MAX, min(delta, UINT256_MAX)),
        )
        for (address, asset), delta in sorted(deltas.items())
        if delta
    )


def _add_log(deltas: Deltas, log: Log, wrapped_native: str | None) -> None:
    if len(log.data) != _AMOUNT_BYTES:
        return  # an ERC-721 Transfer has four topics and no data
    match log.topics:
        case (signature, sender, recipient) if signature == _TRANSFER:
            _move(deltas, log, sender, recipient)
        case (signature, holder) if log.address == wrapped_native and signature == _DEPOSIT:
            _move(deltas, log, bytes(32), holder)
        case (signature, holder) if log.address == wrapped_native and signature == _WITHDRAWAL:
            _move(deltas, log, holder, bytes(32))
        case _:
            return


def _move(deltas: Deltas, log: Log, sender: bytes, recipient: bytes) -> None:
    """Add one transfer; the zero address has no balance: it means minting or burning."""
    amount = int.from_bytes(log.data)
    for topic, sign in ((sender, -1), (recipient, 1)):
        address = "0x" + topic[12:].hex()
        if address != ZERO_ADDRESS:
            deltas[address, log.address] += sign * amount

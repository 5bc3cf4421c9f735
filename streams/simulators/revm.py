"""Simulator on a local genesis with pyrevm.

The rules are Cancun's and EIP-7623's. Changes of later forks (the precompiles for BLS12-381 and
P-256, CLZ, MODEXP prices) are missing, and so is the data fee that a rollup adds to gas.
"""

from streams.simulators.balances import balance_changes
from streams.simulators.execution import Execution, Machine
from streams.simulators.gas import TRANSACTION_GAS, calldata_floor_gas, search_gas_limit
from streams.simulators.genesis import Genesis, GenesisAccount
from streams.simulators.simulation import (
    NATIVE,
    TRANSACTION_GAS_MAX,
    BalanceChange,
    Call,
    FailureReason,
    Simulation,
    Status,
    WrongChainError,
)
from streams.simulators.state_after import genesis_after

BALANCES_COUNT_MAX = 64
BALANCE_GAS_MAX = 100_000
_BALANCE_OF = bytes.fromhex("70a08231")  # balanceOf(address), of EIP-20
_WORD = 32


class Revm:
    """The simulator of one chain. Simulations see the genesis, and each other only if they ask.

    `gas_run` grows with every run. The EVM keeps every address and slot that was ever accessed (at
    most one per 2,100 gas), so a long-lived owner must replace it in time.
    """

    def __init__(self, genesis: Genesis) -> None:
        self.gas_run = 0
        self._genesis = genesis
        self._machine = Machine(genesis)
        self._balances_wei = {
            address: account.balance_wei for address, account in genesis.alloc.items()
        }

    def simulate(self, call: Call) -> Simulation:
        """Simulate one transaction, after those that it names, on a state of their own.

        Raises WrongChainError: a call is for another chain.
        """
        for one in (call, *call.after):
            if one.chain_id != self._genesis.chain_id:
                raise WrongChainError(
                    f"This simulator has chain {self._genesis.chain_id}, "
                    f"but the call is for chain {one.chain_id}."
                )
        if not call.after:
            return self._simulate(call)
        # Each earlier call gets an EVM that ends with this one, so their gas does not wear it.
        simulator = self
        for earlier in call.after:
            simulator = Revm(simulator._genesis_after(earlier))
        return simulator._simulate(call)

    def _simulate(self, call: Call) -> Simulation:
        """Simulate one transaction.

        1. The sender must hold the value, and the fee for the transaction's own gas limit.
        2. Run it with that limit, or with the largest limit of a transaction.
        3. If it succeeds and has no limit, find a limit with the same effects.
        4. The sender must hold the value and the fee for that limit.
        """
        # 1.
        if (shortage := self._shortage(call, call.gas_limit or 0)) is not None:
            return self._answer(call, shortage)
        # 2.
        gas_limit = self._gas_limit(call)
        execution = self._run(call, gas_limit)
        if execution.status is not Status.SUCCEEDED:
            return self._answer(call, execution)
        # 3.
        if call.gas_limit is None:
            gas_limit = self._search(call, execution, gas_limit)
        # 4.
        if (shortage := self._shortage(call, gas_limit)) is not None:
            return self._answer(call, shortage)
        return self._answer(call, execution, gas_limit)

    def _genesis_after(self, call: Call) -> Genesis:
        """Return the state after one transaction; one that does not succeed only uses its nonce."""
        if self._shortage(call, call.gas_limit or 0) is not None:
            return self._genesis  # no block would include it
        execution = self._run(call, self._gas_limit(call), with_changed=True)
        if execution.gas_used == 0:
            return self._genesis
        sender = self._genesis.alloc.get(call.sender, GenesisAccount())
        return genesis_after(self._genesis, call.sender, sender.nonce + 1, execution.changed)

    def _gas_limit(self, call: Call) -> int:
        most = min(TRANSACTION_GAS_MAX, self._genesis.block.gas_limit)
        return most if call.gas_limit is None else call.gas_limit

    def _run(self, call: Call, gas_limit: int, *, with_changed: bool = False) -> Execution:
        floor = calldata_floor_gas(call.data)
        if gas_limit < floor:
            detail = f"the gas limit is {gas_limit} and the calldata alone needs {floor}"
            return Execution(Status.FAILED, FailureReason.INTRINSIC_GAS, detail)
        execution = self._machine.run(call, gas_limit, with_changed=with_changed)
        self.gas_run += max(execution.gas_used, TRANSACTION_GAS)
        return execution

    def _search(self, call: Call, first: Execution, high: int) -> int:
        """Find a limit with the same effects as the first run.

        Success alone is not enough: a contract can ignore that an inner call ran out of gas.
        """
        spent = first.gas_used + first.gas_refunded
        return search_gas_limit(
            lambda gas_limit: self._run(call, gas_limit).same_effects(first),
            max(spent, calldata_floor_gas(call.data)),
            high,
        )

    def _shortage(self, call: Call, gas_limit: int) -> Execution | None:
        """Return a failure unless the sender holds value and fee: no block would include it."""
        held_wei = self._balances_wei.get(call.sender, 0)
        needed_wei = call.value_wei + gas_limit * call.max_fee_per_gas_wei
        if held_wei >= needed_wei:
            return None
        detail = f"the sender holds {held_wei} wei and needs {needed_wei} for value and fee"
        return Execution(Status.FAILED, FailureReason.INSUFFICIENT_FUNDS, detail)

    def _answer(self, call: Call, execution: Execution, gas_limit: int | None = None) -> Simulation:
        block = self._genesis.block
        executed = execution.gas_used > 0
        changes = balance_changes(
            execution.logs,
            self._genesis.wrapped_native,
            self._balances_wei,
            execution.balances_wei,
        )
        return Simulation(
            chain_id=call.chain_id,
            status=execution.status,
            reason=execution.reason,
            detail=execution.detail,
            gas_used=max(execution.gas_used, calldata_floor_gas(call.data)) if executed else 0,
            gas_limit=gas_limit,
            balance_changes=self._with_balances(changes) if call.with_balances else changes,
            created=execution.created,
            block_number=block.number,
            block_timestamp_s=block.timestamp_s,
            base_fee_wei=block.base_fee_wei,
        )

    def _with_balances(self, changes: tuple[BalanceChange, ...]) -> tuple[BalanceChange, ...]:
        return (
            tuple(
                change.model_copy(update={"before_base_units": self._balance(change)})
                for change in changes[:BALANCES_COUNT_MAX]
            )
            + changes[BALANCES_COUNT_MAX:]
        )

    def _balance(self, change: BalanceChange) -> int | None:
        """Return a balance before the transaction, as the token itself states it."""
        if change.asset == NATIVE:
            return self._balances_wei.get(change.address, 0)
        data = _BALANCE_OF + bytes(12) + bytes.fromhex(change.address[2:])
        answer = self._machine.view(change.asset, data, BALANCE_GAS_MAX)
        self.gas_run += BALANCE_GAS_MAX
        return int.from_bytes(answer) if answer is not None and len(answer) == _WORD else None

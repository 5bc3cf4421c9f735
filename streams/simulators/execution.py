"""Runs one transaction in pyrevm and translates the result.

Observed behaviour of pyrevm 0.3.7:

- `message_call` and `deploy` change the state. So every run is between a snapshot and its revert,
  which also makes addresses and slots cold again.
- `gas_used` includes the intrinsic 21,000 and calldata, minus refunds.
- A revert, a halt and a refusal before execution all raise RuntimeError; only after a refusal
  `result` is None. Revert data are only in the exception's text.
- No fee is charged, and GASPRICE and BASEFEE read 0.
- The rules are Cancun's: an unknown name in `spec_id` silently means the newest rules.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pyrevm import EVM, AccountInfo, BlockEnv, CfgEnv, Env, ExecutionResult

from streams.simulators.balances import ZERO_ADDRESS, Log
from streams.simulators.contracts import known_errors
from streams.simulators.genesis import Genesis, GenesisAccount
from streams.simulators.reverts import decode_revert
from streams.simulators.simulation import Call, FailureReason, Status
from streams.simulators.state_after import changed_accounts

_REFUSALS = {
    "LackOfFundForMaxFee": FailureReason.INSUFFICIENT_FUNDS,
    "CallGasCostMoreThanGasLimit": FailureReason.INTRINSIC_GAS,
    "CallerGasLimitMoreThanBlock": FailureReason.GAS_LIMIT_ABOVE_BLOCK,
    "RejectCallerWithCode": FailureReason.SENDER_HAS_CODE,
}
_HALTS = {
    "OutOfGas": FailureReason.OUT_OF_GAS,
    "OutOfFunds": FailureReason.INSUFFICIENT_FUNDS,
    "OpcodeNotFound": FailureReason.INVALID_OPCODE,
    "InvalidFEOpcode": FailureReason.INVALID_OPCODE,
}
_REFUSAL_NAME = re.compile(r"Transaction\((\w+)")
_REVERT_DATA = re.compile(r"output: 0x([0-9a-f]*)")


@dataclass(frozen=True, slots=True)
class Execution:
    """The result of one run; `balances_wei` has the addresses that the run accessed.

    `changed` has them as accounts, if they were asked for.
    """

    status: Status
    reason: FailureReason | None = None
    detail: str = ""
    gas_used: int = 0
    gas_refunded: int = 0
    logs: tuple[Log, ...] = ()
    balances_wei: Mapping[str, int] = field(default_factory=dict)
    created: str | None = None
    changed: Mapping[str, GenesisAccount] = field(default_factory=dict)

    def same_effects(self, other: "Execution") -> bool:
        """Return whether two runs had the same effects, apart from gas."""
        mine = (self.status, self.logs, self.balances_wei, self.created)
        return mine == (other.status, other.logs, other.balances_wei, other.created)


class Machine:
    """An EVM with one genesis, to which every run returns."""

    def __init__(self, genesis: Genesis) -> None:
        self._evm = _load(genesis)
        self._alloc = genesis.alloc

    def run(self, call: Call, gas_limit: int, *, with_changed: bool = False) -> Execution:
        """Execute `call` with `gas_limit` and revert its changes.

        Errors of pyrevm other than RuntimeError (a Rust panic, a failed allocation) are not caught
        and lose the machine's state: discard the machine.
        """
        created, message = None, ""
        checkpoint = self._evm.snapshot()
        try:
            created = self._execute(call, gas_limit)
        except RuntimeError as error:
            message = str(error)
        result = self._evm.result
        if result is None:
            execution = _refused(message)
        elif result.is_halt:
            execution = _halted(result)
        elif not result.is_success:
            execution = _reverted(result, message)
        else:
            execution = self._succeeded(result, created)
            if with_changed:
                changed = changed_accounts(self._evm, self._alloc)
                execution = replace(execution, changed=changed)
        self._evm.revert(checkpoint)
        return execution

    def view(self, to: str, data: bytes, gas_limit: int) -> bytes | None:
        """Return what a contract answers to a call that changes nothing, or None if it fails."""
        checkpoint = self._evm.snapshot()
        try:
            return self._evm.message_call(
                ZERO_ADDRESS, to, calldata=data, gas=gas_limit, is_static=True
            )
        except RuntimeError:
            return None
        finally:
            self._evm.revert(checkpoint)

    def _execute(self, call: Call, gas_limit: int) -> str | None:
        if call.to is None:
            return self._evm.deploy(call.sender, call.data, value=call.value_wei, gas=gas_limit)
        self._evm.message_call(
            call.sender, call.to, calldata=call.data, value=call.value_wei, gas=gas_limit
        )
        return None

    def _succeeded(self, result: ExecutionResult, created: str | None) -> Execution:
        return Execution(
            status=Status.SUCCEEDED,
            gas_used=result.gas_used,
            gas_refunded=result.gas_refunded,
            logs=tuple(
                Log(log.address.lower(), tuple(log.data[0]), log.data[1]) for log in result.logs
            ),
            balances_wei={
                address.lower(): info.balance for address, info in self._evm.journal_state.items()
            },
            created=created,
        )


def _refused(message: str) -> Execution:
    name = _found(_REFUSAL_NAME, message)
    return Execution(Status.FAILED, _REFUSALS.get(name, FailureReason.TRANSACTION_INVALID), name)


def _halted(result: ExecutionResult) -> Execution:
    reason = _HALTS.get(result.reason.partition("(")[0], FailureReason.HALTED)
    return Execution(Status.FAILED, reason, result.reason, result.gas_used)


def _reverted(result: ExecutionResult, message: str) -> Execution:
    output = bytes.fromhex(_found(_REVERT_DATA, message))
    return Execution(Status.REVERTED, *decode_revert(output, known_errors()), result.gas_used)


def _found(pattern: re.Pattern[str], message: str) -> str:
    found = pattern.search(message)
    return found[1] if found else ""


def _load(genesis: Genesis) -> EVM:
    block = BlockEnv(
        number=genesis.block.number,
        timestamp=genesis.block.timestamp_s,
        basefee=genesis.block.base_fee_wei,
        gas_limit=genesis.block.gas_limit,
    )
    env = Env(cfg=CfgEnv(chain_id=genesis.chain_id), block=block)
    evm = EVM(env=env, gas_limit=genesis.block.gas_limit, spec_id="CANCUN")
    for address, account in genesis.alloc.items():
        # Not set_balance: it loads the account, which would be warm in every simulation.
        info = AccountInfo(  # type: ignore[call-arg]  # pyrevm's stub lacks balance
            balance=account.balance_wei, nonce=account.nonce, code=account.byte_code()
        )
        evm.insert_account_info(address, info)
        for slot, word in account.storage.items():
            _store(evm, address, int(slot, 16), int(word, 16))
    return evm


def _store(evm: EVM, address: str, slot: int, word: int) -> None:
    """Write one storage slot into the state below the journal.

    insert_account_storage does so only while the account is not loaded, and then loads it. Without
    the revert the account stays warm, and its next slot would look like a transaction's change.
    """
    checkpoint = evm.snapshot()
    evm.insert_account_storage(address, slot, word)
    evm.revert(checkpoint)

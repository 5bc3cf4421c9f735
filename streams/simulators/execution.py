"""Run one transaction in pyrevm and say what happened, in our terms.

What pyrevm 0.3.7 does, as seen: `message_call` and `deploy` change the state (so every run stands
between a snapshot and its revert, after which addresses and slots are cold again); `gas_used`
includes the intrinsic 21,000 and calldata, with refunds taken off; a revert, a halt and a refusal
before execution are all RuntimeError, told apart by `result`, which only a refusal leaves None;
revert data are only in the exception's text. No fee is charged, and GASPRICE and BASEFEE read 0.
The rules are Cancun's: an unknown name in `spec_id` is silently taken for the newest.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pyrevm import EVM, AccountInfo, BlockEnv, CfgEnv, Env, ExecutionResult

from streams.simulators.balances import Log
from streams.simulators.contracts import known_errors
from streams.simulators.genesis import Genesis
from streams.simulators.reverts import decode_revert
from streams.simulators.simulation import Call, Reason, Status

_REFUSALS = {
    "LackOfFundForMaxFee": Reason.INSUFFICIENT_FUNDS,
    "CallGasCostMoreThanGasLimit": Reason.INTRINSIC_GAS,
    "CallerGasLimitMoreThanBlock": Reason.GAS_LIMIT_ABOVE_BLOCK,
    "RejectCallerWithCode": Reason.SENDER_HAS_CODE,
}
_HALTS = {
    "OutOfGas": Reason.OUT_OF_GAS,
    "OutOfFunds": Reason.INSUFFICIENT_FUNDS,
    "OpcodeNotFound": Reason.INVALID_OPCODE,
    "InvalidFEOpcode": Reason.INVALID_OPCODE,
}
_REFUSAL_NAME = re.compile(r"Transaction\((\w+)")
_REVERT_DATA = re.compile(r"output: 0x([0-9a-f]*)")


@dataclass(frozen=True, slots=True)
class Execution:
    """What one run did. A `balances_wei` entry is an address that the run looked at."""

    status: Status
    reason: Reason | None = None
    detail: str = ""
    gas_used: int = 0
    gas_refunded: int = 0
    logs: tuple[Log, ...] = ()
    balances_wei: Mapping[str, int] = field(default_factory=dict)
    created: str | None = None

    def same_effects(self, other: "Execution") -> bool:
        """Tell whether two runs did the same, whatever gas they took."""
        mine = (self.status, self.logs, self.balances_wei, self.created)
        return mine == (other.status, other.logs, other.balances_wei, other.created)


class Machine:
    """An EVM that holds one genesis and always returns to it."""

    def __init__(self, genesis: Genesis) -> None:
        self._evm = _load(genesis)

    def run(self, call: Call, gas_limit: int) -> Execution:
        """Execute `call` with `gas_limit` and undo it.

        Whatever pyrevm raises beyond RuntimeError (a Rust panic, a failed allocation) passes
        through and leaves this machine without its state: drop it.
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
        self._evm.revert(checkpoint)
        return execution

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
    return Execution(Status.FAILED, _REFUSALS.get(name, Reason.TRANSACTION_INVALID), name)


def _halted(result: ExecutionResult) -> Execution:
    reason = _HALTS.get(result.reason.partition("(")[0], Reason.HALTED)
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
        # Not set_balance: it loads the account, and every simulation would find it warm.
        info = AccountInfo(  # type: ignore[call-arg]  # pyrevm's stub forgets balance
            balance=account.balance_wei, nonce=account.nonce, code=account.byte_code()
        )
        evm.insert_account_info(address, info)
        for slot, word in account.storage.items():
            _store(evm, address, int(slot, 16), int(word, 16))
    return evm


def _store(evm: EVM, address: str, slot: int, word: int) -> None:
    """Write one storage slot into the state that lies under the journal.

    insert_account_storage writes there only while the account is not loaded, and loads it: without
    the revert the account stays warm, and its next slot looks changed by a running transaction.
    """
    checkpoint = evm.snapshot()
    evm.insert_account_storage(address, slot, word)
    evm.revert(checkpoint)

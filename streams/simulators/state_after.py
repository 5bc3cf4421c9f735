"""The state after one transaction, as a genesis for the next one.

pyrevm's ``commit`` would keep accounts and slots warm and refunds relative to the words before, so
the next transaction would seem to need less gas than it does. A new EVM on a changed genesis has
neither problem. Which slots changed is only in the text of pyrevm's journal, which consists of
names and numbers: nothing in it is text of a contract.
"""

import re
from collections import defaultdict
from collections.abc import Mapping

from pyrevm import EVM, AccountInfo

from signer.core.ethereum.keccak import keccak256
from streams.simulators.genesis import Genesis, GenesisAccount
from streams.simulators.simulation import SimulatorError

_CHANGED_SLOT = re.compile(
    r"StorageChange \{ address: (0x[0-9a-f]{40}), key: ([0-9]+), had_value: Some"
)
_DESTROYED = re.compile(r"AccountDestroyed \{ address: (0x[0-9a-f]{40})")
_PADDING_BYTES = 33  # of analysed code: so many zeros after it
Accounts = Mapping[str, GenesisAccount]


def changed_accounts(evm: EVM, alloc: Accounts) -> dict[str, GenesisAccount]:
    """Return the accounts that a transaction accessed, as they are before it is reverted."""
    journal = evm.journal_str
    slots: dict[str, dict[str, str]] = defaultdict(dict)
    for address, key in _CHANGED_SLOT.findall(journal):
        slots[address][f"0x{int(key):064x}"] = f"0x{evm.storage(address, int(key)):064x}"
    changed = {
        address.lower(): _account(info, alloc.get(address.lower()), slots[address.lower()])
        for address, info in evm.journal_state.items()
    }
    # Since EIP-6780 only a contract of the same transaction ends, and with it everything it stored.
    return changed | dict.fromkeys(_DESTROYED.findall(journal), GenesisAccount())


def genesis_after(genesis: Genesis, sender: str, nonce: int, changed: Accounts) -> Genesis:
    """Return the genesis of the next transaction; ``nonce`` is the sender's next one."""
    alloc = {**genesis.alloc, **changed}
    account = alloc.get(sender, GenesisAccount())
    alloc[sender] = account.model_copy(update={"nonce": nonce})
    return genesis.model_copy(update={"alloc": alloc})


def _account(
    info: AccountInfo, before: GenesisAccount | None, slots: Mapping[str, str]
) -> GenesisAccount:
    had_code = before is not None and before.code != "0x"
    return GenesisAccount(
        balance_wei=str(info.balance),  # type: ignore[arg-type]  # as in a file
        nonce=info.nonce,
        code=before.code if before is not None and had_code else f"0x{_code(info).hex()}",
        storage={**(before.storage if before else {}), **slots},
    )


def _code(info: AccountInfo) -> bytes:
    """Return an account's code without the padding that pyrevm gives."""
    code = info.code or b""
    for found in (code, code[:-_PADDING_BYTES], b""):
        if keccak256(found) == info.code_hash:
            return found
    raise SimulatorError("pyrevm gave code that does not match its hash: was it updated?")

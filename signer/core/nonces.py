"""Used nonces of an account's addresses, by transactions and authorizations. Pure."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Final, NamedTuple, TypeVar

from schemas.intents.outcome import MessageSigned, TransactionSigned

ANY_CHAIN: Final = 0
Value = TypeVar("Value")


class AccountNonces(NamedTuple):
    """Used nonces by ``address@chain``: the highest, and those of authorizations above a free one.

    ``ahead`` is ascending. For chain 0 it has all nonces: an authorization for every chain uses its
    nonce on each chain and leaves lower ones free. Source: EIP-7702.
    """

    highest: dict[str, int]
    ahead: dict[str, tuple[int, ...]]

    def next_free(self, sender: str, chain_id: int, least: int = 0) -> int:
        """Return the lowest free nonce above the highest used one, at least ``least``.

        For chain 0 it is free on every chain and above the highest of each.
        """
        nonce = max(self._above(sender, chain_id), least)
        used = frozenset(chain(*_applicable(self.ahead, sender, chain_id))) if self.ahead else ()
        while nonce in used:
            nonce += 1
        return nonce

    def after(self, signed: TransactionSigned | MessageSigned) -> "AccountNonces":
        """Return the nonces after a signed transaction or message; most messages use none."""
        nonce = signed.nonce
        if nonce is None:
            return self
        key = nonce_key(signed.sender, signed.chain_id)
        held = self.ahead.get(key, ())
        if isinstance(signed, MessageSigned) and nonce != self._in_order(signed):
            return self._replace(ahead={**self.ahead, key: tuple(sorted((*held, nonce)))})
        left = tuple(one for one in held if one > nonce)
        others = {name: ones for name, ones in self.ahead.items() if name != key}
        return AccountNonces({**self.highest, key: nonce}, others | ({key: left} if left else {}))

    def _above(self, sender: str, chain_id: int) -> int:
        if chain_id == ANY_CHAIN:
            return 1 + max(_applicable(self.highest, sender, chain_id), default=-1)
        return 1 + self.highest.get(nonce_key(sender, chain_id), -1)

    def _in_order(self, signed: MessageSigned) -> int | None:
        if signed.chain_id == ANY_CHAIN:
            return None
        return self.next_free(signed.sender, signed.chain_id)


def nonce_key(sender: str, chain_id: int) -> str:
    """Name a sequence of nonces."""
    return f"{sender}@{chain_id}"


def _applicable(table: Mapping[str, Value], sender: str, chain_id: int) -> Iterator[Value]:
    """Yield the entries that apply to a chain: its own and chain 0's; for chain 0 all."""
    if chain_id == ANY_CHAIN:
        return (value for key, value in table.items() if key.startswith(f"{sender}@"))
    keys = (nonce_key(sender, chain_id), nonce_key(sender, ANY_CHAIN))
    return (table[key] for key in keys if key in table)

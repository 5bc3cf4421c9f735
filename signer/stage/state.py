"""State records of the signer, authenticated with a MAC over key and body."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, NoReturn, Protocol, TypeVar

from pydantic import Field

from schemas.canonical import Canonical, MalformedError
from schemas.fields import Count, Digest, Ordinal, TimeMs

MAC_BYTES = 32
RESTORE = "restore the signer's state from a good copy"
_NO_KEY = b"\xff\xff\xff\xff"  # no key is that long: separates these inputs from those of MACs
Kind = Literal["head", "live", "slot", "shares"]
Decoded = TypeVar("Decoded", bound=Canonical)


class StateKey(NamedTuple):
    """The key of a state record; records of the slot itself have no account."""

    account: str
    kind: Kind
    key: str


@dataclass(frozen=True, slots=True)
class StateWrite:
    """One record with its MAC to store, or to remove if ``value`` is None.

    ``pending`` and ``forget_at_ms`` are unauthenticated hints for finding records.
    """

    key: StateKey
    value: bytes | None
    pending: bool = False
    forget_at_ms: int | None = None


class SlotState(Canonical):
    """The slot record: its positions, the records it has seen, and its latest time.

    ``key_count`` counts the events of ``vault`` and ``key_digest`` commits to them; records of
    older program versions have no digest. ``share_version`` is that of the current share key.
    """

    v: Literal[1] = 1
    type: Literal["slot.state"] = "slot.state"
    positions: dict[str, Count] = Field(default_factory=dict)
    registry_sequence: Count = 0
    key_count: Count = 0
    key_digest: Digest | None = None
    share_version: Ordinal | None = None
    last_ms: TimeMs = 0


class StateStore(Protocol):
    """Storage of records with their MACs; reads see every committed write of this process."""

    def get(self, key: StateKey) -> bytes | None:
        """Return the record at a key."""
        ...

    def live_of(self, account: str) -> Iterable[tuple[StateKey, bytes]]:
        """Return all live records of an account."""
        ...

    def pending_accounts(self) -> list[str]:
        """Return the accounts with an outcome that may not be published yet."""
        ...

    def forgettable(self, account: str, now_ms: int, count_max: int) -> list[StateKey]:
        """Return live records of an account whose ``forget_at_ms`` has passed."""
        ...


class StateIntegrityError(Exception):
    """A state record is not what this signer last wrote; the process must halt."""


class StateRollbackError(StateIntegrityError):
    """The state is older than an outcome, a registry record or an input that it has seen."""


@dataclass(frozen=True, slots=True)
class StateMac:
    """Authenticates records with HMAC-SHA256 over key and body, under a key of the signer."""

    key: bytes

    def __repr__(self) -> str:
        return "StateMac(<key>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A StateMac cannot be copied or pickled: it holds a secret key.")

    def protect(self, state_key: StateKey, body: bytes) -> bytes:
        """Return MAC || body."""
        return self._mac(state_key, body) + body

    def verify(self, state_key: StateKey, protected: bytes) -> bytes:
        """Return the body; raise ``StateIntegrityError`` if the MAC is wrong for this key."""
        mac, body = protected[:MAC_BYTES], protected[MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(state_key, body)):
            raise StateIntegrityError(
                f"{_name(state_key)} was changed by another program: {RESTORE}"
            )
        return body

    def decode(self, state_key: StateKey, protected: bytes, model: type[Decoded]) -> Decoded:
        """Return a record's content.

        Raises ``StateIntegrityError``, also for a record of another program version.
        """
        try:
            return model.decode(self.verify(state_key, protected))
        except MalformedError as error:
            raise StateIntegrityError(
                f"{_name(state_key)} is of another version of this program ({error}): run "
                "the version that wrote it"
            ) from None

    def element(self, protected: bytes) -> int:
        """Return the secret number of a protected record in its account's set digest."""
        return int.from_bytes(self._secret(b"element", protected[:MAC_BYTES]), "big")

    def set_digest(self, total: int) -> str:
        """Return the keyed digest of the sum of a set's elements, for an account record."""
        total_bytes = (total % (1 << 8 * MAC_BYTES)).to_bytes(MAC_BYTES, "big")
        return f"0x{self._secret(b'set', total_bytes).hex()}"

    def _secret(self, what: bytes, of: bytes) -> bytes:
        return hmac.digest(self.key, _NO_KEY + what + b"\x00" + of, hashlib.sha256)

    def _mac(self, state_key: StateKey, body: bytes) -> bytes:
        name = "\x00".join(state_key).encode()
        message = len(name).to_bytes(4, "big") + name + body
        return hmac.digest(self.key, message, hashlib.sha256)


def _name(state_key: StateKey) -> str:
    return f"the signer's {state_key.kind} record of {state_key.account or 'slot ' + state_key.key}"

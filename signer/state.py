"""The signer's own records: sealed with a MAC, so that nobody else can write or mix them."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, NoReturn, Protocol, TypeVar

from pydantic import Field

from schemas.canonical import Canonical, Malformed
from schemas.fields import Count, Digest, Ordinal, TimeMs

MAC_BYTES = 32
RESTORE = "restore the signer's state from a good copy"
_NO_PLACE = b"\xff\xff\xff\xff"  # longer than any place: keeps these apart from the MACs
Kind = Literal["head", "live", "slot", "shares"]
Decoded = TypeVar("Decoded", bound=Canonical)


class StateKey(NamedTuple):
    """Where a record of the state stands; a slot's own records have no account."""

    account: str
    kind: Kind
    key: str


@dataclass(frozen=True, slots=True)
class StateWrite:
    """One sealed record to be stored, or removed where ``value`` is None.

    ``pending`` and ``forget_at_ms`` are hints for finding records; the sealed value decides.
    """

    key: StateKey
    value: bytes | None
    pending: bool = False
    forget_at_ms: int | None = None


class SlotState(Canonical):
    """How far one slot has read, which records and answers it has seen, and its latest time.

    ``key_count`` is how many events of the vault there were, ``key_digest`` names them all; it is
    absent from the records of versions that only counted. ``share_version`` is the current share
    key's, where there is one.
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
    """Where sealed records lie; reads see every committed write of this process."""

    def get(self, key: StateKey) -> bytes | None:
        """Return the record at a key."""
        ...

    def live_of(self, account: str) -> Iterable[tuple[StateKey, bytes]]:
        """Return all live records of an account."""
        ...

    def pending_accounts(self) -> list[str]:
        """Return the accounts that have an outcome which may not be published yet."""
        ...

    def forgettable(self, account: str, now_ms: int, count_max: int) -> list[StateKey]:
        """Return live records of an account whose ``forget_at_ms`` has passed."""
        ...


class StateDamaged(Exception):  # noqa: N818 - a failed proof, named for what was found
    """A record of the state is not what this signer last wrote; the process must halt."""


class StateRolledBack(StateDamaged):
    """The state is older than an outcome, a registry record or an input that it gave or read."""


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals records under a key that only the signer has: HMAC-SHA256 over place and body."""

    key: bytes

    def __repr__(self) -> str:
        return "Sealer(<key>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Sealer cannot be copied or pickled: its key stays where it is.")

    def seal(self, place: StateKey, body: bytes) -> bytes:
        """Return MAC || body."""
        return self._mac(place, body) + body

    def open(self, place: StateKey, sealed: bytes) -> bytes:
        """Return the body; raise ``StateDamaged`` where the MAC is another's or misplaced."""
        mac, body = sealed[:MAC_BYTES], sealed[MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(place, body)):
            raise StateDamaged(f"{_name(place)} was changed by somebody else: {RESTORE}")
        return body

    def decode(self, place: StateKey, sealed: bytes, model: type[Decoded]) -> Decoded:
        """Return a record's content; raise ``StateDamaged`` unless it is this version's own."""
        try:
            return model.decode(self.open(place, sealed))
        except Malformed as error:
            raise StateDamaged(
                f"{_name(place)} is of another version of this program ({error}): run "
                "the version that wrote it"
            ) from None

    def element(self, sealed: bytes) -> int:
        """Return a sealed record's secret number, its share in the sum of its account's set."""
        return int.from_bytes(self._secret(b"element", sealed[:MAC_BYTES]), "big")

    def set_digest(self, total: int) -> str:
        """Return what a head may show of the sum of a set's elements."""
        total_bytes = (total % (1 << 8 * MAC_BYTES)).to_bytes(MAC_BYTES, "big")
        return f"0x{self._secret(b'set', total_bytes).hex()}"

    def _secret(self, what: bytes, of: bytes) -> bytes:
        return hmac.digest(self.key, _NO_PLACE + what + b"\x00" + of, hashlib.sha256)

    def _mac(self, place: StateKey, body: bytes) -> bytes:
        name = "\x00".join(place).encode()
        message = len(name).to_bytes(4, "big") + name + body
        return hmac.digest(self.key, message, hashlib.sha256)


def _name(place: StateKey) -> str:
    return f"the signer's {place.kind} record of {place.account or 'slot ' + place.key}"

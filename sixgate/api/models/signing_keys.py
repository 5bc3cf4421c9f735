"""Requests and replies of the routes of signing keys and treasury wallets."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.registry.key_chains import KeyChain
from sixgate.api.models.base import Reply, Request

# JSON has no enumerations: their strict type is text.
ChainName = Annotated[KeyChain, Field(strict=False)]


class NewKeyRequest(Request):
    """The chain of a new key; all EVM networks use ``ethereum``."""

    chain: ChainName


class KeyReply(Reply):
    """A signing key. ``public_key`` is the uncompressed point (0x04…) on secp256k1.

    ``public_key_hex`` repeats it. ``id`` is the path of the key. ``client_share`` (base64) is
    present once, at creation, if the vault's mode has a client share.
    """

    id: str
    agent_id: str | None
    chain: KeyChain
    public_key: str
    public_key_hex: str
    address: str
    curve: Literal["secp256k1", "Ed25519"]
    key_version: int
    is_active: bool
    created_at: str
    custody: str
    client_share: str | None = Field(default=None, exclude_if=lambda share: share is None)


class KeyList(Reply):
    """The keys of an agent; ``keys`` repeats them under their other name."""

    signing_keys: list[KeyReply]
    keys: list[KeyReply]


class WalletsRequest(Request):
    """The chains of new treasury wallets; all six by default."""

    chains: list[ChainName] = Field(default=list(KeyChain), min_length=1, max_length=6)


class WalletList(Reply):
    """The treasury's wallets."""

    wallets: list[KeyReply]


class Native(Reply):
    """A balance in a chain's own unit, as a decimal string."""

    symbol: str
    balance: str


class BalanceReply(Reply):
    """The balance of a key's address."""

    address: str
    chain: str
    native: Native
    tokens: list[str] = Field(default=[])

"""The ledger's hash chain: entry bytes, leaf hash and row hash. Pure; specified in docs/format.md.

1. ``entry_bytes`` encodes an entry unambiguously.
2. ``leaf`` hashes the entry bytes.
3. ``hash_n`` binds row number, hash of the previous row and leaf: a change of any row changes the
   hash of every later one.
"""

import struct
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

# Domain separation: the tags differ in their first byte, so no leaf is also a row's preimage.
CHAIN_TAG = b"sixgate/ledger/v1\x00"
LEAF_TAG = b"\x00"
GENESIS = bytes(32)

_HEADER = struct.Struct(">QQQIIII")


class Entry(NamedTuple):
    """The content of a row: everything its hash covers except row number and previous hash.

    ``topic``, ``key`` and ``event_id`` are text, ``body`` is canonical bytes; the numbers are
    unsigned and below 2^64, each length below 2^32 bytes.
    """

    topic: str
    partition: int
    offset: int
    key: str
    at_ms: int
    event_id: str
    body: bytes


class Tip(NamedTuple):
    """The end of a chain: its row count, which is the next row's number, and its last hash."""

    rows: int
    hash: bytes


EMPTY = Tip(0, GENESIS)


def entry_bytes(entry: Entry) -> bytes:
    """Return the preimage of a leaf (step 1).

    ``u64 partition, u64 offset, u64 at_ms, u32 length of topic, key, event id and body``,
    big-endian, then those four. Raises ``struct.error`` for a number outside its width.
    """
    # 1. Lengths come before the texts, so no byte can move from one field to the next unnoticed.
    topic, key, name = entry.topic.encode(), entry.key.encode(), entry.event_id.encode()
    body = entry.body
    header = _HEADER.pack(
        entry.partition, entry.offset, entry.at_ms, len(topic), len(key), len(name), len(body)
    )
    return b"%b%b%b%b%b" % (header, topic, key, name, body)


def leaf(entry: Entry) -> bytes:
    """Return the 32-byte hash of an entry (step 2)."""
    # 2. The tag separates this preimage from a row's.
    return sha256(LEAF_TAG + entry_bytes(entry)).digest()


def hash_n(n: int, previous: bytes, leaf_n: bytes) -> bytes:
    """Return the hash of row ``n`` (from 0), over the hash of row ``n - 1`` and the leaf."""
    # 3. The row number is covered too, so a row is valid at one place of the chain only.
    return sha256(CHAIN_TAG + n.to_bytes(8, "big") + previous + leaf_n).digest()


def hashes(tip: Tip, entries: Iterable[Entry]) -> list[bytes]:
    """Return the hash of each row when ``entries`` are appended to a chain that ends at ``tip``."""
    n, previous = tip
    chained = []
    for n, entry in enumerate(entries, n):  # noqa: B020 - the iterable is read once, n is its start
        previous = hash_n(n, previous, leaf(entry))
        chained.append(previous)
    return chained

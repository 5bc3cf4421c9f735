"""The hash chain of the ledger: what a row commits to, and how each row holds the one before.

Pure. ``docs/format.md`` describes the same bytes for those who write another verifier.
"""

import struct
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

CHAIN_TAG = b"sixgate/ledger/v1\x00"
LEAF_TAG = b"\x00"
GENESIS = bytes(32)

_HEADER = struct.Struct(">QQQIIII")


class Entry(NamedTuple):
    """Everything a row commits to besides its place in the chain.

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
    """How far a chain goes: its number of rows, which the next row takes, and its newest hash."""

    rows: int
    hash: bytes


EMPTY = Tip(0, GENESIS)


def entry_bytes(entry: Entry) -> bytes:
    """Return the preimage of a leaf: numbers and lengths first, so that no text can shift.

    ``u64 partition, u64 offset, u64 at_ms, u32 length of topic, key, event id and body``,
    big-endian, then those four. Raises ``struct.error`` for a number outside its width.
    """
    topic, key, name = entry.topic.encode(), entry.key.encode(), entry.event_id.encode()
    body = entry.body
    header = _HEADER.pack(
        entry.partition, entry.offset, entry.at_ms, len(topic), len(key), len(name), len(body)
    )
    return b"%b%b%b%b%b" % (header, topic, key, name, body)


def leaf(entry: Entry) -> bytes:
    """Return the 32-byte hash of an entry."""
    return sha256(LEAF_TAG + entry_bytes(entry)).digest()


def hash_n(n: int, previous: bytes, leaf_n: bytes) -> bytes:
    """Return the hash of row ``n`` (counted from 0) over the hash of row ``n - 1`` and its leaf."""
    return sha256(CHAIN_TAG + n.to_bytes(8, "big") + previous + leaf_n).digest()


def hashes(tip: Tip, entries: Iterable[Entry]) -> list[bytes]:
    """Return the hash of each row when ``entries`` carry the chain on from ``tip``."""
    n, previous = tip
    chained = []
    for n, entry in enumerate(entries, n):  # noqa: B020 - the iterable is read once, n is its start
        previous = hash_n(n, previous, leaf(entry))
        chained.append(previous)
    return chained

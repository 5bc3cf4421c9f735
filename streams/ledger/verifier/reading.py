"""Reads rows and heads from files."""

import base64
import csv
import io
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import IO, Any

import orjson

from . import faults
from .format import Row, VerificationError
from .signatures import public_key, verifies

HEAD_TYPE = "application/vnd.sixgate.ledger-head.v1+json"

_IN_ORDER = itemgetter(*Row._fields)
_NOT_A_HEAD = "a line of the heads file is not a ledger head"


def read_rows(file: IO[bytes]) -> Iterator[Row]:
    """Yield the rows of an export: CSV if the file begins with the header line, else JSON lines.

    Raises ``ValueError`` for a line that is not a row.
    """
    first = file.readline()
    if first.startswith(b"seq,"):
        if first.decode().strip().split(",") != list(Row._fields):
            raise ValueError("the header line is not that of a ledger export")
        csv.field_size_limit(2**31 - 1)
        text = io.TextIOWrapper(file, "utf-8", newline="")
        try:
            yield from map(_row, csv.reader(text, strict=True))
        except csv.Error as error:
            raise ValueError(f"a line is not a ledger row ({error})") from None
    else:
        for line in chain([first] if first else [], file):
            yield _row(_fields(line))


def _fields(line: bytes) -> tuple[Any, ...]:
    try:
        return tuple(_IN_ORDER(orjson.loads(line)))
    except (KeyError, TypeError) as error:
        raise ValueError(f"a line is not a ledger row ({error})") from None


def _row(fields: Sequence[Any]) -> Row:
    try:
        seq, prev_hash, own, topic, partition, offset, key, at_ms, event_id, body = fields
        return Row(
            int(seq), bytes.fromhex(prev_hash[2:]), bytes.fromhex(own[2:]), topic, int(partition),
            int(offset), key, int(at_ms), event_id, body.encode(),
        )  # fmt: skip
    except (TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"a line is not a ledger row ({error})") from None


def read_heads(file: IO[bytes], ledger_key: bytes | None = None) -> dict[int, bytes]:
    """Return the hashes of signed heads by row number. Each line holds one envelope.

    With the ledger's raw public key the signatures are checked; without it, the file is trusted.
    Raises ``ValueError`` for a line that is not a head, and for a file without heads.
    """
    heads: dict[int, bytes] = {}
    for line in file:
        sequence, value, payload, signature = _head(line)
        # An unsigned or contradicting head proves nothing about the rows, so both are errors.
        if ledger_key is not None:
            _refuse_unsigned(payload, signature, ledger_key)
        if heads.setdefault(sequence, value) != value:
            raise VerificationError(sequence, faults.CONTRADICTING_HEADS)
    if not heads:
        raise ValueError("the heads file contains no ledger head")
    return heads


def _head(line: bytes) -> tuple[int, bytes, bytes, bytes]:
    """Return row number, hash, signed payload and signature."""
    try:
        found = orjson.loads(line)
        envelope = found.get("envelope", found)  # as `sixgate ledger head --out` writes it
        payload = base64.b64decode(envelope["payload"], validate=True)
        signature = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
        head, kind = orjson.loads(payload), envelope["payloadType"]
        claimed = int(head["sequence"]), bytes.fromhex(head["hash"][2:])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise ValueError(_NOT_A_HEAD) from None
    if kind != HEAD_TYPE:
        raise ValueError(_NOT_A_HEAD)
    return (*claimed, payload, signature)


def _refuse_unsigned(payload: bytes, signature: bytes, ledger_key: bytes) -> None:
    kind = HEAD_TYPE.encode()
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    if not verifies(public_key(ledger_key), signature, signed):
        raise ValueError("a head is not signed by the ledger's key")

"""Rows and heads out of files."""

import base64
import csv
import io
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import IO, Any

import orjson

from .format import Fault, Row
from .signatures import public_key, verifies

HEAD_TYPE = "application/vnd.sixgate.ledger-head.v1+json"

_IN_ORDER = itemgetter(*Row._fields)


def read_rows(file: IO[bytes]) -> Iterator[Row]:
    """Yield the rows of an export, CSV with a header line or JSON lines, told by its first byte.

    Raises ``ValueError`` for a line that is no row.
    """
    first = file.readline()
    if first.startswith(b"seq,"):
        if first.decode().strip().split(",") != list(Row._fields):
            raise ValueError("the header is not that of a ledger export")
        csv.field_size_limit(2**31 - 1)
        text = io.TextIOWrapper(file, "utf-8", newline="")
        try:
            yield from map(_row, csv.reader(text, strict=True))
        except csv.Error as error:
            raise ValueError(f"a line is no row of the ledger ({error})") from None
    else:
        for line in chain([first] if first else [], file):
            yield _row(_fields(line))


def _fields(line: bytes) -> tuple[Any, ...]:
    try:
        return tuple(_IN_ORDER(orjson.loads(line)))
    except (KeyError, TypeError) as error:
        raise ValueError(f"a line is no row of the ledger ({error})") from None


def _row(fields: Sequence[Any]) -> Row:
    try:
        seq, prev_hash, own, topic, partition, offset, key, at_ms, event_id, body = fields
        return Row(
            int(seq), bytes.fromhex(prev_hash[2:]), bytes.fromhex(own[2:]), topic, int(partition),
            int(offset), key, int(at_ms), event_id, body.encode(),
        )  # fmt: skip
    except (TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"a line is no row of the ledger ({error})") from None


def read_heads(file: IO[bytes], ledger_key: bytes | None = None) -> dict[int, bytes]:
    """Return the hashes by row number of signed heads, one envelope (or what holds it) to a line.

    With the ledger's raw public key their signatures are checked; without, whoever gives the file
    vouches for it. Raises ``ValueError`` for a line that is no head.
    """
    heads: dict[int, bytes] = {}
    for line in file:
        found = orjson.loads(line)
        envelope = found.get("envelope", found)  # what `sixgate ledger head --out` keeps
        payload = base64.b64decode(envelope["payload"], validate=True)
        if envelope["payloadType"] != HEAD_TYPE:
            raise ValueError("a line is no ledger head")
        if ledger_key is not None:
            _refuse_unsigned(envelope, payload, ledger_key)
        head = orjson.loads(payload)
        value = bytes.fromhex(head["hash"][2:])
        if heads.setdefault(int(head["sequence"]), value) != value:
            raise Fault(int(head["sequence"]), "two heads vouch for different hashes of the row")
    return heads


def _refuse_unsigned(envelope: dict[str, Any], payload: bytes, ledger_key: bytes) -> None:
    kind = HEAD_TYPE.encode()
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    signature = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
    if not verifies(public_key(ledger_key), signature, signed):
        raise ValueError("a head is not signed by the ledger's key")

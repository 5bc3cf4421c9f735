"""Signed ledger heads and the head file."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas.dsse import INTENT_TYPE, Envelope, pae, signed_envelope
from schemas.ledger.heads import LedgerHead
from signer.custody.event_signing import Ed25519Signer
from streams.ledger.errors import LedgerRewrittenError, LedgerUnavailableError
from streams.ledger.heads import HeadFile, HeadKey, open_head
from tests.harness.builders.ledger import HEAD_KEY, LEDGER_KEY, LEDGER_PUBLIC, ORG


def head(sequence: int = 4) -> LedgerHead:
    return LedgerHead(org=ORG, chain="main", sequence=sequence, hash="0x" + "ab" * 32, at_ms=7)


def sealed(sequence: int = 4) -> Envelope:
    return HEAD_KEY.sign_head(head(sequence))


def test_a_sealed_head_opens() -> None:
    assert HEAD_KEY.open(sealed()) == head()
    assert open_head(sealed(), f"0x{LEDGER_PUBLIC.hex()}") == head()


def test_a_head_of_another_key_is_refused() -> None:
    other = HeadKey(Ed25519Signer("ledger-1", b"o" * 32))
    with pytest.raises(LedgerRewrittenError, match="not signed"):
        HEAD_KEY.open(other.sign_head(head()))


def test_a_signature_over_another_payload_type_is_refused() -> None:
    body = head().encode()
    forged = signed_envelope(INTENT_TYPE, body, "ledger-1", LEDGER_KEY.sign(pae(INTENT_TYPE, body)))
    with pytest.raises(LedgerRewrittenError):
        HEAD_KEY.open(forged)


def test_a_file_that_is_not_there_has_no_head(tmp_path: Path) -> None:
    file = HeadFile(tmp_path / "heads.jsonl")
    assert file.last() is None
    assert list(file.heads()) == []


def test_heads_are_kept_in_order(tmp_path: Path) -> None:
    file = HeadFile(tmp_path / "heads.jsonl")
    for n in range(300):
        file.publish(sealed(n))
    again = HeadFile(tmp_path / "heads.jsonl")
    assert again.last() == sealed(299)
    assert [HEAD_KEY.open(envelope).sequence for envelope in again.heads()] == list(range(300))


@pytest.mark.parametrize("torn", [1, 40, 400])
def test_a_line_torn_by_a_crash_was_never_published(tmp_path: Path, torn: int) -> None:
    path = tmp_path / "heads.jsonl"
    HeadFile(path).publish(sealed(1))
    with path.open("ab") as file:
        file.write(sealed(2).encode()[:torn])
    again = HeadFile(path)
    assert again.last() == sealed(1)
    again.publish(sealed(3))
    assert list(again.heads()) == [sealed(1), sealed(3)]


@contextmanager
def disk_that_takes(size_bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_line_torn_by_a_full_disk_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    file = HeadFile(path)
    file.publish(sealed(1))
    with disk_that_takes(path.stat().st_size + 40), pytest.raises(LedgerUnavailableError):
        file.publish(sealed(2))
    file.publish(sealed(3))
    assert list(file.heads()) == [sealed(1), sealed(3)]


def test_a_first_line_that_is_torn_leaves_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    path.write_bytes(b'{"payl')
    assert HeadFile(path).last() is None
    HeadFile(path).publish(sealed(3))
    assert list(HeadFile(path).heads()) == [sealed(3)]


def test_a_complete_line_that_is_not_a_head_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    path.write_bytes(b"{}\n")
    with pytest.raises(LedgerRewrittenError, match=r"last line of .*heads\.jsonl"):
        HeadFile(path).last()


def test_a_head_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailableError, match=r"heads\.jsonl: No such file"):
        HeadFile(tmp_path / "absent" / "heads.jsonl").publish(sealed())


def test_a_head_is_readable_as_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    HeadFile(path).publish(sealed())
    envelope = json.loads(path.read_bytes())
    assert envelope["payloadType"] == "application/vnd.sixgate.ledger-head.v1+json"

"""Files and command line of the stand-alone verifier."""

import ast
import csv
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from schemas.ledger.heads import LedgerHead
from signer.custody.event_signing import Ed25519Signer
from streams.ledger import verifier
from streams.ledger.heads import HeadKey
from streams.ledger.verifier import Row, VerificationError, read_heads, read_rows
from streams.ledger.verifier.__main__ import main
from tests.harness.builders.ledger import (
    HEAD_KEY,
    LEDGER_PUBLIC,
    ORG,
    OTHER_KEY,
    ROWS,
    SIGNER_PUBLIC,
    changed,
    jsonl,
    outcome,
    outcomes,
)


def as_csv(rows: Sequence[Row]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Row._fields)
    for row in rows:
        hashes = {"prev_hash": "0x" + row.prev_hash.hex(), "hash": "0x" + row.hash.hex()}
        writer.writerow((row._asdict() | hashes | {"body": row.body.decode()}).values())
    return out.getvalue().encode()


@pytest.mark.parametrize("write", [jsonl, as_csv])
def test_files_are_read_back(write: Callable[[Sequence[Row]], bytes]) -> None:
    assert list(read_rows(io.BytesIO(write(ROWS)))) == ROWS


@pytest.mark.parametrize("raw", [b"", b"\n"[:0]])
def test_an_empty_file_has_no_rows(raw: bytes) -> None:
    assert list(read_rows(io.BytesIO(raw))) == []


@pytest.mark.parametrize(
    "raw", [b"x\n", b"[]\n", b"{}\n", b'{"seq":"x"}\n', b"seq,hash\n1,2\n", as_csv(ROWS[:1])[:-30]]
)
def test_a_line_that_is_not_a_row_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"ledger row|header|JSON|unexpected"):
        list(read_rows(io.BytesIO(raw)))


def head(seq: int, *, key: HeadKey = HEAD_KEY, value: bytes = b"") -> bytes:
    own = "0x" + (value or ROWS[seq].hash).hex()
    content = LedgerHead(org=ORG, chain="main", sequence=seq, hash=own, at_ms=1)
    return key.sign_head(content).encode() + b"\n"


def test_heads_are_read_and_their_signature_checked() -> None:
    lines = head(3) + head(9)
    expected = {3: ROWS[3].hash, 9: ROWS[9].hash}
    assert read_heads(io.BytesIO(lines), LEDGER_PUBLIC) == expected


def test_a_head_signed_by_another_key_is_refused() -> None:
    forged = head(3, key=HeadKey(Ed25519Signer("ledger-1", b"o" * 32)))
    with pytest.raises(ValueError, match="not signed"):
        read_heads(io.BytesIO(forged), LEDGER_PUBLIC)


def test_two_heads_that_contradict_each_other_are_a_fault() -> None:
    with pytest.raises(VerificationError, match=r"Row 3: two .*heads"):
        read_heads(io.BytesIO(head(3) + head(3, value=bytes(32))))


def test_the_command_line_summarises_a_valid_ledger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ledger.jsonl").write_bytes(jsonl(ROWS))
    (tmp_path / "heads.jsonl").write_bytes(head(3) + head(100))
    arguments = [str(tmp_path / "ledger.jsonl"), "--head", str(tmp_path / "heads.jsonl")]
    keys = ["--ledger-key", "0x" + LEDGER_PUBLIC.hex(), "--signer", "0x" + SIGNER_PUBLIC.hex()]
    assert main(arguments + keys) == 0
    shown = capsys.readouterr().out
    assert f"Rows 0 to {len(ROWS) - 1} " in shown
    assert f"0x{ROWS[-1].hash.hex()}" in shown
    assert "2 remembered heads" in shown


def test_a_ledger_key_without_heads_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["ledger.jsonl", "--ledger-key", LEDGER_PUBLIC.hex()])
    assert "--head" in capsys.readouterr().err


def test_the_command_line_names_the_first_bad_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ledger.csv").write_bytes(as_csv(changed(30, at_ms=1)))
    assert main([str(tmp_path / "ledger.csv")]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("FAULT. Row 30: ")
    assert "hash does not match its content" in shown


def test_forged_outcomes_have_their_own_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ledger.jsonl").write_bytes(jsonl(outcomes(outcome(0, 1, OTHER_KEY))))
    signer = ["--signer", SIGNER_PUBLIC.hex()]
    assert main([str(tmp_path / "ledger.jsonl"), *signer]) == 3
    shown = capsys.readouterr().out
    assert "1 events on outcome topics" in shown
    assert "first in row 0" in shown


@pytest.mark.parametrize("content", [b"garbage\n", b"{}\n", b"\xff\n", None])
def test_unreadable_input_has_its_own_exit_code(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ledger.jsonl"
    if content is not None:
        file.write_bytes(content)
    assert main([str(file)]) == 2
    assert capsys.readouterr().err.startswith("The input could not be read: ")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]\n", b"5\n", b"{}\n", b"garbage\n", b"\xff\n", b'{"envelope":[]}\n',
        b'{"payload":"e30=","payloadType":"x","signatures":[]}\n',
    ],
)  # fmt: skip
def test_an_invalid_heads_file_is_an_input_error(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ledger.jsonl").write_bytes(jsonl(ROWS))
    (tmp_path / "heads.jsonl").write_bytes(content)
    assert main([str(tmp_path / "ledger.jsonl"), "--head", str(tmp_path / "heads.jsonl")]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("The input could not be read: ")
    assert "ledger head" in shown.err


@pytest.mark.parametrize("key", ["0x12", "zz", "", "signer-0"])
def test_an_invalid_public_key_is_refused(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["ledger.jsonl", "--signer", key])
    error = capsys.readouterr().err
    assert ascii(key) in error
    assert "64 hexadecimal digits" in error


@pytest.mark.parametrize("option", ["--signer", "--ledger-key"])
def test_a_weak_public_key_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["ledger.jsonl", "--head", "heads.jsonl", option, "0x01" + "00" * 31])
    assert "anyone can sign" in capsys.readouterr().err


def test_the_verifier_imports_nothing_of_sixgate() -> None:
    for file in Path(verifier.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level != 1:
                assert node.level == 0
                names = {(node.module or "").split(".")[0]}
            else:
                continue
            assert names <= set(sys.stdlib_module_names) | {"orjson", "cryptography"}, file.name

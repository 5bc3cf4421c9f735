"""The stand-alone verifier on rows a writer made and attackers changed."""

import ast
import csv
import io
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.heads import LedgerHead
from schemas.outcome import decode_outcome
from schemas.record import Record
from schemas.topics import Topic
from signer.signatures import Ed25519Signer
from streams.ledger import verifier
from streams.ledger.chain import Entry, Tip
from streams.ledger.heads import HeadKey
from streams.ledger.verifier import Fault, Row, read_heads, read_rows, verify
from streams.ledger.verifier.__main__ import main
from tests.support.ledger import (
    HEAD_KEY,
    LEDGER_PUBLIC,
    ORG,
    SIGNER_PUBLIC,
    Pipeline,
    chained,
    rows_of,
    sample_intent,
    sample_outcome,
    signed,
)

ROWS = rows_of(Pipeline().run(20))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"o" * 32)


def fault_of(rows: Sequence[Row], **options: Any) -> Fault:
    with pytest.raises(Fault) as caught:
        verify(rows, **options)
    return caught.value


def changed(seq: int, **fields: Any) -> list[Row]:
    return [row._replace(**fields) if row.seq == seq else row for row in ROWS]


def test_what_the_writer_made_verifies() -> None:
    report = verify(ROWS, signers=[SIGNER_PUBLIC])
    assert (report.rows, report.hash) == (len(ROWS), ROWS[-1].hash)
    assert (report.outcomes, report.accounts, report.forged) == (20, 4, 0)


def test_an_empty_ledger_verifies() -> None:
    assert verify([]).rows == 0


@pytest.mark.parametrize(
    "field", [name for name in Row._fields if name not in {"seq", "prev_hash", "hash"}]
)
def test_any_changed_field_is_found_by_the_hash(field: str) -> None:
    value = getattr(ROWS[30], field)
    other = value + 1 if isinstance(value, int) else value[:-1] + value[:1]
    fault = fault_of(changed(30, **{field: other}))
    assert (fault.seq, fault.what) == (30, "its hash is not the hash of its content")


@pytest.mark.parametrize("field", ["prev_hash", "hash"])
def test_a_changed_hash_is_found(field: str) -> None:
    flipped = bytes([getattr(ROWS[30], field)[0] ^ 1]) + getattr(ROWS[30], field)[1:]
    assert fault_of(changed(30, **{field: flipped})).seq == 30


@pytest.mark.parametrize("bit", range(8))
def test_every_bit_of_a_body_counts(bit: int) -> None:
    body = bytearray(ROWS[7].body)
    body[len(body) // 2] ^= 1 << bit
    assert fault_of(changed(7, body=bytes(body))).seq == 7


def test_a_deleted_row_is_named() -> None:
    fault = fault_of(ROWS[:30] + ROWS[31:])
    assert (fault.seq, fault.what) == (30, "the row is missing; the next one is 31")


def test_a_deleted_first_row_is_named() -> None:
    assert fault_of(ROWS[1:]).seq == 0


def test_an_inserted_row_is_found() -> None:
    assert fault_of([*ROWS[:30], ROWS[29], *ROWS[30:]]).seq == 29


def test_swapped_rows_are_found() -> None:
    swapped = [*ROWS[:30], ROWS[31], ROWS[30], *ROWS[32:]]
    assert fault_of(swapped).seq == 30


def test_rows_swapped_with_their_numbers_are_found() -> None:
    first, second = ROWS[30]._replace(seq=31), ROWS[31]._replace(seq=30)
    assert fault_of([*ROWS[:30], second, first, *ROWS[32:]]).seq == 30


def test_a_row_rehashed_alone_breaks_the_next_link() -> None:
    forged = entry(30)._replace(at_ms=1)
    own = chained([forged], Tip(30, ROWS[29].hash))
    fault = fault_of([*ROWS[:30], *own, *ROWS[31:]])
    assert (fault.seq, fault.what) == (31, "its link is not the hash of the row before")


def test_a_truncated_ledger_is_found_by_whoever_remembers_a_head() -> None:
    fault = fault_of(ROWS[:30], heads={40: ROWS[40].hash})
    assert (fault.seq, fault.what) == (40, "a head vouches for the row, and it is missing")


def test_a_rewritten_suffix_is_found_by_whoever_remembers_a_head() -> None:
    entries = [entry(n) for n in range(30, len(ROWS))]
    entries[0] = entries[0]._replace(at_ms=1)
    rewritten = [*ROWS[:30], *chained(entries, Tip(30, ROWS[29].hash))]
    assert verify(rewritten).rows == len(ROWS)
    fault = fault_of(rewritten, heads={40: ROWS[40].hash})
    assert (fault.seq, fault.what) == (40, "its hash is not the one that a head vouches for")


def test_an_older_head_holds_in_a_longer_ledger() -> None:
    assert verify(ROWS, {0: ROWS[0].hash, 12: ROWS[12].hash}).heads == 2


def test_an_offset_taken_twice_is_found() -> None:
    entries = [entry(n) for n in range(18)]
    entries[9] = entries[9]._replace(offset=0)
    fault = fault_of(chained(entries))
    assert fault.seq == 9
    assert fault.what == "its offset is not above the former one of its partition"


def test_an_event_id_that_is_not_the_bodys_is_found() -> None:
    entries = [entry(0), entry(1)._replace(event_id="0x" + "00" * 32)]
    assert fault_of(chained(entries)).what == "its event id is not that of its body"


@pytest.mark.parametrize(
    "body", [b"", b"garbage", b"[]", b"1", b"{}", b'{"payloadType":[]}', b'{"type":"opaque"}']
)
def test_a_body_that_is_no_event_is_found(body: bytes) -> None:
    assert fault_of(chained([entry(0)._replace(body=body)])).what == (
        "its body is no event of the format"
    )


def test_opaque_rows_verify() -> None:
    garbage = [Record(Topic.DECIDED, 0, n, "a", b"\x00\xff" * n, 0) for n in range(5)]
    assert verify(rows_of(garbage)).rows == 5


# outcomes


def outcomes(*values: bytes, topic: Topic = Topic.OUTCOMES) -> list[Row]:
    return rows_of([Record(topic, 0, n, "a", value, 0) for n, value in enumerate(values)])


def outcome(n: int, sequence: int, key: Ed25519PrivateKey | None = None) -> bytes:
    made = sample_outcome(n, sample_intent(n, "treasury"), sequence, 7)
    return (signed(made, key) if key else made).encode()


def test_a_hole_in_an_accounts_sequence_is_found() -> None:
    fault = fault_of(outcomes(outcome(0, 1), outcome(1, 3)))
    assert (fault.seq, fault.what) == (1, "outcome 2 of account treasury is missing before it")


def test_a_sequence_starts_at_one() -> None:
    assert fault_of(outcomes(outcome(0, 2))).seq == 0


def test_two_outcomes_with_one_number_are_found() -> None:
    fault = fault_of(outcomes(outcome(0, 1), outcome(1, 1)))
    assert fault.what == "it is a second outcome 1 of account treasury"


def test_a_second_outcome_of_an_intent_is_found() -> None:
    fault = fault_of(outcomes(outcome(0, 1), outcome(0, 2)))
    assert fault.what.startswith("it is a second, different outcome of intent 0x")


def test_a_redelivered_outcome_is_no_second_one() -> None:
    twice = outcomes(outcome(0, 1), outcome(1, 2), outcome(0, 1))
    assert verify(twice, signers=[SIGNER_PUBLIC]).outcomes == 2


@pytest.mark.parametrize("topics", [(Topic.SIGNED, Topic.OUTCOMES), (Topic.OUTCOMES, Topic.SIGNED)])
def test_a_signed_transaction_that_is_not_its_outcome_is_found(topics: tuple[Topic, Topic]) -> None:
    values = [outcome(0, 1), outcome(0, 1).replace(b'"nonce":0', b'"nonce":9')]
    pairs = zip(topics, values, strict=True)
    rows = rows_of([Record(topic, 0, 0, "a", value, 0) for topic, value in pairs])
    fault = fault_of(rows)
    assert fault.seq == 1
    assert "second, different outcome" in fault.what


def test_a_signed_transaction_may_come_before_its_outcome() -> None:
    topics = (Topic.SIGNED, Topic.OUTCOMES)
    rows = rows_of([Record(topic, 0, 0, "a", outcome(0, 1), 0) for topic in topics])
    assert verify(rows, signers=[SIGNER_PUBLIC]).outcomes == 1


def test_outcomes_nobody_signed_are_counted_and_ignored() -> None:
    rows = outcomes(outcome(0, 1), outcome(5, 9, OTHER_KEY), outcome(1, 2))
    report = verify(rows, signers=[SIGNER_PUBLIC])
    assert (report.outcomes, report.forged, report.first_forged) == (2, 1, 1)


def test_an_edited_outcome_leaves_a_hole_whatever_hashes_were_recomputed() -> None:
    edited = outcome(0, 1).replace(b'"nonce":0', b'"nonce":9')
    fault = fault_of(outcomes(edited, outcome(1, 2)), signers=[SIGNER_PUBLIC])
    assert fault.what == "outcome 1 of account treasury is missing before it"


def test_without_any_signer_no_outcome_is_right() -> None:
    report = verify(ROWS, signers=[])
    assert (report.outcomes, report.forged > 0) == (0, True)


def test_any_of_several_signers_will_do() -> None:
    rows = outcomes(outcome(0, 1), outcome(1, 2, OTHER_KEY))
    keys = [SIGNER_PUBLIC, OTHER_KEY.public_key().public_bytes_raw()]
    assert verify(rows, signers=keys).outcomes == 2


@pytest.mark.parametrize(
    "change",
    [
        {"signature": "0xzz"},
        {"signature": 7},
        {"signature": ""},
        {"sequence": "1"},
        {"sequence": True},
        {"intent": 7},
        {"account": ["a"]},
        {"type": "intent.imagined"},
    ],
)
def test_what_only_looks_like_an_outcome_is_counted_as_forged(change: dict[str, object]) -> None:
    event = orjson.loads(outcome(0, 1)) | change
    rows = outcomes(orjson.dumps(event, option=orjson.OPT_SORT_KEYS))
    report = verify(rows, signers=[SIGNER_PUBLIC])
    assert (report.outcomes, report.forged) == (0, 1)


def test_the_ledgers_form_of_an_outcome_decodes_and_its_signature_holds() -> None:
    body = next(row.body for row in ROWS if row.topic == Topic.OUTCOMES)
    decode_outcome(body)


# parts


@pytest.mark.parametrize("start", [1, 7, 8, 100])
def test_a_part_verifies_when_it_is_called_one(start: int) -> None:
    report = verify(ROWS[start:], signers=[SIGNER_PUBLIC], part=True)
    assert (report.first, report.rows) == (start, len(ROWS) - start)
    assert fault_of(ROWS[start:]).seq == 0


def test_a_part_with_a_hole_does_not() -> None:
    assert fault_of([*ROWS[50:60], *ROWS[61:]], part=True).seq == 60


# files and command line


def jsonl(rows: Sequence[Row]) -> bytes:
    return b"".join(
        orjson.dumps(
            {
                **row._asdict(),
                "prev_hash": "0x" + row.prev_hash.hex(),
                "hash": "0x" + row.hash.hex(),
                "body": row.body.decode(),
            }
        )
        + b"\n"
        for row in rows
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
def test_a_line_that_is_no_row_is_said(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"row of the ledger|header|JSON|unexpected"):
        list(read_rows(io.BytesIO(raw)))


def head(seq: int, *, key: HeadKey = HEAD_KEY, value: bytes = b"") -> bytes:
    own = "0x" + (value or ROWS[seq].hash).hex()
    told = LedgerHead(org=ORG, chain="main", sequence=seq, hash=own, at_ms=1)
    return key.seal(told).encode() + b"\n"


def test_heads_are_read_and_their_signature_checked() -> None:
    lines = head(3) + head(9)
    expected = {3: ROWS[3].hash, 9: ROWS[9].hash}
    assert read_heads(io.BytesIO(lines), LEDGER_PUBLIC) == expected


def test_a_head_that_somebody_else_signed_is_no_head() -> None:
    forged = head(3, key=HeadKey(Ed25519Signer("ledger-1", b"o" * 32)))
    with pytest.raises(ValueError, match="not signed by the ledger's key"):
        read_heads(io.BytesIO(forged), LEDGER_PUBLIC)


def test_two_heads_that_contradict_each_other_are_a_fault() -> None:
    with pytest.raises(Fault, match="two heads vouch for different hashes"):
        read_heads(io.BytesIO(head(3) + head(3, value=bytes(32))))


def test_the_command_line_says_what_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ledger.jsonl").write_bytes(jsonl(ROWS))
    (tmp_path / "heads.jsonl").write_bytes(head(3) + head(100))
    arguments = [str(tmp_path / "ledger.jsonl"), "--head", str(tmp_path / "heads.jsonl")]
    keys = ["--ledger-key", "0x" + LEDGER_PUBLIC.hex(), "--signer", "0x" + SIGNER_PUBLIC.hex()]
    assert main(arguments + keys) == 0
    said = capsys.readouterr().out
    assert f"Rows 0 to {len(ROWS) - 1} hold, the last hash is 0x{ROWS[-1].hash.hex()}." in said
    assert "2 remembered heads are in the chain." in said


def test_the_command_line_names_the_first_bad_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ledger.csv").write_bytes(as_csv(changed(30, at_ms=1)))
    assert main([str(tmp_path / "ledger.csv")]) == 1
    assert capsys.readouterr().err == "FAULT. Row 30: its hash is not the hash of its content.\n"


def test_the_command_line_tells_forged_outcomes_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ledger.jsonl").write_bytes(jsonl(outcomes(outcome(0, 1, OTHER_KEY))))
    signer = ["--signer", SIGNER_PUBLIC.hex()]
    assert main([str(tmp_path / "ledger.jsonl"), *signer]) == 3
    assert "1 events on the outcome topics are no signer's" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"garbage\n", b"{}\n", b"\xff\n", None])
def test_the_command_line_says_that_it_cannot_read(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ledger.jsonl"
    if content is not None:
        file.write_bytes(content)
    assert main([str(file)]) == 2
    assert capsys.readouterr().err.startswith("The input could not be read: ")


def test_it_runs_alone_on_standard_input(tmp_path: Path) -> None:
    """Copied away from everything of ours, without the folder of this project on its path."""
    source = Path(verifier.__file__).parent
    copied = tmp_path / "verifier"
    copied.mkdir()
    for file in source.glob("*.py"):
        (copied / file.name).write_bytes(file.read_bytes())
    run = subprocess.run(
        [sys.executable, "-P", "-m", "verifier", "-"],
        input=jsonl(ROWS),
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, b"")


def test_it_imports_nothing_of_ours() -> None:
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


def entry(seq: int) -> Entry:
    return Entry(*ROWS[seq][3:])
